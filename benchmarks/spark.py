"""All counts of the quality checks on Spark beside DuckDB, over the same files.

    python benchmarks/spark.py LAKE [--master local[2]] [--memory 4g] [--rounds 1]

LAKE is a lake with the dataset `measured`, as `benchmarks/size.py --keep` leaves it. The start of the session and the
opening of the tables are shown apart. DuckDB is asked the same plain questions one by one, and by its own planner, with
two threads and 3 GB; every count has to be equal. Processor seconds are those of the engine's processes.
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


def processor(pid: int) -> float:
    """Seconds of processor time of a process and all below it."""
    used, waiting = 0.0, [pid]
    while waiting:
        current = waiting.pop()
        words = Path(f"/proc/{current}/stat").read_text().rpartition(")")[2].split()
        used += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        for task in os.listdir(f"/proc/{current}/task"):
            waiting += map(int, Path(f"/proc/{current}/task/{task}/children").read_text().split())
    return used


def say(what: str, seconds: float, cpu: float) -> None:
    """One line of the report."""
    print(f"{what:40} {seconds:8.1f} s {cpu:10.1f} s of processor time", flush=True)


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
        begun, used = time.perf_counter(), time.process_time()
        here = questions.count(engine, checks, today=today)
        plainly, plain_cpu = time.perf_counter() - begun, time.process_time() - used
        say("DuckDB, the plain questions", plainly, plain_cpu)
        files = {name: table.paths for name, table in version.tables.items()}
        begun, used = time.perf_counter(), time.process_time()
        plan.count(engine, files, checks, today=today)
        say("DuckDB, by the planner", time.perf_counter() - begun, time.process_time() - used)
    begun = time.perf_counter()
    with SparkEngine(master=given.master, memory=given.memory, threads=2) as spark:
        assert spark._process is not None
        pid = spark._process.pid
        say("Spark, start of a session", time.perf_counter() - begun, processor(pid))
        begun, used = time.perf_counter(), processor(pid)
        spark.attach(version)
        say("Spark, opening the tables", time.perf_counter() - begun, processor(pid) - used)
        times, cpus = [], []
        for _round in range(given.rounds):
            begun, used, ours = time.perf_counter(), processor(pid), time.process_time()
            there = questions.count_by(spark, columns, checks, today=today)
            times.append(time.perf_counter() - begun)
            cpus.append(processor(pid) - used + time.process_time() - ours)
            differing = {name: (there.get(name), count) for name, count in here.items() if there.get(name) != count}
            assert not differing, differing
        say("Spark, the same questions", statistics.median(times), statistics.median(cpus))
        wall, cpu = statistics.median(times) / plainly, statistics.median(cpus) / plain_cpu
        print(f"{'  times DuckDB, the same questions':40} {wall:8.1f}   {cpu:10.1f}")


if __name__ == "__main__":
    main()
