"""Search in a library: by similarity (Tanimoto, exact), by substructure, and for a structure itself.

Scores are those of RDKit: common bits over bits in either, as a double. Hits come by falling score, those of equal
score in the order in which the library got them.
"""

import os
import threading
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


@dataclass(frozen=True)
class Hit:
    """A compound that was found. `score` is its Tanimoto similarity; 1 for a substructure or the structure itself."""

    id: str
    smiles: str
    score: float
    compound_id: int = 0


@dataclass(frozen=True)
class Found:
    """Hits, the share of the library that had to be compared in full, and how many hits there are at least."""

    hits: tuple[Hit, ...]
    compared: float
    total: int


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
        """Places of the compounds whose pattern fingerprint has all these bits."""
        start, parts = 0, []
        for (_first, count), _compounds, prints in self._files:
            parts.append(start + segments.screen(self._made(prints, "pattern"), bits))
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

    def smiles(self) -> pa.ChunkedArray:
        """The canonical SMILES of all compounds, by place."""
        parts = [pq.read_table(path, columns=["smiles"])["smiles"] for _key, path, _prints in self._files]
        return pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())

    def _made(self, prints: Path, column: str) -> Path:
        """The index file of one fingerprint file, made now if it is missing or of an older layout."""
        path = self._folder / f"{prints.stem}.{column}"
        if not path.exists():
            make_folder(self._folder, 0o700)
            values = pq.read_table(prints, columns=[column])[column]
            width = segments.MORGAN_BYTES if column == "morgan" else segments.PATTERN_BITS // 8
            chunks = [_bytes_of(chunk, width) for chunk in values.chunks]
            data = np.concatenate(chunks) if chunks else np.zeros((0, width), np.uint8)
            if column == "morgan":
                segments.write_segment(data.view(np.uint64), path)
            else:
                segments.write_screen(data, path)
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
    from madang.science.chemistry.structure import Unreadable, fingerprint, read_structure

    try:
        molecule = read_structure(structure)
    except Unreadable as reason:
        raise _bad_query(reason) from None
    return index.similar(fingerprint(molecule), top, threshold, threads)


def exact(index: Index, structure: str) -> Found:
    """The compound that is this structure, if the library has it."""
    from madang.science.chemistry.structure import Unreadable, canonical, read_structure

    try:
        wanted = canonical(read_structure(structure))
    except Unreadable as reason:
        raise _bad_query(reason) from None
    places = np.flatnonzero(pc.equal(index.smiles(), wanted).to_numpy())
    hits = index.compounds(places, [1.0] * len(places))
    return Found(tuple(hits), 0.0, len(hits))


def substructure(index: Index, smarts: str, top: int | None = None, patience: float = PATIENCE) -> Found:
    """The compounds that contain a query (SMARTS, SMILES or molfile), in the order of the library.

    Candidates that pass the screen are matched by RDKit on their full structures. Raises `chemistry.too_slow` if that
    takes longer than `patience` seconds: some patterns explode.
    """
    from rdkit import Chem
    from rdkit.Chem import rdSubstructLibrary

    from madang.science.chemistry.structure import Unreadable, pattern_bytes, read_query

    try:
        query = read_query(smarts)
        query.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(query)
        bits = np.flatnonzero(np.unpackbits(np.frombuffer(pattern_bytes(query), np.uint8), bitorder="little"))
    except Unreadable as reason:
        raise _bad_query(reason) from None
    places = index.candidates(bits.tolist())
    smiles = index.smiles()
    wanted = len(places) if top is None else top
    holder = rdSubstructLibrary.CachedSmilesMolHolder()
    library = rdSubstructLibrary.SubstructLibrary(holder)
    for text in smiles.take(pa.array(places)).to_pylist() if len(places) else ():
        holder.AddSmiles(text.split(" ", 1)[0])
    parameters: Any = Chem.SubstructMatchParameters()
    parameters.useChirality = False
    parameters.recursionPossible = True
    matched: list[Any] = []

    def match() -> None:
        threads = min(4, os.cpu_count() or 1)
        matched.append(library.GetMatches(query, parameters, numThreads=threads, maxResults=max(wanted, 1)))

    # RDKit cannot be interrupted, so it works aside, and a pattern that explodes is left behind.
    worker = threading.Thread(target=match, daemon=True)
    worker.start()
    worker.join(patience)
    if worker.is_alive():
        raise MadangError(
            "chemistry.too_slow",
            _("The query takes longer than {seconds:.0f} seconds.").format(seconds=patience),
            _("Make the pattern more specific, with fewer wildcards and repeated groups."),
        )
    if not matched:
        raise MadangError("chemistry.query", _("The query cannot be matched."))
    chosen = places[np.sort(np.array(list(matched[0]), np.int64))] if len(places) else places
    hits = index.compounds(chosen[:wanted], [1.0] * len(chosen[:wanted]))
    return Found(tuple(hits), len(places) / max(len(index), 1), len(chosen))


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
