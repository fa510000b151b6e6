"""Anonymizing and measuring flat tables, and the risk per person of longitudinal ones, beside anjana and pycanon.

    python benchmarks/privacy.py --adult FOLDER [--peers PYTHON] [--lines 10000000]

FOLDER has adult.csv(.gz) and its hierarchies as the anonymizer ARX has them. The million rows are Adult drawn anew with
a third of each column from its margin (seed 7). PYTHON is an interpreter with anjana 1.2.3 and pycanon 1.3.5; each of
them runs once, for it takes minutes. Ours is the median of five; times are wall seconds, CPU seconds beside them.
`--lines` is the size of the longitudinal data: 100,000 persons at 100,000,000 lines, and in proportion.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from madang.lake.engine import Engine
from madang.science.privacy.anonymize import anonymize
from madang.science.privacy.criteria import KAnonymity
from madang.science.privacy.extract import BEFORE, SCHEMA, Wanted, make
from madang.science.privacy.hierarchy import read_hierarchies
from madang.science.privacy.measure import assess
from madang.science.privacy.persons import person_risk
from madang.science.privacy.population import Population
from madang.science.privacy.recipe import read_recipe
from madang.science.privacy.table import read_csv, write_csv

PEER = r"""
import sys, time, pandas as pd
data, folder, kind = sys.argv[1:4]
t = pd.read_csv(data, dtype=str)
names = list(t.columns)
begin = time.perf_counter()
if kind == "anjana":
    from anjana.anonymity import k_anonymity
    trees = {}
    for n in names:
        h = pd.read_csv(f"{folder}/adult_hierarchy_{n}.csv", sep=";", header=None, dtype=str)
        trees[n] = {l: h[l].tolist() for l in h.columns}
    made = k_anonymity(t, [], names, 5, float(sys.argv[4]) * 100, trees)
    print(len(made), time.perf_counter() - begin)
else:
    from pycanon.anonymity import k_anonymity, l_diversity, t_closeness
    q = [n for n in names if n != "occupation"]
    for f, a in ((k_anonymity, (t, q)), (l_diversity, (t, q, ["occupation"])), (t_closeness, (t, q, ["occupation"]))):
        begin = time.perf_counter(); value = f(*a); print(f.__name__, value, time.perf_counter() - begin, flush=True)
"""


def timed(what: Callable[[], Any], times: int = 5) -> tuple[float, float, Any]:
    """Median wall and CPU seconds, and the last answer."""
    walls, cpus, answer = [], [], None
    for _n in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = what()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus), answer


def line(what: str, wall: float, cpu: float, more: str = "") -> None:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{what:48s} {wall:8.2f} s  {cpu:8.2f} s CPU  {most:5.2f} GiB at most  {more}", flush=True)


def million(adult: pa.Table, path: Path) -> None:
    rng = np.random.default_rng(7)
    values = np.stack([np.array(column.to_pylist()) for column in adult.columns], axis=1)
    drawn = values[rng.integers(0, len(values), 1_000_000)].copy()
    for column in range(values.shape[1]):
        anew = rng.random(len(drawn)) < 1 / 3
        drawn[anew, column] = values[rng.integers(0, len(values), int(anew.sum())), column]
    write_csv(path, pa.table({name: drawn[:, place] for place, name in enumerate(adult.column_names)}))


def peer(python: str, data: Path, folder: Path, *more: str) -> None:
    done = subprocess.run(
        [python, "-c", PEER, str(data), str(folder), *more], capture_output=True, text=True, check=False, timeout=1200
    )
    print("   peer", *more, "|", (done.stdout or done.stderr[-300:]).strip().replace("\n", " | "), flush=True)


def longitudinal(engine: Engine, lines: int) -> None:
    """Synthetic people with dated codes: Zipf over codes, days over ten years."""
    persons = max(1_000, lines // 1_000)
    engine.execute(f"""
        CREATE TABLE person AS SELECT range + 1 AS person_id, (8507 + 25 * (range % 2))::BIGINT AS gender_concept_id,
            (1930 + range * 7 % 80)::INTEGER AS year_of_birth, (range * 13 % 250)::BIGINT AS location_id
        FROM range({persons});
        CREATE TABLE condition_occurrence AS SELECT range + 1 AS condition_occurrence_id,
            (hash(range) % {persons} + 1)::BIGINT AS person_id,
            (1 + floor(power(5000, (hash(range, 1) % 1000000) / 1e6)))::BIGINT AS condition_concept_id,
            DATE '2010-01-01' + (hash(range, 2) % 3650)::INTEGER AS condition_start_date,
            'K' || (hash(range, 1) % 3000) AS condition_source_value,
            (range // 2)::BIGINT AS visit_occurrence_id
        FROM range({lines})""")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--adult", type=Path, required=True)
    parser.add_argument("--peers", default="")
    parser.add_argument("--lines", type=int, default=10_000_000)
    given = parser.parse_args()
    print(platform.platform(), platform.processor(), f"python {platform.python_version()}")
    adult = read_csv(next(given.adult.glob("adult.csv*")))
    trees = read_hierarchies(given.adult, adult.column_names, "adult")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small, large = folder / "adult.csv", folder / "million.csv"
        write_csv(small, adult)
        million(adult, large)
        for share in ("0", "0.02", "0.05", "1"):
            wall, cpu, done = timed(lambda share=share: anonymize(adult, trees, [KAnonymity(5)], share))
            line(f"Adult, k=5, {share}: exact", wall, cpu, f"loss {done.loss:.4f} optimal {done.optimal}")
            if given.peers and share in ("0.02",):
                peer(given.peers, small, given.adult, "anjana", share)
        wall, cpu, done = timed(lambda: anonymize(adult, trees, 5, local=True))
        line("Adult, k=5: local recoding", wall, cpu, f"loss {done.loss:.4f}")

        def whole() -> Any:
            made = anonymize(read_csv(large), trees, 5, "0.02")
            write_csv(folder / "out.csv", made.table)
            return made

        wall, cpu, done = timed(whole)
        line("1M rows, k=5, 2%: read, exact, verify, write", wall, cpu, f"loss {done.loss:.4f} optimal {done.optimal}")
        table = read_csv(large)
        wall, cpu, done = timed(lambda: anonymize(table, trees, 5, local=True), 3)
        line("1M rows, k=5: local recoding", wall, cpu, f"loss {done.loss:.4f}")
        quasi = [name for name in table.column_names if name != "occupation"]
        wall, cpu, found = timed(lambda: assess(read_csv(large), quasi))
        line("1M rows: read, k and uniqueness", wall, cpu, f"k {found.k}")
        wall, cpu, found = timed(lambda: assess(read_csv(large), quasi, ["occupation"]))
        line(
            "1M rows: read, k, l, t",
            wall,
            cpu,
            f"l {found.sensitive[0].distinct} t {found.sensitive[0].equal_distance:.4f}",
        )
        if given.peers:
            peer(given.peers, large, given.adult, "pycanon")
        with Engine(memory_limit="3GB", spill=folder) as engine:
            longitudinal(engine, given.lines)
            tables = {
                "person": ["gender_concept_id", "year_of_birth"],
                "condition_occurrence": [
                    *("condition_concept_id", "condition_start_date", "condition_source_value", "visit_occurrence_id"),
                ],
            }
            key = bytes(range(32))
            wall, cpu, rows = timed(
                lambda: make(
                    engine, Wanted(tables, Population()), read_recipe("closed-space"), key, lambda t: folder / f"{t}.pq"
                ),
                1,
            )
            line(f"extract of {given.lines:,} lines", wall, cpu, str(rows))
            for schema in (BEFORE, SCHEMA):
                wall, cpu, risk = timed(lambda schema=schema: person_risk(engine, list(tables), schema), 1)
                line(f"risk per person, {schema}", wall, cpu, str([round(each.share, 4) for each in risk.singled]))


if __name__ == "__main__":
    main()
