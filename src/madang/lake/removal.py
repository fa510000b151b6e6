"""Taking away: a file goes from the disk when no manifest names it any more."""

from pathlib import Path

from madang.base.errors import MadangError
from madang.lake.dataset import VERSIONS, Dataset
from madang.lake.files import PARTIAL, sentences


def referenced(dataset: Dataset) -> set[Path]:
    """Every file that a version of the dataset needs: data files, open and restricted, and companion manifests."""
    used: set[Path] = set()
    for number in dataset.versions():
        version = dataset.version(number)
        used.update(path for table in version.tables.values() for path in table.paths)
        if version.manifest["restricted"] is not None and dataset.lake.restricted is not None:
            used.add(dataset.restricted_folder / VERSIONS / f"{version.manifest['restricted']}.json")
            used.update(path for table in version.companion.values() for path in table.paths)
    return used


def sweep(dataset: Dataset) -> list[Path]:
    """Remove all files that no version needs; only for whoever holds the dataset's exclusive lock."""
    with sentences(f"clean up dataset {dataset.name!r}"):
        used = referenced(dataset)
        folders = [dataset.folder]
        found = [*dataset.folder.glob(f"{VERSIONS}/*{PARTIAL}"), *dataset.folder.glob(f"*/_delta_log/*{PARTIAL}")]
        if dataset.lake.restricted is not None:
            folders.append(dataset.restricted_folder)
            found += [*dataset.restricted_folder.glob(f"{VERSIONS}/*")]
        found += [path for folder in folders for path in folder.glob("[!_]*/*.parquet")]
        gone = sorted(path for path in found if path not in used)
        for path in gone:
            path.unlink(missing_ok=True)
        return gone


def tidy(dataset: Dataset) -> list[Path]:
    """Remove what killed writers left; nothing happens while somebody writes this dataset."""
    try:
        with dataset.lock(exclusive=True, patience=0):
            return sweep(dataset)
    except MadangError as error:
        if error.code == "lake.busy":
            return []
        raise
