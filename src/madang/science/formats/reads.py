"""Sequencing reads: FASTQ and FASTA."""

import re
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, unpacked, wrong

_BASES = re.compile(rb"[A-Za-z.*-]*\Z")
_QUALITIES = re.compile(rb"[!-~]*\Z")
_MATE = re.compile(rb"(/[12]|[ \t][12]:.*|[ \t].*)?\Z")


def look_fastq(path: Path) -> Told:
    """Every record: four lines, bases and qualities of one length; the first names, by which pairs are matched."""
    count = bases = longest = 0
    shortest = 1 << 62
    first = last = b""
    mate = ""
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
                mate = "2" if re.search(rb"/2\s*\Z|\s2:", head) else "1" if re.search(rb"/1\s*\Z|\s1:", head) else ""
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
    """Sequences and their letters."""
    names: list[str] = []
    letters = 0
    found: list[Finding] = []
    with unpacked(path) as file:
        for number, line in enumerate(file, 1):
            if line[:1] == b">":
                names.append(line[1:].split()[0].decode("ascii", "replace") if line[1:].split() else "")
            elif line.strip():
                if not names:
                    found.append(wrong("fasta.start", _("The file does not begin with a name (>).")))
                    break
                if not _BASES.match(line.strip()):
                    found.append(wrong("fasta.letters", _("Line {n} holds no sequence.").format(n=number)))
                    break
                letters += len(line.strip())
    if len(set(names)) < len(names):
        found.append(wrong("fasta.twice", _("Two sequences have the same name.")))
    return Told("FASTA", True, {"sequences": len(names), "letters": letters}, tuple(found))
