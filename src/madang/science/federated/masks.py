"""Secure aggregation: sites add pairwise masks to their numbers, and only the sum of all can be read.

Numbers are written in fixed point over the prime field of 2^127 - 1, two elements each: multiples of 2^-40 up to 2^84,
and what is left of them in multiples of 2^-160. So a sum is exact after unmasking, whatever the order, for numbers
between 2^-107 and 2^84; smaller ones are exact to 2^-160.

Masks are those of Bonawitz et al. (CCS 2017): each pair of sites has a seed that one adds and the other takes off, each
site has one of its own. Who has answered is settled before any seed is told; then every site of that set tells its own
seed and, of each site that fell out, the pair's seed. A site tells the seeds of an attempt once, for one set. Its own
seed it has shared out among the others before (Shamir 1979), so that `least_of` of them can tell it where the site
falls out between its answer and its seed.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.federated.exact import Array

PRIME = 2**127 - 1
COARSE, FINE = 40, 160  # bits after the point of the two elements
LARGEST = 2.0**84
WIDTH = 16  # bytes of an element


def encode(high: "Array", low: "Array") -> list[int]:
    """Numbers hi + lo as field elements, two each. Errors: `federated.mask` for what is not finite or too large."""
    import numpy as np

    found: list[int] = []
    for a, b in zip(np.ravel(high).tolist(), np.ravel(low).tolist(), strict=True):
        if not (math.isfinite(a) and math.isfinite(b)) or abs(a) >= LARGEST:
            raise MadangError("federated.mask", _("A number here is too large to be masked, or is none."))
        whole = _fixed(a) + _fixed(b)
        coarse = whole >> (FINE - COARSE)
        found += [coarse % PRIME, (whole - (coarse << (FINE - COARSE))) % PRIME]
    return found


def _fixed(value: float) -> int:
    """The nearest multiple of 2^-160, counted; exact for what a double of that range can hold."""
    numerator, denominator = value.as_integer_ratio()
    bits = denominator.bit_length() - 1
    if bits <= FINE:
        return numerator << (FINE - bits)
    shift = bits - FINE
    return (numerator + (1 << (shift - 1))) >> shift


def decode(elements: Sequence[int]) -> "tuple[Array, Array]":
    """The numbers hi + lo of unmasked elements, as one flat array each."""
    import numpy as np

    high, low = [], []
    for place in range(0, len(elements), 2):
        whole = (_signed(elements[place]) << (FINE - COARSE)) + _signed(elements[place + 1])
        near = _near(whole)
        high.append(near)
        low.append(_near(whole - _fixed(near)))
    return np.array(high), np.array(low)


def _signed(element: int) -> int:
    return element - PRIME if element > PRIME // 2 else element


def _near(whole: int) -> float:
    """whole * 2^-160 as the nearest double."""
    return whole / (1 << FINE) if whole else 0.0


def stream(seed: bytes, count: int) -> list[int]:
    """Field elements that follow from a seed (SHAKE-256)."""
    given = hashlib.shake_256(b"madang mask 1" + seed).digest(count * WIDTH)
    return [(int.from_bytes(given[at : at + WIDTH], "big") & PRIME) % PRIME for at in range(0, count * WIDTH, WIDTH)]


def seed_of(secret: bytes, *about: str) -> bytes:
    """A seed for one attempt of one question, of a secret that outlives it."""
    text = b"".join(len(each.encode()).to_bytes(4, "big") + each.encode() for each in about)
    return hashlib.sha256(b"madang seed 1" + hashlib.sha256(secret).digest() + text).digest()


def mask(elements: Sequence[int], me: str, own: bytes, pairs: Mapping[str, bytes]) -> list[int]:
    """For a site: its elements with its own mask and those of its pairs ({other site: seed}) added."""
    found = list(elements)
    _add(found, own, 1)
    for other, seed in pairs.items():
        _add(found, seed, sign_of(me, other))
    return [each % PRIME for each in found]


def sign_of(me: str, other: str) -> int:
    """Whether `me` adds the mask of the pair (1) or takes it off (-1)."""
    if me == other:
        raise MadangError("federated.mask", _("A site has no pair with itself."))
    return 1 if me < other else -1


def unmask(
    masked: Mapping[str, Sequence[int]], own: Mapping[str, bytes], fallen: Mapping[str, Mapping[str, bytes]]
) -> list[int]:
    """For the coordinator: the sum of the sites in `masked`.

    `own` has the own seed of each, `fallen` of each site that fell out {site that answered: seed of that pair}.
    Errors: `federated.mask` where seeds are missing or lengths differ.
    """
    lengths = {len(each) for each in masked.values()}
    if len(lengths) != 1 or set(own) != set(masked) or any(set(each) != set(masked) for each in fallen.values()):
        raise MadangError("federated.mask", _("The masks of this round cannot be taken off: something is missing."))
    found = [sum(column) for column in zip(*masked.values(), strict=True)]
    for seed in own.values():
        _add(found, seed, -1)
    for gone, seeds in fallen.items():
        for site, seed in seeds.items():
            _add(found, seed, -sign_of(site, gone))
    return [each % PRIME for each in found]


def _add(elements: list[int], seed: bytes, sign: int) -> None:
    for place, each in enumerate(stream(seed, len(elements))):
        elements[place] += sign * each


CHUNK = 11  # bytes of a seed that one polynomial shares


def least_of(sites: int) -> int:
    """How many of the other sites of a study of so many can tell the seed of one: two thirds of them, two at least."""
    return max(2, math.ceil(2 * (sites - 1) / 3))


def share_out(secret: bytes, names: Sequence[str], least: int, chance: bytes) -> dict[str, bytes]:
    """A seed shared out among sites, of whom any `least` can tell it and fewer know nothing (Shamir 1979).

    `chance` is a seed that nobody else knows; the same one makes the same shares.
    """
    found = dict.fromkeys(sorted(names), b"")
    for place in range(0, len(secret), CHUNK):
        chunk = int.from_bytes(secret[place : place + CHUNK], "big")
        powers = [chunk, *stream(seed_of(chance, str(place)), least - 1)]
        for x, name in enumerate(found, 1):
            value = 0
            for each in reversed(powers):
                value = (value * x + each) % PRIME
            found[name] += value.to_bytes(WIDTH, "big")
    return found


def put_together(shares: Mapping[str, bytes], names: Sequence[str], least: int, size: int = 32) -> bytes:
    """The seed that was shared out among `names`, of at least `least` shares. Errors: `federated.mask`."""
    places = {name: x for x, name in enumerate(sorted(names), 1)}
    chosen = sorted(shares)[:least]
    count = -(-size // CHUNK)
    if len(chosen) < least or any(name not in places or len(shares[name]) != count * WIDTH for name in chosen):
        raise MadangError("federated.mask", _("The masks of this round cannot be taken off: something is missing."))
    found = b""
    for chunk in range(count):
        value = 0
        for name in chosen:
            weight = 1
            for other in chosen:
                if other != name:
                    weight = weight * places[other] * pow(places[other] - places[name], -1, PRIME) % PRIME
            value += weight * int.from_bytes(shares[name][chunk * WIDTH : (chunk + 1) * WIDTH], "big")
        length = min(CHUNK, size - chunk * CHUNK)
        value %= PRIME
        if value >= 1 << (8 * length):
            raise MadangError("federated.mask", _("The masks of this round cannot be taken off: a share is wrong."))
        found += value.to_bytes(length, "big")
    return found


def hidden(share: bytes, key: bytes) -> bytes:
    """A share for one site, or what was hidden so: combined with a stream that only the pair can make."""
    pad = hashlib.shake_256(b"madang share 1" + key).digest(len(share))
    return bytes(a ^ b for a, b in zip(share, pad, strict=True))


def to_bytes(elements: Iterable[int]) -> bytes:
    """Elements as bytes, 16 each."""
    return b"".join(each.to_bytes(WIDTH, "big") for each in elements)


def from_bytes(data: bytes) -> list[int]:
    """What `to_bytes` wrote. Errors: `federated.mask` for what is no list of elements of the field."""
    found = [int.from_bytes(data[at : at + WIDTH], "big") for at in range(0, len(data), WIDTH)]
    if len(data) % WIDTH or any(each >= PRIME for each in found):
        raise MadangError("federated.mask", _("This is no list of masked numbers."))
    return found
