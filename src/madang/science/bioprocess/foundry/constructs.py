"""Constructs: parts read from FASTA or GenBank, joined, and written as FASTA or GenBank."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _

LARGEST = 50_000_000  # bytes
_BASES = re.compile(r"[ACGTRYSWKMBDHVN]+")


def read_parts(path: Path) -> dict[str, str]:
    """Sequences by name from FASTA or GenBank. Raises `construct.*` for letters that are no bases and names twice."""
    try:
        if path.stat().st_size > LARGEST:
            raise MadangError("construct.large", _("{file} is too large for parts.").format(file=path))
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MadangError("construct.read", _("Cannot read {file}: {why}.").format(file=path, why=error)) from None
    found: list[tuple[str, str]] = []
    if text.lstrip().startswith("LOCUS"):
        for record in text.split("\n//"):
            locus = re.search(r"^LOCUS\s+(\S+)", record, re.MULTILINE)
            body = record.partition("\nORIGIN")[2]
            if locus:
                found.append((locus[1], re.sub(r"[\s\d]", "", body)))
    else:
        for record in re.split(r"^>", text, flags=re.MULTILINE)[1:]:
            head, _line, body = record.partition("\n")
            found.append((head.split()[0] if head.split() else "", re.sub(r"\s", "", body)))
    out: dict[str, str] = {}
    for name, sequence in found:
        if not name or not _BASES.fullmatch(sequence.upper()):
            text = _("{file}: the sequence {name} is empty or has letters that are no bases.")
            raise MadangError("construct.sequence", text.format(file=path, name=name or "?"))
        if name in out:
            raise MadangError("construct.twice", _("{file} has {name} twice.").format(file=path, name=name))
        out[name] = sequence.upper()
    if not out:
        raise MadangError("construct.read", _("{file} has no sequences.").format(file=path))
    return out


def joined(choice: Mapping[str, str], order: Sequence[str], parts: Mapping[str, str]) -> str:
    """The construct of a choice of parts, in order. Raises `construct.part` for a part without a sequence."""
    for kind in order:
        if choice[kind] not in parts:
            raise MadangError("construct.part", _("There is no sequence of {part}.").format(part=choice[kind]))
    return "".join(parts[choice[kind]] for kind in order)


def fasta(constructs: Mapping[str, str]) -> str:
    """FASTA with lines of 70 bases."""
    lines = []
    for name, sequence in constructs.items():
        lines.append(f">{name}")
        lines += [sequence[at : at + 70] for at in range(0, len(sequence), 70)]
    return "\n".join(lines) + "\n"


def genbank(name: str, sequence: str, features: Sequence[tuple[str, int, int]]) -> str:
    """A GenBank record of synthetic DNA with its parts as features (name, from, to; counted from 1)."""
    lines = [f"LOCUS       {name[:16]:<16} {len(sequence):>11} bp    DNA     linear   SYN 01-JAN-2000"]
    lines += [f"DEFINITION  {name}", "FEATURES             Location/Qualifiers"]
    for part, begin, end in features:
        lines += [f"     misc_feature    {begin}..{end}", f'                     /label="{part}"']
    lines.append("ORIGIN")
    low = sequence.lower()
    for at in range(0, len(low), 60):
        blocks = [low[at + step : at + step + 10] for step in range(0, 60, 10)]
        lines.append(f"{at + 1:>9} {' '.join(block for block in blocks if block)}")
    return "\n".join([*lines, "//", ""])
