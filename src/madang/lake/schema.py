"""Which column types a table may have: those that Spark reads from Parquet and that keep their meaning there."""

import functools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from madang.base.errors import MadangError

if TYPE_CHECKING:
    import pyarrow as pa

Column = tuple[str, str]  # name and SQL type, e.g. ("person_id", "BIGINT")

_SQL_TYPES = {
    *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DATE"),
    *("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"),
}
_DECIMAL = re.compile(r"^DECIMAL\((\d+),(\d+)\)$")
_INSTEAD = {
    "HUGEINT": "BIGINT",
    "UHUGEINT": "BIGINT",
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "BIGINT",
    "TIMESTAMP_NS": "TIMESTAMP",
}
_UNSAFE_IN_NAMES = re.compile(r"[ ,;{}()\n\t=]")


def check_sql_columns(columns: Iterable[Column]) -> None:
    """Refuse columns of SQL types that Spark does not read from Parquet, and names that differ only in case."""
    columns = list(columns)
    for name, kind in columns:
        if kind not in _SQL_TYPES and not _DECIMAL.match(kind):
            raise _refuse(name, kind)
    _check_names([name for name, _ in columns])


def columns_of(schema: "pa.Schema") -> tuple[Column, ...]:
    """Names and SQL types of the columns of a Parquet file, refusing types that Spark does not read from it."""
    import pyarrow as pa

    columns, known = [], _arrow_types()
    for field in schema:
        kind = field.type
        if pa.types.is_decimal128(kind):
            columns.append((field.name, f"DECIMAL({kind.precision},{kind.scale})"))
        elif kind in known:
            columns.append((field.name, known[kind]))
        else:
            raise _refuse(field.name, str(kind))
    _check_names([name for name, _ in columns])
    return tuple(columns)


@functools.cache
def _arrow_types() -> "dict[pa.DataType, str]":
    import pyarrow as pa

    return {
        pa.bool_(): "BOOLEAN",
        pa.int8(): "TINYINT",
        pa.int16(): "SMALLINT",
        pa.int32(): "INTEGER",
        pa.int64(): "BIGINT",
        pa.float32(): "FLOAT",
        pa.float64(): "DOUBLE",
        pa.string(): "VARCHAR",
        pa.large_string(): "VARCHAR",
        pa.binary(): "BLOB",
        pa.large_binary(): "BLOB",
        pa.date32(): "DATE",
        pa.timestamp("ms"): "TIMESTAMP",
        pa.timestamp("us"): "TIMESTAMP",
        pa.timestamp("ms", "UTC"): "TIMESTAMP WITH TIME ZONE",
        pa.timestamp("us", "UTC"): "TIMESTAMP WITH TIME ZONE",
    }


def check_open_names(columns: Iterable[Column]) -> None:
    """Refuse column names that Delta and Spark do not take without renaming; asked of tables that others read."""
    for name, _ in columns:
        if not name or _UNSAFE_IN_NAMES.search(name):
            raise MadangError(
                "lake.column_name",
                f"Column name {name!r} cannot be read by Spark.",
                "Leave out spaces, line breaks and the characters , ; { } ( ) =",
            )


def _check_names(names: list[str]) -> None:
    if not names:
        raise MadangError("lake.no_columns", "A table needs at least one column.")
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise MadangError(
                "lake.column_twice", f"Column {name!r} is there twice.", "Names that differ only in case count as one."
            )
        seen.add(name.lower())


def _refuse(name: str, kind: str) -> MadangError:
    base = kind.split("(")[0]
    instead = _INSTEAD.get(base, "VARCHAR")
    return MadangError(
        "lake.column_type",
        f"Column {name!r} has type {kind}, which Spark does not read from Parquet.",
        f"Cast it, for instance to {instead}.",
    )
