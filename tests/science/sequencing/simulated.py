"""A seeded simulator of a person's reads: a reference of several sequences, planted variants, reads with errors."""

import random
from dataclasses import dataclass
from pathlib import Path

_SWAP = str.maketrans("ACGT", "TGCA")
READ, DEPTH = 120, 40


@dataclass(frozen=True)
class Planted:
    """A variant as VCF has it (`pos` from 1), on one copy or on both."""

    chrom: str
    pos: int
    ref: str
    alt: str
    both: bool


def simulate(folder: Path, seed: int, size: int = 60_000) -> list[Planted]:
    """Write reference.fa, r_1.fq, r_2.fq and truth.vcf for a diploid of two sequences; what was planted.

    Of the variants, every 250 bases or so, six in ten are substitutions, the others insertions and deletions of 1 to
    12 bases; four in ten are on both copies. Pairs of reads of 120 bases at a depth of 40, lengths of fragments about
    350, an error in 200 bases that grows towards the end of a read, with the quality that says so. A third of the
    reference is poor in G and C.
    """
    draw = random.Random(seed)
    planted: list[Planted] = []
    with (
        (folder / "reference.fa").open("w") as reference,
        (folder / "r_1.fq").open("w") as first,
        (folder / "r_2.fq").open("w") as second,
    ):
        for name, length in (("chrA", size * 2 // 3), ("chrB", size // 3)):
            bases = "".join(
                draw.choice("ACGT") if place % 3_000 < 2_000 else draw.choice("AATTACGT") for place in range(length)
            )
            reference.write(f">{name}\n{bases}\n")
            variants = _variants(draw, name, bases)
            planted += variants
            copies = [_changed(bases, [v for v in variants if copy == 0 or v.both]) for copy in (0, 1)]
            for copy, text in enumerate(copies):
                for number in range(len(text) * DEPTH // (4 * READ)):
                    span = max(READ + 10, min(len(text), int(draw.gauss(350, 40))))
                    begin = draw.randrange(len(text) - span + 1)
                    part = text[begin : begin + span]
                    ends = [part[:READ], part[-READ:].translate(_SWAP)[::-1]]
                    if draw.random() < 0.5:
                        ends.reverse()
                    for file, end in zip((first, second), ends, strict=True):
                        read, quality = _read(draw, end)
                        file.write(f"@{name}.{copy}.{number}\n{read}\n+\n{quality}\n")
    head = (
        "##fileformat=VCFv4.2\n##contig=<ID=chrA>\n##contig=<ID=chrB>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    )
    lines = [f"{v.chrom}\t{v.pos}\t.\t{v.ref}\t{v.alt}\t.\t.\t.\n" for v in planted]
    (folder / "truth.vcf").write_text(head + "".join(lines))
    return planted


def _variants(draw: random.Random, name: str, bases: str) -> list[Planted]:
    found, place = [], 300
    while place < len(bases) - 300:
        base, kind = bases[place], draw.random()
        size = draw.randint(1, 12)
        if kind < 0.6:
            ref, alt = base, draw.choice([each for each in "ACGT" if each != base])
        elif kind < 0.8:
            ref, alt = base, base + "".join(draw.choice("ACGT") for _each in range(size))
        else:
            ref, alt = bases[place : place + size + 1], base
        found.append(Planted(name, place + 1, ref, alt, draw.random() < 0.4))
        place += draw.randint(150, 350)
    return found


def _changed(bases: str, variants: list[Planted]) -> str:
    parts, at = [], 0
    for each in variants:
        parts += [bases[at : each.pos - 1], each.alt]
        at = each.pos - 1 + len(each.ref)
    return "".join([*parts, bases[at:]])


def _read(draw: random.Random, text: str) -> tuple[str, str]:
    read, quality = [], []
    for place, base in enumerate(text):
        chance = 0.002 + 0.008 * (place / READ) ** 3
        if draw.random() < chance:
            base = draw.choice([each for each in "ACGT" if each != base])
            quality.append(chr(33 + draw.randint(8, 22)))
        else:
            quality.append(chr(33 + draw.randint(28, 40)))
        read.append(base)
    return "".join(read), "".join(quality)
