"""How fast a workspace opens, what it holds, and what its gateway costs, beside a stock notebook server.

    python benchmarks/workspace.py [--stock PYTHON] [--runs 5] [--at-once 10]

PYTHON is that of an environment with jupyterlab and ipykernel; without it ours is measured alone. The stock server runs
as a plain process of this user. Memory is PSS (shared pages divided among those who share them).
"""

import argparse
import json
import os
import platform
import re
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from madang.lake.engine import Engine
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import accounts
from madang.node.people.actor import Actor
from madang.node.people.models import Permit, Project, ProjectMember
from madang.services.workspace import door, service
from madang.services.workspace.models import Workspace
from madang.services.workspace.spaces import Space

OWNER = Actor.owner()
SECRET = "only inside"
CLOCK = "import time; print(time.time(), flush=True)"  # when a cell begins, by the one clock of the machine
# Asks a kernel of a stock server to add two numbers, as its page would: by a websocket.
CELL = """
import json, sys, time, urllib.request, uuid, websocket
address, token = sys.argv[1:]
start = time.monotonic()
made = urllib.request.Request(f"http://{address}/api/kernels", b"{}", {"Authorization": f"token {token}"})
kernel = json.load(urllib.request.urlopen(made))["id"]
socket = websocket.create_connection(f"ws://{address}/api/kernels/{kernel}/channels?token={token}")
def cell():
    number = uuid.uuid4().hex
    head = {"msg_id": number, "msg_type": "execute_request", "session": "x", "username": "", "version": "5.3"}
    content = {"code": "1+1", "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = {"header": head, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    socket.send(json.dumps(message))
    while True:
        told = json.loads(socket.recv())
        idle = told["msg_type"] == "status" and told["content"]["execution_state"] == "idle"
        if idle and told["parent_header"].get("msg_id") == number:
            return
cell()
first = time.monotonic() - start
start = time.monotonic()
for _ in range(50):
    cell()
print(json.dumps([first, (time.monotonic() - start) / 50]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stock", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--at-once", type=int, default=10)
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="madang-workspace-") as folder:
        node = Node.open(Home(Path(folder) / "home"))
        workspaces, people = fill(node, max(given.at_once, 1))
        if given.stock:
            stock(given.stock, Path(folder), given.runs)
        gateway(node, workspaces[0], people[0], given.runs)
        at_once(node, workspaces)
        node.close()


def fill(node: Node, count: int) -> tuple[list[Workspace], list[int]]:
    """A dataset of 100,000 people, and workspaces of as many projects."""
    dataset = node.home.lake().dataset("people")
    with Engine() as engine, dataset.write(None) as writer:
        path = writer.new_file("person")
        engine.copy_to_parquet("SELECT range AS person_id, 1980 AS year_of_birth FROM range(100000)", path)
        writer.add("person", path)
        writer.commit("import", {"report": {}})
    workspaces, people = [], []
    for number in range(count):
        person = accounts.create_person(node, OWNER, f"p{number}", f"P{number}", password=secrets.token_urlsafe(16))
        with node.write() as session:
            project = Project(name=f"project-{number}", title=f"Project {number}", organization_id=1)
            session.add(project)
            session.flush()
            session.add(ProjectMember(project_id=project.id, person_id=person))
            until = now() + timedelta(days=1)
            permit = {"number": f"P{number}", "project_id": project.id, "dataset": "people", "organization_id": 1}
            session.add(Permit(**permit, begins=now() - timedelta(days=1), ends=until))
            session.flush()
            actor = Actor.person(session, person)
        workspaces.append(service.open_workspace(node, actor, f"P{number}"))
        people.append(person)
    return workspaces, people


def gateway(node: Node, workspace: Workspace, person: int, runs: int) -> None:
    """From the click to the first cell, through a gateway process as the portal starts it."""
    cold, warm, first, message = [], [], [], []
    to_kernel, from_kernel = [], []
    for run in range(runs):
        start = time.monotonic()
        door.ensure_gateway(node)
        origin = f"http://127.0.0.1:{door.read_place(node)['port']}"
        client = httpx.Client(base_url=origin, timeout=60, headers={"Origin": origin, "Sec-Fetch-Site": "same-origin"})
        ticket = door.make_ticket(node, workspace.id, person, None, "en")
        client.get("/enter", params={"ticket": ticket}).raise_for_status()
        client.get("/").raise_for_status()
        client.post("/do/wake", json={}).raise_for_status()
        (cold if run == 0 else warm).append(time.monotonic() - start)
        name = f"n{run}"
        made = client.post("/do/create", json={"name": name}).json()
        cell = {"notebook": name, "cell": made["cells"][0]["id"], "code": "1+1"}
        with client.stream("GET", "/events") as events:
            heard = events.iter_lines()
            start = time.monotonic()
            ran(client, cell, heard)
            first.append(time.monotonic() - start)
            for _ in range(20):
                start = time.monotonic()
                ran(client, cell, heard)
                message.append(time.monotonic() - start)
                there, back = ways(partial(ran, client, {**cell, "code": CLOCK}, heard))
                to_kernel.append(there)
                from_kernel.append(back)
        if run == 0:
            pid = door.read_place(node)["pid"]
            show("gateway, all its people", f"{memory(pid, alone=True):.0f} MB", "")
            show("a kernel, idle", f"{memory(pid) - memory(pid, alone=True):.0f} MB", "goal 200 MB")
        client.post("/do/sleep", json={}).raise_for_status()
    show("ready, cold (no gateway yet)", f"{cold[0]:.2f} s", "goal 5 s; the gateway starts once")
    if warm:
        show("ready, warm", f"{statistics.median(warm):.2f} s", "goal 3 s")
    show("first cell", f"{statistics.median(first) * 1000:.0f} ms", "goal 1,000 ms")
    show("a cell, through the gateway", f"{statistics.median(message) * 1000:.1f} ms", "from POST to the end said")
    there, back = direct(node, workspace)
    for what, ours, floor in (("to", to_kernel, there), ("from", from_kernel, back)):
        added = f"{(statistics.median(ours) - floor) * 1000:.1f} ms"
        show(f"the gateway adds, {what} the kernel", added, f"to {floor * 1000:.1f} ms; goal 5 ms for a message")


def ran(client: httpx.Client, cell: dict[str, Any], heard: Any) -> tuple[str, float]:
    """Run a cell; the text that it said, and when that was heard."""
    client.post("/do/run", json=cell).raise_for_status()
    said, at = "", 0.0
    for line in heard:
        if '"say": "text"' in line:
            said, at = json.loads(line.removeprefix("data: "))["text"], time.time()
        if '"say": "done"' in line:
            break
    return said, at


def ways(run: Callable[[], tuple[str, float]]) -> tuple[float, float]:
    """Seconds until a cell of `CLOCK` begins, and from then until what it printed is heard: one clock for all."""
    start = time.time()
    said, at = run()
    return float(said) - start, at - float(said)


def direct(node: Node, workspace: Workspace) -> tuple[float, float]:
    """The same cells without a gateway: written to the kernel's pipe, read from it; seconds there and back."""
    from madang.services.workspace.spaces import box_of

    box = box_of(node, workspace)
    running = box.start([box.python, "-s", "/opt/kernel/kernel.py"])
    times, both = [], []

    def cell(code: str) -> tuple[str, float]:
        running.stdin.write(json.dumps({"do": "run", "id": "1", "code": code}).encode() + b"\n")
        heard, at = b"", 0.0
        while b'"say": "done"' not in heard:
            heard += running.stdout.read(1 << 16)
            at = at or (time.time() if b'"say": "text"' in heard else 0.0)
        found = re.search(rb'"say": "text".*?"text": "([0-9.]+)', heard)
        return found[1].decode() if found else "", at

    try:
        running.stdout.read(1 << 16)
        for _number in range(60):
            start = time.monotonic()
            cell("1+1")
            times.append(time.monotonic() - start)
            both.append(ways(lambda: cell(CLOCK)))
    finally:
        running.stop()
    show("a cell, at the kernel's pipe", f"{statistics.median(times) * 1000:.1f} ms", "the floor")
    return statistics.median(there for there, _back in both), statistics.median(back for _there, back in both)


def at_once(node: Node, workspaces: list[Workspace]) -> None:
    """Several workspaces at once: until the last is ready, and what they hold."""
    spaces = [Space(node, each, lambda *_: True) for each in workspaces]
    start = time.monotonic()
    for space in spaces:
        space.wake()
    for space in spaces:
        assert space.ready.wait(120)
    took = time.monotonic() - start
    held = [memory(space.running.pid) for space in spaces if space.running]
    show(f"{len(spaces)} at once, the last ready", f"{took:.2f} s", f"{statistics.median(held):.0f} MB each")
    for space in spaces:
        space.sleep()
    show("asleep", "0 MB", "goal 20 MB; no process is left")


def stock(python: Path, folder: Path, runs: int) -> None:
    """A stock notebook server as a plain process, and which of our attacks it lets through."""
    ready, first, message = [], [], []
    (folder / "stock").mkdir()
    (folder / "stock" / "secret.txt").write_text(SECRET)
    for run in range(runs):
        token = secrets.token_hex(16)
        port = 18_000 + os.getpid() % 1000 + run
        options = ["--no-browser", f"--port={port}", f"--IdentityProvider.token={token}", "--allow-root"]
        start = time.monotonic()
        server = subprocess.Popen(
            [python, "-m", "jupyter", "lab", *options, f"--ServerApp.root_dir={folder / 'stock'}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"},
        )
        try:
            address = f"127.0.0.1:{port}"
            wait(f"http://{address}/api")
            ready.append(time.monotonic() - start)
            told = subprocess.run([python, "-c", CELL, address, token], capture_output=True, check=True, timeout=120)
            times = json.loads(told.stdout)
            first.append(times[0])
            message.append(times[1])
            if run == 0:
                show("stock: server and a kernel", f"{memory(server.pid):.0f} MB", "per user")
                through = leaks(address, token)
                show("stock: paths that hand out the file", f"{len(through)}", " ".join(through[:4]))
        finally:
            server.terminate()
            server.wait(30)
    show("stock: server ready", f"{statistics.median(ready):.2f} s", "jupyter lab, a plain process")
    show("stock: kernel and first cell", f"{statistics.median(first):.2f} s", "")
    show("stock: a cell", f"{statistics.median(message) * 1000:.1f} ms", "by websocket")


def leaks(address: str, token: str) -> list[str]:
    """The paths of the attack tests by which the stock server gives a file of the workspace to a browser."""
    text = (Path(__file__).parent.parent / "tests" / "attacks" / "test_gateway.py").read_text()
    found = re.search(r'PATHS = """(.*?)"""', text, re.S)
    assert found
    through = []
    for path in found[1].split():
        try:
            headers = {"Authorization": f"token {token}"}
            answer = httpx.get(f"http://{address}{path}", headers=headers, timeout=10, follow_redirects=True)
        except httpx.HTTPError:
            continue
        if SECRET in answer.text or "b25seSBpbnNpZGU" in answer.text:  # in base64
            through.append(path)
    return through


def wait(address: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if httpx.get(address, timeout=2).status_code == 200:
                return
        except (httpx.HTTPError, OSError):
            pass
        time.sleep(0.02)
    raise TimeoutError


def memory(pid: int, *, alone: bool = False) -> float:
    """PSS in MB of a process and, unless `alone`, of all below it."""
    total = 0.0
    waiting = [pid]
    while waiting:
        current = waiting.pop()
        try:
            rollup = Path(f"/proc/{current}/smaps_rollup").read_text()
            total += sum(int(size) for size in re.findall(r"^Pss:\s+(\d+)", rollup, re.M)) / 1024
            for task in os.listdir(f"/proc/{current}/task"):
                if not alone:
                    waiting += map(int, Path(f"/proc/{current}/task/{task}/children").read_text().split())
        except (OSError, TypeError):
            continue
    return total


def show(what: str, figure: str, beside: str) -> None:
    print(f"{what:<40}{figure:>12}   {beside}", flush=True)


if __name__ == "__main__":
    main()
