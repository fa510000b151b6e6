"""Long work: in child processes, with progress, stopped, repeated, and once whatever dies."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import work_to_do
from sqlalchemy import func, select, update

from madang.base.errors import Cancelled, MadangError
from madang.base.translate import Kept, _, keeping, kept_as_json, speaking, told
from madang.node import jobs
from madang.node.database import now
from madang.node.jobs import Job, Keeper, Work, keeper, title_told
from madang.node.jobs.models import titled
from madang.node.jobs.work import Lost
from madang.node.jobs.worker import claim, run_next
from madang.node.node import Node
from madang.node.people import Actor, Organization, accounts
from support import ROOT

OWNER = Actor.owner()
PACKAGES = ("work_to_do",)
CHILDREN = [str(Path(__file__).parent), str(ROOT / "tests"), str(ROOT / "src")]  # where they find what they import


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No child processes: the test runs jobs itself."""
    monkeypatch.setattr("madang.node.jobs.queue.wake", lambda node: None)


@pytest.fixture
def lively(node: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Child processes that know the jobs of the tests, and leases that are over soon."""
    monkeypatch.setattr(keeper, "PACKAGES", PACKAGES)
    monkeypatch.setattr(keeper, "_TICK", 0.05)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(CHILDREN))
    monkeypatch.setenv("MADANG_JOBS_LEASE_SECONDS", "1.5")
    monkeypatch.setenv("MADANG_JOBS_GRACE_SECONDS", "0.2")
    yield
    for child in keeper._children.values():
        child.kill()
        child.wait()
    keeper._children.clear()


def start(node: Node, function: Callable[..., Any], actor: Actor = OWNER, **arguments: Any) -> int:
    with node.write() as session:
        return jobs.start(session, node, actor, function, arguments, "A job")


def state(node: Node, number: int) -> str:
    return jobs.find(node, OWNER, number).state


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def founded(node: Node) -> list[str]:
    with node.read() as session:
        return sorted(session.scalars(select(Organization.name).where(Organization.id != 1)))


@pytest.mark.usefixtures("still")
def test_a_job_acts_as_who_asked_for_it_and_has_its_effect_with_its_end(node: Node) -> None:
    kim = accounts.create_person(node, OWNER, "kim", "Kim")
    with node.read() as session:
        actor = Actor.person(session, kim)
    number = start(node, work_to_do.found, actor, name="clinic")
    assert (state(node, number), run_next(node, PACKAGES), run_next(node, PACKAGES)) == ("waiting", True, False)
    done = jobs.find(node, actor, number)
    assert (done.state, done.attempts, done.worker) == ("done", 1, None)
    assert json.loads(done.result or "") == {"name": "clinic", "as": f"person:{kim}"}
    assert founded(node) == ["clinic"]
    with node.read() as session:
        assert [event.act for event in node.audit.events(session, thing=f"job:{number}")] == ["job.done", "job.start"]


@pytest.mark.usefixtures("still")
def test_output_and_progress_are_kept(node: Node) -> None:
    number = start(node, work_to_do.chatter, lines=3)
    run_next(node, PACKAGES)
    assert jobs.find(node, OWNER, number).output == "line 0\nline 1\nline 2\nfrom a \N{REPLACEMENT CHARACTER} child\n"
    events = jobs.events_after(node, OWNER, number)
    assert [event.kind for event in events] == ["started", "begin", "moved", "end", "done"]
    assert (events[1].text, events[1].total, events[3].done) == ("talking", 3, 3)
    assert [event.kind for event in jobs.events_after(node, OWNER, number, events[2].id)] == ["end", "done"]


@pytest.mark.usefixtures("still")
def test_a_job_that_fails_says_why_and_can_be_repeated(node: Node) -> None:
    number = start(node, work_to_do.fail, how="refused")
    run_next(node, PACKAGES)
    failed = jobs.find(node, OWNER, number)
    assert failed.state == "failed"
    assert json.loads(failed.error or "") == {
        "code": "sample.refused",
        "message": "This cannot be done.",
        "hint": "Do something else.",
    }
    broken = start(node, work_to_do.fail, how="broken")
    run_next(node, PACKAGES)
    failed = jobs.find(node, OWNER, broken)
    assert json.loads(failed.error or "")["code"] == "work.unexpected" and "ZeroDivisionError: by zero" in failed.output
    jobs.retry(node, OWNER, number)
    assert state(node, number) == "waiting"
    with pytest.raises(MadangError, check=lambda error: error.code == "work.not_over"):
        jobs.retry(node, OWNER, number)
    run_next(node, PACKAGES)
    assert state(node, number) == "failed"


@pytest.mark.usefixtures("still")
def test_what_passes_is_tried_again_later_but_not_for_ever(node: Node) -> None:
    number = start(node, work_to_do.fail, how="busy")
    for attempt in range(1, 4):
        assert run_next(node, PACKAGES)
        assert not run_next(node, PACKAGES), "not before some time has passed"
        assert jobs.find(node, OWNER, number).attempts == attempt
        with node.write() as session:
            session.execute(update(Job).values(not_before=now()))
    assert state(node, number) == "failed"


@pytest.mark.usefixtures("still")
def test_what_is_no_job_or_has_nobody_to_act_as_does_not_run(node: Node) -> None:
    with pytest.raises(TypeError):
        start(node, work_to_do.not_a_job)
    kim = accounts.create_person(node, OWNER, "kim", "Kim")
    with node.read() as session:
        actor = Actor.person(session, kim)
    numbers = [start(node, work_to_do.chatter, lines=1) for _number in range(3)]
    numbers.append(start(node, work_to_do.found, actor, name="x"))
    accounts.set_disabled(node, OWNER, kim, True)
    with node.write() as session:
        names = ("os:system", "work_to_do:not_a_job", "work_to_do_not:x")
        for number, function in zip(numbers, names, strict=False):
            session.execute(update(Job).where(Job.id == number).values(function=function))
    while run_next(node, PACKAGES):
        pass
    codes = [json.loads(jobs.find(node, OWNER, number).error or "{}")["code"] for number in numbers]
    assert codes == ["work.function"] * 3 + ["people.disabled"]
    assert founded(node) == []


@pytest.mark.usefixtures("still")
def test_others_neither_see_nor_stop_a_job(node: Node) -> None:
    number = start(node, work_to_do.chatter, lines=1)
    for act in (jobs.find, jobs.events_after, jobs.cancel, jobs.retry):
        with pytest.raises(MadangError, check=lambda error: error.code == "permission.sign_in"):
            act(node, Actor.stranger(), number)
    assert jobs.list_jobs(node, Actor.stranger()) == []
    assert [each.id for each in jobs.list_jobs(node, OWNER)] == [number]
    with pytest.raises(MadangError, check=lambda error: error.code == "work.none"):
        jobs.find(node, OWNER, number + 1)
    jobs.cancel(node, OWNER, number)
    assert (state(node, number), run_next(node, PACKAGES)) == ("cancelled", False)


@pytest.mark.usefixtures("still")
def test_who_lost_the_lease_has_no_effect(node: Node) -> None:
    number = start(node, work_to_do.found, name="x")

    def attempt(worker: str) -> Work:
        with node.write() as session:
            assert claim(session, node, worker) is not None
        return Work(node, OWNER, number, worker)

    slow = attempt("slow")
    with node.write() as session:
        session.execute(update(Job).values(lease=now() - timedelta(seconds=1)))
    quick = attempt("quick")
    with pytest.raises(Lost), slow.finish() as session:
        session.add(Organization(name="slow", title="slow"))
    with quick.finish() as session:
        session.add(Organization(name="quick", title="quick"))
    with pytest.raises(Cancelled), slow.finish():
        pass
    assert founded(node) == ["quick"]


@pytest.mark.usefixtures("lively")
@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(node: Node, tmp_path: Path) -> None:
    deadly = tmp_path / "die"
    deadly.touch()
    number = start(node, work_to_do.found, name="clinic", die_in=str(deadly))
    with Keeper(node):
        until(lambda: state(node, number) == "done")
    assert jobs.find(node, OWNER, number).attempts == 2
    assert founded(node) == ["clinic"]
    assert node.audit.verify().findings == []


@pytest.mark.usefixtures("lively")
@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_who_started_a_job_may_die(node: Node, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    script = f"""
import sys, time
from madang.node.jobs import keeper
keeper.PACKAGES = ("work_to_do",)
import test_jobs, work_to_do
from madang.node.node import Node
test_jobs.start(Node.open(), work_to_do.found, name="clinic", hold={str(hold)!r})
print("started", flush=True)
time.sleep(60)
"""
    environment = os.environ | {
        "MADANG_HOME": str(node.home.path),
        "PYTHONPATH": os.pathsep.join(CHILDREN),
    }
    parent = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE)
    assert parent.stdout and parent.stdout.readline() == b"started\n"
    begun = hold.with_suffix(".begun")
    until(lambda: begun.exists() and begun.read_text())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    hold.unlink()
    until(lambda: founded(node) == ["clinic"])
    until(lambda: not Path(f"/proc/{begun.read_text()}").exists())


@pytest.mark.usefixtures("lively")
@pytest.mark.parametrize("node", ["sqlite"], indirect=True)
def test_a_running_job_stops_when_asked_even_if_it_does_not_listen(node: Node, tmp_path: Path) -> None:
    hold, begun = tmp_path / "hold", tmp_path / "deaf"
    hold.touch()
    listening = start(node, work_to_do.found, name="clinic", hold=str(hold))
    with Keeper(node):
        until(hold.with_suffix(".begun").exists)
        jobs.cancel(node, OWNER, listening)
        until(lambda: state(node, listening) == "cancelled")
        deaf = start(node, work_to_do.deaf, begun=str(begun))
        until(begun.exists)
        jobs.cancel(node, OWNER, deaf)
        until(lambda: state(node, deaf) == "cancelled")
    assert founded(node) == []


@pytest.mark.usefixtures("lively")
@pytest.mark.parametrize("node", ["postgresql"], indirect=True)
def test_several_processes_share_the_work_and_do_each_job_once(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_JOBS_WORKERS", "2")
    node.settings = node.settings.model_copy(update={"jobs": node.settings.jobs.model_copy(update={"workers": 2})})
    names = [f"o{number}" for number in range(8)]
    for name in names:
        start(node, work_to_do.found, name=name)
    with Keeper(node):
        until(lambda: founded(node) == names)
    with node.read() as session:
        assert session.scalar(select(func.max(Job.attempts))) == 1


def test_a_title_is_told_in_the_language_of_its_reader() -> None:
    kept = titled("Prepare {name}", {"name": "clinic@1"})
    with speaking("ko"):
        assert title_told(kept) == "clinic@1 공개 준비(품질 점검·프로파일)"
    with speaking("en"):
        assert title_told(kept) == "Prepare clinic@1"
        assert (
            title_told("Prepare {old}, as an earlier release kept it") == "Prepare {old}, as an earlier release kept it"
        )
        for written in ('["{a}", {}]', "[]", '"x"', "{"):
            assert title_told(titled("{title}", {"title": written})) == written, (
                "what a person wrote is no text of ours"
            )
        long = titled("Twin: {title}", {"title": "a " * 300})
        assert len(long) <= 200 and title_told(long).startswith("Twin: a a a") and title_told(long).endswith("…")


@pytest.mark.usefixtures("still")
def test_what_a_job_says_and_why_it_failed_are_told_in_the_language_of_their_reader(node: Node) -> None:
    with speaking("ko"):
        number = start(node, work_to_do.speak)
    assert run_next(node, PACKAGES)
    found = jobs.find(node, OWNER, number)
    told_to = {}
    for each in ("en", "ko"):
        with speaking(each):
            told_to[each] = found.why, {event.said for event in jobs.events_after(node, OWNER, number)}
    why, said = told_to["en"]
    assert why == "There is no job 7. Ask who runs this installation."
    assert said >= {"There is no job 7.", "a file that we did not name"}
    why, said = told_to["ko"]
    assert "7" in why and "job" not in why and "Ask" not in why
    assert said >= {"a file that we did not name"} and "There is no job 7." not in said
    with speaking("ko"):
        assert jobs.why_told("cancelled") == "요청에 따라 멈췄습니다."
        assert jobs.why_told("A sentence of an earlier release {x}") == "A sentence of an earlier release {x}"


def test_a_text_that_is_kept_reads_as_it_would_and_is_told_anew() -> None:
    with speaking("ko"), keeping():
        inner = _("There is no job {number}.").format(number=7)
        outer = _("This should not have happened: {error}.").format(error=inner)
        odd = _("There is no job {number}.").format(number=date(2026, 11, 30))
        large = Kept.of("1,000개", "{n:,} of them", "", {}).format(n=1000)
        assert isinstance(inner, Kept) and "job" not in inner, "it reads in its language"
    with speaking("en"):
        assert told(kept_as_json(outer)) == "This should not have happened: There is no job 7.."
        assert told(kept_as_json(odd)) == "There is no job 2026-11-30."
        assert told(kept_as_json(large)) == "1,000 of them"
        assert kept_as_json(inner + "!") == inner + "!", "what is joined is no text of ours any more"
