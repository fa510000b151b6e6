"""Taking away: a file goes from the disk when no manifest names it any more.

A removed version leaves a tombstone in the place of its manifest: its number is never given again, and its manifest
hash stays known, so the chain of hashes can still be checked.
"""

import shutil
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.lake.dataset import VERSIONS, Dataset
from madang.lake.delta import LOG
from madang.lake.files import PARTIAL, put_instead, sentences
from madang.lake.manifest import FORMAT, TOMBSTONE


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


def remove_versions(dataset: Dataset, numbers: Collection[int], reason: str) -> list[Path]:
    """Remove versions for good; the files that went. Waits for nobody: `lake.busy` while the dataset is written.

    The newest version goes only together with all others, because outside readers begin there. May be run again
    after it was killed. `reason` is kept and shown; it must not hold personal data.
    """
    if not dataset.exists:
        raise dataset.missing()
    with dataset.lock(exclusive=True, patience=0):
        return bury(dataset, numbers, reason)


def bury(dataset: Dataset, numbers: Collection[int], reason: str) -> list[Path]:
    """`remove_versions` for whoever holds the dataset's exclusive lock."""
    alive = dataset.versions()
    unknown = sorted(set(numbers) - set(alive))
    if unknown:
        raise MadangError("lake.no_version", f"Dataset {dataset.name!r} has no version {unknown[0]}.")
    if alive and alive[-1] in numbers and set(numbers) != set(alive):
        raise MadangError(
            "lake.newest", f"Version {alive[-1]} is the newest of {dataset.name!r}.", "It goes only with all others."
        )
    dataset.project()
    for number in sorted(numbers):  # the newest last: killed half-way, the dataset is still there
        version = dataset.version(number)
        tombstone = {
            "format": FORMAT,
            "dataset": dataset.name,
            "number": number,
            "kind": TOMBSTONE,
            "was": version.kind,
            "manifest": version.digest,
            "parent": version.manifest["parent"],
            "created": version.created,
            "removed": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "reason": reason,
        }
        with sentences(f"remove {version.name}"):
            put_instead(dataset.manifest_path(number), canonical_json(tombstone), 0o444)
    return sweep(dataset)


def sweep(dataset: Dataset) -> list[Path]:
    """Remove all files that no version needs; only for whoever holds the dataset's exclusive lock."""
    with sentences(f"clean up dataset {dataset.name!r}"):
        used = referenced(dataset)
        folders = [dataset.folder]
        found = [*dataset.folder.glob(f"{VERSIONS}/*{PARTIAL}"), *dataset.folder.glob(f"*/{LOG}/*{PARTIAL}")]
        if dataset.lake.restricted is not None:
            folders.append(dataset.restricted_folder)
            found += [*dataset.restricted_folder.glob(f"{VERSIONS}/*")]
        found += [path for folder in folders for path in folder.glob("[!_]*/*.parquet")]
        gone = sorted(path for path in found if path not in used)
        for path in gone:
            path.unlink(missing_ok=True)
        if not dataset.exists:
            for log in dataset.folder.glob(f"[!_]*/{LOG}"):
                shutil.rmtree(log, ignore_errors=True)
        return gone


def tidy(dataset: Dataset) -> list[Path]:
    """Remove what killed writers left; nothing happens while somebody writes this dataset."""
    try:
        with sentences(f"clean up dataset {dataset.name!r}"), dataset.lock(exclusive=True, patience=0):
            return sweep(dataset)
    except MadangError as error:
        if error.code == "lake.busy":
            return []
        raise
