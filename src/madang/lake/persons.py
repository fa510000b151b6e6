"""Removing people from a dataset for good.

The lake knows nothing of the common data model: the caller says how tables hang on persons.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake.dataset import Dataset, Version
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.lake.manifest import Table
from madang.lake.removal import bury
from madang.lake.write import Writer

GONE = "_madang_gone"  # the view of the identifiers to remove


@dataclass(frozen=True)
class Link:
    """Rows of `table` go with the rows of `target` that go: those where `column` = `target_column`.

    `condition` is SQL over the columns of `table` and limits the link to the rows where it is true. Tables that a
    version does not have, or has without the column, are passed over. Columns of two types are compared as text.
    """

    table: str
    column: str
    target: str
    target_column: str
    condition: str = ""


@dataclass(frozen=True)
class Removal:
    """What `remove_persons` did."""

    version: Version | None  # the new version; None if the newest held none of these persons
    rows: dict[str, int]  # rows taken out by table, companion tables as "restricted.NAME"
    untouched: tuple[str, ...]  # tables that nothing ties to persons: they were not looked into
    purged: tuple[int, ...]  # versions that were removed
    files: tuple[Path, ...]  # files that went from the disk


def remove_persons(
    dataset: Dataset,
    person_ids: Collection[int],
    engine: Engine,
    *,
    column: str = "person_id",
    links: Sequence[Link] = (),
    progress: Progress | None = None,
) -> Removal:
    """Make a version without these persons and remove all earlier versions, with their files.

    Rows go from every table, open or restricted, that has `column`, and from tables that `links` ties to such rows.
    Only files that hold such rows are written anew. May be run again after it was stopped: it then finishes the
    purge. The new version is of the same kind as the one before and carries its info on, with the names of files that
    were written anew put right and `removed_persons` counted up. Manifests and tombstones say how many persons were
    removed, never which. Others cannot write meanwhile.
    """
    progress = progress or Silent()
    if not person_ids:
        raise MadangError("lake.no_persons", "No person was named.")
    parent = dataset.version()  # there must be one before anything is locked
    engine.register(GONE, pa.table({"id": pa.array(sorted(set(person_ids)), pa.int64())}))
    try:
        with dataset.lock(exclusive=True, patience=0):
            parent = dataset.version()
            ties = _Ties(parent, column, links)
            version, rows = _write(dataset, parent, ties, engine, len(set(person_ids)), progress)
            newest = version or parent
            earlier = [number for number in dataset.versions() if number != newest.number]
            files = bury(dataset, earlier, "Removed for good together with persons who are no longer kept.")
    finally:
        engine.unregister(GONE)
    return Removal(version, rows, tuple(ties.untouched()), tuple(earlier), tuple(files))


class _Ties:
    """Which rows of each table go, as SQL conditions."""

    def __init__(self, version: Version, column: str, links: Iterable[Link]) -> None:
        self.tables = {(False, name): table for name, table in version.tables.items()}
        self.tables |= {(True, name): table for name, table in version.companion.items()}
        self.column = column
        self.links = list(links)

    def condition(self, restricted: bool, table: Table, above: tuple[str, ...] = ()) -> str | None:
        """The condition for rows of `table` to go, None if nothing ties it to persons."""
        if table.name in above:
            raise MadangError("lake.links", f"The links of table {table.name!r} go round in a circle.")
        columns = {name for name, _ in table.schema}
        parts = []
        if self.column in columns:
            parts.append(f"TRY_CAST({quote_name(self.column)} AS BIGINT) IN (SELECT id FROM {GONE})")
        for link in self.links:
            if link.table != table.name or link.column not in columns:
                continue
            for (target_restricted, name), target in self.tables.items():
                if name != link.target or link.target_column not in dict(target.schema):
                    continue
                of_target = self.condition(target_restricted, target, (*above, table.name))
                if of_target:
                    column, target_column = quote_name(link.column), quote_name(link.target_column)
                    if dict(table.schema)[link.column] != dict(target.schema)[link.target_column]:
                        column, target_column = f"{column}::VARCHAR", f"{target_column}::VARCHAR"
                    values = f"SELECT {target_column} FROM {_read(target.paths)} WHERE {of_target}"
                    limit = f"({link.condition}) AND " if link.condition else ""
                    parts.append(f"({limit}{column} IN ({values}))")
        return f"coalesce({' OR '.join(parts)}, false)" if parts else None

    def untouched(self) -> list[str]:
        """The tables that nothing ties to persons."""
        return [_label(*key) for key, table in self.tables.items() if self.condition(key[0], table) is None]


def _write(
    dataset: Dataset, parent: Version, ties: _Ties, engine: Engine, persons: int, progress: Progress
) -> tuple[Version | None, dict[str, int]]:
    """The new version and the rows that went by table; no version if no row did."""
    rows: dict[str, int] = {}
    renamed: dict[str, str] = {}
    with Writer(dataset, parent, alone=True) as writer, progress.step("Remove persons", len(ties.tables), "tables"):
        for (restricted, name), table in ties.tables.items():
            writer.keep(name, restricted=restricted)
            condition = ties.condition(restricted, table)
            touched = _files_with(engine, table, condition) if condition else {}
            for path, count in touched.items():
                progress.check()
                fresh = writer.new_file(name, restricted)
                engine.copy_to_parquet(f"SELECT * FROM {_read([path])} WHERE NOT {condition}", fresh)
                writer.drop_file(name, path.name, restricted)
                writer.add(name, fresh)
                renamed[path.name] = fresh.name
                rows[_label(restricted, name)] = rows.get(_label(restricted, name), 0) + count
            progress.advance()
        if not rows:
            return None, {}
        info = _renamed(parent.info, renamed)
        info["removed_persons"] = int(parent.info.get("removed_persons", 0)) + persons
        return writer.commit(parent.kind, info, rebase=False), rows


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """`value` (JSON) with the new names of files, so that who wrote the info still finds them."""
    if isinstance(value, Mapping):
        return {key: _renamed(member, names) for key, member in value.items()}
    if isinstance(value, list):
        return [_renamed(member, names) for member in value]
    return names.get(value, value) if isinstance(value, str) else value


def _files_with(engine: Engine, table: Table, condition: str) -> dict[Path, int]:
    """The files of `table` that have rows to go, and how many."""
    paths = {path.name: path for path in table.paths}
    found = engine.rows(
        f"SELECT parse_filename(filename), count(*) FROM read_parquet({quote_paths(table.paths)}, filename = true) "
        f"WHERE {condition} GROUP BY 1 ORDER BY 1"
    )
    return {paths[name]: count for name, count in found}


def _read(paths: Iterable[Path]) -> str:
    return f"read_parquet({quote_paths(paths)})"


def _label(restricted: bool, name: str) -> str:
    return f"restricted.{name}" if restricted else name
