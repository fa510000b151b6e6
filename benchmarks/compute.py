"""Compute: short tasks through TES beside bare boxes and processes; accepting, listing; the small genome; a region of
ten million variants.

    python benchmarks/compute.py [tasks|slurm|accept|list|memory|steps|region|genome] ...

`genome` needs MADANG_SHARED_DATA with its reads, `steps` the environment `tools`. Clients are a process of their
own, as they are everywhere else.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
os.environ["MADANG_HOME"] = tempfile.mkdtemp(prefix="madang-compute-")

import httpx
from sqlalchemy import insert

from madang.app.portal import portal
from madang.node import closed
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import accounts
from madang.node.people.actor import Actor
from madang.node.people.models import ApiToken
from madang.node.people.sessions import hash_of
from madang.services.compute import runner, service
from madang.services.compute.models import Task
from web.served import serving

ONE = {"name": "t", "executors": [{"image": "alpine", "command": ["echo", "hello"]}], "resources": {"ram_gb": 0.1}}
BASE = "/ga4gh/tes/v1"
NODE = Node.open()


def said(name: str, value: str, goal: str) -> None:
    print(f"{name:58} {value:>22}   {goal}", flush=True)


def client(address: str) -> httpx.Client:
    secret = "madang_benchmark"
    person = accounts.create_person(NODE, Actor.owner(), "bench", "Bench", password="a long password it is")
    with NODE.write() as session:
        end = now() + timedelta(days=1)
        session.add(ApiToken(person_id=person, name="b", hash=hash_of(secret), scopes="read write", expires=end))
    return httpx.Client(base_url=address, timeout=120, headers={"Authorization": f"Bearer {secret}"})


def tasks(http: httpx.Client, count: int = 1_000) -> None:
    """A thousand one-line tasks, asked for at once, until all are done; and the same by bare boxes and processes."""
    cores = len(os.sched_getaffinity(0))
    begun = time.monotonic()
    made = http.post(BASE + "/tasks", json=[ONE] * count).json()
    runner.wake(NODE)
    asked = {"state": "COMPLETE", "page_size": 2_000}
    while len(http.get(BASE + "/tasks", params=asked).json()["tasks"]) < len(made):
        time.sleep(0.5)
    spent = time.monotonic() - begun
    said(f"{count} one-line tasks through TES, {cores} cores", f"{spent:.1f} s", "goal 30 s")
    box = closed.Box(closed.Limits(60, 100 << 20), programs=True)
    with ThreadPoolExecutor(cores) as pool:
        begun = time.monotonic()
        list(pool.map(lambda _each: box.run(["echo", "hello"]), range(count)))
        said("the same by bare boxes (floor)", f"{time.monotonic() - begun:.1f} s", "")
        begun = time.monotonic()
        list(pool.map(lambda _each: subprocess.run(["echo"], capture_output=True, check=True), range(count)))
        said("the same by bare processes, not closed in", f"{time.monotonic() - begun:.1f} s", "")


def on_slurm(http: httpx.Client, count: int = 1_000) -> None:
    """The same tasks by a real Slurm that is started for it, from the request until all are done."""
    from types import SimpleNamespace

    from services.compute.slurm_house import slurm

    with slurm(SimpleNamespace(node=NODE)):  # type: ignore[arg-type]  # it asks for nothing but the node
        begun = time.monotonic()
        made = http.post(BASE + "/tasks", json=[ONE] * count).json()
        working = runner.Runner(NODE)
        last = int(made[-1]["id"])
        while any(each.id <= last for each in service.list_tasks(NODE, Actor.owner(), OPEN_ONLY)):
            for _each in range(20):
                working.round()
        said(f"{count} one-line tasks by slurm", f"{time.monotonic() - begun:.1f} s", "goal 60 s")


OPEN_ONLY = service.Asked(states=("queued", "initializing", "running"), most=1)


_CLIENTS = """
import sys, time, httpx
from concurrent.futures import ThreadPoolExecutor
address, threads, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
one = {"name": "t", "executors": [{"image": "alpine", "command": ["echo", "hello"]}], "resources": {"ram_gb": 0.1}}
http = httpx.Client(timeout=120, headers={"Authorization": "Bearer madang_benchmark"})
ask = lambda _each: http.post(address, json=one).raise_for_status()
ask(0)
begun = time.monotonic()
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(ask, range(count)))
print(count / (time.monotonic() - begun))
"""


def accept(http: httpx.Client) -> None:
    """Tasks that are accepted in a second, each committed with its event before it is answered."""
    for threads, goal in ((1, ""), (16, "goal 200")):
        used, address = time.process_time(), str(http.base_url).rstrip("/") + BASE + "/tasks"
        command = [sys.executable, "-c", _CLIENTS, address, str(threads), "600"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        said(f"accepted one by one, {threads} clients at a time", f"{float(told):.0f} a second", goal)
        said("processor time of each, server", f"{1_000 * (time.process_time() - used) / 600:.1f} ms", "")
    begun = time.monotonic()
    for _each in range(3):
        http.post(BASE + "/tasks", json=[ONE] * 1_000).raise_for_status()
    said("accepted in bulk", f"{3_000 / (time.monotonic() - begun):.0f} a second", "goal 1,000")


def _megabytes(process: int) -> float:
    """Memory of a process, what it shares with others divided among them."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def memory(http: httpx.Client, count: int = 10_000) -> None:
    """What the portal grows by, and what the runner takes, while so many tasks wait and run."""
    sleeping = ONE | {"executors": [{"image": "alpine", "command": ["sleep", "2"]}]}
    for _warm in range(5):
        http.post(BASE + "/tasks", json=ONE).raise_for_status()
        http.get(BASE + "/tasks").raise_for_status()
        http.get("/compute").raise_for_status()
    time.sleep(3)
    before = _megabytes(os.getpid())
    for _each in range(count // 1_000):
        http.post(BASE + "/tasks", json=[sleeping] * 1_000).raise_for_status()
    working = subprocess.Popen([sys.executable, "-m", "madang.services.compute.runner"], env=os.environ)
    most = 0.0
    for _each in range(40):
        http.get(BASE + "/tasks", params={"view": "BASIC"}).raise_for_status()
        http.get("/compute").raise_for_status()
        most = max(most, _megabytes(working.pid))
        time.sleep(0.5)
    grown = _megabytes(os.getpid()) - before
    working.kill()
    working.wait()
    shown = f"{grown:.0f} + {most:.0f} MB"
    said(f"{count:,} waiting and running tasks: portal + runner", shown, "goal 150 MB")


def steps(_http: httpx.Client, count: int = 30) -> None:
    """What a step of a workflow costs: a chain of so many beside one of a single step, asked for as tasks."""
    from madang.services.compute import workflows

    folder = Path(tempfile.mkdtemp())
    rule = "rule s{n}:\n    input: {before}\n    output: 's{n}.txt'\n    shell: 'echo {n} > {{output}}'\n"
    spent = {}
    for many in (1, count + 1):
        rules = [rule.format(n=n, before=f"'s{n - 1}.txt'" if n else "") for n in range(many)]
        text = f"rule all:\n    input: 's{many - 1}.txt'\n" + "".join(rules)
        where = folder / str(many)
        where.mkdir()
        (where / "Snakefile").write_text(text)
        inputs = tuple(workflows.folder_inputs(where / "Snakefile"))
        wanted = workflows.Workflow("snakemake", "Snakefile", inputs)
        begun = time.monotonic()
        made = workflows.ask_workflow(NODE, Actor.owner(), wanted)
        runner.work_off(NODE)
        spent[many] = time.monotonic() - begun
        assert service.see(NODE, Actor.owner(), made.id).state == "complete"
    said("a workflow of one Snakemake step", f"{spent[1]:.1f} s", "")
    said("each step more", f"{(spent[count + 1] - spent[1]) / count:.2f} s", "goal 0.3 s")


def listing(http: httpx.Client, count: int = 100_000) -> None:
    """100,000 waiting tasks, listed and paged."""
    http.post(BASE + "/tasks", json=ONE)
    first = service.list_tasks(NODE, Actor.owner(), service.Asked(most=1))[0]
    keys = ("owner_id", "share", "kind", "state", "name", "definition", "inputs", "cores", "memory", "disk", "seconds")
    row = {key: getattr(first, key) for key in keys} | {"state": "queued"}
    with NODE.write() as session:
        session.execute(insert(Task), [row] * count)
    for name, asked in (
        ("first page of 256", {"view": "MINIMAL"}),
        ("page in the middle", {"view": "MINIMAL", "page_token": str(count // 2)}),
        ("by state", {"view": "MINIMAL", "state": "QUEUED"}),
        ("whole, BASIC", {"view": "BASIC", "page_size": "50"}),
    ):
        times = []
        for _each in range(5):
            begun = time.monotonic()
            http.get(BASE + "/tasks", params=asked).raise_for_status()
            times.append(time.monotonic() - begun)
        said(f"{count:,} waiting tasks: {name}", f"{1_000 * statistics.median(times):.0f} ms", "goal 100 ms")


def region(count: int = 10_000_000) -> None:
    """A region of a table of ten million variants, beside tabix on the same machine where it is."""
    from madang.lake.engine import Engine
    from madang.science.sequencing import variants_in

    path = Path(os.environ["MADANG_HOME"]) / "variants.parquet"
    sql = f"""SELECT 'chr' || (range * 22 // {count} + 1) AS chrom, (range % ({count} // 22)) * 300 + 1 AS pos,
        pos AS "end", 'A' AS ref, 'C' AS alt, 50.0 AS qual, '0/1' AS genotype, 30 AS depth, 15 AS ref_depth,
        15 AS alt_depth, 'substitution' AS kind, 0.5 AS alt_fraction, NULL::VARCHAR AS gene FROM range({count})
        ORDER BY chrom, pos"""
    with Engine() as engine:
        engine.copy_to_parquet(sql, path)
    times = []
    for number in range(7):
        begin = 1_000_000 * (number + 1)
        begun = time.monotonic()
        found = variants_in(path, f"chr{number + 3}:{begin}-{begin + 100_000}")
        times.append(time.monotonic() - begun)
        assert 300 < len(found) < 400
    said(f"a region of {count:,} variants", f"{1_000 * statistics.median(times):.0f} ms", "goal 50 ms")


def genome() -> None:
    """The small genome, from reads to its report."""
    data = Path(os.environ["MADANG_SHARED_DATA"]) / "genomics"
    reads = [str(data / f"set1_R{number}.fq.gz") for number in (1, 2)]
    out = Path(os.environ["MADANG_HOME"]) / "out"
    command = [sys.executable, "-m", "madang.science.sequencing", "germline", "--reference", str(data / "lambda.fa.gz")]
    begun = time.monotonic()
    subprocess.run([*command, "--out", str(out), "--reads", *reads], check=True, stdout=subprocess.DEVNULL)
    total = json.loads((out / "summary.json").read_text())["variants"]["total"]
    said(f"lambda from reads to report, {total} variants", f"{time.monotonic() - begun:.1f} s", "goal 180 s")


def main() -> None:
    wanted = sys.argv[1:] or ["tasks", "accept", "memory", "list", "steps", "region", "genome"]
    names: dict[str, Any] = {"tasks": tasks, "slurm": on_slurm, "accept": accept, "list": listing}
    names |= {"memory": memory, "steps": steps}
    with serving(portal(NODE, keeper=False)) as site, client(site.address) as http:
        for name in wanted:
            if name in names:
                if name != "tasks":  # nothing else is to run while these are measured
                    runner.wake = lambda node: None  # type: ignore[assignment]  # for the rest of this process
                names[name](http)
    for name, function in (("region", region), ("genome", genome)):
        if name in wanted:
            function()


if __name__ == "__main__":
    main()
