"""References: which sequences a file speaks of, and whether variants are of the reference that came with them."""

from collections.abc import Iterator
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, unpacked, wrong

CONTIGS = 5_000  # of a file that are kept, the longest
SITES = 200_000  # of a file that are compared, evenly over it


def longest_of(lengths: dict[str, int]) -> dict[str, int]:
    """The longest sequences, as many as are kept to be compared with those of other files."""
    return dict(sorted(lengths.items(), key=lambda each: -each[1])[:CONTIGS])


def other_lengths(one: dict[str, int], two: dict[str, int]) -> str:
    """The name of a sequence that both have, with another length; empty where they agree."""
    both = (name for name in one if name in two)
    return next((name for name in both if one[name] and two[name] and one[name] != two[name]), "")


def compare(variants: Path, reference: Path) -> list[Finding]:
    """Whether the reference alleles of a VCF or BCF are what a FASTA has there, at `SITES` places at most.

    One sequence of the reference is in memory at a time. An ambiguous letter (N and others) agrees with any.
    """
    sites = _sites(variants)
    checked = other = 0
    first = ""
    for name, sequence in _sequences(reference, set(sites)):
        for position, allele in sites[name]:
            there = sequence[position - 1 : position - 1 + len(allele)].upper()
            differ = len(there) < len(allele) or any(
                a != b and a in "ACGT" and b in "ACGT" for a, b in zip(there, allele.upper(), strict=False)
            )
            other += differ
            checked += 1
            if other and not first:
                first = f"{name}:{position}"
    if not other:
        return []
    message = _("{other} of {checked} reference alleles are others in {name}, the first at {place}: another reference.")
    return [wrong("vcf.reference", message.format(other=other, checked=checked, name="FASTA", place=first))]


def _sites(variants: Path) -> dict[str, list[tuple[int, str]]]:
    """Places and reference alleles by sequence: every one, or of too many every second, fourth and so on."""
    import pysam

    kept: list[tuple[str, int, str]] = []
    every = 1
    with pysam.VariantFile(str(variants), ignore_truncation=True) as file:
        try:
            for number, record in enumerate(file):
                if number % every == 0 and record.ref:
                    kept.append((record.chrom, record.pos, record.ref[:1_000]))
                    if len(kept) > SITES:
                        kept, every = kept[::2], every * 2
        except (OSError, ValueError):
            pass  # cut off or damaged: said by who read the file
    found: dict[str, list[tuple[int, str]]] = {}
    for name, position, allele in kept:
        found.setdefault(name, []).append((position, allele))
    return found


def _sequences(reference: Path, wanted: set[str]) -> Iterator[tuple[str, str]]:
    """The wanted sequences of a FASTA, one after the other."""
    name, parts = "", list[bytes]()
    with unpacked(reference) as file:
        for line in file:
            if line[:1] == b">":
                if name in wanted:
                    yield name, b"".join(parts).decode("ascii", "replace")
                name = line[1:].split()[0].decode("ascii", "replace") if line[1:].split() else ""
                parts = []
            elif name in wanted:
                parts.append(line.strip())
    if name in wanted:
        yield name, b"".join(parts).decode("ascii", "replace")
