"""Canonical JSON (RFC 8785) and the SHA-256 hashes taken over it: one value, one text, one hash."""

import hashlib
from pathlib import Path
from typing import Any

import rfc8785

from madang.base.errors import MadangError


def canonical_json(value: Any) -> bytes:
    """`value` as canonical JSON: UTF-8, keys sorted, no spaces, numbers in their shortest form.

    Takes None, bool, int within ±(2^53 - 1), finite float, str, and lists, tuples and string-keyed dicts of these;
    anything else raises `MadangError("canonical.value")`.
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise MadangError("canonical.value", f"This value cannot be written as canonical JSON: {error}.") from error


def sha256_of(value: Any) -> str:
    """Hex SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hex SHA-256 of the bytes of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
