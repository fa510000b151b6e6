"""What is different between two versions, told from their manifests alone."""

from dataclasses import dataclass

from madang.lake.dataset import Version
from madang.lake.manifest import Table


@dataclass(frozen=True)
class TableChange:
    """One table in two versions.

    `kind` is `added`, `removed`, `changed` (other rows or columns), `rewritten` (other files, same rows and columns)
    or `same`. Rows are None where a version has no such table. Columns that changed their type are in both lists.
    """

    table: str
    kind: str
    rows_before: int | None
    rows_after: int | None
    files_added: int
    files_removed: int
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]


def compare(before: Version, after: Version) -> list[TableChange]:
    """The open tables of two versions, by name; they may belong to two datasets."""
    names = sorted(before.tables.keys() | after.tables.keys())
    return [_compare(name, before.tables.get(name), after.tables.get(name)) for name in names]


def _compare(name: str, before: Table | None, after: Table | None) -> TableChange:
    old_files = {file.sha256 for file in before.files} if before else set()
    new_files = {file.sha256 for file in after.files} if after else set()
    old_columns = before.schema if before else ()
    new_columns = after.schema if after else ()
    if before is None or after is None:
        kind = "added" if before is None else "removed"
    elif (before.schema, before.rows, before.content) != (after.schema, after.rows, after.content):
        kind = "changed"
    else:
        kind = "same" if old_files == new_files else "rewritten"
    return TableChange(
        name,
        kind,
        before.rows if before else None,
        after.rows if after else None,
        len(new_files - old_files),
        len(old_files - new_files),
        tuple(f"{column} {type_}" for column, type_ in new_columns if (column, type_) not in old_columns),
        tuple(f"{column} {type_}" for column, type_ in old_columns if (column, type_) not in new_columns),
    )
