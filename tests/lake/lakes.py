"""Small factories for tests of the lake."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from madang.lake import Dataset, Lake, Version, Writer

Tables = Mapping[str, pa.Table]


def new_lake(folder: Path) -> Lake:
    return Lake(folder / "lake", folder / "restricted")


def persons(*identifiers: int) -> pa.Table:
    """A table of persons with those identifiers."""
    ids = pa.array(identifiers, pa.int64())
    return pa.table({"person_id": ids, "name": pa.array([f"사람 {i}" for i in identifiers], pa.string())})


def add(writer: Writer, table: str, data: pa.Table, restricted: bool = False) -> Path:
    path = writer.new_file(table, restricted)
    pq.write_table(data, path)
    writer.add(table, path)
    return path


def commit(
    dataset: Dataset,
    tables: Tables,
    restricted: Tables | None = None,
    parent: Version | None = None,
    rebase: bool = True,
) -> Version:
    """A version with those tables; with a parent, all of the parent and one more file per table."""
    with dataset.write(parent) as writer:
        if parent is not None:
            writer.keep_all()
        for name, data in tables.items():
            add(writer, name, data)
        for name, data in (restricted or {}).items():
            add(writer, name, data, restricted=True)
        return writer.commit("test", {"label": "synthetic"}, rebase=rebase)


def identifiers(version: Version, table: str = "person", column: str = "person_id") -> list[int]:
    """All values of the identifier column of a table, sorted."""
    found = version.tables.get(table) or version.companion[table]
    return sorted(value for path in found.paths for value in pq.read_table(path)[column].to_pylist())


def files(folder: Path) -> set[str]:
    """The data files anywhere below a folder."""
    return {str(path.relative_to(folder)) for path in folder.glob("**/*.parquet")}
