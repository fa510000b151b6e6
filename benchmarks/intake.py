"""How fast source files are read: this reader, and DuckDB's CSV reader, by turns on the same made file.

    python benchmarks/intake.py [--lines 5000000] [--repeats 5] [--threads 2]

Prints one line per case with the median: million lines per second of wall time and of processor time. A shared machine
shows in the first number; the second tells what a core does.
"""

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from madang.lake.engine import Engine, quote_text
from madang.science.standardize.intake import read_blocks, register
from madang.science.standardize.pack import Column, Source

COLUMNS = (
    Column("PERSON_ID", "integer", required=True),
    Column("KEY_SEQ", "integer", required=True),
    Column("SEQ_NO", "integer"),
    Column("RECU_FR_DT", "date", format="%Y%m%d", required=True),
    Column("DIV_CD", "text"),
    Column("QTY", "number"),
    Column("AMT", "number"),
    Column("FREQ", "integer"),
)
SOURCE = Source(name="claims", files=("claims.csv",), columns={column.name: column for column in COLUMNS})
WANTED = ["PERSON_ID", "RECU_FR_DT", "DIV_CD"]
ODD = (
    lambda row: [*row[:3], b"20020230", *row[4:]],  # no such day, in a required column
    lambda row: row[:-1],  # too few fields
    lambda row: [*row[:4], b'"' + row[4], *row[5:]],  # a quote that never closes
    lambda row: [*row[:6], b"abc", row[7]],  # no number, in an optional column
    lambda row: [*row[:4], b"\xb0\xff", *row[5:]],  # no text
    lambda row: [b"", *row[1:]],  # a required field is empty
)


def make(path: Path, lines: int, odd: float) -> None:
    """A claim-like file of eight columns, a share `odd` of its lines broken in one of six ways."""
    rng = np.random.default_rng(1)
    days = np.arange("2002-01-01", "2014-01-01", dtype="datetime64[D]")
    step = 500_000
    with path.open("wb") as out:
        out.write(",".join(column.name for column in COLUMNS).encode() + b"\n")
        for start in range(0, lines, step):
            count = min(step, lines - start)
            day = np.char.replace(days[rng.integers(0, len(days), count)].astype(str), "-", "")
            table = pa.table(
                {
                    "PERSON_ID": rng.integers(10**7, 10**8, count),
                    "KEY_SEQ": np.arange(start, start + count) + 10**12,
                    "SEQ_NO": rng.integers(1, 20, count),
                    "RECU_FR_DT": day,
                    "DIV_CD": rng.integers(10**8, 10**9, count).astype(str),
                    "QTY": rng.integers(1, 60, count) / 2,
                    "AMT": rng.integers(100, 100_000, count),
                    "FREQ": rng.integers(1, 30, count),
                }
            )
            sink = pa.BufferOutputStream()
            pa_csv.write_csv(table, sink, pa_csv.WriteOptions(include_header=False, quoting_style="none"))
            rows = sink.getvalue().to_pybytes().split(b"\n")[:-1]
            for at in np.flatnonzero(rng.random(count) < odd):
                rows[at] = b",".join(ODD[at % len(ODD)](rows[at].split(b",")))
            out.write(b"\n".join(rows) + b"\n")


def ours(path: Path, columns: list[str] | None, threads: int) -> int:
    """Read by this reader; lines accounted for."""
    file = register(path, SOURCE)
    return sum(
        block.table.num_rows + len(block.rejects)
        for block in read_blocks(path, file, SOURCE, columns=columns, threads=threads)
    )


def engine(path: Path, columns: list[str] | None, threads: int) -> int:
    """Read by DuckDB, typed, dates and all, and every column used; bad lines are left out in silence."""
    types = {"integer": "BIGINT", "number": "DOUBLE", "date": "DATE", "text": "VARCHAR"}
    declared = ", ".join(f"{column.name}: '{types[column.type]}'" for column in COLUMNS)
    used = ", ".join(f"max({name})" for name in columns or [column.name for column in COLUMNS])
    with Engine(threads=threads) as duck:
        table = duck.query(
            f"SELECT count(*), {used} FROM read_csv({quote_text(str(path))}, header=true, delim=',', quote='\"', "
            f"columns={{{declared}}}, dateformat='%Y%m%d', auto_detect=false, ignore_errors=true)"
        )
        return int(table.column(0)[0].as_py())


def measured(work: Callable[[], int]) -> tuple[int, float, float]:
    """Lines, wall seconds, processor seconds."""
    wall, used = time.perf_counter(), time.process_time()
    lines = work()
    return lines, time.perf_counter() - wall, time.process_time() - used


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {options.threads} threads")
    with tempfile.TemporaryDirectory() as folder:
        for share in (0.0, 0.01):
            path = Path(folder, f"claims_{share}.csv")
            make(path, options.lines, share)
            size = path.stat().st_size
            for columns in (None, WANTED):
                cases = {"madang": ours, "duckdb": engine}
                times: dict[str, list[tuple[int, float, float]]] = {name: [] for name in cases}
                for _ in range(options.repeats):
                    for name, read in cases.items():
                        times[name].append(measured(partial(read, path, columns, options.threads)))
                for name, runs in times.items():
                    wall = statistics.median(run[1] for run in runs)
                    used = statistics.median(run[2] for run in runs)
                    print(
                        f"{share:4.0%} odd, {len(columns or COLUMNS)} of 8 columns, {name}: "
                        f"{options.lines / wall / 1e6:5.2f} M lines/s, "
                        f"{options.lines / used / 1e6:5.2f} M per core second, "
                        f"{size / wall / 1e6:4.0f} MB/s; {runs[0][0]:,} lines accounted for"
                    )


if __name__ == "__main__":
    main()
