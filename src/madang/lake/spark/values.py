"""Types and values on the way from and to Spark's process."""

import datetime
import decimal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _


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
    **{"date": pa.date32(), "void": pa.null(), "timestamp_ntz": pa.timestamp("us")},
}


def _arrow(kind: str) -> pa.DataType | None:
    """The type of Arrow for one of Spark; None: to be found out from the values."""
    if kind.startswith("decimal("):
        digits, scale = kind.removeprefix("decimal(").removesuffix(")").split(",")
        return pa.decimal128(int(digits), int(scale))
    return _ARROW.get(kind)


def check_kinds(schema: pa.Schema, kinds: Sequence[str]) -> None:
    """Refuse (`spark.subset`) columns that are of another type on Spark. Kinds may be more than the columns.

    What is the same: whole numbers of any length, decimals with no less digits after the point, if they are zeros;
    what holds nothing.
    """
    for wanted, kind in zip(schema, kinds, strict=False):
        if not _is_same(wanted.type, _arrow(kind), kind):
            raise MadangError(
                "spark.subset",
                _("The column {name} is {wanted} on one machine and {kind} on Spark.").format(
                    name=wanted.name, wanted=wanted.type, kind=kind
                ),
                _("Ask without it, or on one machine: leave --engine spark out."),
            )


def _is_same(wanted: pa.DataType, given: pa.DataType | None, kind: str) -> bool:
    if kind == "void" or wanted == given:
        return True
    if given is None:
        return False
    digits = [_digits(each) for each in (wanted, given)]
    return digits[0] is not None and digits[1] is not None and digits[0] <= digits[1]


def _digits(kind: pa.DataType) -> int | None:
    """How many digits a number has after the point; None for what is not exact."""
    return kind.scale if pa.types.is_decimal(kind) else 0 if pa.types.is_integer(kind) else None


def as_said(schema: pa.Schema, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows with names and types of a schema. Errors: `spark.value` where a number does not fit into its type."""
    arrays = []
    for place, wanted in enumerate(schema):
        made = pa.array([row[place] for row in rows], _arrow(columns[place][1]))
        try:
            arrays.append(made if made.type == wanted.type else made.cast(wanted.type))
        except pa.ArrowInvalid:
            raise MadangError(
                "spark.value",
                _("A number of the column {name} does not fit into {kind}.").format(name=wanted.name, kind=wanted.type),
            ) from None
    return pa.Table.from_arrays(arrays, schema=schema)


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
