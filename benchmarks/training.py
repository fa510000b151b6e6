"""How fast answers are graded, alone, by a class of 40 and in a burst; the gradebook; beside otter-grader.

    python benchmarks/training.py [--otter PYTHON] [--seconds 60]
    python benchmarks/training.py --workflows      answers that are workflows, beside Snakemake started for each case

PYTHON is that of an environment with otter-grader 7 and ipykernel; without it ours is measured alone, beside the floor:
a box that starts Python and ends. The learners are threads of this process, which also grades, as the portal does.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import insert

from madang.node import closed
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Person
from madang.science.grading.tasks import Task
from madang.services.training import courses, teaching
from madang.services.training.boxes import SHELF, pool
from madang.services.training.grader import grade
from madang.services.training.models import Answer, ClassMember

ANSWER = (SHELF / "data-foundations/standardize/day/reference.py.txt").read_bytes()
TURNS = threading.BoundedSemaphore(2 * (os.cpu_count() or 1))  # as the portal
OTTER = """
import json, sys
def cell(kind, source):
    made = {"cell_type": kind, "metadata": {}, "source": source}
    return made | ({"outputs": [], "execution_count": None} if kind == "code" else {})
cells = [
    cell("raw", "# ASSIGNMENT CONFIG\\nname: x\\ninit_cell: false\\nexport_cell: false\\ncheck_all_cell: false\\n"
                "generate: true\\nrun_tests: false"),
    cell("raw", "# BEGIN QUESTION\\nname: q1\\npoints: 2"),
    cell("markdown", "Double it."),
    cell("raw", "# BEGIN SOLUTION"),
    cell("code", "def f(x):\\n    return 2 * x # SOLUTION"),
    cell("raw", "# END SOLUTION"),
    cell("raw", "# BEGIN TESTS"),
    cell("code", "assert f(1) == 2"),
    cell("code", "# HIDDEN\\nassert f(7) == 14"),
    cell("raw", "# END TESTS"),
    cell("raw", "# END QUESTION"),
]
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
json.dump({"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": cells}, open(sys.argv[1], "w"))
"""


def told(name: str, goal: str, values: list[float]) -> None:
    """A line of seconds: median, 95th percentile, number, goal."""
    ordered = sorted(values)
    late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(f"{name:42} median {statistics.median(values):7.3f}  p95 {late:7.3f}  n {len(values):4}  goal {goal}")


def one(task: Task, answer: bytes = ANSWER) -> float:
    """Grade the reference answer; seconds from sending to the grade, with the wait for a turn."""
    begun = time.monotonic()
    with TURNS:
        found = grade(task, answer, take=lambda program: pool(program).take())
    assert found.score == task.largest, found
    return time.monotonic() - begun


def timed(what: Callable[[], object]) -> float:
    """Seconds that something takes."""
    begun = time.monotonic()
    what()
    return time.monotonic() - begun


def learners(task: Task, seconds: float) -> list[float]:
    """40 learners who each send an answer every 15 seconds, evenly apart."""

    def learner(number: int) -> list[float]:
        made, due = [], time.monotonic() + number * 15 / 40
        end = time.monotonic() + seconds
        while due < end:
            time.sleep(max(0.0, due - time.monotonic()))
            made.append(one(task))
            due += 15
        return made

    with ThreadPoolExecutor(40) as threads:
        return [each for made in threads.map(learner, range(40)) for each in made]


def workflows(folder: Path) -> None:
    """Answers that are workflows: with a box that waits and without; the floor is Snakemake itself, once a case."""
    task = courses.find_course("workflows", None).lesson("first-workflow").task("count-reads")
    assert task.folder is not None
    answer = (task.folder / "reference.smk").read_bytes()
    boxes_of = pool("pipeline")
    told("a workflow on 4 cases, no box waits", "1", [timed(lambda: grade(task, answer)) for _number in range(5)])
    made = []
    for _number in range(8):
        boxes_of.make_ready()
        while not boxes_of._ready:
            time.sleep(0.05)
        boxes_of._ready[0].wait_ready()
        made.append(one(task, answer))
    told("a workflow on 4 cases, a box waits", "1", made)
    with ThreadPoolExecutor(10) as threads:
        spent = timed(lambda: list(threads.map(lambda _number: one(task, answer), range(10))))
    print(f"{'a burst of 10, until the last':42} {spent:.2f}")
    (folder / "reads").mkdir()
    (folder / "Snakefile").write_bytes(answer)
    (folder / "reads/a.fastq").write_text("@a\nAC\n+\nII\n")
    command = [str(boxes_of.take()._box.box.python), "-m", "snakemake", "--cores", "1", "--forceall", "--quiet", "all"]

    def floor_of_case() -> None:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    told("floor: Snakemake started on one case", "-", [timed(floor_of_case) for _number in range(5)])


def floor() -> None:
    """A box that starts Python and ends."""
    box = closed.Box(closed.Limits(seconds=30, memory=512 << 20))
    assert box.run([box.python, "-P", "-s", "-c", "pass"]).code == 0


def gradebook(home: Path) -> list[float]:
    """Seconds of the gradebook of 500 learners with an answer to each of the tasks that a course has, to 100 tasks."""
    node = Node.open(Home(home))
    number = teaching.open_class(node, Actor.owner(), title="Large", course="data-foundations")
    course = courses.find_course("data-foundations", home)
    tasks = list(course.tasks())
    with node.write() as session:
        people = [Person(login=f"l{n}", name=f"L {n}") for n in range(500)]
        session.add_all(people)
        session.flush()
        session.add_all(
            ClassMember(class_id=number, number=str(n), name=each.name, person_id=each.id)
            for n, each in enumerate(people)
        )
        rows = [
            {"owner_id": each.id, "course": course.name, "lesson": tasks[n % len(tasks)][0].name}
            | {"task": f"t{n}", "digest": "x", "text": "", "score": 1.0, "largest": 1.0}
            for each in people
            for n in range(100)
        ]
        session.execute(insert(Answer), rows)
    found = teaching.see_class(node, Actor.owner(), number)
    made = [timed(lambda: teaching.gradebook(node, found)) for _number in range(5)]
    node.close()
    return made


def lesson_page(home: Path) -> tuple[list[float], int]:
    """Seconds of a lesson's page for somebody without an account, over HTTP on loopback, and its bytes."""
    import httpx

    from madang.app.portal import portal
    from madang.web.server import listen, make_server

    node = Node.open(Home(home))
    listening = listen("127.0.0.1", 0)
    server = make_server(portal(node, keeper=False))
    threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/training/courses/data-foundations/standardize"
    with httpx.Client(timeout=60) as client:
        size = len(client.get(address).raise_for_status().content)
        made = [timed(lambda: client.get(address).raise_for_status()) for _number in range(30)]
    server.should_exit = True
    time.sleep(1)
    node.close()
    return made, size


def otter(python: Path, folder: Path) -> tuple[float, float]:
    """Seconds of `otter assign` and `otter run` for one notebook with one question."""
    source = folder / "x.ipynb"
    subprocess.run([str(python), "-c", OTTER, str(source)], check=True)
    command = [str(python), "-m", "otter"]
    environment = {"HOME": str(folder), "PATH": f"{python.parent}:{os.environ['PATH']}"}

    def do(*words: str) -> None:
        done = subprocess.run([*command, *words], cwd=folder, env=environment, capture_output=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stderr.decode()[-2000:] + done.stdout.decode()[-500:])

    assigned = timed(lambda: do("assign", "x.ipynb", "out"))
    package = next((folder / "out").rglob("*.zip"))
    run = timed(lambda: do("run", "out/autograder/x.ipynb", "-a", str(package), "-o", "."))
    assert json.loads((folder / "results.json").read_text())
    return assigned, run


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--otter", type=Path)
    asked.add_argument("--seconds", type=float, default=60)
    asked.add_argument("--workflows", action="store_true")
    given = asked.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    )
    if given.workflows:
        with tempfile.TemporaryDirectory() as folder:
            workflows(Path(folder))
        return
    task = courses.find_course("data-foundations", None).lesson("standardize").task("day")
    one(task)
    time.sleep(2)
    told("floor: a box starts and ends", "-", [timed(floor) for _number in range(10)])
    told("one answer after another", "0.2", [one(task) for _number in range(20)])
    told("40 learners, one each 15 s", "0.2, 0.5", learners(task, given.seconds))
    with ThreadPoolExecutor(40) as threads:
        begun = time.monotonic()
        list(threads.map(lambda _number: one(task), range(40)))
        print(f"{'a burst of 40, until the last':42} {time.monotonic() - begun:.2f}  goal 3")
    with ThreadPoolExecutor(4) as threads:
        begun = time.monotonic()
        list(threads.map(lambda _number: one(task), range(200)))
        rate = 200 / (time.monotonic() - begun)
        print(f"{'1,000 answers, from 200':42} {1000 / rate:.0f}  goal 180")
    with tempfile.TemporaryDirectory() as folder:
        told("gradebook of 500 x 100", "0.2", gradebook(Path(folder) / "home"))
        made, size = lesson_page(Path(folder) / "home")
        told(f"a lesson's page, {size / 1000:.0f} KB", "0.1, 100 KB", made)
        if given.otter:
            (Path(folder) / "otter").mkdir()
            assigned, run = otter(given.otter, Path(folder) / "otter")
            print(f"{'otter assign, run of one notebook':42} {assigned:.1f}, {run:.1f}")


if __name__ == "__main__":
    main()
