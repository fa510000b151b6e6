"""Pseudonyms by HMAC-SHA-256 (RFC 2104) with one key per permit, so that extracts of two permits cannot be joined.

A plain hash of an identifier is no pseudonym: whoever has a list of identifiers hashes it and looks them up, and by the
Korean guideline on pseudonymization such hashes still are identifiers. `weak` says so before anybody uses one.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from madang.base.errors import MadangError

if TYPE_CHECKING:
    from madang.lake.engine import Engine

KEY_BYTES = 32
_BLOCK = 64
_HEX = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}", re.IGNORECASE)
PLAIN = frozenset({"md5", "sha1", "sha-1", "sha224", "sha256", "sha-256", "sha384", "sha512", "sha-512", "crc32"})


def check_method(method: str) -> None:
    """Refuse everything but a keyed hash. Raises `privacy.plain_hash`, `privacy.pseudonyms`."""
    name = method.strip().lower()
    if name in PLAIN or name.startswith("salted"):
        raise MadangError(
            "privacy.plain_hash",
            f"{method} without a secret key makes no pseudonyms: whoever lists the identifiers can look each one up.",
            "Use hmac-sha256, whose key is kept apart from the data.",
        )
    if name != "hmac-sha256":
        raise MadangError("privacy.pseudonyms", f"There is no method {method!r}.", "Use hmac-sha256.")


def check_key(key: bytes) -> bytes:
    """The key, if it is one. Raises `privacy.key`."""
    if len(key) != KEY_BYTES or len(set(key)) < 8:
        raise MadangError("privacy.key", f"A key of pseudonyms is {KEY_BYTES} random bytes.")
    return key


def pseudonym(key: bytes, domain: str, identifier: int | str) -> int:
    """A pseudonym of 63 bits: the same for the same key, domain (what is named, as `person`) and identifier."""
    digest = hmac.digest(check_key(key), f"{domain}:{identifier}".encode(), "sha256")
    return int.from_bytes(digest[:8], "big") >> 1


def text_pseudonym(key: bytes, domain: str, identifier: str) -> str:
    """A pseudonym as 32 hexadecimal digits, for columns of text."""
    return hmac.digest(check_key(key), f"{domain}:{identifier}".encode(), "sha256").hex()[:32]


def install(engine: "Engine", key: bytes) -> None:
    """Have `pseudonym(domain, identifier)` and `shift(identifier, days)` in this engine, equal to those above.

    The key stays within the engine's memory; use the engine for nothing that others write.
    """
    padded = check_key(key) + bytes(_BLOCK - KEY_BYTES)
    inner = bytes(byte ^ 0x36 for byte in padded).hex()
    outer = bytes(byte ^ 0x5C for byte in padded).hex()
    digest = f"sha256(unhex('{outer}') || unhex(sha256(unhex('{inner}') || encode(domain || ':' || id))))"
    engine.execute(
        f"""
        CREATE OR REPLACE TEMP MACRO pseudonym(domain, id) AS
            CASE WHEN id IS NULL THEN NULL ELSE (('0x' || substr({digest}, 1, 16))::UBIGINT // 2)::BIGINT END;
        CREATE OR REPLACE TEMP MACRO date_shift(id, days) AS
            CASE WHEN pseudonym('shift-sign', id) % 2 = 0 THEN 1 ELSE -1 END
                * (1 + pseudonym('shift', id) % days)::INTEGER;
        """
    )


def shift_days(key: bytes, identifier: int | str, most: int) -> int:
    """By how many days (1 to `most`, either way) the dates of a person are moved: all by the same."""
    sign = 1 if pseudonym(key, "shift-sign", identifier) % 2 == 0 else -1
    return sign * (1 + pseudonym(key, "shift", identifier) % most)


def weak(values: Iterable[str], known: Iterable[str]) -> str | None:
    """The plain hash that these values are, if hashing some known identifiers gives one of them; None if none does."""
    wanted = {value.lower() for value in values if _HEX.fullmatch(value)}
    if not wanted:
        return None
    for identifier in known:
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512"):
            if hashlib.new(name, identifier.encode(), usedforsecurity=False).hexdigest() in wanted:
                return name
    return None
