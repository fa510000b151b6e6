"""Antibodies and peptides as sequences: checked, their binding loops found, what may go wrong with them, and which are
alike in their loops.

Where the package immunum is installed it numbers antibody domains (IMGT). Otherwise loops are found by what nearly all
domains share (two cysteines, a tryptophan, and W or F-G-X-G of the joining segment) and by the usual lengths between
them (Lefranc and others, Dev. Comp. Immunol. 27 (2003) 55): that is marked `motifs`, and fails where a domain is odd.
"""

import csv
import importlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake import Dataset, Version

KIND = "sequences"
LETTERS = set("ACDEFGHIKLMNPQRSTVWY")
LONGEST, SHORTEST = 3_000, 2
LOOPS = ("cdr1", "cdr2", "cdr3")
_MASS = {  # average masses of residues, without water (IUPAC atomic weights)
    "A": 71.0779, "R": 156.1857, "N": 114.1026, "D": 115.0874, "C": 103.1429, "E": 129.114, "Q": 128.1292,
    "G": 57.0513, "H": 137.1393, "I": 113.1576, "L": 113.1576, "K": 128.1723, "M": 131.1961, "F": 147.1739,
    "P": 97.1152, "S": 87.0773, "T": 101.1039, "W": 186.2099, "Y": 163.1733, "V": 99.1311,
}  # fmt: skip
_PK = {"K": 10.0, "R": 12.0, "H": 5.98, "D": 4.05, "E": 4.45, "C": 9.0, "Y": 10.0}  # Bjellqvist and others, 1993
_ENDS = (7.5, 3.55)  # amino and carboxyl terminus
_RISKS = (  # kind, pattern; a look-ahead so that overlapping ones are all found
    ("N-glycosylation", r"(?=(N[^P][ST]))"),
    ("deamidation", r"(?=(N[GSN]))"),
    ("isomerization", r"(?=(D[GS]))"),
    ("fragmentation", r"(?=(DP))"),
    ("oxidation", r"(?=([MW]))"),
    ("integrin binding", r"(?=(RGD))"),
)
_ONLY_IN_LOOPS = ("oxidation", "isomerization")  # elsewhere they are buried, and nearly every domain has them


@dataclass(frozen=True)
class Given:
    """A sequence as it was given: its place (record of FASTA, line of a table), its name, and what is wrong with it."""

    line: int
    name: str
    text: str
    problem: str = ""


@dataclass(frozen=True)
class Risk:
    """A liability: its kind, the residues, their place (from 1), and the loop that they are in, if any."""

    kind: str
    motif: str
    place: int
    loop: str


@dataclass(frozen=True)
class Described:
    """A sequence with its chain (H, K, L, or empty where it is no antibody domain), how that was found, its loops, mass
    (Da), isoelectric point, and liabilities."""

    id: str
    sequence: str
    chain: str
    found_by: str
    cdr1: str
    cdr2: str
    cdr3: str
    mass: float
    isoelectric: float
    risks: tuple[Risk, ...]

    def loops(self) -> tuple[str, ...]:
        """The binding loops."""
        return self.cdr1, self.cdr2, self.cdr3


def read_sequences(text: str) -> list[Given]:
    """Sequences of a FASTA text, or of a table with a column `sequence` (and `id` or `name`); one letter per residue.

    What cannot be a sequence has a `problem`; nothing is left out in silence."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    if not text.strip():
        raise MadangError("sequence.empty", _("There is no sequence."))
    raw = _fasta(text) if text.lstrip().startswith(">") else _table(text)
    if not raw:
        raise MadangError("sequence.empty", _("There is no sequence."))
    met: dict[str, str] = {}
    names: set[str] = set()
    out = []
    for line, name, given in raw:
        sequence = re.sub(r"[\s*-]", "", given).upper()
        problem = _problem(sequence)
        if not problem and sequence in met:
            problem = f"the same as {met[sequence]}"
        elif not problem and name in names:
            problem = f"the name {name} is another sequence's"
        if not problem:
            met[sequence] = name
            names.add(name)
        out.append(Given(line, name, sequence, problem))
    return out


def describe(name: str, sequence: str) -> Described:
    """Chain, loops, mass, isoelectric point and liabilities of a sequence that was read."""
    chain, how, loops = _loops(sequence)
    risks = _risks(sequence, loops)
    mass = sum(_MASS[letter] for letter in sequence) + 18.0153
    return Described(name, sequence, chain, how, *loops, round(mass, 2), round(isoelectric(sequence), 2), risks)


def isoelectric(sequence: str) -> float:
    """The pH at which the unfolded chain has no net charge."""

    def charge(ph: float) -> float:
        total = 1 / (1 + 10 ** (ph - _ENDS[0])) - 1 / (1 + 10 ** (_ENDS[1] - ph))
        for letter, pk in _PK.items():
            count = sequence.count(letter)
            total += count / (1 + 10 ** (ph - pk)) if letter in "KRH" else -count / (1 + 10 ** (pk - ph))
        return total

    low, high = 0.0, 14.0
    for _step in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if charge(middle) > 0 else (low, middle)
    return (low + high) / 2


def alike(one: Described, two: Described) -> float:
    """How alike two are, 0 to 1: of antibody domains of one kind the mean over the three loops of 1 - edits over the
    longer loop; of others the same of whole sequences; 0 between a domain and something else, or heavy and light."""
    kinds = [("H" if each.chain == "H" else "L") if each.chain else "" for each in (one, two)]
    if kinds[0] != kinds[1]:
        return 0.0
    if not kinds[0]:
        return _same(one.sequence, two.sequence)
    return sum(_same(a, b) for a, b in zip(one.loops(), two.loops(), strict=True)) / len(LOOPS)


def nearest(query: Described, others: Sequence[Described], top: int = 10) -> list[tuple[Described, float]]:
    """The most alike, best first; those of equal likeness in their order."""
    scored = [(other, alike(query, other)) for other in others]
    return sorted(scored, key=lambda each: -each[1])[:top]


def find_alike(held: Sequence[Described], near: str, top: int) -> list[tuple[Described, float | None]]:
    """The sequences most alike to one that is given as text, or the first ones where none is given. Raises
    `sequence.query` for what cannot be a sequence."""
    if not near.strip():
        return [(each, None) for each in held[:top]]
    sequence = re.sub(r"[\s*-]", "", "".join(line for line in near.splitlines() if not line.startswith(">"))).upper()
    problem = _problem(sequence)
    if problem:
        raise MadangError("sequence.query", _("The sequence cannot be read: {reason}.").format(reason=problem))
    return [(other, score) for other, score in nearest(describe("query", sequence), held, top)]


def edits(one: str, two: str) -> int:
    """Fewest insertions, deletions and exchanges that turn one text into the other (Levenshtein, 1966)."""
    before = list(range(len(two) + 1))
    for row, a in enumerate(one, 1):
        now = [row]
        for column, b in enumerate(two, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (a != b)))
        before = now
    return before[-1]


def add_sequences(dataset: Dataset, text: str, progress: Progress | None = None) -> tuple[Version, list[Given]]:
    """A new version of a dataset of sequences with those of a text; what was not taken, with the reason."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    progress = progress or Progress()
    held = all_of(dataset.version()) if dataset.exists else []
    known = {each.sequence: each.id for each in held}
    names = {each.id for each in held}
    rows, refused = list(held), []
    for given in read_sequences(text):
        problem = given.problem
        if not problem and given.text in known:
            problem = f"the same as {known[given.text]}"
        elif not problem and given.name in names:
            problem = f"the name {given.name} is another sequence's"
        if problem:
            refused.append(Given(given.line, given.name, given.text, problem))
        else:
            rows.append(describe(given.name, given.text))
        progress.check()
    if len(rows) == len(held):
        first = refused[0]
        raise MadangError(
            "sequence.none",
            _("No sequence was taken."),
            _("The first, {name}: {reason}.").format(name=first.name, reason=first.problem),
        )
    table = pa.Table.from_pylist(
        [asdict(each) | {"risks": json.dumps([asdict(r) for r in each.risks])} for each in rows]
    )
    fates = pa.Table.from_pylist(
        [{"line": g.line, "name": g.name, "sequence": g.text, "reason": g.problem} for g in refused],
        schema=pa.schema(
            [("line", pa.int64()), ("name", pa.string()), ("sequence", pa.string()), ("reason", pa.string())]
        ),
    )
    with dataset.write() as writer:
        path, kept = writer.new_file("sequence"), writer.new_file("refused", restricted=True)
        pq.write_table(table, path, compression="zstd")
        pq.write_table(fates, kept, compression="zstd")
        writer.add("sequence", path)
        writer.add("refused", kept)
        info = {"sequences": len(rows), "given": len(rows) - len(held) + len(refused), "refused": len(refused)}
        return writer.commit(kind=KIND, info=info), refused


def all_of(version: Version) -> list[Described]:
    """The sequences of a version."""
    import pyarrow.parquet as pq

    if version.kind != KIND:
        raise MadangError("sequence.other", _("{name} holds no sequences.").format(name=repr(version.dataset.name)))
    rows: list[dict[str, Any]] = [
        r for path in version.tables["sequence"].paths for r in pq.read_table(path).to_pylist()
    ]
    return [Described(**{**row, "risks": tuple(Risk(**risk) for risk in json.loads(row["risks"]))}) for row in rows]


def _fasta(text: str) -> list[tuple[int, str, str]]:
    out: list[tuple[int, str, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(">"):
            words = line[1:].split()
            out.append((number, words[0][:100] if words else f"line {number}", ""))
        elif line.strip() and out:
            out[-1] = (out[-1][0], out[-1][1], out[-1][2] + line.strip())
    return out


def _table(text: str) -> list[tuple[int, str, str]]:
    first = text.lstrip("\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter="\t" if "\t" in first else ",")
    lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    lines = [(number, cells) for number, cells in lines if any(cells)]
    header = [name.lower() for name in lines[0][1]]
    if "sequence" not in header:
        raise MadangError(
            "sequence.column", _("The table has no column sequence."), _("Give FASTA, or columns id and sequence.")
        )
    at = header.index("sequence")
    named = next((header.index(name) for name in ("id", "name") if name in header), None)
    out = []
    for number, cells in lines[1:]:
        cells += [""] * (len(header) - len(cells))
        name = cells[named][:100] if named is not None else ""
        out.append((number, name or f"line {number}", cells[at]))
    return out


def _problem(sequence: str) -> str:
    strange = sorted(set(sequence) - LETTERS)
    if not sequence:
        return "there is no sequence"
    if strange:
        return f"{', '.join(strange)[:40]}: no amino acid"
    if len(sequence) > 60 and set(sequence) <= set("ACGTN"):
        return "this looks like nucleotides"
    if not SHORTEST <= len(sequence) <= LONGEST:
        return f"{len(sequence):,} residues"
    return ""


def _loops(sequence: str) -> tuple[str, str, tuple[str, str, str]]:
    """Chain, how it was found, and the loops of the first antibody domain of a sequence."""
    annotator = _annotator()
    if annotator is not None and len(sequence) >= 70:
        numbered, cut = annotator.number(sequence), annotator.segment(sequence)
        if not numbered.error and not cut.error and numbered.chain and cut.cdr3:
            return str(numbered.chain), "immunum", (cut.cdr1 or "", cut.cdr2 or "", cut.cdr3 or "")
    return _by_motifs(sequence)


_DOMAIN = re.compile(
    r"C(?P<one>.{8,20}?)W(?P<two>[YFVIL].{35,75}?)[DEATV].[AGST]?.?[YFH]C(?P<three>.{2,35}?)(?P<end>[WF]G.G)"
)


def _by_motifs(sequence: str) -> tuple[str, str, tuple[str, str, str]]:
    found = _DOMAIN.search(sequence)
    if found is None:
        return "", "", ("", "", "")
    heavy = found["end"].startswith("W")
    first, tryptophan = found.start(), found.end("one")
    second = found.start("three") - 1
    one = sequence[first + 4 : tryptophan - 2]
    two = sequence[tryptophan + 15 : second - (37 if heavy else 35)]
    if not 3 <= len(one) <= 14 or not 2 <= len(two) <= 12:
        return "", "", ("", "", "")
    return ("H" if heavy else "K"), "motifs", (one, two, found["three"])


@cache
def _annotator() -> Any:
    try:
        package: Any = importlib.import_module("immunum")
    except ImportError:
        return None
    return package.Annotator(chains=["H", "K", "L"], scheme="imgt")


def _risks(sequence: str, loops: Sequence[str]) -> tuple[Risk, ...]:
    spans = []
    for name, loop in zip(LOOPS, loops, strict=True):
        begin = sequence.find(loop) if loop else -1
        if begin >= 0:
            spans.append((begin, begin + len(loop), name))
    found = []
    for kind, pattern in _RISKS:
        for match in re.finditer(pattern, sequence):
            begin, motif = match.start(1), match[1]
            loop = next((name for low, high, name in spans if begin < high and begin + len(motif) > low), "")
            if loop or not spans or kind not in _ONLY_IN_LOOPS:
                found.append(Risk(kind, motif, begin + 1, loop))
    if sequence.count("C") % 2:
        found.append(Risk("unpaired cysteine", "C", sequence.rfind("C") + 1, ""))
    if sequence[:1] in "QE":
        found.append(Risk("pyroglutamate", sequence[0], 1, ""))
    return tuple(sorted(found, key=lambda risk: (risk.loop == "", risk.place)))


def _same(one: str, two: str) -> float:
    longer = max(len(one), len(two))
    return 1 - edits(one, two) / longer if longer else 1.0
