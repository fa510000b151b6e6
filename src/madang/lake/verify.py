"""Is everything still what was committed? Every byte of every file is read."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from madang.base.canonical import canonical_json, sha256_of_file
from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake import delta
from madang.lake.dataset import VERSIONS, Dataset, Version
from madang.lake.manifest import TOMBSTONE, DataFile, Table, digest


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was committed: in which version, in which file, and what."""

    version: int
    path: Path
    problem: str


def verify(
    dataset: Dataset, number: int | None = None, *, content: bool = False, progress: Progress | None = None
) -> list[Finding]:
    """What is damaged in one version, or in all; empty if nothing is.

    Found: a missing, cut, grown or changed data file or companion manifest (by size and SHA-256), a manifest that was
    changed although a later version is bound to it by hash, one that is not canonical JSON or whose sums are wrong, a
    version that is gone without a tombstone, a Delta log that says something else. A change of the newest manifest
    that keeps it consistent can only be seen by whoever knows its hash from elsewhere: compare `Version.digest`.
    With `content` the content hashes are computed again from the rows.
    """
    progress = progress or Silent()
    numbers = dataset.numbers()
    if not numbers:
        raise dataset.missing()
    if number is not None and number not in numbers:
        raise MadangError("lake.no_version", f"Dataset {dataset.name!r} has no version {number}.")
    findings: list[Finding] = []
    if number is None:
        missing = sorted(set(range(1, numbers[-1])) - set(numbers))
        findings += [Finding(n, dataset.manifest_path(n), "the manifest is missing") for n in missing]
    removed = _tombstones(dataset)
    checked: dict[Path, tuple[str, int]] = {}
    for each in [number] if number is not None else [n for n in numbers if n not in removed]:
        try:
            version = dataset.version(each)
            findings += _manifest(version)
            tables = [*version.tables.values(), *_companion(version, findings)]
        except MadangError as error:
            findings.append(Finding(each, dataset.manifest_path(each), error.message))
            continue
        with progress.step(version.name, sum(len(table.files) for table in tables), "files"):
            findings += _files(version.number, tables, checked, content, progress)
    findings += _delta(dataset)
    return findings


def changed_files(version: Version, progress: Progress | None = None) -> list[Finding]:
    """What is damaged among the open files of a version, by size and SHA-256, for who knows its manifest hash.

    Neither the companion nor other versions nor Delta logs are looked at, so a copy of the dataset's folder will do.
    Errors: `lake.damaged` if the manifest is out of shape.
    """
    progress = progress or Silent()
    tables = list(version.tables.values())
    with progress.step(version.name, sum(len(table.files) for table in tables), "files"):
        return list(_files(version.number, tables, {}, False, progress))


def files_of_other_sizes(version: Version) -> list[Path]:
    """The open files of a version that are missing or have another size; no byte is read."""
    return [
        path
        for table in version.tables.values()
        for file, path in zip(table.files, table.paths, strict=True)
        if not path.is_file() or path.stat().st_size != file.bytes
    ]


def _tombstones(dataset: Dataset) -> set[int]:
    """The numbers of removed versions; a manifest that cannot be read is not one of them."""
    found = set()
    for number in dataset.numbers():
        with contextlib.suppress(MadangError):
            if dataset.load(number)[0]["kind"] == TOMBSTONE:
                found.add(number)
    return found


def _manifest(version: Version) -> list[Finding]:
    path = version.dataset.manifest_path(version.number)
    if digest(canonical_json(version.manifest)) != version.digest:
        return [Finding(version.number, path, "the manifest was changed: it is not canonical JSON")]
    parent = version.manifest["parent"]
    if parent is None:
        return []
    document, hash_ = version.dataset.load(parent["number"])
    if document["kind"] == TOMBSTONE:
        hash_ = document["manifest"]
    if hash_ != parent["manifest"]:
        what = f"the manifest was changed after version {version.number} was made from it"
        return [Finding(parent["number"], version.dataset.manifest_path(parent["number"]), what)]
    return []


def _companion(version: Version, findings: list[Finding]) -> list[Table]:
    """The companion's tables, as far as this process may see them."""
    if version.dataset.lake.restricted is None:
        return []
    try:
        return list(version.companion.values())
    except MadangError as error:
        path = version.dataset.restricted_folder / VERSIONS / f"{version.manifest['restricted']}.json"
        findings.append(Finding(version.number, path, error.message))
        return []


def _files(
    number: int, tables: list[Table], checked: dict[Path, tuple[str, int]], content: bool, progress: Progress
) -> Iterable[Finding]:
    """Findings of the files of one version; what an earlier version has shown to be whole is not read again."""
    for table in tables:
        for file, path in zip(table.files, table.paths, strict=True):
            if checked.get(path) != (file.sha256, file.bytes):
                problem = _file(file, path, content)
                if problem:
                    yield Finding(number, path, problem)
                else:
                    checked[path] = (file.sha256, file.bytes)
            progress.advance()


def _file(file: DataFile, path: Path, content: bool) -> str:
    from madang.lake.content import content_of_file

    try:
        size = path.stat().st_size
        if size != file.bytes:
            return f"the file has {size:,} bytes instead of {file.bytes:,}"
        if sha256_of_file(path) != file.sha256:
            return "the file was changed: another SHA-256"
        if content and content_of_file(path) != file.content:
            return "the rows have another content hash than the manifest says"
    except FileNotFoundError:
        return "the file is missing"
    except OSError as error:
        return f"the file cannot be read: {error.strerror or error}"
    return ""


def _delta(dataset: Dataset) -> list[Finding]:
    try:
        version = dataset.version()
        tables = list(version.tables.values())
    except MadangError:
        return []  # found already
    return [
        Finding(version.number, table.folder / delta.LOG, "the Delta log says something else than the manifest")
        for table in tables
        if not delta.matches(table, dataset.numbers()[-1])
    ]
