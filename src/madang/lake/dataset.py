"""Lake, Dataset and Version: what readers see. A version is its manifest; nothing else decides what is in it."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madang.base.errors import MadangError
from madang.lake import delta
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.lake.files import explain, locked, sentences
from madang.lake.manifest import (
    TOMBSTONE,
    Table,
    check_dataset_name,
    check_version_document,
    damaged,
    digest,
    read_document,
    tables_from_json,
)

if TYPE_CHECKING:
    from madang.lake.write import Writer

VERSIONS = "_versions"
LOCK = "_lock"
_NUMBERED = re.compile(r"([1-9][0-9]{0,8})\.json")


class Lake:
    """All datasets under `root`, with their restricted companions under `restricted` (None: they cannot be reached).

    Neither folder needs to exist before something is written.
    """

    def __init__(self, root: Path, restricted: Path | None = None) -> None:
        self.root = root.absolute()
        self.restricted = restricted.absolute() if restricted else None

    def datasets(self) -> list["Dataset"]:
        """The datasets that have at least one version, by name; damaged ones too."""
        try:
            names = sorted(folder.parent.name for folder in self.root.glob(f"*/{VERSIONS}"))
        except OSError as error:
            raise explain(error, "list the datasets") from None
        return [dataset for dataset in (Dataset(self, name) for name in names) if dataset.exists]

    def dataset(self, name: str) -> "Dataset":
        """The dataset of that name, which may not exist yet. Repairs its Delta logs where they are behind."""
        dataset = Dataset(self, check_dataset_name(name))
        dataset.project()
        return dataset

    def find(self, reference: str) -> "Version":
        """The version that `NAME` (the newest) or `NAME@NUMBER` stands for."""
        name, at, number = reference.partition("@")
        if at and not (number.isascii() and number.isdigit()):
            raise MadangError("lake.reference", f"{reference!r} names no version.", "Write NAME or NAME@NUMBER.")
        return self.dataset(name).version(int(number) if at else None)

    def tidy(self) -> list[Path]:
        """Remove what killed writers left behind, in datasets that nobody is writing now; what was removed."""
        from madang.lake.removal import tidy

        return [path for dataset in self._folders() for path in tidy(dataset)]

    def _folders(self) -> list["Dataset"]:
        names = {folder.parent.name for folder in self.root.glob(f"*/{VERSIONS}")}
        return [Dataset(self, name) for name in sorted(names)]


@dataclass(frozen=True)
class Dataset:
    """A named sequence of versions."""

    lake: Lake
    name: str

    @property
    def folder(self) -> Path:
        """Where its open tables are."""
        return self.lake.root / self.name

    @property
    def restricted_folder(self) -> Path:
        """Where its companion tables are."""
        if self.lake.restricted is None:
            raise MadangError("lake.restricted", f"The restricted companion of {self.name!r} cannot be reached here.")
        return self.lake.restricted / self.name

    def manifest_path(self, number: int) -> Path:
        """The file that is version `number`."""
        return self.folder / VERSIONS / f"{number}.json"

    @property
    def exists(self) -> bool:
        """Whether it has a version; one whose newest manifest cannot be read has."""
        try:
            return self.newest() is not None
        except MadangError:
            return True

    def newest(self) -> int | None:
        """The number of the newest version that was not removed; None if there is none."""
        return next((n for n in reversed(self.numbers()) if self.load(n)[0]["kind"] != TOMBSTONE), None)

    def versions(self) -> list[int]:
        """The numbers of its versions, oldest first, removed ones left out."""
        return [number for number in self.numbers() if self.load(number)[0]["kind"] != TOMBSTONE]

    def numbers(self) -> list[int]:
        """The numbers of its versions, oldest first, with those that were removed."""
        with sentences(f"read dataset {self.name!r}"):
            try:
                names = [entry.name for entry in (self.folder / VERSIONS).iterdir()]
            except (FileNotFoundError, NotADirectoryError):
                return []
        return sorted(int(match[1]) for match in map(_NUMBERED.fullmatch, names) if match)

    def version(self, number: int | None = None) -> "Version":
        """One version, or the newest where no number is given."""
        if number is None:
            number = self.newest()
            if number is None:
                raise self.missing()
        elif not self.manifest_path(number).is_file():
            raise MadangError("lake.no_version", f"Dataset {self.name!r} has no version {number}.")
        document, hash_ = self.load(number)
        if document["kind"] == TOMBSTONE:
            raise MadangError("lake.removed", f"Version {number} of {self.name!r} was removed.", document["reason"])
        return Version(self, number, document, hash_)

    def missing(self) -> MadangError:
        """The error for a dataset that does not exist, with the name that may have been meant."""
        near = get_close_matches(self.name, [other.name for other in self.lake.datasets()], 1)
        hint = f'Did you mean "{near[0]}"?' if near else "`madang datasets` lists them."
        return MadangError("lake.no_dataset", f"There is no dataset {self.name!r}.", hint)

    def tombstones(self) -> list[Mapping[str, Any]]:
        """What is left of removed versions: number, manifest hash, when it was made and removed, and why."""
        documents = [self.load(number)[0] for number in self.numbers()]
        return [document for document in documents if document["kind"] == TOMBSTONE]

    def write(self, parent: "Version | None" = None, *, threads: int | None = None) -> "Writer":
        """Begin a new version, to be used in a `with` block; see `madang.lake.write.Writer`."""
        from madang.lake.write import Writer

        return Writer(self, parent, threads=threads)

    def project(self) -> None:
        """Bring the Delta logs up to the newest version; quietly does nothing where this process may not write."""
        numbers = self.numbers()
        if not numbers:
            return
        with contextlib.suppress(OSError, MadangError):  # a damaged manifest is told to whoever opens that version
            _, tables = self._tables_for_delta(numbers[-1])
            if delta.is_current(self.folder, numbers[-1], tables or ()):
                return
            delta.project(self.folder, numbers[-1], self._tables_for_delta)

    def _tables_for_delta(self, number: int) -> tuple[str, Mapping[str, Table] | None]:
        """When version `number` was made and its open tables, None for a removed one."""
        document, _ = self.load(number)
        if document["kind"] == TOMBSTONE:
            return document["removed"], None
        return document["created"], Version(self, number, document, "").tables

    @contextlib.contextmanager
    def lock(self, *, exclusive: bool, patience: float = 30.0) -> Iterator[None]:
        """Keep others from removing files (shared, for writers) or from writing (exclusive, for removal)."""
        doing = "written" if exclusive else "cleaned up"
        busy = MadangError("lake.busy", f"Dataset {self.name!r} is being {doing} by another process.", "Try later.")
        with locked(self.folder / LOCK, exclusive=exclusive, patience=patience, busy=busy):
            yield

    def load(self, number: int) -> tuple[dict[str, Any], str]:
        """The manifest (or tombstone) `number` and the SHA-256 of its bytes."""
        path = self.manifest_path(number)
        with sentences(f"read dataset {self.name!r}"):
            data = path.read_bytes()
        document = read_document(data, path)
        check_version_document(document, self.name, number, path)
        return document, digest(data)


@dataclass(frozen=True)
class Version:
    """One immutable state of a dataset: `manifest` is its document, `digest` the manifest hash."""

    dataset: Dataset
    number: int
    manifest: Mapping[str, Any]
    digest: str

    @property
    def name(self) -> str:
        """`NAME@NUMBER`, as `Lake.find` reads it."""
        return f"{self.dataset.name}@{self.number}"

    @property
    def kind(self) -> str:
        """What made it, e.g. `standardize`."""
        return str(self.manifest["kind"])

    @property
    def created(self) -> str:
        """When it was committed: UTC, ISO 8601."""
        return str(self.manifest["created"])

    @property
    def info(self) -> Mapping[str, Any]:
        """What its maker wrote about it."""
        info: Mapping[str, Any] = self.manifest["info"]
        return info

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The open tables by name. Companion tables are never among them."""
        return self._read(self.manifest["tables"], self.dataset.folder, self.dataset.manifest_path(self.number))

    @cached_property
    def companion(self) -> Mapping[str, Table]:
        """The restricted tables by name: rejects, lineage, keys. Not for exports, reports or workspaces."""
        expected = self.manifest["restricted"]
        if expected is None:
            return {}
        folder = self.dataset.restricted_folder
        path = folder / VERSIONS / f"{expected}.json"
        with sentences(f"read the companion of {self.name}"):
            data = path.read_bytes()
        if digest(data) != expected:
            raise damaged(path, "its SHA-256 is not the one in the version")
        return self._read(read_document(data, path)["tables"], folder, path)

    def attach(self, engine: Engine, schema: str = "main", restricted: bool = False) -> None:
        """Make a view per open table in `schema` of `engine`; with `restricted`, per companion table instead."""
        engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_name(schema)}")
        for table in (self.companion if restricted else self.tables).values():
            view = f"{quote_name(schema)}.{quote_name(table.name)}"
            engine.execute(f"CREATE OR REPLACE VIEW {view} AS FROM read_parquet({quote_paths(table.paths)})")

    def _read(self, document: Mapping[str, Any], folder: Path, path: Path) -> Mapping[str, Table]:
        try:
            return tables_from_json(document, folder)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path, f"wrong {error}") from None
