"""A study over three sites with real TLS in processes of their own, beside the same fit of all rows in one process;
and one over fifty simulated sites.

PYTHONPATH=src:tests python benchmarks/alliance.py             both
PYTHONPATH=src:tests python benchmarks/alliance.py ROWS        three sites of so many rows
PYTHONPATH=src:tests python benchmarks/alliance.py 50 FOLDER   simulated sites, kept in a folder for the next time
"""

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from madang.node.home import Home
from madang.node.node import Node
from madang.science.federated import Limits, Site, pooled, read_study
from madang.services.alliance import coordinate, crew, simulated
from madang.services.alliance.models import Partner
from portal_house import OWNER
from services.alliance.alliance_house import study_text
from services.alliance.processes import processes

os.environ["MADANG_OUTGOING_HOSTS"] = "127.0.0.1"
LIMITS = {"limits": {"minimum": 3, "exact_times": True}}


def table(rows: int, seed: int) -> pa.Table:
    """Made-up people."""
    chance = np.random.default_rng(seed)
    x = {f"x{k}": chance.normal(size=rows) for k in range(5)}
    eta = 0.3 * x["x0"] - 0.2 * x["x1"] - 1
    y = (chance.random(rows) < 1 / (1 + np.exp(-eta))).astype(np.int64)
    time_ = np.ceil(np.minimum(chance.exponential(200 / np.exp(eta + 1), rows), 500))
    return pa.table({**x, "y": y, "time": time_, "status": (time_ < 500).astype(np.int64)})


def used(pids: list[int]) -> float:
    """Processor seconds of processes and of the children that they have now."""
    total = 0.0
    for pid in pids:
        for stat in [Path(f"/proc/{pid}/stat"), *(Path(f"/proc/{c}/stat") for c in children(pid))]:
            with contextlib.suppress(FileNotFoundError):
                fields = stat.read_text().rpartition(")")[2].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def children(pid: int) -> list[int]:
    """The children of a process."""
    with contextlib.suppress(FileNotFoundError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def seconds(node: Node, text: str, pids: list[int]) -> tuple[float, float, dict[str, Any]]:
    """How long a study takes from asking to the answer, and processor seconds of all processes."""
    begun, before = time.perf_counter(), used(pids) + time.process_time()
    asked = coordinate.ask(node, OWNER, read_study(text))
    coordinate.wait_for_decisions(node, asked.id, 300)
    answer = coordinate.run(node, OWNER, asked.id, patience=300)
    return time.perf_counter() - begun, used(pids) + time.process_time() - before, answer


def three_sites(rows: int) -> None:
    """Sites, and the address where they come, as processes of their own; the study runs in this one."""
    terms = [f"x{k}" for k in range(5)]
    survival = {"time": "time", "event": "status"}
    texts = {
        "logistic regression": study_text("glm", outcome="y", terms=terms, family="binomial"),
        "Cox, 500 times": study_text("cox", **survival, terms=terms[:3]),
        "Kaplan-Meier": study_text("kaplan-meier", **survival),
    }
    kinds = ["glm", "cox", "kaplan-meier", "count"]
    with tempfile.TemporaryDirectory() as name:
        tables = [table(rows, seed) for seed in range(3)]
        everything = pa.concat_tables(tables)
        with processes(Path(name), tables, kinds, LIMITS) as running:
            node = Node.open(Home(Path(name) / "center"))
            pids = [each.pid for each in running.running.values()]
            seconds(node, study_text("count"), pids)
            print(f"3 sites x {rows:,} rows, TLS, processes of their own, started before\n")
            print(f"{'':22}{'first':>8}{'again':>8}{'processor':>11}{'here':>8}{'processor':>11}  rounds")
            for title, text in texts.items():
                took, _cpu, answer = seconds(node, text, pids)
                runs = [seconds(node, text.replace("A study", f"Again {k}"), pids)[:2] for k in range(3)]
                again, cpu = (statistics.median(each) for each in zip(*runs, strict=True))
                study = read_study(text)
                begun, before = time.perf_counter(), time.process_time()
                site = Site(study, everything, Limits(exact_times=True))
                pooled(study, lambda step, told, site=site: [("all", site.answer(step, told))])  # type: ignore[misc]  # a stand-in
                here, here_cpu = time.perf_counter() - begun, time.process_time() - before
                told = f"{took:7.2f}s{again:7.2f}s{cpu:10.2f}s{here:7.2f}s{here_cpu:10.2f}s"
                print(f"{title:22}{told}  {answer['questions']}")
            ps = ["ps", "-o", "rss=", "-p", ",".join(map(str, pids[1:]))]
            waiting = subprocess.run(ps, capture_output=True, text=True, check=False).stdout.split()
            print("\nmemory of the processes that wait at sites, MB:", [int(each) // 1024 for each in waiting])
            node.close()


def many_sites(count: int, rows: int, folder: Path) -> None:
    """Sites simulated on this machine, in processes that were started for a study before; made in `folder` if they are
    not there."""
    node = Node.open(Home(folder / "center"))
    with node.read() as session:
        made = {each.name for each in session.scalars(select(Partner))}
    for k in range(count):
        if f"site{k}" not in made:
            simulated.simulate(node, OWNER, f"site{k}", "d", table(rows, k))
    text = study_text("glm", outcome="y", terms=[f"x{k}" for k in range(5)], family="binomial", where='["x0 > -9"]')
    took = []
    for k in range(4):
        begun = time.perf_counter()
        asked = coordinate.ask(node, OWNER, read_study(text.replace("A study", f"Study {k}-{begun}")), simulated=True)
        with crew.working(node, [each.partner_id for each in asked.sites]) as processes_:
            before = used([*processes_.pids]) + time.process_time()
            answer = coordinate.decided_and_run(node, OWNER, asked.id, 300, patience=300)
            took.append((time.perf_counter() - begun, used([*processes_.pids]) + time.process_time() - before))
    assert sum(each["in"] for each in answer["sites"]) == count
    wall, cpu = (statistics.median(each) for each in zip(*took[1:], strict=True))
    print(f"{count} simulated sites x {rows:,} rows in {len(processes_.pids)} processes: logistic regression")
    print(f"{answer['questions']} questions in {wall:.1f} s, processor {cpu:.1f} s (of the first {took[0][0]:.1f} s)")
    crew.end(node)
    node.close()


def main() -> None:
    """Print the figures of three sites, and of fifty; one of both where a folder for the fifty is given."""
    if len(sys.argv) > 2:
        many_sites(int(sys.argv[1]), 10_000, Path(sys.argv[2]))
        return
    three_sites(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    if len(sys.argv) == 1:
        with tempfile.TemporaryDirectory() as name:
            many_sites(50, 10_000, Path(name))


if __name__ == "__main__":
    main()
