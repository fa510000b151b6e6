"""Sequencing reads: FASTQ and FASTA."""

import re
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, unpacked, wrong
from madang.science.formats.references import longest_of

_BASES = re.compile(rb"[A-Za-z.*-]*\Z")
_QUALITIES = re.compile(rb"[!-~]*\Z")
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.*-\n"
_MARKS = bytes(range(33, 127)) + b"\n"
_PIECE = 4 << 20
_MATE = re.compile(rb"(/[12]|[ \t][12]:.*|[ \t].*)?\Z")


def look_fastq(path: Path) -> Told:
    """Every record: four lines, bases and qualities of one length; the first names, by which pairs are matched.

    Many records at a time; where anything is odd, again one after the other, which says what and where.
    """
    return _many(path) or one_by_one(path)


def _many(path: Path) -> Told | None:
    count = bases = longest = 0
    shortest = 1 << 62
    first = last = b""
    rest: list[bytes] = []
    with unpacked(path) as file:
        while lines := file.readlines(_PIECE):
            lines = rest + lines
            whole = len(lines) // 4 * 4
            rest = lines[whole:]
            heads, rows, signs, marks = (lines[place:whole:4] for place in range(4))
            if not heads:
                continue
            lengths = [len(row) for row in rows]
            letters, qualities = b"".join(rows), b"".join(marks)
            if (
                lengths != [len(mark) for mark in marks]
                or any(head[:1] != b"@" for head in heads)
                or any(sign[:1] != b"+" for sign in signs)
                or letters.translate(None, _LETTERS)
                or qualities.translate(None, _MARKS)
                or letters.count(b"\n") != len(rows)
                or qualities.count(b"\n") != len(rows)
            ):
                return None
            count, bases = count + len(rows), bases + len(letters) - len(rows)
            longest, shortest = max(longest, max(lengths) - 1), min(shortest, min(lengths) - 1)
            first, last = first or heads[0], heads[-1]
    return None if rest or not count else _told(count, bases, longest, shortest, first, last)


def one_by_one(path: Path) -> Told:
    """The same, record by record: slower, and it says what is wrong where."""
    count = bases = longest = 0
    shortest = 1 << 62
    first = last = b""
    with unpacked(path) as file:
        while head := file.readline():
            sequence, plus, quality = file.readline(), file.readline(), file.readline()
            count += 1
            row, marks = sequence.rstrip(b"\r\n"), quality.rstrip(b"\r\n")
            if head[:1] != b"@" or plus[:1] != b"+":
                return _bad(count, _("it does not begin with @, or its third line not with +"))
            if not quality:
                return _bad(count, _("the file ends in the middle of it"), "file.cut")
            if len(row) != len(marks):
                code = "file.cut" if not quality.endswith(b"\n") else "fastq.record"
                return _bad(count, _("bases and qualities are of different length"), code)
            if not _BASES.match(row) or not _QUALITIES.match(marks):
                return _bad(count, _("it holds characters that are no bases or qualities"))
            bases += len(row)
            longest, shortest = max(longest, len(row)), min(shortest, len(row))
            last = head
            if count == 1:
                first = head
    return _told(count, bases, longest, shortest, first, last)


def _told(count: int, bases: int, longest: int, shortest: int, first: bytes, last: bytes) -> Told:
    mate = "2" if re.search(rb"/2\s*\Z|\s2:", first) else "1" if re.search(rb"/1\s*\Z|\s1:", first) else ""
    facts = {
        "reads": count,
        "bases": bases,
        "longest": longest,
        "shortest": shortest if count else 0,
        "first": read_name(first),
        "last": read_name(last),
        "mate": mate,
    }
    return Told("FASTQ", True, facts)


def read_name(head: bytes) -> str:
    """The name of a read without what tells its mate."""
    return _MATE.sub(b"", head.rstrip(b"\r\n")[1:], count=1).decode("ascii", "replace")


def _bad(number: int, why: str, code: str = "fastq.record") -> Told:
    return Told("FASTQ", True, {"reads": number - 1}, (wrong(code, _("Record {n}: {why}.").format(n=number, why=why)),))


def look_fasta(path: Path) -> Told:
    """Sequences, their lengths and letters."""
    lengths: dict[str, int] = {}
    names = letters = 0
    name = ""
    found: list[Finding] = []
    with unpacked(path) as file:
        for number, line in enumerate(file, 1):
            if line[:1] == b">":
                name = line[1:].split()[0].decode("ascii", "replace") if line[1:].split() else ""
                names += 1
                lengths[name] = 0
            elif row := line.strip():
                if not names:
                    found.append(wrong("fasta.start", _("The file does not begin with a name (>).")))
                    break
                if not _BASES.match(row):
                    found.append(wrong("fasta.letters", _("Line {n} holds no sequence.").format(n=number)))
                    break
                letters += len(row)
                lengths[name] += len(row)
    if len(lengths) < names:
        found.append(wrong("fasta.twice", _("Two sequences have the same name.")))
    if names and not lengths[name]:
        found.append(wrong("file.cut", _("The last sequence has no letters: the file may be cut off.")))
    facts = {"sequences": names, "letters": letters, "contigs": longest_of(lengths)}
    return Told("FASTA", True, facts, tuple(found))
