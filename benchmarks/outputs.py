"""How long it takes to say whether a table may leave, and to find the cheapest suppression, beside acro and pytauargus.

    python benchmarks/outputs.py --data FOLDER [--peer PYTHON] [--sequences 100]

`--data` holds tau_argus (suppression instances, pp.tab), differencing (release sequences) and arx_adult. `--peer` is a
Python with acro and pytauargus; without it the peers are left out. Timed: a table against 100 earlier ones that were
each let through by the checker (40 attributes of 20,000 synthetic people, four of them crossed with all others, as in
the subgroup tables of a study); every suppression instance; the hierarchical table pp.tab with the peer's own optimum
beside ours, both patterns audited by the same attacker; the pair of tables that defeated acro, in the same run.
`--sequences` generated sequences show how many more cells a proposal hides than the fewest that would do.
"""

import argparse
import csv
import itertools
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from madang.science.privacy.outputs.check import check
from madang.science.privacy.outputs.propose import suppress
from madang.science.privacy.outputs.protect import protect
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.suppression import Problem, audit, problem_of
from madang.science.privacy.outputs.tables import CountTable, table_of

ACRO = """
import gzip, json, logging, sys, time, warnings
warnings.filterwarnings("ignore"); logging.disable(logging.CRITICAL)
import pandas
from acro import ACRO
data = pandas.read_csv(sys.argv[1], sep=";").rename(columns=lambda name: name.replace("-", "_"))
start = time.perf_counter()
session = ACRO(suppress=True)
said = []
for column in ("race", "sex"):
    session.crosstab(data["education"], data[column])
for output in session.results.results.values():
    said.append(output.status)
print(json.dumps([said, time.perf_counter() - start]))
"""


def table(columns: dict[str, list[Any]], names: list[str], threshold: int = 10) -> CountTable:
    counts = Counter(zip(*(columns[name] for name in names), strict=True))
    values = [sorted(set(columns[name])) for name in names]
    cells = [
        [[str(value) for value in key], None if 0 < counts[key] < threshold else counts[key]]
        for key in itertools.product(*values)
    ]
    return table_of({"attributes": names, "cells": cells}, " x ".join(names), threshold)


def hundred(earlier: int = 100) -> None:
    pick = random.Random(3)
    columns: dict[str, list[Any]] = {}
    for number in range(40):
        size = (2, 5, 3, 2)[number] if number < 4 else pick.choice([2, 2, 3, 4, 5, 6, 8])
        weights = [pick.random() ** 3 + 0.01 for _ in range(size)]
        columns[f"a{number}"] = pick.choices(range(size), weights, k=20_000)
    left: list[CountTable] = []
    times, refused = [], 0

    def one() -> CountTable:
        hubs = pick.sample(range(4), pick.choice([1, 1, 2]))
        other = [pick.randrange(4, 40)] if pick.random() < 0.8 else []
        return table(columns, [f"a{number}" for number in hubs + other])

    while len(left) < earlier:
        new = one()
        if check(new, left, Rules()).released:
            left.append(new)
    for _ in range(20):
        new = one()
        start = time.perf_counter()
        refused += not check(new, left, Rules()).released
        times.append(time.perf_counter() - start)
    print(
        f"a table against {earlier} earlier ones: median {statistics.median(times):.2f} s, "
        f"slowest {max(times):.2f} s of {len(times)} ({refused} refused); goal 2 s"
    )


def instances(data: Path) -> None:
    given = json.loads((data / "tau_argus/suppression_instances.json").read_text())["instances"]
    times, dearer, unsafe = [], 0, 0
    for instance in given:
        problem = problem_of(instance, instance["id"])
        start = time.perf_counter()
        found = protect(problem)
        times.append(time.perf_counter() - start)
        dearer += found.cost > instance["optimal_cost"] + 1e-6
        unsafe += not found.safe
    print(
        f"{len(given)} suppression instances: {sum(times):.2f} s in all, slowest {max(times):.2f} s; "
        f"{dearer} dearer than the proven optimum, {unsafe} unsafe"
    )


def region_table(data: Path) -> tuple[Problem, list[tuple[str, str]]]:
    """pp.tab as a problem: size by a hierarchy of regions."""
    groups: dict[str, list[str]] = {}
    for line in (data / "tau_argus/region2.hrc").read_text().splitlines():
        if line.startswith("@"):
            groups[list(groups)[-1]].append(line[1:].strip())
        elif line.strip():
            groups[line.strip()] = []
    keys, values, cost, status, protection = [], [], [], [], []
    for row in csv.reader((data / "tau_argus/pp.tab").open(), delimiter=";"):
        size, region = row[0].strip(), row[1].strip()
        keys.append((size, region))
        numbers = [float(cell.replace(",", ".") or 0) for cell in (row[2], row[5], row[9], row[10])]
        values.append(numbers[0])
        cost.append(max(numbers[1], 0.0))
        status.append(row[8])
        protection.append(numbers[2:])
    place = {key: i for i, key in enumerate(keys)}
    sizes, regions = sorted({key[0] for key in keys}), sorted({key[1] for key in keys})
    equations = []
    for size in sizes:
        parts = [place[size, region] for region in (*groups, "99") if (size, region) in place]
        equations.append([parts, place[size, "Total"]])
        for group, members in groups.items():
            inner = [place[size, member] for member in members if (size, member) in place]
            if inner:
                equations.append([inner, place[size, group]])
    for region in regions:
        parts = [place[size, region] for size in sizes if size != "Total" and (size, region) in place]
        equations.append([parts, place["Total", region]])
    for _pass in range(3):  # inner cells are rounded to two places; their sums are made to fit
        for parts, total in sorted(equations, key=lambda equation: keys[equation[1]].count("Total")):
            values[total] = sum(values[part] for part in parts)
    primary = [i for i, word in enumerate(status) if word == "U"]
    empty = [i for i, word in enumerate(status) if word == "E"]
    upper = [2 * max(values) + 10] * len(values)
    for i in empty:
        upper[i] = values[i]  # everybody knows that nobody is there
    document = {
        "cells": values,
        "equations": equations,
        "primary": primary,
        "lower_protection": [protection[i][0] for i in primary],
        "upper_protection": [protection[i][1] for i in primary],
        "attacker_lower": [0.0] * len(values),
        "attacker_upper": upper,
        "cost": cost,
    }
    return problem_of(document, "pp.tab"), keys


def hierarchical(data: Path, peer: str) -> None:
    problem, keys = region_table(data)
    start = time.perf_counter()
    found = protect(problem)
    took = time.perf_counter() - start
    print(
        f"pp.tab, {len(keys)} cells, {len(problem.primary)} unsafe: {took:.2f} s, {len(found.suppressed)} suppressed, "
        f"cost {found.cost:,.0f}, proved {found.optimal}, safe {found.safe}"
    )
    if not peer:
        return
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cp", "-r", f"{data}/tau_argus/.", folder], check=True)
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        start = time.perf_counter()
        program = Path(peer).parent / "tauargus"
        done = subprocess.run([program, "run", "pp_opt.arb"], cwd=folder, capture_output=True, text=True, check=False)
        took = time.perf_counter() - start
        out = Path(folder) / "out.csv"
        if done.returncode or not out.exists():
            print(f"  pytauargus did not run: {done.stderr.strip()[-200:]}")
            return
        place = {key: i for i, key in enumerate(keys)}
        hidden = [
            place[row[0].strip(), row[1].strip()]
            for row in csv.reader(out.open())
            if len(row) >= 4 and row[3].strip() in ("3", "4", "5", "9", "10", "11", "12")
        ]
    exposed = [exposure.cell for exposure in audit(problem, hidden) if not exposure.safe]
    print(
        f"  pytauargus OPT: {took:.2f} s (its start included), {len(hidden)} suppressed, "
        f"cost {problem.cost[hidden].sum():,.0f}, unsafe cells {len(exposed)}"
    )


def pair(data: Path, peer: str) -> None:
    sequence = json.loads((data / "differencing/sequences.json").read_text())["sequences"][0]
    first, second = (table_of(each, str(i), 10) for i, each in enumerate(sequence["released"]))
    start = time.perf_counter()
    verdict = check(second, [first], Rules(), "exact")
    took = time.perf_counter() - start
    print(
        f"the pair that defeated acro: {'released' if verdict.released else 'refused'} in {took:.2f} s, "
        f"{len(verdict.opens)} counts would open"
    )
    if peer:
        adult = data / "arx_adult/adult.csv.gz"
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([peer, "-c", ACRO, adult], cwd=folder, capture_output=True, text=True, check=False)
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines:
            print(f"  acro did not run: {done.stderr.strip()[-200:]}")
            return
        said, seconds = json.loads(lines[-1])
        print(f"  acro: {', '.join(said)} in {seconds:.2f} s (data read before)")


def proposals(count: int) -> None:
    """How many more cells than the fewest that would do a proposal hides; found by trying all."""
    ours = fewest = 0
    seen = 0
    rules = Rules()
    for seed in itertools.count():
        pick = random.Random(seed)
        people = {
            name: pick.choices(range(size), [pick.random() ** 2 + 0.02 for _ in range(size)], k=300)
            for name, size in (("a", 4), ("b", 3), ("c", 3))
        }
        old, new = table(people, ["a", "b"]), table(people, pick.choice([["a"], ["b"], ["a", "c"], ["b", "c"]]))
        if not check(old, [], rules).released or check(new, [old], rules).released:
            continue
        found = suppress(new, [old], rules)
        if found is None:
            continue
        open_cells = [key for key, (low, _high) in new.cells.items() if key not in new.hidden and low >= 10]
        most = len(found.hidden)
        best = next(
            size
            for size in range(1, most + 1)
            if size == most or any(_passes(new, old, each, rules) for each in itertools.combinations(open_cells, size))
        )
        ours, fewest, seen = ours + len(found.hidden), fewest + best, seen + 1
        if seen == count:
            break
    more = f"+{ours / fewest - 1:.0%}"
    print(f"proposals for {seen} refused tables: {ours} more cells hidden, {fewest} are the fewest ({more})")


def _passes(new: CountTable, old: CountTable, hidden: tuple[tuple[str, ...], ...], rules: Rules) -> bool:
    from dataclasses import replace

    keys = new.hidden | set(hidden)
    trial = replace(new, hidden=keys, cells={k: (0, None) if k in keys else c for k, c in new.cells.items()})
    return check(trial, [old], rules).released


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer", default="")
    parser.add_argument("--sequences", type=int, default=100)
    given = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread")
    pair(given.data, given.peer)
    instances(given.data)
    hierarchical(given.data, given.peer)
    hundred()
    proposals(given.sequences)


if __name__ == "__main__":
    sys.exit(main())
