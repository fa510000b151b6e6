"""Counting a population for another room: a definition on a version of a dataset, exact; the room tells or not."""

from dataclasses import dataclass

from madang.base.progress import Progress
from madang.lake import Version
from madang.science.cohorts import Definition
from madang.science.cohorts.describe import Described, describe_opened
from madang.science.cohorts.members import generate, rows
from madang.science.cohorts.opened import opened


@dataclass(frozen=True)
class Population:
    """Who fits a definition on a version: how many, described exactly, and their identifiers in ascending order."""

    definition: Definition
    dataset: str
    manifest: str
    persons: int
    described: Described
    subjects: tuple[int, ...] = ()


def count_population(
    version: Version, definition: Definition, *, subjects: bool = False, progress: Progress | None = None
) -> Population:
    """Count a population; with `subjects` their identifiers, too. Nothing is kept back: whoever asks decides.

    Errors: those of `madang.science.cohorts.members`.
    """
    with opened(version, progress=progress) as found:
        counted = generate(found, definition, statistics=True)
        described = describe_opened(found, counted, progress)
        who = tuple(sorted(set(rows(found)["subject_id"].to_pylist()))) if subjects else ()
    return Population(definition, version.dataset.name, version.digest, counted.persons, described, who)
