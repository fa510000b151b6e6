"""From an insurer's CSV files to an OMOP CDM dataset, at full size, beside the floor.

    python benchmarks/standardize.py --scale 0.1 --folder /tmp/standardize --repeat 1

makes (once per folder and scale) 100,000 x `--scale` synthetic persons over 12 years, standardizes them with the pack
nhis-nsc and the starter vocabulary, and times:

* each step: registering (SHA-256 and line count), reading and staging, stitching of visits and the other entities,
  mapping, eras, closing the account, commit;
* the floor of the mapping: DuckDB reading the same columns of the same files and writing as many cells that are not
  NULL to Parquet with the same codec and threads;
* content hashing alone, over all files of the result (in a run it goes on beside the other work).

Every part runs in a process of its own, with the highest memory of that process. Steps and floor are told in seconds
by the clock and in processor seconds; what others do on the machine changes the former far more. The processor seconds
of the mapping hold the hashing that goes on beside it. Nothing in these data is real.
"""

import argparse
import json
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq

from madang.base.progress import Progress
from madang.lake import Lake
from madang.lake.content import content_of_file
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.starter import starter_path
from madang.science.standardize import load_pack, standardize
from madang.science.standardize.compile import compile_pack
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.intake import find_files
from madang.science.standardize.sources import columns_needed
from madang.science.synthesis import synthesize

PERSONS, FIRST_YEAR, LAST_YEAR = 100_000, 2002, 2013
MEMORY, THREADS = "4GB", 2


class Watch(Progress):
    """Notes the processor seconds of each step."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def begin(self, name: str, total: int | None, unit: str) -> None:
        self.begun[name] = time.process_time()

    def end(self, name: str) -> None:
        self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - self.begun[name]


def generate(folder: Path, scale: float) -> dict[str, float]:
    """Make the raw files."""
    synthesize(
        "nhis",
        folder / "in",
        persons=int(PERSONS * scale),
        seed=1,
        start_year=FIRST_YEAR,
        end_year=LAST_YEAR,
        truth=False,
        workers=THREADS,
    )
    return {}


def run(folder: Path, scale: float) -> dict[str, float]:
    """Standardize them; seconds per step, lines, and cells that the mapping wrote."""
    shutil.rmtree(folder / "lake", ignore_errors=True)
    shutil.rmtree(folder / "restricted", ignore_errors=True)
    (folder / "spill").mkdir(exist_ok=True)
    dataset = Lake(folder / "lake", folder / "restricted").dataset("insurer")
    watch = Watch()
    done = standardize(
        "nhis-nsc",
        folder / "in",
        starter_path(),
        dataset,
        memory_limit=MEMORY,
        threads=THREADS,
        scratch=folder / "spill",
        progress=watch,
    )
    report = done.report
    events = {s.name for s in _program().events}
    cells = 0
    for part, tables in done.version.info["parts"].items():
        for table, names in tables.items() if part in events else ():
            cells += sum(_cells(done.version.tables[table].folder / name) for name in names)
    steps = {f"step {name}": seconds for name, seconds in report.seconds.items()}
    steps |= {f"cpu {name}": watch.cpu[name] for name in report.seconds}
    passing = sum(c[1] for name, c in report.sources.items() if name not in _program().staged)
    rows = sum(report.tables.values())
    return {**steps, "lines": report.lines, "passing lines": passing, "cells": cells, "rows": rows}


def floor(folder: Path, scale: float) -> dict[str, float]:
    """Read the mapped columns of the same files and write as many cells, per file."""
    told = json.loads((folder / "run.json").read_text())
    per_line = told["cells"] / told["passing lines"]
    program = _program()
    needed = columns_needed(program)
    driving = {s.source for s in program.events} - program.staged
    sources = [source for source in program.pack.sources.values() if source.name in driving]
    (folder / "floor").mkdir(exist_ok=True)
    with Engine(memory_limit=MEMORY, threads=THREADS, spill=folder / "spill") as engine:
        for number, (source, path, _) in enumerate(find_files(folder / "in", sources)):
            columns = [c for c in needed[source.name] if c in source.columns]
            kinds = {name: column.sql_type for name, column in source.columns.items()}
            types = ", ".join(f"{quote_text(n)}: {quote_text(k)}" for n, k in kinds.items())
            file = f"read_csv({quote_text(str(path))}, header = true, columns = {{{types}}}, dateformat = '%Y%m%d')"
            cells = [f"{quote_name(columns[i % len(columns)])} AS c{i}" for i in range(round(per_line))]
            engine.copy_to_parquet(f"SELECT {', '.join(cells)} FROM {file}", folder / "floor" / f"{number}.parquet")
    shutil.rmtree(folder / "floor")
    return {}


def hashing(folder: Path, scale: float) -> dict[str, float]:
    """Hash the content of every file of the result, in two threads."""
    version = Lake(folder / "lake", folder / "restricted").dataset("insurer").version()
    paths = [path for table in version.tables.values() for path in table.paths]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(content_of_file, paths))
    return {}


def _program() -> Program:
    pack = load_pack("nhis-nsc")
    with Engine() as engine:
        for name, value in pack.parameters.items():
            engine.execute(f"SET VARIABLE {quote_name(name)} = ?", [value])
        return compile_pack(pack, engine)


def _cells(path: Path) -> int:
    """Cells of a Parquet file that are not NULL."""
    data = pq.read_metadata(path)
    groups = (data.row_group(i) for i in range(data.num_row_groups))
    return sum(g.num_rows - g.column(c).statistics.null_count for g in groups for c in range(data.num_columns))


PARTS = {"generate": generate, "run": run, "floor": floor, "hashing": hashing}


def measure(part: str, folder: Path, scale: float) -> dict[str, float]:
    """One part in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), "--scale", str(scale)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    if part == "run":
        (folder / "run.json").write_text(json.dumps(found))
    return found


def child(part: str, folder: Path, scale: float) -> None:
    """Run one part and print its figures."""
    start, cpu = time.monotonic(), time.process_time()
    found = PARTS[part](folder, scale)
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(
        json.dumps(
            {
                **found,
                "seconds": time.monotonic() - start,
                "cpu": time.process_time() - cpu + children.ru_utime + children.ru_stime,
                "GB": max(own.ru_maxrss, children.ru_maxrss) / 2**20,
            }
        )
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--part", choices=PARTS)
    arguments = parser.parse_args()
    folder = arguments.folder
    if arguments.part:
        child(arguments.part, folder, arguments.scale)
        return
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{platform.machine()}, {THREADS} threads, memory limit of the engine {MEMORY}, scale {arguments.scale}")
    if not (folder / "in").exists():
        made = measure("generate", folder, arguments.scale)
        size = sum(path.stat().st_size for path in (folder / "in").iterdir()) / 1e9
        print(f"generate            {made['seconds']:8.1f} s  {made['GB']:.1f} GB per process, {size:.1f} GB of CSV")
    runs: dict[str, list[dict[str, float]]] = {}
    for _ in range(arguments.repeat):
        for part in ("run", "floor", "hashing"):
            runs.setdefault(part, []).append(measure(part, folder, arguments.scale))
    show(runs)


def show(runs: dict[str, list[dict[str, float]]]) -> None:
    """Medians of all repeats."""

    def median(part: str, name: str) -> float:
        return statistics.median(found[name] for found in runs[part])

    first = runs["run"][0]
    print(f"source lines {first['lines']:,.0f}, CDM rows {first['rows']:,.0f}, cells mapped {first['cells']:,.0f}")
    for name in first:
        if name.startswith("step "):
            print(f"  {name[5:]:24}{median('run', name):8.1f} s  CPU {median('run', f'cpu {name[5:]}'):5.1f} s")
    whole, mapping, least = median("run", "seconds"), median("run", "step map"), median("floor", "seconds")
    print(f"standardize         {whole:8.1f} s  CPU {median('run', 'cpu'):5.1f} s  {median('run', 'GB'):.1f} GB")
    print(f"mapping             {mapping:8.1f} s  floor {least:.1f} s  ratio {mapping / least:.2f}")
    mapping, least = median("run", "cpu map"), median("floor", "cpu")
    print(f"  processor seconds {mapping:8.1f} s  floor {least:.1f} s  ratio {mapping / least:.2f}")
    print(f"hashing alone       {median('hashing', 'seconds'):8.1f} s  CPU {median('hashing', 'cpu'):5.1f} s")


if __name__ == "__main__":
    main()
