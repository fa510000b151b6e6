"""How fast synthetic claims are made, and how much memory that takes.

    python benchmarks/synthesis.py --persons 2000 10000 --workers 2

Each size runs in a process of its own. The floor beside it is writing as many bytes to the same disk. A chunk of
people is the unit of work, so fewer than 10,000 people use one core.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from madang.science.synthesis import synthesize


def one(folder: Path, persons: int, workers: int, dirt: int, truth: bool) -> None:
    """Make one folder; prints seconds, CPU seconds, memory of the largest process (MB), lines, bytes, floor seconds."""
    begun = time.perf_counter()
    synthesize("nhis", folder, persons=persons, dirt=dirt, truth=truth, workers=workers)
    seconds = time.perf_counter() - begun
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in used)
    memory = max(usage.ru_maxrss for usage in used) / 1024
    files = list(folder.glob("*.CSV"))
    lines = sum(block.count(b"\n") for path in files for block in _blocks(path))
    size = sum(path.stat().st_size for path in files)
    begun = time.perf_counter()
    with (folder / "floor").open("wb") as out:
        for path in files:
            for block in _blocks(path):
                out.write(block)
        os.fsync(out.fileno())
    print(seconds, cpu, memory, lines, size, time.perf_counter() - begun)


def _blocks(path: Path) -> list[bytes]:
    with path.open("rb") as text:
        return list(iter(lambda: text.read(1 << 22), b""))


def main() -> None:
    """Run the sizes asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--persons", type=int, nargs="+", default=[2000, 10_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dirt", type=int, default=1)
    parser.add_argument("--no-truth", action="store_true")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where to write, on the disk to be measured")
    parser.add_argument("--one", type=Path, default=None, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        one(wish.one, wish.persons[0], wish.workers, wish.dirt, not wish.no_truth)
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, dirt {wish.dirt}")
    print("persons    seconds    CPU s   MB/process   million lines   lines/s    GB   copy of the files, s")
    for persons in wish.persons:
        results = []
        for _ in range(wish.repeat):
            draft = Path(tempfile.mkdtemp(dir=wish.folder))
            options = ["--no-truth"] if wish.no_truth else []
            options += ["--persons", str(persons), "--workers", str(wish.workers), "--dirt", str(wish.dirt)]
            command = [sys.executable, __file__, "--one", str(draft / "nhis"), *options]
            answer = subprocess.run(command, capture_output=True, text=True, check=True)
            shutil.rmtree(draft)
            results.append([float(word) for word in answer.stdout.split()])
        seconds, cpu, memory, lines, size, floor = (statistics.median(column) for column in zip(*results, strict=True))
        print(
            f"{persons:7d} {seconds:10.1f} {cpu:8.1f} {memory:12.0f} {lines / 1e6:15.2f} {lines / seconds:9.0f}"
            f" {size / 1e9:5.2f} {floor:12.1f}"
        )


if __name__ == "__main__":
    main()
