"""Anonymizing and measuring flat tables, and extracts of longitudinal ones, beside anjana and pycanon.

    python benchmarks/privacy.py --adult FOLDER --scratch DIR [--peers PYTHON] [--part adult million measure]
    python benchmarks/privacy.py --scratch DIR --lines 10000000 --part prepare extract

FOLDER has adult.csv(.gz) and its hierarchies as the anonymizer ARX has them. The million rows are Adult drawn anew with
a third of each column from its margin (seed 7). PYTHON is an interpreter with anjana 1.2.3 and pycanon 1.3.5; each of
them runs once, for it takes minutes. Ours is the median of five; times are wall seconds, CPU seconds beside them.
`--lines` is the size of the longitudinal data: 100,000 persons at 100,000,000 lines, and in proportion; `prepare`
writes them as Parquet files into DIR; `extract` makes an extract of them with its report, as `madang extract` does.
"""

import argparse
import platform
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from madang.lake.engine import Engine, quote_paths
from madang.science.privacy.anonymize import anonymize
from madang.science.privacy.criteria import KAnonymity
from madang.science.privacy.extract import BEFORE, MEMORY, SCHEMA, Wanted, make
from madang.science.privacy.hierarchy import read_hierarchies
from madang.science.privacy.measure import assess
from madang.science.privacy.persons import person_risk
from madang.science.privacy.population import Population
from madang.science.privacy.recipe import read_recipe
from madang.science.privacy.table import read_csv, write_csv
from madang.science.privacy.utility import movement

PEER = r"""
import sys, time, pandas as pd
data, folder, kind = sys.argv[1:4]
t = pd.read_csv(data, dtype=str)
names = list(t.columns)
begin, cpu = time.perf_counter(), time.process_time()
if kind == "anjana":
    from anjana.anonymity import k_anonymity
    trees = {}
    for n in names:
        h = pd.read_csv(f"{folder}/adult_hierarchy_{n}.csv", sep=";", header=None, dtype=str)
        trees[n] = {l: h[l].tolist() for l in h.columns}
    made = k_anonymity(t, [], names, 5, float(sys.argv[4]) * 100, trees)
    print(len(made), "rows", round(time.perf_counter() - begin, 2), "s", round(time.process_time() - cpu, 2), "s CPU")
else:
    from pycanon.anonymity import k_anonymity, l_diversity, t_closeness
    q = [n for n in names if n != "occupation"]
    for f, a in ((k_anonymity, (t, q)), (l_diversity, (t, q, ["occupation"])), (t_closeness, (t, q, ["occupation"]))):
        begin, cpu = time.perf_counter(), time.process_time()
        value = f(*a)
        took = round(time.perf_counter() - begin, 2), round(time.process_time() - cpu, 2)
        print(f.__name__, value, *took, "s and s CPU", flush=True)
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


EVENTS = {  # share of all lines, and the SQL of the columns besides person and key
    "visit_occurrence": (
        0.25,
        "(9201 + (hash(i, 9) % 20 > 0)::INTEGER)::BIGINT AS visit_concept_id, {day} AS visit_start_date, "
        "{day} + (hash(i, 8) % 9)::INTEGER AS visit_end_date, (hash(i, 7) % 20000)::BIGINT AS provider_id",
    ),
    "condition_occurrence": (
        0.3,
        "{code} AS condition_concept_id, {day} AS condition_start_date, "
        "'K' || (hash(i, 1) % 3000) AS condition_source_value, {visit} AS visit_occurrence_id",
    ),
    "drug_exposure": (
        0.3,
        "{code} AS drug_concept_id, {day} AS drug_exposure_start_date, {day} + 30 AS drug_exposure_end_date, "
        "'D' || (hash(i, 1) % 3000) AS drug_source_value, (hash(i, 6) % 90)::INTEGER AS days_supply, "
        "{visit} AS visit_occurrence_id",
    ),
    "procedure_occurrence": (
        0.15,
        "{code} AS procedure_concept_id, {day} AS procedure_date, "
        "'P' || (hash(i, 1) % 3000) AS procedure_source_value, "
        "{visit} AS visit_occurrence_id",
    ),
}
TABLES = {
    "person": ["gender_concept_id", "year_of_birth"],
    "visit_occurrence": ["visit_concept_id", "visit_start_date", "visit_end_date", "provider_id"],
    "condition_occurrence": ["condition_concept_id", "condition_start_date", "condition_source_value"],
    "drug_exposure": ["drug_concept_id", "drug_exposure_start_date", "drug_source_value", "days_supply"],
    "procedure_occurrence": ["procedure_concept_id", "procedure_date", "procedure_source_value"],
}
for _name in ("condition_occurrence", "drug_exposure", "procedure_occurrence"):
    TABLES[_name].append("visit_occurrence_id")


def longitudinal(folder: Path, lines: int) -> None:
    """Synthetic people with dated codes, as files: Zipf over codes, days over ten years, a visit to each event."""
    persons = max(1_000, lines // 1_000)
    visits = int(lines * EVENTS["visit_occurrence"][0])
    parts = {
        "day": "DATE '2010-01-01' + (hash(i, 2) % 3650)::INTEGER",
        "code": "(1 + floor(power(5000, (hash(i, 1) % 1000000) / 1e6)))::BIGINT",
        "visit": f"(hash(i, 3) % {visits})::BIGINT",
    }
    with Engine(memory_limit="4GB", spill=folder) as engine:
        engine.copy_to_parquet(
            "SELECT range + 1 AS person_id, (8507 + 25 * (range % 2))::BIGINT AS gender_concept_id, "
            "(1930 + range * 7 % 80)::INTEGER AS year_of_birth, (range * 13 % 250)::BIGINT AS location_id "
            f"FROM range({persons})",
            folder / "person.parquet",
        )
        for name, (share, columns) in EVENTS.items():
            engine.copy_to_parquet(
                f"SELECT i AS {name}_id, (hash(i) % {persons} + 1)::BIGINT AS person_id, {columns.format(**parts)} "
                f"FROM (SELECT range + {1 if name == 'visit_occurrence' else 0} AS i FROM range({int(lines * share)}))",
                folder / f"{name}.parquet",
            )
    print(f"{lines:,} lines, {persons:,} persons", flush=True)


def extracting(folder: Path, recipe: str) -> None:
    """What `madang extract` does, in one process: the extract, its risk before and after, how far answers move."""
    spill = folder / "spill"
    with Engine(MEMORY, spill=spill) as engine:
        for name in TABLES:
            path = quote_paths([folder / f"{name}.parquet"])
            engine.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({path})")
        wanted = Wanted(TABLES, Population())
        made = folder / "made"
        made.mkdir(exist_ok=True)
        key = bytes(range(32))

        def extract() -> dict[str, int]:
            return make(engine, wanted, read_recipe(recipe), key, lambda name: made / f"{name}.parquet")

        wall, cpu, rows = timed(extract, 1)
        line(f"extract of {sum(rows.values()):,} lines, {recipe}", wall, cpu)
        for what, schema in (("before", BEFORE), ("after", SCHEMA)):
            wall, cpu, risk = timed(lambda schema=schema: person_risk(engine, list(TABLES), schema), 1)
            shares = [round(each.share, 4) for each in risk.singled]
            line(f"risk of {risk.persons:,} persons {what} it", wall, cpu, str(shares))
        wall, cpu, moved = timed(lambda: movement(engine, BEFORE, SCHEMA, list(TABLES)), 1)
        line("ten questions asked twice", wall, cpu, str([each.share for each in moved if each.share is not None]))


def exact(adult: pa.Table, trees: Any, small: Path, given: argparse.Namespace) -> None:
    for share in ("0", "0.02", "0.05", "1"):
        wall, cpu, done = timed(lambda share=share: anonymize(adult, trees, [KAnonymity(5)], share))
        line(f"Adult, k=5, {share}: exact", wall, cpu, f"loss {done.loss:.4f} optimal {done.optimal}")
        if given.peers and share != "1":
            peer(given.peers, small, given.adult, "anjana", share)
    wall, cpu, done = timed(lambda: anonymize(adult, trees, 5, local=True))
    line("Adult, k=5: local recoding", wall, cpu, f"loss {done.loss:.4f}")


def large_table(large: Path, trees: Any, out: Path) -> None:
    def whole() -> Any:
        made = anonymize(read_csv(large), trees, 5, "0.02")
        write_csv(out, made.table)
        return made

    wall, cpu, done = timed(whole)
    line("1M rows, k=5, 2%: read, exact, verify, write", wall, cpu, f"loss {done.loss:.4f} optimal {done.optimal}")


def large_local(large: Path, trees: Any) -> None:
    table = read_csv(large)
    wall, cpu, done = timed(lambda: anonymize(table, trees, 5, local=True), 3)
    line("1M rows, k=5: local recoding", wall, cpu, f"loss {done.loss:.4f}")


def measuring(large: Path) -> None:
    names = read_csv(large).column_names
    quasi = [name for name in names if name != "occupation"]
    wall, cpu, found = timed(lambda: assess(read_csv(large), quasi))
    line("1M rows: read, k and uniqueness", wall, cpu, f"k {found.k}")
    wall, cpu, found = timed(lambda: assess(read_csv(large), quasi, ["occupation"]))
    said = found.sensitive[0]
    line("1M rows: read, k, l, t", wall, cpu, f"l {said.distinct} t {said.equal_distance:.4f}")


PARTS = ("adult", "million", "local", "measure", "pycanon", "prepare", "extract")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--adult", type=Path)
    parser.add_argument("--scratch", type=Path, required=True)
    parser.add_argument("--peers", default="")
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--recipe", default="closed-space")
    parser.add_argument("--part", nargs="*", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    print(platform.platform(), platform.processor(), f"python {platform.python_version()}")
    folder: Path = given.scratch
    folder.mkdir(exist_ok=True)
    small, large = folder / "adult.csv", folder / "million.csv"
    if given.adult:
        adult = read_csv(next(given.adult.glob("adult.csv*")))
        trees = read_hierarchies(given.adult, adult.column_names, "adult")
        if not large.exists():
            write_csv(small, adult)
            million(adult, large)
    for part in given.part:
        if part == "adult":
            exact(adult, trees, small, given)
        elif part == "million":
            large_table(large, trees, folder / "out.csv")
        elif part == "local":
            large_local(large, trees)
        elif part == "measure":
            measuring(large)
        elif part == "pycanon" and given.peers:
            peer(given.peers, large, given.adult, "pycanon")
        elif part == "prepare":
            longitudinal(folder, given.lines)
        elif part == "extract":
            extracting(folder, given.recipe)


if __name__ == "__main__":
    main()
