"""One call that makes a folder of synthetic source data."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.science.synthesis.lives import Population

NOTICE = "SYNTHETIC.txt"
VERSION = 1
"""Goes up whenever the same seed gives other bytes."""


def write_nhis(
    population: Population,
    folder: Path,
    *,
    dirt: int = 0,
    line_end: str = "\r\n",
    truth: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
) -> None:
    """Write the files of a national insurer's sample cohort (version 1) with their truth into the new folder `folder`.

    Either the whole folder appears, or nothing. Raises MadangError where the folder exists, the dirt level is none of
    0, 1, 2, or the disk is full.
    """
    from madang.science.synthesis.nhis.write import Export, write_files

    export = Export(population, dirt, line_end, truth)
    _into(folder, population, "nhis", dirt, lambda draft: write_files(export, draft, progress or Silent(), workers))


def write_hospital(
    population: Population,
    folder: Path,
    *,
    dirt: int = 0,
    line_end: str = "\r\n",
    truth: bool = True,
    progress: Progress | None = None,
) -> None:
    """Write the export of one hospital of these people with its truth into the new folder `folder`.

    Either the whole folder appears, or nothing. Raises MadangError as `write_nhis` does.
    """
    from madang.science.synthesis.hospital.write import Export, write_files

    export = Export(population, dirt, line_end, truth)
    _into(folder, population, "hospital", dirt, lambda draft: write_files(export, draft, progress or Silent()))


def synthesize(
    kind: str,
    folder: Path,
    *,
    persons: int,
    seed: int = 1,
    start_year: int = 2002,
    end_year: int = 2013,
    dirt: int = 0,
    truth: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
) -> None:
    """Make synthetic source data of `kind` (`nhis` or `hospital`) in the new folder `folder`.

    The same arguments give the same bytes, whatever `workers` (processes) is. Raises MadangError.
    """
    population = Population(persons, seed, start_year, end_year)
    match kind:
        case "nhis":
            write_nhis(population, folder, dirt=dirt, truth=truth, progress=progress, workers=workers)
        case "hospital":
            write_hospital(population, folder, dirt=dirt, truth=truth, progress=progress)
        case _:
            message = f"There is no synthetic source {kind!r}."
            raise MadangError("synthesis.kind", message, "Choose nhis or hospital.")


def _into(folder: Path, population: Population, kind: str, dirt: int, write: Callable[[Path], None]) -> None:
    """Let `write` fill a folder beside `folder`, then give it its name."""
    if dirt not in (0, 1, 2):
        raise MadangError(
            "synthesis.dirt", f"There is no dirt level {dirt}.", "Choose 0 (none), 1 (usual) or 2 (heavy)."
        )
    if folder.exists():
        raise MadangError("synthesis.exists", f"{folder} exists.", "Choose a folder that does not exist, or remove it.")
    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        write(draft)
        years = f"{population.start_year} to {population.end_year}"
        (draft / NOTICE).write_text(
            "These data are synthetic: made by Madang, no person in them exists or existed.\n"
            f"kind {kind}, generator version {VERSION}, seed {population.seed}, persons {population.persons}, "
            f"years {years}, dirt {dirt}\n",
            encoding="utf-8",
        )
        os.chmod(draft, 0o755)
        os.rename(draft, folder)
    except OSError as error:
        message = f"The synthetic data could not be written to {folder}: {error.strerror or error}."
        raise MadangError("synthesis.unwritable", message, "Check the free space and the permissions.") from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
