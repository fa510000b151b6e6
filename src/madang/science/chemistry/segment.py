"""Index segments: fingerprints of the molecules of one file, laid out for the scan and mapped into memory.

A segment is made once from the fingerprints of one Parquet file of a library and never changes; a library that grows
gets further segments. It may be deleted at any time and is then made again.

Layout, little-endian, each part on a multiple of 64 bytes: the head (magic, number of molecules and blocks); bits set
per molecule (uint16); place of the molecule in its file (int32); blocks whose counts do not fit 4 bits (uint8); counts
(uint8, blocks x 32 x 1024); fingerprints (uint64, molecules x 32). Molecules are in the order of their bits set.
A screen for substructures is a file of its own: one bitmap over all molecules per bit of the pattern fingerprint, and a
last one of those whose SMILES have a single bond between aromatic atoms.
"""

import os
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from madang.base.errors import MadangError
from madang.base.translate import _

BLOCK, WORDS, PAIRS = 1024, 32, 32
MORGAN_BYTES, PATTERN_BITS = 256, 1024
JOINED = PATTERN_BITS  # the bit of molecules with a single bond between aromatic atoms
_MAGIC, _SCREEN_MAGIC = b"MADANG-MORGAN-1\n", b"MADANG-SCREEN-2\n"
_HEAD = 64
_STEP = 64 * BLOCK  # molecules that are laid out at once

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Segment:
    """A mapped segment; see the module for shapes."""

    ones: npt.NDArray[np.uint16]
    rows: npt.NDArray[np.int32]
    whole: npt.NDArray[np.uint8]
    counts: npt.NDArray[np.uint8]
    words: Words

    def __len__(self) -> int:
        return len(self.ones)


def _parts(molecules: int) -> tuple[list[tuple[int, Any, tuple[int, ...]]], int]:
    """Offset, type and shape of each part, and the size of the file."""
    blocks = -(-molecules // BLOCK)
    shapes: list[tuple[Any, tuple[int, ...]]] = [
        (np.uint16, (molecules,)),
        (np.int32, (molecules,)),
        (np.uint8, (blocks,)),
        (np.uint8, (blocks, PAIRS, BLOCK)),
        (np.uint64, (molecules, WORDS)),
    ]
    parts, offset = [], _HEAD
    for kind, shape in shapes:
        parts.append((offset, kind, shape))
        offset += -(-int(np.prod(shape)) * np.dtype(kind).itemsize // 64) * 64
    return parts, offset


def _mapped(path: Path, mode: Any, size: int, molecules: int) -> list[Any]:
    whole = np.memmap(path, dtype=np.uint8, mode=mode, shape=(size,))
    parts, _size = _parts(molecules)
    return [
        np.asarray(whole[start : start + int(np.prod(shape)) * np.dtype(kind).itemsize]).view(kind).reshape(shape)
        for start, kind, shape in parts
    ]


def piece_counts(words: Words) -> npt.NDArray[np.uint8]:
    """Bits set in each of the 64 pieces of 32 bits: (n, 64)."""
    return np.bitwise_count(np.ascontiguousarray(words).view(np.uint32)).astype(np.uint8)


def write_segment(words: Words, path: Path) -> None:
    """Lay out the fingerprints (n, 32) of a file's molecules, in the order of the file."""
    molecules = len(words)
    ones = np.bitwise_count(words).sum(axis=1, dtype=np.uint16) if molecules else np.zeros(0, np.uint16)
    order = np.argsort(ones, kind="stable").astype(np.int32)
    size = _parts(molecules)[1]
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            file.write(_MAGIC + struct.pack("<QQ", molecules, BLOCK))
            file.truncate(size)
        if molecules:
            _fill(words, ones, order, _mapped(partial, "r+", size, molecules))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _fill(words: Words, ones: Any, order: Any, parts: list[Any]) -> None:
    mapped_ones, mapped_rows, whole, counts, mapped_words = parts
    mapped_ones[:] = ones[order]
    mapped_rows[:] = order
    for start in range(0, len(words), _STEP):
        some = words[order[start : start + _STEP]]
        mapped_words[start : start + len(some)] = some
        pieces = np.zeros((-(-len(some) // BLOCK) * BLOCK, 64), np.uint8)
        pieces[: len(some)] = piece_counts(some)
        blocks = pieces.reshape(-1, BLOCK, 64)
        first = start // BLOCK
        whole[first : first + len(blocks)] = (blocks > 15).any(axis=(1, 2))
        capped = np.minimum(blocks, 15).transpose(0, 2, 1)
        counts[first : first + len(blocks)] = capped[:, :PAIRS] | (capped[:, PAIRS:] << 4)


def open_segment(path: Path) -> Segment:
    """Map a segment; nothing is read before it is needed. Raises `chemistry.index` if it is damaged."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[:16] != _MAGIC or len(head) < 32:
        raise _damaged(path)
    molecules, block = struct.unpack("<QQ", head[16:32])
    parts, size = _parts(molecules)
    if block != BLOCK or path.stat().st_size != size:
        raise _damaged(path)
    if not molecules:
        empty = [np.zeros(shape, kind) for _start, kind, shape in parts]
        return Segment(*empty)
    return Segment(*_mapped(path, "r", size, molecules))


def write_screen(patterns: npt.NDArray[np.uint8], joined: npt.NDArray[np.bool_], path: Path) -> None:
    """Turn pattern fingerprints (n, 128 bytes, bit b of a molecule in byte b // 8, lowest first) on their side.

    `joined` (n) is the last bit.
    """
    molecules = len(patterns)
    wide = -(-molecules // 64) * 8
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            file.write((_SCREEN_MAGIC + struct.pack("<Q", molecules)).ljust(_HEAD, b"\0"))
            for start in range(0, PATTERN_BITS, 64):
                some = np.unpackbits(patterns[:, start // 8 : start // 8 + 8], axis=1, bitorder="little")
                rows = np.zeros((64, wide), np.uint8)
                packed = np.packbits(some.T, axis=1, bitorder="little")
                rows[:, : packed.shape[1]] = packed
                file.write(rows.tobytes())
            last = np.zeros(wide, np.uint8)
            packed = np.packbits(joined, bitorder="little")
            last[: len(packed)] = packed
            file.write(last.tobytes())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def screen(path: Path, bits: list[int]) -> npt.NDArray[np.int64]:
    """The places of the molecules that have all these bits."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head[:16] != _SCREEN_MAGIC:
        raise _damaged(path)
    (molecules,) = struct.unpack("<Q", head[16:24])
    wide = -(-molecules // 64)
    if path.stat().st_size != _HEAD + (PATTERN_BITS + 1) * wide * 8:
        raise _damaged(path)
    if not molecules:
        return np.zeros(0, np.int64)
    if not bits:
        return np.arange(molecules)
    maps = np.memmap(path, dtype=np.uint64, mode="r", offset=_HEAD, shape=(PATTERN_BITS + 1, wide))
    common = np.array(maps[bits[0]])
    for bit in bits[1:]:
        common &= maps[bit]
    flags = np.unpackbits(common.view(np.uint8), bitorder="little")[:molecules]
    return np.flatnonzero(flags)


def _damaged(path: Path) -> MadangError:
    return MadangError(
        "chemistry.index",
        _("The search index {file} is damaged.").format(file=path),
        _("Delete it; it is made again at the next search."),
    )
