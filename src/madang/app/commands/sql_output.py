"""The forms in which `madang sql` gives rows. Text is UTF-8; empty CSV fields are null, dates are ISO 8601."""

import csv
import datetime
import decimal
import io
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from madang.base.console import console, show_table
from madang.base.errors import MadangError
from madang.base.translate import _

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("json", "csv", "parquet")


def show(batches: "Iterable[pa.RecordBatch]", most: int) -> None:
    """Print a table of at most `most` rows, and a note where there are more."""
    names: list[str] = []
    rows: list[tuple[Any, ...]] = []
    for batch in batches:
        names = batch.schema.names
        rows += _rows(batch)
    # Whole numbers are mostly identifiers here, so they are shown without separators, to be copied.
    shown = [[str(cell) if isinstance(cell := _plain(value), int) else cell for value in row] for row in rows[:most]]
    show_table("", names, shown)
    if len(rows) > most:
        console(stderr=True).print(_("There are more rows; --limit shows more of them."))


def write(batches: "Iterator[pa.RecordBatch]", format_: str, output: Path | None) -> None:
    """Write rows to a file that does not exist yet, whole or not at all, or to standard output."""
    if output is None:
        _write(batches, format_, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    partial = output.with_name(output.name + ".partial")
    try:
        if output.exists():
            raise FileExistsError
        with partial.open("xb") as file:
            try:
                _write(batches, format_, file)
                file.flush()
                os.fsync(file.fileno())
                os.link(partial, output)  # fails where somebody was faster
            finally:
                partial.unlink()
    except FileExistsError:
        raise MadangError("sql.exists", f"{output} is there already.", "Name another file.") from None
    except OSError as error:
        raise MadangError("sql.file", f"Cannot write {output}: {error.strerror or error}.") from None


def _write(batches: "Iterator[pa.RecordBatch]", format_: str, file: BinaryIO) -> None:
    if format_ == "parquet":
        import pyarrow.parquet as pq

        first = next(batches)
        with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
            writer.write_batch(first)
            for batch in batches:
                writer.write_batch(batch)
        return
    text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
    (_write_csv if format_ == "csv" else _write_json)(batches, text)
    text.detach()


def _write_csv(batches: "Iterable[pa.RecordBatch]", text: io.TextIOBase) -> None:
    writer = csv.writer(text, lineterminator="\n")
    for number, batch in enumerate(batches):
        if number == 0:
            writer.writerow(batch.schema.names)
        writer.writerows([_plain(value) for value in row] for row in _rows(batch))


def _write_json(batches: "Iterable[pa.RecordBatch]", text: io.TextIOBase) -> None:
    """An array of objects, one per line. Where two columns have one name the later one counts."""
    start = "["
    for batch in batches:
        for row in _rows(batch):
            line = dict(zip(batch.schema.names, map(_json, row), strict=True))
            text.write(f"{start}\n{json.dumps(line, ensure_ascii=False)}")
            start = ","
    text.write("\n]\n" if start == "," else "[]\n")


def _rows(batch: "pa.RecordBatch") -> Iterator[tuple[Any, ...]]:
    return zip(*map(_values, batch.columns), strict=True)


def _values(column: "pa.Array") -> list[Any]:
    """The values of a column; days and moments that Python cannot hold, as of the year 10000, as text."""
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        values = column.cast("string").to_pylist()
    return values


def _json(value: Any) -> Any:
    """`value` as JSON can say it; numbers that are none are null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {str(key): _json(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_json(member) for member in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    """`value` for a cell: texts and numbers as they are, the rest as text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list | tuple):
        return json.dumps(_json(value), ensure_ascii=False)
    return value if value is None or isinstance(value, int | float | str) else str(value)
