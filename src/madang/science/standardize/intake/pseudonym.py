"""Identifiers of people leave the source only as pseudonyms."""

import hashlib
import hmac
from collections.abc import Callable

from madang.base.errors import MadangError

_CACHED = 200_000


def pseudonymizer(key: bytes) -> Callable[[str], str]:
    """A function from an identifier to its pseudonym: HMAC-SHA256 with `key`, the first 128 bits as 32 hex digits.

    The same key gives the same pseudonym for the same trimmed text in every source. RFC 2104.
    """
    if len(key) < 16:
        raise MadangError("key.short", "The pseudonym key has fewer than 16 bytes.", "Make a new key.")
    # The two keyed states are made once; copying them is much faster than a new HMAC per value.
    block = hashlib.sha256(key).digest() if len(key) > 64 else key
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block.ljust(64, b"\0")))
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in block.ljust(64, b"\0")))
    cache: dict[str, str] = {}

    def pseudonym(value: str) -> str:
        known = cache.get(value)
        if known is None:
            state, last = inner.copy(), outer.copy()
            state.update(value.encode())
            last.update(state.digest())
            known = last.hexdigest()[:32]
            if len(cache) >= _CACHED:
                cache.clear()
            cache[value] = known
        return known

    probe = hmac.new(key, b"madang", "sha256").hexdigest()[:32]
    assert pseudonym("madang") == probe, "the keyed states must be those of HMAC"
    return pseudonym
