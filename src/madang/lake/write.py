"""Writing a version: files first, then the manifest; putting the manifest in place is the commit, and nothing else."""

import contextlib
import os
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from madang.base.canonical import canonical_json, sha256_of_file
from madang.base.errors import MadangError
from madang.lake.content import content_of_file
from madang.lake.content_sum import Content
from madang.lake.dataset import VERSIONS, Dataset, Version
from madang.lake.files import explain, make_folder, put_if_absent, sentences, sync_file, sync_folder
from madang.lake.manifest import (
    FORMAT,
    DataFile,
    Table,
    check_table_name,
    digest,
    tables_to_json,
)
from madang.lake.schema import Column, check_open_names, columns_of

OPEN, RESTRICTED = False, True
_GROUPS_PER_TASK = 8

Key = tuple[bool, str]  # (is it a companion table, its name)


@dataclass(frozen=True)
class _State:
    """The files of every table, open and restricted, and the tables' columns."""

    files: Mapping[Key, Mapping[str, DataFile]]
    schemas: Mapping[Key, tuple[Column, ...]]

    @classmethod
    def of(cls, version: Version | None) -> "_State":
        if version is None:
            return cls({}, {})
        tables = {(OPEN, name): table for name, table in version.tables.items()}
        tables |= {(RESTRICTED, name): table for name, table in version.companion.items()}
        return cls(
            {key: {file.name: file for file in table.files} for key, table in tables.items()},
            {key: table.schema for key, table in tables.items()},
        )

    def tables(self, restricted: bool, folder: Path) -> list[Table]:
        """The open or the companion tables by name, files in the order of their names."""
        keys = sorted(key for key, files in self.files.items() if key[0] is restricted and files)
        return [
            Table(
                key[1], self.schemas[key], tuple(file for _, file in sorted(self.files[key].items())), folder / key[1]
            )
            for key in keys
        ]


class Writer:
    """A version in the making, used in a `with` block. Nothing of it is seen before `commit`.

    Tables and files of `parent` are carried on only where `keep` says so. Without a parent the new version has
    nothing but what is added. Leaving the block without a commit removes the files that were written. While the block
    is open, nobody can remove files of this dataset. `alone` says that the caller holds the dataset's exclusive lock.
    """

    def __init__(
        self, dataset: Dataset, parent: Version | None = None, *, threads: int | None = None, alone: bool = False
    ) -> None:
        self.dataset = dataset
        self.parent = parent
        self._alone = alone
        self._threads = threads or os.cpu_count() or 1
        self._stack = contextlib.ExitStack()
        self._written: list[Path] = []
        self._schemas: dict[Key, tuple[Column, ...]] = {}
        self._kept: dict[Key, dict[str, DataFile]] = {}
        self._added: dict[Key, dict[str, Future[DataFile]]] = {}
        self._opened_at: int | None = None
        self._base = _State({}, {})

    def __enter__(self) -> Self:
        with sentences(f"write dataset {self.dataset.name!r}"):
            make_folder(self.dataset.folder / VERSIONS, 0o755)
            if not self._alone:
                self._stack.enter_context(self.dataset.lock(exclusive=False))
        try:
            if self.parent is not None:
                self.parent = self.dataset.version(self.parent.number)  # it may have been removed meanwhile
            self._base = _State.of(self.parent)
            self._opened_at = self.dataset.newest()
            self._pool = self._stack.enter_context(ThreadPoolExecutor(self._threads, "madang-lake"))
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        with self._stack:
            used = self._used_now() if self._written else set()
            for path in self._written:
                if path not in used:
                    with contextlib.suppress(OSError):  # what cannot be removed now, `tidy` removes
                        path.unlink(missing_ok=True)

    def new_file(self, table: str, restricted: bool = False) -> Path:
        """Where to write one Parquet file of `table`; give the path to `add` when it is complete."""
        folder = self._folder(restricted) / check_table_name(table)
        with sentences(f"write dataset {self.dataset.name!r}"):
            make_folder(folder, 0o700 if restricted else 0o755)
        path = folder / f"{uuid.uuid4().hex}.parquet"
        self._written.append(path)
        return path

    def add(self, table: str, path: Path) -> None:
        """Take a file from `new_file` into `table`; columns and rows are read from the file itself.

        Refuses column types that Spark does not read and columns that differ from the table's other files. Hashing
        goes on in threads until `commit`.
        """
        restricted = self.dataset.lake.restricted is not None and path.is_relative_to(self.dataset.lake.restricted)
        key = (restricted, table)
        if path not in self._written or path.parent.name != table or path.name in self._added.get(key, {}):
            raise MadangError(
                "lake.not_ours", f"{path} is not a new file of table {table!r}.", "Ask `new_file` for it."
            )
        try:
            with pq.ParquetFile(path) as file:
                columns, rows, groups = columns_of(file.schema_arrow), file.metadata.num_rows, file.num_row_groups
        except OSError as error:
            raise explain(error, f"read the new file of table {table!r}") from None
        except pa.ArrowException as error:
            raise MadangError("lake.not_parquet", f"{path} is not a whole Parquet file: {error}.") from None
        if not restricted:
            check_open_names(columns)
        self._check_columns(key, columns)
        tasks = [range(start, min(start + _GROUPS_PER_TASK, groups)) for start in range(0, groups, _GROUPS_PER_TASK)]
        contents = [self._pool.submit(content_of_file, path, task) for task in tasks]
        # The file's own task comes last: by then a worker has begun every task that it waits for.
        future = self._pool.submit(self._finish, path, rows, 0o400 if restricted else 0o444, contents)
        self._added.setdefault(key, {})[path.name] = future

    def keep(self, *tables: str, restricted: bool = False) -> None:
        """Carry tables of the parent on, with all their files."""
        for table in tables:
            key = (restricted, table)
            if key not in self._base.files:
                raise MadangError("lake.no_table", f"The parent version has no table {table!r}.")
            self._check_columns(key, self._base.schemas[key])
            self._kept[key] = dict(self._base.files[key])

    def keep_all(self) -> None:
        """Carry all tables of the parent on, open and restricted."""
        for restricted, table in self._base.files:
            self.keep(table, restricted=restricted)

    def drop_file(self, table: str, name: str, restricted: bool = False) -> None:
        """Carry a table of the parent on, but leave this file of it out."""
        key = (restricted, table)
        if key not in self._kept:
            self.keep(table, restricted=restricted)
        if self._kept[key].pop(name, None) is None:
            raise MadangError("lake.no_file", f"Table {table!r} of the parent version has no file {name!r}.")

    def commit(self, kind: str, info: Mapping[str, Any] | None = None, *, rebase: bool = True) -> Version:
        """Make the version. `info` is JSON that goes into the manifest.

        If another version was committed since the parent, this one goes on from there where that is safe (this writer
        only added files, or the other one only added files to tables that this one does not touch); otherwise, or
        with `rebase=False`, the error is `lake.conflict` and nothing has changed.
        """
        with sentences(f"write dataset {self.dataset.name!r}"):
            mine = self._gather()
            tables = {path.parent for path in self._written}
            for folder in {parent for table in tables for parent in (table, *table.parents[:2])}:
                sync_folder(folder)  # the names of new files, of new tables and of a new dataset
            base = self.parent.number if self.parent else self._opened_at
            while True:
                # Taken before the newest version is looked at: a version that comes in between has this number.
                number = max(self.dataset.numbers(), default=0) + 1
                newest = self.dataset.newest()
                if newest == base:
                    state, parent = mine, self.parent
                elif rebase and self.parent is not None and newest is not None:
                    parent = self.dataset.version(newest)
                    state = self._rebase(mine, _State.of(parent))
                else:
                    raise self._conflict(newest)
                version = self._put(number, state, parent, kind, dict(info or {}))
                if version is not None:
                    self.dataset.project()
                    return version

    def _put(
        self, number: int, state: _State, parent: Version | None, kind: str, info: dict[str, Any]
    ) -> Version | None:
        """Put the manifest in place; None if another version took its number."""
        companion, is_new = self._put_companion(state)
        document = {
            "format": FORMAT,
            "dataset": self.dataset.name,
            "number": number,
            "kind": kind,
            "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "parent": {"number": parent.number, "manifest": parent.digest} if parent else None,
            "info": info,
            "tables": tables_to_json(state.tables(OPEN, self.dataset.folder)),
            "restricted": companion.stem if companion else None,
        }
        if put_if_absent(self.dataset.manifest_path(number), canonical_json(document), 0o444):
            return self.dataset.version(number)
        if companion is not None and is_new:
            companion.unlink()
        return None

    def _put_companion(self, state: _State) -> tuple[Path | None, bool]:
        """Write the companion's manifest, named by its hash: where it is, None if there is no companion, and whether
        it is new. One that names new files is, and no other version can have it."""
        if not any(restricted and files for (restricted, _), files in state.files.items()):
            return None, False
        folder = self.dataset.restricted_folder
        tables = tables_to_json(state.tables(RESTRICTED, folder))
        data = canonical_json({"format": FORMAT, "dataset": self.dataset.name, "tables": tables})
        make_folder(folder / VERSIONS, 0o700)
        path = folder / VERSIONS / f"{digest(data)}.json"
        return path, put_if_absent(path, data, 0o400)

    def _gather(self) -> _State:
        """What this version holds, when all its files are hashed and on the disk."""
        files = {key: dict(kept) for key, kept in self._kept.items()}
        for key, added in self._added.items():
            for name, future in added.items():
                files.setdefault(key, {})[name] = future.result()
        return _State(files, dict(self._schemas))

    def _finish(self, path: Path, rows: int, mode: int, contents: list[Future[Content]]) -> DataFile:
        """Make a file last and describe it."""
        os.chmod(path, mode)
        sync_file(path)
        sha256 = sha256_of_file(path)
        content = Content.total(future.result() for future in contents)
        return DataFile(path.name, rows, path.stat().st_size, sha256, content)

    def _rebase(self, mine: _State, theirs: _State) -> _State:
        """What `mine` changed of the base, done to `theirs`; raises `lake.conflict` where that could lose something."""
        base = self._base.files
        keys = base.keys() | mine.files.keys() | theirs.files.keys()

        def changes(state: _State) -> tuple[set[Key], bool]:
            """The tables that a state changed, and whether it took files away."""
            names = {key: (set(base.get(key, {})), set(state.files.get(key, {}))) for key in keys}
            changed = {key for key, (before, after) in names.items() if before != after}
            return changed, any(before - after for before, after in names.values())

        touched, i_took = changes(mine)
        others, they_took = changes(theirs)
        if i_took and (they_took or touched & others):
            raise self._conflict(None)
        files = {key: dict(found) for key, found in theirs.files.items()}
        schemas = dict(theirs.schemas)
        for key in touched:
            if schemas.setdefault(key, mine.schemas.get(key, ())) != mine.schemas.get(key, schemas[key]):
                raise self._conflict(None)
            kept = {name: file for name, file in mine.files.get(key, {}).items()}
            new = {name: file for name, file in kept.items() if name not in base.get(key, {})}
            files[key] = kept if i_took else files.get(key, {}) | new
        return _State(files, schemas)

    def _conflict(self, newest: int | None) -> MadangError:
        number = newest if newest is not None else self.dataset.newest()
        return MadangError(
            "lake.conflict",
            f"Version {number} of {self.dataset.name!r} was committed while this one was made.",
            "Nothing was changed; run it again on the newest version.",
        )

    def _check_columns(self, key: Key, columns: tuple[Column, ...]) -> None:
        known = self._schemas.setdefault(key, columns)
        if known != columns:
            different = sorted({name for name, _ in set(known) ^ set(columns)}) or ["order of columns"]
            raise MadangError(
                "lake.schema", f"The files of table {key[1]!r} have different columns: {', '.join(different)}."
            )

    def _folder(self, restricted: bool) -> Path:
        return self.dataset.restricted_folder if restricted else self.dataset.folder

    def _used_now(self) -> set[Path]:
        """The files of this writer that a version names: only after a commit are there any."""
        from madang.lake.removal import referenced

        return referenced(self.dataset)
