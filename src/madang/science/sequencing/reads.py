"""Reads as FASTQ files: whether they are whole, and whether two files belong together."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from madang.base.errors import MadangError
from madang.base.translate import _

_BLOCK = 1 << 22
_LOOKED_AT = 10_000  # reads of which names and letters are looked at


@dataclass(frozen=True)
class Reads:
    """What files of reads hold: reads in each file, and whether there are pairs."""

    count: int
    paired: bool


def check_reads(paths: Sequence[Path]) -> Reads:
    """Read files of reads to their end: one, or two whose reads are pairs in one order.

    Errors: `sequencing.reads` where a file is empty, cut off, no FASTQ, or the two do not belong together.
    """
    if len(paths) not in (1, 2):
        raise MadangError("sequencing.reads", _("Name one file of reads, or two whose reads are pairs."))
    if len(paths) == 2 and paths[0].resolve() == paths[1].resolve():
        raise MadangError("sequencing.reads", _("The two files of reads are the same file."))
    counts, names = zip(*(_looked_through(path) for path in paths), strict=True)
    if len(paths) == 2:
        if counts[0] != counts[1]:
            message = _("The two files have {first} and {second} reads; pairs have as many in both.")
            raise MadangError("sequencing.reads", message.format(first=counts[0], second=counts[1]))
        for number, (first, second) in enumerate(zip(*names, strict=True), 1):
            if first != second:
                message = _("Read {number} is {first} in one file and {second} in the other: they are no pairs.")
                raise MadangError(
                    "sequencing.reads",
                    message.format(number=number, first=repr(first)[:80], second=repr(second)[:80]),
                    _("Name two files of one sample, in one order."),
                )
    return Reads(counts[0], len(paths) == 2)


def _bad(path: Path, why: str) -> MadangError:
    return MadangError("sequencing.reads", _("{file} cannot be used: {why}").format(file=path.name, why=why))


def _opened(path: Path) -> IO[bytes]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise _bad(path, error.strerror or "") from None
    start = file.read(2)
    file.seek(0)
    return gzip.open(file, "rb") if start == b"\x1f\x8b" else file  # type: ignore[return-value]  # both are read alike


def _blocks(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        try:
            while block := file.read(_BLOCK):
                yield block
        except (EOFError, OSError, zlib.error):
            raise _bad(path, _("it is cut off or damaged.")) from None


def _looked_through(path: Path) -> tuple[int, list[str]]:
    """How many reads a file has, and the names of the first."""
    lines, last, begin, end = 0, b"\n", b"", b""
    names: list[str] = []
    for block in _blocks(path):
        if lines < 4 * _LOOKED_AT:
            begin += block
            whole = begin.split(b"\n")
            begin = whole.pop()
            lines_before = lines
            for place, line in enumerate(whole):
                names += _named(path, lines_before + place, line.rstrip(b"\r"), names)
            lines += len(whole)
            if lines >= 4 * _LOOKED_AT:
                lines += begin.count(b"\n")
        else:
            lines += block.count(b"\n")
        last, end = block[-1:], (end + block)[-100:]
    lines += last != b"\n"
    # Of the lines that are empty at the end one or none is of a read: nothing may be left of the last one.
    blank = end[len(end.rstrip(b"\r\n")) :].count(b"\n") - (last == b"\n")
    lines -= next((each for each in (blank, blank - 1) if each > 0 and (lines - each) % 4 == 0), 0)
    if lines == 0 or (lines == 1 and not names):
        raise _bad(path, _("it is empty."))
    if lines % 4:
        raise _bad(path, _("it is cut off: its last read is not whole."))
    return lines // 4, names


_lengths: dict[str, int] = {}


def _named(path: Path, number: int, line: bytes, _names: list[str]) -> list[str]:
    """The name in a line of FASTQ, if it is the first of a read; letters and qualities are held against each other."""
    place = number % 4
    if place == 0:
        if not line:
            return []  # at the end of the file; anywhere else the next line is none of a read
        if not line.startswith(b"@") or len(line) < 2:
            raise _bad(path, _("read {number} does not begin as FASTQ does.").format(number=number // 4 + 1))
        words = line[1:].split()
        name = words[0].decode("ascii", "replace") if words else ""
        return [name[:-2] if name.endswith(("/1", "/2")) else name]
    if place == 1:
        if line.strip(b"ACGTUNacgtunRYSWKMBDHVryswkmbdhv.*-"):
            raise _bad(path, _("read {number} has letters that are no bases.").format(number=number // 4 + 1))
        _lengths[str(path)] = len(line)
    elif place == 2 and not line.startswith(b"+"):
        raise _bad(path, _("read {number} is not as FASTQ has it.").format(number=number // 4 + 1))
    elif place == 3 and len(line) != _lengths.get(str(path)):
        raise _bad(path, _("read {number} has more bases than qualities, or fewer.").format(number=number // 4 + 1))
    return []
