"""Bitstring Status List 1.0 (W3C): which certificates are revoked or suspended, as a list that says nothing else.

A list has 131,072 bits, the least that the standard allows. A certificate has a place in it, drawn at random, and two
bits: `2 x place` says revoked, `2 x place + 1` suspended. The list is itself a signed credential that holds for some
days; after that it says nothing any more.
"""

import base64
import binascii
import datetime
import gzip
import io
from collections.abc import Mapping
from typing import Any

from madang.services.certification.times import iso

BITS = 131_072
PLACES = BITS // 2
DAYS = 30  # that a list holds
LARGEST = 16 * BITS // 8  # bytes that anybody unpacks
PURPOSES = ("revocation", "suspension")


def entries(place: int, url: str) -> list[dict[str, str]]:
    """The `credentialStatus` of the certificate at `place` of the list with this URL."""
    return [
        {
            "statusListCredential": url,
            "statusListIndex": str(2 * place + offset),
            "statusPurpose": purpose,
            "type": "BitstringStatusListEntry",
        }
        for offset, purpose in enumerate(PURPOSES)
    ]


def encode(set_bits: set[int]) -> str:
    """`encodedList`: the bitstring, bit 0 leftmost, packed with gzip, as multibase base64url (`u`) without padding."""
    bits = bytearray(BITS // 8)
    for index in set_bits:
        bits[index // 8] |= 0x80 >> index % 8
    packed = gzip.compress(bytes(bits), 9, mtime=0)
    return "u" + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bits of an `encodedList`, eight per byte; ValueError if it is not one or too short."""
    if not text.startswith("u"):
        raise ValueError("not multibase base64url")
    try:
        packed = base64.urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
        with gzip.open(io.BytesIO(packed)) as file:
            bits = file.read(LARGEST + 1)
    except (OSError, EOFError, binascii.Error, ValueError) as error:
        raise ValueError("not gzip in base64url") from error
    if not BITS // 8 <= len(bits) <= LARGEST:
        raise ValueError("too short or too long")
    return bits


def set_in(bits: bytes) -> set[int]:
    """Which bits are set, counted from the left."""
    bytes_with_some = [index for index, byte in enumerate(bits) if byte]
    return {8 * index + bit for index in bytes_with_some for bit in range(8) if bits[index] & 0x80 >> bit}


def is_set(bits: bytes, index: int) -> bool:
    """Whether the bit at `index`, counted from the left, is set; ValueError outside the list."""
    if not 0 <= index < 8 * len(bits):
        raise ValueError("outside the list")
    return bool(bits[index // 8] & 0x80 >> index % 8)


def make_list(issuer: str, url: str, set_bits: set[int], now: datetime.datetime) -> dict[str, Any]:
    """The unsigned BitstringStatusListCredential, valid for `DAYS` from `now`."""
    return {
        "@context": ["https://www.w3.org/ns/credentials/v2"],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "iss": issuer,
        "issuer": issuer,
        "validFrom": iso(now),
        "validUntil": iso(now + datetime.timedelta(days=DAYS)),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": list(PURPOSES),
            "encodedList": encode(set_bits),
        },
    }


def status_of(entry: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether the bit that a `credentialStatus` entry points to is set in a list; ValueError where they do not fit."""
    subject = document["credentialSubject"]
    if "BitstringStatusListCredential" not in document["type"] or subject["type"] != "BitstringStatusList":
        raise ValueError("not a status list")
    if document.get("id") != entry["statusListCredential"]:
        raise ValueError("another list")
    purposes = subject["statusPurpose"]
    if entry["statusPurpose"] not in ([purposes] if isinstance(purposes, str) else purposes):
        raise ValueError("a list for another purpose")
    return is_set(decode(subject["encodedList"]), int(entry["statusListIndex"]))
