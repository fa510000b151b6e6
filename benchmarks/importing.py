"""A common data model that exists already, from CSV files to a committed version, beside the floor.

    python benchmarks/importing.py --folder /tmp/importing
    python benchmarks/importing.py --folder /tmp/importing --beside ../other/src

makes (once per folder and number of rows) eight tables of `--rows` rows each, as databases write them, imports them,
and has DuckDB copy the same CSV files to Parquet as it reads them, with the same codec and threads: that is the floor,
which looks at nothing, hashes nothing and keeps no account. `--beside` names the sources of another tree, whose import
is run by turns with this one. Every part is a process of its own; seconds of processors say more than the clock where
others work, and medians are told. Nothing in these data is real.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from madang.lake import Lake
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.cdm import TABLES, Field, duckdb_type
from madang.science.omop.importing import import_model

MODEL = (
    "person", "visit_occurrence", "visit_detail", "condition_occurrence", "drug_exposure", "procedure_occurrence",
    "measurement", "observation",
)  # fmt: skip
MEMORY, THREADS = "3GB", 2


def value(field: Field, place: int) -> str:
    """SQL of a field of row `i`; of those that may be empty, every second column is, as in most databases."""
    if not field.required and place % 2:
        return "NULL"
    if field.name.endswith("_concept_id"):
        return f"4000000 + i % {97 + place}"
    day = f"DATE '2010-01-01' + (i % {3000 + place})::INTEGER"
    return {
        "DATE": day,
        "TIMESTAMP": f"{day} + INTERVAL 1 MINUTE * (i % 1440)",
        "VARCHAR": f"'S' || (i % {500 + place})",
        "DOUBLE": "(i % 1000) / 8",
    }.get(duckdb_type(field), "1980 + i % 40" if field.name.startswith("year") else "i + 1")


def generate(folder: Path, rows: int) -> None:
    """Write the tables as CSV."""
    (folder / "in").mkdir(parents=True)
    with Engine(threads=THREADS) as engine:
        for name in MODEL:
            cells = ", ".join(
                f"{'i + 1' if place == 0 else value(field, place)} AS {quote_name(field.name)}"
                for place, field in enumerate(TABLES[name].fields)
            )
            path = quote_text(str(folder / "in" / f"{name}.csv"))
            engine.execute(f"COPY (SELECT {cells} FROM range({rows}) t(i)) TO {path} (FORMAT csv, HEADER)")


def taken(folder: Path) -> None:
    """Import them."""
    dataset = Lake(folder / "lake", folder / "restricted").dataset("imported")
    done = import_model(str(folder / "in"), dataset, memory_limit=MEMORY, threads=THREADS)
    assert all(rejected == 0 for _, rejected in done.rows.values()), done.rows


def floor(folder: Path) -> None:
    """Copy them to Parquet."""
    with Engine(MEMORY, THREADS, preserve_insertion_order=True) as engine:
        for path in (folder / "in").iterdir():
            engine.copy_to_parquet(f"FROM read_csv({quote_text(str(path))})", folder / f"{path.stem}.parquet")


PARTS = {"import": taken, "floor": floor}


def measure(part: str, folder: Path, sources: Path | None = None) -> dict[str, float]:
    """One part in a process of its own, by the sources of another tree if they are named."""
    for name in ("lake", "restricted"):
        shutil.rmtree(folder / name, ignore_errors=True)
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder)]
    environment = os.environ | ({"PYTHONPATH": str(sources)} if sources else {})
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def child(part: str, folder: Path) -> None:
    """Run one part and print its figures."""
    start, cpu = time.monotonic(), time.process_time()
    PARTS[part](folder)
    told = {"seconds": time.monotonic() - start, "cpu": time.process_time() - cpu}
    print(json.dumps({**told, "GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=600_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--part", choices=PARTS)
    arguments = parser.parse_args()
    if arguments.part:
        child(arguments.part, arguments.folder)
        return
    folder = arguments.folder / str(arguments.rows)
    if not folder.exists():
        generate(folder, arguments.rows)
    size = sum(path.stat().st_size for path in (folder / "in").iterdir()) / 1e9
    print(
        f"{platform.machine()}, {THREADS} threads, {len(MODEL)} tables of {arguments.rows:,} rows, {size:.2f} GB of CSV"
    )
    trees = {"import": None, **({"import of the other tree": arguments.beside.absolute()} if arguments.beside else {})}
    runs: dict[str, list[dict[str, float]]] = {}
    for _ in range(arguments.repeat):
        for name, sources in trees.items():
            runs.setdefault(name, []).append(measure("import", folder, sources))
        runs.setdefault("floor", []).append(measure("floor", folder))
    for name, found in runs.items():
        median = {key: statistics.median(one[key] for one in found) for key in found[0]}
        spread = f"{min(one['cpu'] for one in found):.2f} to {max(one['cpu'] for one in found):.2f}"
        print(f"{name:28}{median['seconds']:7.2f} s  CPU {median['cpu']:6.2f} s ({spread})  {median['GB']:.1f} GB")


if __name__ == "__main__":
    main()
