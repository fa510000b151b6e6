"""Search in a library: by similarity (Tanimoto, exact), by substructure, and for a structure itself.

Scores are those of RDKit: common bits over bits in either, as a double. Hits come by falling score, those of equal
score in the order in which the library got them.
"""

import os
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.files import make_folder
from madang.science.chemistry import segment as segments
from madang.science.chemistry.library import checked
from madang.science.chemistry.segment import Segment

Words = npt.NDArray[np.uint64]
ENOUGH_FOR_A_THREAD = 50_000  # molecules
PATIENCE = 60.0  # seconds that a substructure search may take
NUMBERS = ("weight", "logp", "tpsa", "donors", "acceptors", "rotors", "qed", "fsp3", "rings", "heavy_atoms")
_CONDITION = re.compile(r"(?P<name>[a-zA-Z_0-9]+)\s*(?P<sign><=|>=|<|>|=)\s*(?P<value>-?\d+(?:\.\d+)?)")
# RDKit writes a sign for a single bond only between aromatic atoms; within brackets the sign is a charge.
_JOINED = r"^(?:[^\[\- ]|\[[^\]]*\])*-"
FIRST_BATCH, LARGEST_BATCH = 2_000, 64_000  # candidates that are matched at once


@dataclass(frozen=True)
class Hit:
    """A compound that was found. `score` is its Tanimoto similarity; 1 for a substructure or the structure itself."""

    id: str
    smiles: str
    score: float
    compound_id: int = 0


@dataclass(frozen=True)
class Found:
    """Hits, the share of the library that had to be compared in full, how many hits there are at least, and, where a
    search for substructures ended early, at most."""

    hits: tuple[Hit, ...]
    compared: float
    total: int
    most: int | None = None


class Index:
    """The search index of one version of a library: a mapped segment per file, made where it is missing."""

    def __init__(self, version: Version, folder: Path) -> None:
        self.version = checked(version)
        self._folder = folder / version.dataset.name
        compounds = {_numbers(path): path for path in version.tables["compound"].paths}
        prints = {_numbers(path): path for path in version.tables["fingerprint"].paths}
        self._files = [(key, compounds[key], prints[key]) for key in sorted(compounds) if key[1]]
        self._segments: list[Segment] | None = None

    @property
    def segments(self) -> list[Segment]:
        """The similarity segments in the order of compound numbers."""
        if self._segments is None:
            self._segments = [segments.open_segment(self._made(path, "morgan")) for _key, _c, path in self._files]
        return self._segments

    def __len__(self) -> int:
        return sum(count for (_first, count), _compounds, _prints in self._files)

    def similar(
        self, query: Words, top: int | None = None, threshold: float = 0.0, threads: int | None = None
    ) -> Found:
        """The compounds most similar to one fingerprint (32 words); all from `threshold` on if `top` is None."""
        return self.similar_many(query[np.newaxis], top, threshold, threads)[0]

    def similar_many(
        self, queries: Words, top: int | None = None, threshold: float = 0.0, threads: int | None = None
    ) -> list[Found]:
        """`similar` for several fingerprints (n, 32), reading the library once for all of them."""
        if not 0 <= threshold <= 1:
            raise MadangError("chemistry.threshold", _("A similarity threshold lies between 0 and 1."))
        keep = min(top if top is not None else len(self), max(len(self), 1))
        if keep < 1:
            raise MadangError("chemistry.top", _("At least one hit must be asked for."))
        best, found, sizes, compared = scan_segments(
            self.segments, np.array(queries, np.uint64, order="C"), keep, threshold, threads
        )
        results = []
        for q in range(len(queries)):
            scores, places = best[q, : sizes[q]], found[q, : sizes[q]]
            order = np.lexsort((places, -scores))
            hits = self.compounds(places[order], scores[order])
            results.append(Found(tuple(hits), compared / max(len(self) * len(queries), 1), int(sizes[q])))
        return results

    def candidates(self, bits: list[int]) -> npt.NDArray[np.int64]:
        """Places of the compounds that have all these bits of the screen."""
        start, parts = 0, []
        for (_first, count), compounds, prints in self._files:
            parts.append(start + segments.screen(self._made(prints, "screen", compounds), bits))
            start += count
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def compounds(self, places: npt.NDArray[np.int64], scores: Sequence[float]) -> list[Hit]:
        """The compounds at these places of the library."""
        columns = ["compound_id", "id", "smiles"]
        rows: dict[int, dict[str, Any]] = {}
        start = 0
        for (_first, count), path, _prints in self._files:
            mine = np.sort(places[(places >= start) & (places < start + count)] - start)
            if len(mine):
                table = _rows(path, mine, columns)
                rows |= dict(zip((mine + start).tolist(), table.to_pylist(), strict=True))
            start += count
        found = ((rows[int(place)], float(score)) for place, score in zip(places, scores, strict=True))
        return [Hit(row["id"], row["smiles"], score, row["compound_id"]) for row, score in found]

    def smiles_at(self, places: npt.NDArray[np.int64]) -> list[str]:
        """The canonical SMILES at these places, which rise."""
        found: list[str] = []
        start = 0
        for (_first, count), path, _prints in self._files:
            mine = places[(places >= start) & (places < start + count)] - start
            if len(mine):
                found += _rows(path, mine, ["smiles"])["smiles"].to_pylist()
            start += count
        return found

    def being(self, smiles: str) -> npt.NDArray[np.int64]:
        """Places of the compounds with this canonical SMILES."""
        return np.flatnonzero(pc.equal(self.smiles(), smiles).to_numpy())

    def having(self, ranges: "Sequence[Range]") -> npt.NDArray[np.int64]:
        """Places of the compounds whose properties lie in all these ranges; one that is not known lies in none."""
        columns = sorted({each.name for each in ranges})
        start, parts = 0, [np.zeros(0, np.int64)]
        for (_first, count), path, _prints in self._files:
            table = pq.read_table(path, columns=columns)
            fits = np.ones(count, bool)
            for each in ranges:
                values = table[each.name].to_numpy().astype(np.float64)
                fits &= (values > each.least) if each.open_least else (values >= each.least)
                fits &= (values < each.most) if each.open_most else (values <= each.most)
            parts.append(np.flatnonzero(fits) + start)
            start += count
        return np.concatenate(parts)

    def words_at(self, places: npt.NDArray[np.int64]) -> Words:
        """The fingerprints (n, 32) at these places, which rise."""
        start, parts = 0, [np.zeros((0, segments.WORDS), np.uint64)]
        for part in self.segments:
            mine = places[(places >= start) & (places < start + len(part))] - start
            if len(mine):
                inverse = np.empty(len(part), np.int64)
                inverse[part.rows] = np.arange(len(part))
                parts.append(part.words[inverse[mine]])
            start += len(part)
        return np.concatenate(parts)

    def smiles(self) -> pa.ChunkedArray:
        """The canonical SMILES of all compounds, by place."""
        parts = [pq.read_table(path, columns=["smiles"])["smiles"] for _key, path, _prints in self._files]
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())

    def _made(self, prints: Path, kind: str, compounds: Path | None = None) -> Path:
        """The index file of one fingerprint file, made now if it is missing."""
        path = self._folder / f"{prints.stem}.{kind}"
        if not path.exists():
            make_folder(self._folder, 0o700)
            column = "morgan" if kind == "morgan" else "pattern"
            values = pq.read_table(prints, columns=[column])[column]
            width = segments.MORGAN_BYTES if kind == "morgan" else segments.PATTERN_BITS // 8
            chunks = [_bytes_of(chunk, width) for chunk in values.chunks]
            data = np.concatenate(chunks) if chunks else np.zeros((0, width), np.uint8)
            if compounds is None:
                segments.write_segment(data.view(np.uint64), path)
            else:
                smiles = pq.read_table(compounds, columns=["smiles"])["smiles"]
                joined = pc.match_substring_regex(smiles, _JOINED).to_numpy(zero_copy_only=False)
                segments.write_screen(data, joined.astype(bool), path)
        return path


def scan_segments(
    parts: Sequence[Segment], queries: Words, keep: int, threshold: float, threads: int | None = None
) -> tuple[Any, Any, Any, int]:
    """Scores (q, keep), places, numbers of hits per query, and how many comparisons were made in full."""
    from madang.science.chemistry import kernels

    count = len(queries)
    totals = np.bitwise_count(queries).sum(axis=1).astype(np.int64)
    split = segments.piece_counts(queries)
    pieces = np.ascontiguousarray(np.stack([split[:, : segments.PAIRS], split[:, segments.PAIRS :]], axis=2))
    size = sum(len(part) for part in parts)
    workers = max(1, min(threads or min(4, os.cpu_count() or 1), size // ENOUGH_FOR_A_THREAD))

    def scan(worker: int) -> tuple[Any, Any, Any, int]:
        best, found = np.zeros((count, keep)), np.zeros((count, keep), np.int64)
        sizes = np.zeros(count, np.int64)
        compared = base = 0
        for part in parts:
            blocks = np.ascontiguousarray(_order(part, totals)[worker::workers])
            arrays = (part.counts, part.ones, part.rows, part.words, part.whole)
            if len(blocks):
                compared += kernels.scan(*arrays, queries, pieces, totals, blocks, threshold, base, best, found, sizes)
            base += len(part)
        return best, found, sizes, compared

    if workers == 1:
        return scan(0)
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(scan, range(workers)))
    best, found = np.zeros((count, keep)), np.zeros((count, keep), np.int64)
    sizes = np.zeros(count, np.int64)
    for q in range(count):
        scores = np.concatenate([result[0][q, : result[2][q]] for result in results])
        places = np.concatenate([result[1][q, : result[2][q]] for result in results])
        order = np.lexsort((places, -scores))[:keep]
        sizes[q] = len(order)
        best[q, : len(order)], found[q, : len(order)] = scores[order], places[order]
    return best, found, sizes, sum(result[3] for result in results)


def brute_force(words: Words, query: Words, keep: int, threshold: float = 0.0) -> tuple[Any, Any]:
    """Scores and places of the best, by comparing everything: the slow twin of `scan_segments`."""
    common = np.bitwise_count(words & query).sum(axis=1).astype(np.float64)
    either = np.bitwise_count(words | query).sum(axis=1).astype(np.float64)
    scores = np.divide(common, either, out=np.zeros(len(words)), where=either > 0)
    order = np.lexsort((np.arange(len(words)), -scores))
    order = order[scores[order] >= threshold][:keep]
    return scores[order], order


def similar(
    index: Index, structure: str, top: int | None = None, threshold: float = 0.0, threads: int | None = None
) -> Found:
    """The compounds most similar to a structure (SMILES or molfile)."""
    return index.similar(_fingerprint(structure), top, threshold, threads)


def exact(index: Index, structure: str) -> Found:
    """The compound that is this structure, if the library has it."""
    places = index.being(_canonical(structure))
    hits = index.compounds(places, [1.0] * len(places))
    return Found(tuple(hits), 0.0, len(hits))


def _fingerprint(structure: str) -> Words:
    from madang.science.chemistry.structure import Unreadable, fingerprint, read_structure

    try:
        return fingerprint(read_structure(structure))
    except Unreadable as reason:
        raise _bad_query(reason) from None


def _canonical(structure: str) -> str:
    from madang.science.chemistry.structure import Unreadable, canonical, read_structure

    try:
        return canonical(read_structure(structure))
    except Unreadable as reason:
        raise _bad_query(reason) from None


def substructure(index: Index, smarts: str, top: int | None = None, patience: float = PATIENCE) -> Found:
    """The compounds that contain a query (SMARTS, SMILES or molfile), in the order of the library.

    Candidates that pass the screen are matched by RDKit on their full structures, a batch at a time until there are
    `top` hits; `most` of the answer then says how many there can be at most. Raises `chemistry.too_slow` if that takes
    longer than `patience` seconds: some patterns explode.
    """
    places, candidates, left = _containing(index, smarts, top, patience)
    hits = index.compounds(places, [1.0] * len(places))
    return Found(tuple(hits), candidates / max(len(index), 1), len(hits), len(hits) + left)


def _containing(
    index: Index, smarts: str, top: int | None, patience: float, within: npt.NDArray[np.int64] | None = None
) -> tuple[npt.NDArray[np.int64], int, int]:
    """Places of the compounds (of `within`, rising) that contain a query; how many passed the screen, and how many of
    these were not looked at."""
    from rdkit import Chem

    from madang.science.chemistry.structure import Unreadable, read_query, sharpened

    try:
        query = read_query(smarts)
        query.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(query)
        sharp, leaves_out = sharpened(query)
        places = index.candidates(_bits_of(sharp))
        if leaves_out:
            places = np.union1d(places, index.candidates([*_bits_of(query), segments.JOINED]))
    except Unreadable as reason:
        raise _bad_query(reason) from None
    if within is not None:
        places = places[np.isin(places, within, assume_unique=True)]
    wanted = len(places) if top is None else top
    ends, done, size = time.monotonic() + patience, 0, FIRST_BATCH if top is not None else LARGEST_BATCH
    chosen: list[npt.NDArray[np.int64]] = [places[:0]]
    count = 0
    while done < len(places) and count < wanted:
        batch = places[done : done + size]
        mine = _matching(query, index.smiles_at(batch), wanted - count, ends, patience)
        chosen.append(batch[mine])
        count += len(mine)
        # What stands behind the last hit was not looked at, or does not count.
        done += int(mine[-1]) + 1 if count >= wanted else len(batch)
        size = min(4 * size, LARGEST_BATCH)
    return np.concatenate(chosen), len(places), len(places) - done


def _bits_of(query: Any) -> list[int]:
    """The bits of the screen that a molecule has if it contains the query."""
    from madang.science.chemistry.structure import pattern_bytes

    bits = np.unpackbits(np.frombuffer(pattern_bytes(query), np.uint8), bitorder="little")
    found: list[int] = np.flatnonzero(bits).tolist()
    return found


@dataclass(frozen=True)
class Range:
    """A condition on a property: its value lies between `least` and `most`, each with or without the end itself."""

    name: str
    least: float = float("-inf")
    most: float = float("inf")
    open_least: bool = False
    open_most: bool = False


def read_ranges(text: str) -> list[Range]:
    """Conditions written as `weight<500, logp<=5, qed>=0.5`."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _CONDITION.fullmatch(part)
        if match is None or match["name"].lower() not in NUMBERS:
            raise MadangError(
                "chemistry.condition",
                _("{text} is no condition.").format(text=repr(part)),
                _("Write weight<500, logp<=5; there are {names}.").format(names=", ".join(NUMBERS)),
            )
        name, sign, value = match["name"].lower(), match["sign"], float(match["value"])
        if sign.startswith("<"):
            found.append(Range(name, most=value, open_most=sign == "<"))
        elif sign.startswith(">"):
            found.append(Range(name, least=value, open_least=sign == ">"))
        else:
            found.append(Range(name, value, value))
    return found


def combined(
    index: Index,
    *,
    similar_to: str = "",
    contains: str = "",
    structure: str = "",
    where: str = "",
    top: int | None = None,
    threshold: float = 0.0,
    patience: float = PATIENCE,
) -> Found:
    """All conditions at once: contains a pattern, is a structure, has properties; ordered by similarity if that is
    asked for, else as the library is. What was compared is the share that any condition left to be looked at."""
    only_similar = not (contains or structure or where)
    if similar_to and only_similar:
        return similar(index, similar_to, top, threshold)
    places: npt.NDArray[np.int64] | None = None
    looked = len(index)
    if where:
        places = index.having(read_ranges(where))
    if structure:
        same = index.being(_canonical(structure))
        places = same if places is None else places[np.isin(places, same)]
    left = 0
    if contains:
        most = None if similar_to else top
        places, looked, left = _containing(index, contains, most, patience, places)
    assert places is not None
    if not similar_to:
        shown = places if top is None else places[:top]
        return Found(
            tuple(index.compounds(shown, [1.0] * len(shown))),
            looked / max(len(index), 1),
            len(places),
            len(places) + left,
        )
    query = _fingerprint(similar_to)
    scores, order = brute_force(index.words_at(places), query, len(places), threshold)
    scores, order = scores[:top], order[:top]
    hits = index.compounds(places[order], scores.tolist())
    return Found(tuple(hits), len(places) / max(len(index), 1), len(hits), len(hits))


def _matching(query: Any, smiles: list[str], wanted: int, ends: float, patience: float) -> npt.NDArray[np.int64]:
    """Which of some structures contain the query, at most `wanted`, in order."""
    from rdkit import Chem
    from rdkit.Chem import rdSubstructLibrary

    from madang.science.chemistry.structure import asks_for_no_ring

    # SMILES of the library are RDKit's own. Reading them without finding rings anew takes a sixth of the time.
    trusted = asks_for_no_ring(query)
    kinds = rdSubstructLibrary.CachedTrustedSmilesMolHolder, rdSubstructLibrary.CachedSmilesMolHolder
    holder = kinds[0]() if trusted else kinds[1]()
    library = rdSubstructLibrary.SubstructLibrary(holder)
    for text in smiles:
        holder.AddSmiles(text.split(" ", 1)[0])
    parameters: Any = Chem.SubstructMatchParameters()
    parameters.useChirality = False
    parameters.recursionPossible = True
    matched: list[Any] = []

    def match() -> None:
        threads = min(4, os.cpu_count() or 1)
        matched.append(library.GetMatches(query, parameters, numThreads=threads, maxResults=len(smiles) + 1))

    # RDKit cannot be interrupted, so it works aside, and a pattern that explodes is left behind.
    worker = threading.Thread(target=match, daemon=True)
    worker.start()
    worker.join(max(ends - time.monotonic(), 0.0))
    if worker.is_alive():
        raise MadangError(
            "chemistry.too_slow",
            _("The query takes longer than {seconds:.0f} seconds.").format(seconds=patience),
            _("Make the pattern more specific, with fewer wildcards and repeated groups."),
        )
    if not matched:
        raise MadangError("chemistry.query", _("The query cannot be matched."))
    return np.sort(np.array(list(matched[0]), np.int64))[:wanted]


def _order(part: Segment, totals: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Blocks, those first whose molecules have about as many bits as the queries: they raise the bar early."""
    blocks = len(part.counts)
    if not blocks:
        return np.zeros(0, np.int64)
    middle = np.minimum(np.arange(blocks) * segments.BLOCK + segments.BLOCK // 2, len(part) - 1)
    distance = np.abs(part.ones[middle].astype(np.int64) - int(totals.mean()))
    return np.argsort(distance, kind="stable").astype(np.int64)


def _numbers(path: Path) -> tuple[int, int]:
    """The first compound number of a file and its rows: what a compound file shares with its fingerprint file."""
    with pq.ParquetFile(path) as file:
        rows = file.metadata.num_rows
        if not rows:
            return 0, 0
        return file.read_row_group(0, columns=["compound_id"])["compound_id"][0].as_py(), rows


def _rows(path: Path, places: npt.NDArray[np.int64], columns: list[str]) -> pa.Table:
    """Some rows of a Parquet file; only the row groups that have them are read."""
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        groups = np.unique(np.searchsorted(starts, places, side="right") - 1)
        table = file.read_row_groups(groups.tolist(), columns=columns)
        offsets = np.concatenate([[0], np.cumsum([sizes[group] for group in groups])])
        at = np.searchsorted(groups, np.searchsorted(starts, places, side="right") - 1)
        return table.take(pa.array(places - starts[groups[at]] + offsets[at]))


def _bytes_of(chunk: pa.Array, width: int) -> npt.NDArray[np.uint8]:
    """Values of one width as an array (n, width), without a Python object per value."""
    data = chunk.buffers()[2]
    start = chunk.offset * width
    return np.frombuffer(data, np.uint8)[start : start + len(chunk) * width].reshape(-1, width)


def _bad_query(reason: Exception) -> MadangError:
    return MadangError(
        "chemistry.query",
        _("The query cannot be read: {reason}.").format(reason=reason),
        _("Give SMILES, SMARTS or a molfile."),
    )
