"""From rows to compounds: what one row becomes, and many rows on several processors."""

import itertools
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

from madang.base.progress import Progress
from madang.science.chemistry.properties import OwnAlert, alerts, properties
from madang.science.chemistry.reading import Row
from madang.science.chemistry.structure import (
    Unreadable,
    fingerprint_bytes,
    identify,
    pattern_bytes,
    read_molfile,
    read_structure,
)

CHUNK = 256  # rows that one processor takes at a time
ENOUGH_TO_SHARE = 1500  # rows from which a second process is worth its start


@dataclass(frozen=True)
class Registered:
    """What became of a row: a compound with its facts, or the reason why it is none.

    `values` are identity and properties by column; `alerts` as text; empty for a reject.
    """

    row: Row
    problem: str
    values: dict[str, object]
    morgan: bytes = b""
    pattern: bytes = b""


def register(row: Row, own: Sequence[OwnAlert] = ()) -> Registered:
    """Read, identify and describe the structure of one row."""
    if row.problem or row.unused:
        return Registered(row, row.problem, {})
    try:
        molecule = read_molfile(row.given) if "\n" in row.given else read_structure(row.given)
    except Unreadable as reason:
        return Registered(row, str(reason), {})
    try:
        identity = identify(molecule)
        pattern = pattern_bytes(molecule)
        raised = alerts(molecule, own, pattern)
        values: dict[str, object] = {
            "smiles": identity.smiles,
            "inchikey": identity.inchikey,
            "parent_smiles": identity.parent,
            "parent_inchikey": identity.parent_inchikey,
            "notes": "; ".join(identity.notes),
            **properties(molecule),
            "alerts": "; ".join(f"{alert.source}: {alert.name}" for alert in raised),
        }
        return Registered(row, "", values, fingerprint_bytes(molecule), pattern)
    except RuntimeError as error:  # RDKit met something that its own reader had let through
        return Registered(row, f"cannot be described: {' '.join(str(error).split())[:200]}", {})


def register_all(
    rows: Iterable[Row], own: Sequence[OwnAlert] = (), progress: Progress | None = None, processes: int | None = None
) -> Iterator[Registered]:
    """`register` of every row, in order; on as many processes as asked for once there are many rows."""
    progress = progress or Progress()
    processes = processes or min(4, os.cpu_count() or 1)
    rows = iter(rows)
    first = list(itertools.islice(rows, ENOUGH_TO_SHARE))
    if len(first) < ENOUGH_TO_SHARE or processes == 1:
        for row in itertools.chain(first, rows):
            yield register(row, own)
            progress.advance()
        return
    every = itertools.chain(first, rows)
    chunks = iter(lambda: list(itertools.islice(every, CHUNK)), [])
    context = multiprocessing.get_context("spawn")  # nothing of this process, its threads least of all, is copied
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting: list[Future[list[Registered]]] = []
        try:
            for chunk in chunks:
                waiting.append(pool.submit(_register_chunk, chunk, tuple(own)))
                if len(waiting) > 3 * processes:
                    yield from _finished(waiting.pop(0), progress)
            while waiting:
                yield from _finished(waiting.pop(0), progress)
        finally:
            for future in waiting:
                future.cancel()


def _finished(future: "Future[list[Registered]]", progress: Progress) -> Iterator[Registered]:
    for registered in future.result():
        yield registered
        progress.advance()


def _register_chunk(rows: list[Row], own: Sequence[OwnAlert]) -> list[Registered]:
    return [register(row, own) for row in rows]
