"""How long a full quality report takes, beside the floor, our plain questions and DataQualityDashboard's own SQL.

    python benchmarks/quality.py --cdm FOLDER [--times 1000] [--rounds 5] [--dqd CHECKOUT] [--plain]

`--cdm` is a folder with an OMOP CDM 5.4 as CSV, one file per table; it is multiplied `--times` with shifted identifiers
and written as Parquet. The report is timed as a whole in a process of its own, start included. The floor is one pass
over the same files: count, minimum and maximum of every column. `--dqd` takes a checkout of DataQualityDashboard and
runs its SQL check by check in this process; it needs `ohdsi-circepy` for rendering, which is timed apart. `--plain`
asks our own plain questions one by one. The report of fewer rows and the profile are timed
in the same way. Rounds are interleaved; medians are shown.
"""

import argparse
import csv
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from madang.lake import Lake
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop import cdm
from madang.science.quality import questions
from madang.science.quality.checks import default_checks

ALONE = """
import resource, sys, tempfile
from datetime import date
from pathlib import Path
from madang.lake.engine import Engine
from madang.science.quality import plan
from madang.science.quality.checks import default_checks
from madang.science.quality.columns import read_columns
from madang.science.quality.status import judge
files = {path.stem: [path] for path in Path(sys.argv[1]).glob("*.parquet")}
with tempfile.TemporaryDirectory() as spill, Engine("1.5GB", 2, spill=Path(spill)) as engine:  # 3 GB in all
    for table, (path,) in files.items():
        engine.execute(f"CREATE VIEW {table} AS FROM read_parquet('{path}')")
    checks = default_checks()
    counts = plan.count(engine, files, checks, today=date.today())
    assert len(judge(checks, counts, read_columns(engine))) == len(checks)
    assert not [name for name, count in counts.items() if count.error]
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_maxrss / 1e6, used.ru_utime + used.ru_stime)
"""


PROFILE = """
import resource, sys
from datetime import date
from pathlib import Path
from madang.lake import Lake
from madang.science.quality.profile import profile
lake = Lake(Path(sys.argv[1]))
assert profile(lake.find("measured")).tables
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_maxrss / 1e6, used.ru_utime + used.ru_stime)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cdm", type=Path, required=True)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dqd", type=Path)
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="madang-quality-") as folder:
        rows = multiply(given.cdm, Path(folder), given.times)
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {rows:,} rows")
        walls, cpus, memory, floors = [], [], 0.0, []
        for _ in range(given.rounds):
            start = time.perf_counter()
            used, cpu = alone(ALONE, folder)
            walls.append(time.perf_counter() - start)
            memory, cpus = max(memory, used), [*cpus, cpu]
            floors.append(floor(Path(folder)))
        floor_ = statistics.median(floors)
        show("report, start included", statistics.median(walls), floor_)
        print(f"{'  processor seconds':32} {statistics.median(cpus):8.2f} s, {memory:.2f} GB of memory")
        show("floor", floor_, floor_)
        for times in (given.times // 10, 1):
            with tempfile.TemporaryDirectory(prefix="madang-quality-") as small:
                fewer = multiply(given.cdm, Path(small), times)
                seconds = statistics.median(timed(ALONE, small) for _ in range(given.rounds))
            show(f"report of {fewer:,} rows", seconds, floor_)
        with tempfile.TemporaryDirectory(prefix="madang-quality-") as lake:
            into_lake(Path(folder), Path(lake))
            show("profile", statistics.median(timed(PROFILE, lake) for _ in range(given.rounds)), floor_)
        if given.plain:
            show("plain questions", plain(Path(folder)), floor_)
        if given.dqd:
            rendering, running = peer(Path(folder), given.dqd)
            show("DataQualityDashboard's SQL", running, floor_)
            print(f"{'  rendering it':32} {rendering:8.2f} s")


def alone(program: str, folder: str) -> list[float]:
    """Run a program in a process of its own; GB of memory and processor seconds."""
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def timed(program: str, folder: str) -> float:
    start = time.perf_counter()
    alone(program, folder)
    return time.perf_counter() - start


def into_lake(folder: Path, root: Path) -> None:
    """The same files as a version of a lake."""
    with Lake(root).dataset("measured").write() as writer:
        for path in folder.glob("*.parquet"):
            target = writer.new_file(path.stem)
            shutil.copy(path, target)
            writer.add(path.stem, target)
        writer.commit("import", {})


def show(what: str, seconds: float, floor_: float) -> None:
    print(f"{what:32} {seconds:8.2f} s  {seconds / floor_:6.1f} x floor")


def multiply(source: Path, target: Path, times: int, *, ordered: bool = True) -> int:
    """Write every table `times` with shifted identifiers as Parquet; the number of rows of all of them.

    `ordered`: sorted by the number of the copy, which wants room for all of a table.
    """
    total = 0
    with tempfile.TemporaryDirectory(dir=target) as spill, Engine("4GB", 2, spill=Path(spill)) as engine:
        kept = {}
        for file in sorted(source.glob("*.csv")):
            table = cdm.TABLES[file.stem.lower()]
            read = f"read_csv({quote_text(str(file))}, all_varchar = true, header = true)"
            have = {name.lower() for name, _ in engine.describe(f"FROM {read}")}
            fields = [field for field in table.fields if field.name in have]
            casts = ", ".join(
                f"CAST({quote_name(f.name)} AS {cdm.duckdb_type(f)}) AS {quote_name(f.name)}" for f in fields
            )
            engine.execute(f"CREATE TABLE {table.name} AS SELECT {casts} FROM {read}")
            kept[table.name] = fields
        apart = {
            (table, field.name): engine.value(f"SELECT coalesce(max({field.name}), 0) + 1 FROM {table}")
            for table, fields in kept.items()
            for field in fields
            if field.primary_key and field.identifier and cdm.TABLES[table].kind != "vocabulary"
        }
        for table, fields in kept.items():
            shifted = [
                f"{f.name} + k * {apart[key]} AS {f.name}"
                for f in fields
                if (key := (table, f.name) if (table, f.name) in apart else f.foreign_key) in apart
            ]
            once = cdm.TABLES[table].kind in ("vocabulary", "metadata") or not shifted
            sql = f"SELECT * FROM {table}"
            if not once:
                every = f"{table}, (SELECT range AS k FROM range({times}))"
                order = " ORDER BY k" if ordered else ""
                sql = f"SELECT * EXCLUDE (k) FROM (SELECT * REPLACE ({', '.join(shifted)}) FROM {every}{order})"
            total += engine.copy_to_parquet(sql, target / f"{table}.parquet")
    return total


def views(engine: Engine, folder: Path) -> None:
    for path in folder.glob("*.parquet"):
        engine.execute(f"CREATE VIEW {path.stem} AS FROM read_parquet({quote_text(str(path))})")


def floor(folder: Path) -> float:
    with Engine("3GB", 2) as engine:
        start = time.perf_counter()
        for path in folder.glob("*.parquet"):
            source = f"read_parquet({quote_text(str(path))})"
            columns = [quote_name(name) for name, _ in engine.describe(f"FROM {source}")]
            engine.rows(f"SELECT {', '.join(f'count({c}), min({c}), max({c})' for c in columns)} FROM {source}")
        return time.perf_counter() - start


def plain(folder: Path) -> float:
    with Engine("3GB", 2) as engine:
        views(engine, folder)
        start = time.perf_counter()
        questions.count(engine, default_checks(), today=date.today())
        return time.perf_counter() - start


def peer(folder: Path, checkout: Path) -> tuple[float, float]:
    """Seconds of rendering the dashboard's templates, and of running them one by one."""
    from circe.sqlrender import render, translate  # of ohdsi-circepy, which the project does not install

    templates = checkout / "inst/sql/sql_server"
    facts = checkout / "inst/csv"
    kinds = list(csv.DictReader((facts / "OMOP_CDMv5.4_Check_Descriptions.csv").open(encoding="utf-8")))
    files = {kind["checkName"]: (templates / kind["sqlFile"]).read_text(encoding="utf-8") for kind in kinds}
    levels = {
        level: list(csv.DictReader((facts / f"OMOP_CDMv5.4_{level.title()}_Level.csv").open(encoding="utf-8-sig")))
        for level in ("TABLE", "FIELD", "CONCEPT")
    }
    start = time.perf_counter()
    queries = []
    for check in default_checks(compatible=True):
        row = next(
            row
            for row in levels[check.level]
            if row["cdmTableName"].lower() == check.table
            and row.get("cdmFieldName", "").lower() in ("", check.field)
            and (not check.concepts or row["conceptId"].replace(" ", "") == ",".join(map(str, check.concepts)))
        )
        schemas = {f"{name}DatabaseSchema": "main" for name in ("cdm", "vocab", "cohort", "results")}
        options = {**row, **schemas, "schema": "main", "cohort": "FALSE"}
        queries.append(translate(render(files[check.name], **options), "duckdb"))
    rendering = time.perf_counter() - start
    with Engine("8GB", 2) as engine:
        views(engine, folder)
        start = time.perf_counter()
        for query in queries:
            engine.rows(query.strip().rstrip(";"))
        return rendering, time.perf_counter() - start


if __name__ == "__main__":
    main()
