"""How time and memory grow with rows on one machine: quality report, profile and one cohort, up to a billion rows.

    python benchmarks/size.py --cdm FOLDER --cohort DEFINITION.json [--times 40 400 4000 40000] [--keep FOLDER]

`--cdm` is a folder with an OMOP CDM 5.4 as CSV with its vocabulary; its people are taken `--times` over with shifted
identifiers (25,000 rows each time for the public Synthea27Nj, so 40,000 times are a billion). Every part runs in a
process of its own with 3 GB for the engine and two threads; its highest memory is that of the process. From 5,000 times
on rows are not sorted. `--keep` leaves
the lakes there, one folder for each size, for `benchmarks/spark.py`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from quality import ALONE, PROFILE

from madang.lake import Lake

MULTIPLY = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from quality import multiply
print(multiply(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), ordered=int(sys.argv[4]) < 5000))
"""

COHORT = """
import resource, sys
from pathlib import Path
from madang.lake import Lake
from madang.science.cohorts import load, opened
from madang.science.cohorts.members import generate
version = Lake(Path(sys.argv[1])).find("measured")
with opened(version, None, memory="3GB") as found:
    counted = generate(found, load(Path(sys.argv[2])).definition)
    print("persons", counted.persons, file=sys.stderr)
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_maxrss / 1e6, used.ru_utime + used.ru_stime)
"""


def main() -> None:
    """Print one line for each size and part."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--cdm", type=Path, required=True)
    asked.add_argument("--cohort", type=Path, required=True)
    asked.add_argument("--times", type=int, nargs="+", default=[40, 400, 4_000, 40_000])
    asked.add_argument("--keep", type=Path)
    given = asked.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")
    print(f"{'rows':>15}  {'disk':>8}  {'part':<16}{'seconds':>10}{'processor':>12}{'memory':>10}")
    for times in given.times:
        made = Path(tempfile.mkdtemp(prefix="madang-size-", dir=given.keep))
        root = (given.keep or made) / f"{times}" / "lake"
        try:
            # In a process of its own: a child's highest memory counts from that of who starts it.
            words = [sys.executable, "-c", MULTIPLY, str(Path(__file__).parent), str(given.cdm), str(made), str(times)]
            rows = int(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
            disk = into_lake(made, root)
            for part, program, words in (
                ("quality report", ALONE, [str(made)]),
                ("profile", PROFILE, [str(root)]),
                ("cohort", COHORT, [str(root), str(given.cohort)]),
            ):
                begun = time.perf_counter()
                ran = subprocess.run(
                    [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
                )
                seconds = time.perf_counter() - begun
                if ran.returncode != 0:
                    told = ran.stderr.strip().splitlines()[-1:]
                    print(f"{rows:>15,}  {'':>8}  {part:<16} failed after {seconds:.0f} s: {told}", flush=True)
                    continue
                memory, cpu = (float(word) for word in ran.stdout.split())
                size = f"{disk / 1e9:.1f} GB"
                print(f"{rows:>15,}  {size:>8}  {part:<16}{seconds:>10.1f}{cpu:>12.1f}{memory:>7.2f} GB", flush=True)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def into_lake(folder: Path, root: Path) -> int:
    """The same files, not copied, as a version of a lake; their bytes."""
    size = 0
    root.mkdir(parents=True, exist_ok=True)
    with Lake(root).dataset("measured").write() as writer:
        for path in folder.glob("*.parquet"):
            target = writer.new_file(path.stem)
            os.link(path, target)
            writer.add(path.stem, target)
            size += path.stat().st_size
        writer.commit("import", {})
    return size


if __name__ == "__main__":
    main()
