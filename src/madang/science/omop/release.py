"""Which vocabulary a dataset was mapped with: fingerprints of releases, and the version that has one."""

import hashlib
from pathlib import Path

from madang.lake import Lake, Version
from madang.science.omop.vocabulary import KIND


def fingerprint(vocabulary: Version | Path | str) -> str:
    """SHA-256 of what a vocabulary holds: of its tables' content hashes, or of the files of a download."""
    total = hashlib.sha256()
    if isinstance(vocabulary, Version):
        for name, table in sorted(vocabulary.tables.items()):
            total.update(f"{name} {table.content}\n".encode())
        return total.hexdigest()
    path = Path(vocabulary)
    parts = (
        [p for p in sorted(path.iterdir()) if p.suffix.lower() in (".csv", ".tsv", ".txt")] if path.is_dir() else [path]
    )
    for part in parts:
        with part.open("rb") as file:
            total.update(f"{part.name.upper()} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return total.hexdigest()


def mapped_with(lake: Lake, version: Version) -> Version | None:
    """The vocabulary version that a dataset version was mapped with, None if it is not in this lake."""
    wanted = version.info.get("vocabulary", {}).get("sha256")
    for dataset in lake.datasets() if wanted else ():
        for number in reversed(dataset.versions()):
            candidate = dataset.version(number)
            if candidate.kind != KIND:
                break
            if fingerprint(candidate) == wanted:
                return candidate
    return None
