"""Types and values on the way from and to Spark's process."""

import datetime
import decimal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Found:
    """Rows of Spark, and its columns: name and type, as Spark calls it."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]

    def table(self) -> pa.Table:
        """The same as Arrow, with the types of Spark."""
        arrays = [pa.array([row[n] for row in self.rows], _arrow(kind)) for n, (_of, kind) in enumerate(self.columns)]
        return pa.Table.from_arrays(arrays, names=[name for name, _kind in self.columns])


_TYPES = {
    **{name: name for name in ("BIGINT", "SMALLINT", "TINYINT", "DOUBLE", "FLOAT", "DATE", "BOOLEAN")},
    **{"INTEGER": "INT", "VARCHAR": "STRING", "BLOB": "BINARY", "TIMESTAMP": "TIMESTAMP_NTZ"},
}


_ARROW = {
    **{"bigint": pa.int64(), "int": pa.int32(), "smallint": pa.int16(), "tinyint": pa.int8(), "boolean": pa.bool_()},
    **{"double": pa.float64(), "float": pa.float32(), "string": pa.string(), "binary": pa.binary()},
    **{"date": pa.date32(), "timestamp_ntz": pa.timestamp("us")},
}


def _arrow(kind: str) -> pa.DataType | None:
    """The type of Arrow for one of Spark; None: to be found out from the values."""
    if kind.startswith("decimal("):
        digits, scale = kind.removeprefix("decimal(").removesuffix(")").split(",")
        return pa.decimal128(int(digits), int(scale))
    return _ARROW.get(kind)


def schema_of(columns: Iterable[Sequence[str]]) -> str:
    """The schema of a table as Spark writes it; empty where a type is not among those that both know by heart."""
    told = []
    for name, kind in columns:
        known = kind if kind.startswith("DECIMAL(") else _TYPES.get(kind)
        if known is None:
            return ""
        quoted = name.replace("`", "``")
        told.append(f"`{quoted}` {known}")
    return ", ".join(told)


def value_of(value: Any) -> Any:
    """A value as `plain` of the driver wrote it."""
    if isinstance(value, dict):
        kind, text = next(iter(value.items()))
        if kind == "date":
            return datetime.date.fromisoformat(text)
        if kind == "timestamp":
            return datetime.datetime.fromisoformat(text)
        if kind == "decimal":
            return decimal.Decimal(text)
        if kind == "double":
            return float(text)
        if kind == "blob":
            return bytes.fromhex(text)
    return value
