"""FHIR validation: KR Core resources per second and core with all rules on, and many resources in several processes.

    python benchmarks/fhir_validate.py
    python benchmarks/fhir_validate.py --resources 1000000 --peer /path/to/venv/bin/python

The resources are those of the synthetic hospital. The floor is orjson reading the same lines and doing nothing with
them. Peers (pyrofile-validator, fhir.resources) run in an environment of their own, named by `--peer`, on a part of
the same lines; what each of them looks at is less (fhir.resources: structure of R4B alone;
pyrofile-validator: base R4, since it is given no package of the guide). Goals: 20,000 resources a
second and core, a million in 30 s on two cores below 1 GB, a start below 1 s.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from madang.science.fhir.definitions import shipped
from madang.science.fhir.reading import judged
from madang.science.fhir.run import Judge, Piece, Setup, validate_files
from madang.science.fhir.server.made_up import made_up_lives, resources
from madang.science.fhir.validator import Validator

PEERS = {
    "fhir.resources": """
import sys, time, orjson
from fhir.resources.R4B import get_fhir_model_class
lines = open(sys.argv[1], "rb").read().splitlines()
def one(line):
    read = orjson.loads(line)
    get_fhir_model_class(read["resourceType"]).model_validate(read)
for line in lines[:50]:
    one(line)
start = time.process_time(); count = 0
for line in lines:
    one(line); count += 1
    if time.process_time() - start > 8: break
print(count / (time.process_time() - start))
""",
    "pyrofile-validator": """
import sys, time, orjson
from pyrofile_validator import Validator
lines = open(sys.argv[1], "rb").read().splitlines()
check = Validator()
for line in lines[:20]:
    check.validate_resource(orjson.loads(line))
start = time.process_time(); count = 0
for line in lines:
    check.validate_resource(orjson.loads(line)); count += 1
    if time.process_time() - start > 8: break
print(count / (time.process_time() - start))
""",
}


def rate(work, lines: list[bytes]) -> float:
    """Lines a second of one core, by processor time."""
    start = time.process_time()
    for line in lines:
        work(line)
    return len(lines) / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resources", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--peer", default="")
    given = parser.parse_args()
    made = [orjson.dumps(each) for each in resources(made_up_lives(120))]
    size = sum(map(len, made)) / len(made)
    where = f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    print(f"{where}, load {os.getloadavg()[0]:.1f}")
    print(f"{len(made):,} synthetic KR Core resources of {size:,.0f} bytes")
    start = time.perf_counter()
    validator = Validator(shipped("kr-core"), "kr-core")
    judged(made[0], validator)
    print(f"definitions and first resource: {time.perf_counter() - start:.2f} s (goal: a start below 1 s)")
    errors = sum(not judged(each, validator).valid for each in made)
    assert errors == 0
    ours, floor = [], []
    judge = Judge(Setup())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "some.ndjson"
        path.write_bytes(b"\n".join(made))
        piece = Piece(str(path), str(path), 0, path.stat().st_size)
        for _run in range(given.runs):
            floor.append(rate(orjson.loads, made))
            start = time.process_time()
            judge.piece(piece, None)  # reading, parsing, every rule, and the accounts of the report
            ours.append(len(made) / (time.process_time() - start))
    print(f"orjson alone:  {statistics.median(floor):>10,.0f} resources/s and core")
    print(f"madang:        {statistics.median(ours):>10,.0f} resources/s and core (best {max(ours):,.0f}; goal 20,000)")
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.ndjson"
        part.write_bytes(b"\n".join(made))
        for name, code in PEERS.items() if given.peer else ():
            done = subprocess.run([given.peer, "-c", code, str(part)], capture_output=True, text=True, check=False)
            said = (
                f"{float(done.stdout):,.0f} resources/s and core"
                if done.returncode == 0
                else done.stderr.strip()[-200:]
            )
            print(f"{name}: {said}")
        path = Path(folder) / "all.ndjson"
        with path.open("wb") as file:
            for number in range(given.resources):
                file.write(made[number % len(made)] + b"\n")
        start = time.perf_counter()
        outcome = validate_files([path], Setup(), given.workers)
        seconds = time.perf_counter() - start
    peak = (
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    count = sum(outcome.files.values())
    print(f"{count:,} resources in {given.workers} processes: {seconds:.1f} s, {count / seconds:,.0f}/s,", end=" ")
    print(f"peak {peak[0]:,.0f} MB in a worker, {peak[1]:,.0f} MB here; {json.dumps(dict(outcome.invalid))} invalid")


if __name__ == "__main__":
    sys.exit(main())
