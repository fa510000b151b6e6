"""Reading signals: tables of numbers, one row per sample, plain or compressed, with or without a header."""

import gzip
import lzma
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _

LARGEST = 1_000_000_000  # characters of one file after decompression
_TIMES = {"time", "timestamp", "datetime", "date", "sample", "시간", "시각"}  # leading columns that are no signal
_MISSING = {"", "nan", "na", "null", "none", "-"}


@dataclass(frozen=True)
class Signals:
    """A table of signals: `values` of shape (samples, variables), NaN where a reading is missing, and their names."""

    names: tuple[str, ...]
    values: NDArray[np.float64]
    named: bool  # whether the names come from the file

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return int(self.values.shape[0])


def read_signals(path: Path, variables: int | None = None) -> Signals:
    """The signals of a file: numbers parted by blanks, commas, semicolons or tabs; .xz and .gz are unpacked.

    A first line that is not numeric gives the names; a leading column of times is left out. A table that has its
    samples in columns is turned: it has `variables` rows, or, where that is not known, fewer rows than columns.
    Raises `signals.*` for anything that is not such a table.
    """
    lines = [line for line in _text(path).splitlines() if line.strip()]
    if not lines:
        raise MadangError("signals.empty", _("{file} has no samples.").format(file=path))
    split = _splitter(lines[0])
    header = split(lines[0])
    named = not all(_is_number(cell) for cell in header)
    first = 0
    if named:
        first = 1 if header[0].strip().lower() in _TIMES else 0
        lines = lines[1:]
    rows = []
    for number, line in enumerate(lines, 2 if named else 1):
        cells = split(line)[first:]
        if len(cells) != len(header) - first:
            text = _("Line {line} of {file} has {found} values where {wanted} are expected.")
            raise MadangError(
                "signals.ragged",
                text.format(line=number, file=path, found=len(cells), wanted=len(header) - first),
            )
        rows.append([_number(cell, path, number) for cell in cells])
    if not rows:
        raise MadangError("signals.empty", _("{file} has no samples.").format(file=path))
    values = np.array(rows, dtype=np.float64)
    if named:
        return Signals(tuple(name.strip() for name in header[first:]), values, True)
    if variables is None:
        turned = values.shape[0] < values.shape[1]
    else:
        turned = values.shape[1] != variables and values.shape[0] == variables
    values = np.ascontiguousarray(values.T) if turned else values
    return Signals(tuple(f"x{place}" for place in range(1, values.shape[1] + 1)), values, False)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:6] == b"\xfd7zXZ\x00":
            data = _unpacked(lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=200_000_000), raw, path)
        elif raw[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(LARGEST + 1)
        else:
            data = raw
    except (lzma.LZMAError, gzip.BadGzipFile, EOFError) as error:
        text = _("{file} cannot be unpacked: {why}.").format(file=path, why=error)
        raise MadangError("signals.packed", text, _("Copy the file again; it is damaged or cut off.")) from None
    except OSError as error:
        raise MadangError(
            "signals.read", _("Cannot read {file}: {why}.").format(file=path, why=error.strerror)
        ) from None
    if len(data) > LARGEST:
        raise MadangError("signals.large", _("{file} is larger than one gigabyte.").format(file=path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            return data.decode("cp949")
        except UnicodeDecodeError:
            raise MadangError("signals.text", _("{file} is not a text file.").format(file=path)) from None


def _unpacked(decompressor: lzma.LZMADecompressor, raw: bytes, path: Path) -> bytes:
    data = decompressor.decompress(raw, LARGEST + 1)
    if not decompressor.eof and len(data) <= LARGEST:
        raise EOFError(_("the end is missing"))
    return data


def _splitter(line: str) -> Callable[[str], list[str]]:  #
    for mark in ("\t", ";", ","):
        if mark in line:
            return lambda text: [cell.strip().strip('"') for cell in text.strip("\r\n").split(mark)]
    return lambda text: re.split(r"\s+", text.strip())


def _is_number(cell: str) -> bool:
    if cell.strip().lower() in _MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, path: Path, line: int) -> float:
    if cell.strip().lower() in _MISSING:
        return float("nan")
    try:
        value = float(cell)
    except ValueError:
        text = _("Line {line} of {file} has {cell!r} where a number is expected.")
        raise MadangError("signals.number", text.format(line=line, file=path, cell=cell[:40])) from None
    return value if np.isfinite(value) else float("nan")
