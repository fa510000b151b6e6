"""All counts of the quality checks on Spark beside DuckDB, over the same files.

    python benchmarks/spark.py LAKE [--master local[2]] [--memory 4g] [--rounds 1]

LAKE is a lake with the dataset `measured`, as `benchmarks/size.py --keep` leaves it. The start of the session and the
opening of the tables are shown apart. DuckDB is asked the same plain questions one by one, and by its own planner, with
two threads and 3 GB; every count has to be equal.
"""

import argparse
import os
import statistics
import time
from datetime import date
from pathlib import Path

from madang.lake import Lake
from madang.lake.engine import Engine
from madang.lake.spark import SparkEngine
from madang.science.quality import plan, questions
from madang.science.quality.checks import default_checks
from madang.science.quality.columns import read_columns


def main() -> None:
    """Print what was measured."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("lake", type=Path)
    asked.add_argument("--master", default="local[2]")
    asked.add_argument("--memory", default="4g")
    asked.add_argument("--rounds", type=int, default=1)
    given = asked.parse_args()
    version = Lake(given.lake).find("measured")
    checks, today = default_checks(), date(2026, 11, 1)
    rows = sum(table.rows for table in version.tables.values())
    print(f"{rows:,} rows, {len(checks):,} checks, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}", flush=True)
    with Engine("3GB", 2) as engine:
        version.attach(engine)
        columns = read_columns(engine)
        begun = time.perf_counter()
        here = questions.count(engine, checks, today=today)
        plainly = time.perf_counter() - begun
        print(f"{'DuckDB, the plain questions':40} {plainly:8.1f} s", flush=True)
        files = {name: table.paths for name, table in version.tables.items()}
        begun = time.perf_counter()
        plan.count(engine, files, checks, today=today)
        print(f"{'DuckDB, by the planner':40} {time.perf_counter() - begun:8.1f} s", flush=True)
    begun = time.perf_counter()
    with SparkEngine(master=given.master, memory=given.memory, threads=2) as spark:
        print(f"{'Spark, start of a session':40} {time.perf_counter() - begun:8.1f} s", flush=True)
        begun = time.perf_counter()
        spark.attach(version)
        print(f"{'Spark, opening the tables':40} {time.perf_counter() - begun:8.1f} s", flush=True)
        times = []
        for _round in range(given.rounds):
            begun = time.perf_counter()
            there = questions.count_by(spark, columns, checks, today=today)
            times.append(time.perf_counter() - begun)
            differing = {name: (there.get(name), count) for name, count in here.items() if there.get(name) != count}
            assert not differing, differing
        print(f"{'Spark, the same questions':40} {statistics.median(times):8.1f} s", flush=True)
        print(f"{'  times DuckDB':40} {statistics.median(times) / plainly:8.1f}")


if __name__ == "__main__":
    main()
