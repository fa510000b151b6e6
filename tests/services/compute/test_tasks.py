"""Tasks as people ask for them: attacks are contained, what dies is begun again, nothing is left twice."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.node.people import Actor
from madang.node.people.accounts import find_person
from madang.node.people.projects import make_project
from madang.services.compute import quotas, runner, service, staging, usage
from madang.services.compute.runner import work_off
from portal_house import OWNER, House


def asked(*command: str, seconds: int = 60, **more: Any) -> dict[str, Any]:
    resources = {"ram_gb": 0.5, "disk_gb": 0.05, "backend_parameters": {"seconds": str(seconds)}}
    executor = {"image": "madang", "command": list(command), "workdir": "/task"}
    outputs = [{"path": "/task", "url": "madang://", "type": "DIRECTORY"}]
    return {"executors": [executor], "resources": resources, "outputs": outputs, **more}


def done(house: House, *command: str, **more: Any) -> Any:
    made = service.submit(house.node, OWNER, asked(*command, **more))
    work_off(house.node)
    return service.see(house.node, OWNER, made.id)


def member(house: House, login: str = "member") -> Actor:
    with house.node.read() as session:
        return Actor.person(session, find_person(session, login).id)


ATTACKS = {
    "fills the disk": ("head -c 200000000 /dev/zero > big; sleep 30", "executor-error"),
    "ignores SIGTERM and sleeps": ("trap '' TERM INT; sleep 600 & wait; sleep 600", "executor-error"),
    "starts a daemon": ("setsid sh -c 'sleep 600' & exit 0", "complete"),
    "forks without end": ("f() { f | f & }; f; sleep 1; true", None),
    "takes all memory": ("python3 -c 'x = bytearray(2000000000)'; exit $?", "executor-error"),
    "opens a socket": (
        "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 80), 2)' 2>/dev/null && exit 0; exit 7",
        "executor-error",
    ),
    "links out of its folder": ("ln -s /etc/passwd p; ln -s / root; mkfifo pipe; echo ok > ok", "complete"),
}


@pytest.mark.usefixtures("boxes")
@pytest.mark.parametrize(("script", "state"), ATTACKS.values(), ids=ATTACKS.keys())
def test_what_is_hostile_is_contained(script: str, state: str | None, house: House) -> None:
    begun = time.monotonic()
    found = done(house, "sh", "-c", script, seconds=4)
    assert time.monotonic() - begun < 40
    assert found.state == state or state is None, found.reason
    assert found.state in service.ENDED
    names = [each["name"] for each in service.result_of(found)["outputs"]]
    assert set(names) <= {"ok"}
    assert subprocess.run(["pgrep", "-f", "sleep 600"], capture_output=True, check=False).returncode == 1


@pytest.mark.usefixtures("boxes")
def test_who_prints_for_ever_is_drained_and_ended(house: House) -> None:
    found = done(house, "sh", "-c", "yes", seconds=2)
    assert found.state == "executor-error" and "2 seconds" in found.reason
    size = (staging.folder_of(house.node, found.id) / "0.out").stat().st_size
    assert size < 9_000_000


@pytest.mark.usefixtures("boxes")
def test_an_input_that_changed_is_not_used(house: House, tmp_path: Any) -> None:
    path = tmp_path / "reads.txt"
    path.write_text("one")
    given = asked("cat", "/inputs/reads.txt", inputs=[{"url": path.as_uri(), "path": "/inputs/reads.txt"}])
    made = service.submit(house.node, OWNER, given)
    path.write_text("other")
    work_off(house.node)
    assert service.see(house.node, OWNER, made.id).state == "system-error"
    again = service.again(house.node, OWNER, made.id)
    work_off(house.node)
    assert service.printed(house.node, OWNER, again.id)[0][0] == "other"
    with pytest.raises(MadangError) as error:
        service.submit(house.node, member(house), given)
    assert error.value.code == "task.input"


@pytest.mark.usefixtures("boxes")
def test_a_task_that_runs_is_stopped(working: House) -> None:
    made = service.submit(working.node, OWNER, asked("sh", "-c", "echo begun; sleep 600", seconds=500))
    end = time.monotonic() + 30
    while service.printed(working.node, OWNER, made.id)[0][0] != "begun\n":
        assert time.monotonic() < end
        time.sleep(0.05)
    service.cancel(working.node, OWNER, made.id)
    while service.see(working.node, OWNER, made.id).state != "canceled":
        assert time.monotonic() < end
        time.sleep(0.05)
    with pytest.raises(MadangError) as error:
        service.cancel(working.node, OWNER, made.id)
    assert error.value.code == "act.state"


@pytest.mark.usefixtures("boxes")
def test_a_runner_that_is_killed_loses_and_doubles_nothing(house: House) -> None:
    """Each task says that it ran by an output; the runner is killed again and again while they run."""
    if not house.node.database.is_sqlite:
        pytest.skip("one database is enough")
    count = 12
    made = service.submit_all(house.node, OWNER, [asked("sh", "-c", "sleep 0.3; echo done > ran")] * count)
    environment = os.environ | {"MADANG_HOME": str(house.node.home.path)}
    for _kill in range(2):
        child = subprocess.Popen([sys.executable, "-m", "madang.services.compute.runner"], env=environment)
        end = time.monotonic() + 60
        while not service.list_tasks(house.node, OWNER, service.Asked(states=("running", "initializing"))):
            assert time.monotonic() < end
            time.sleep(0.02)
        child.send_signal(signal.SIGKILL)
        child.wait()
    work_off(house.node)
    found = [service.see(house.node, OWNER, each.id) for each in made]
    assert [each.state for each in found] == ["complete"] * count
    assert max(each.attempts for each in found) > 1
    for each in found:
        assert [o["name"] for o in service.result_of(each)["outputs"]] == ["ran"]
    with house.node.read() as session:
        from sqlalchemy import text

        ends = session.execute(
            text("SELECT count(*), count(DISTINCT thing) FROM audit_events WHERE act = 'task.end'")
        ).one()
    assert tuple(ends) == (count, count)


@pytest.mark.usefixtures("boxes")
def test_a_task_of_which_the_runner_dies_each_time_is_given_up(house: House) -> None:
    made = service.submit(house.node, OWNER, asked("true"))
    with house.node.write() as session:
        task = session.get(service.Task, made.id)
        assert task is not None
        task.state, task.attempts = "running", runner.ATTEMPTS
    work_off(house.node)
    assert service.see(house.node, OWNER, made.id).state == "system-error"


def test_quotas_bind_people_and_projects_and_not_the_owner(house: House) -> None:
    someone = member(house)
    quotas.set_quota(house.node, OWNER, "everybody", quotas.Limits(100.0, 1))
    with pytest.raises(MadangError) as error:
        service.submit(house.node, someone, {**asked("true"), "resources": {"cpu_cores": 2}})
    assert error.value.code in ("task.quota", "task.resources")
    service.submit(house.node, someone, asked("true"))
    quotas.set_quota(house.node, OWNER, f"person:{someone.person_id}", quotas.Limits(0.0))
    with pytest.raises(MadangError) as error:
        service.submit(house.node, someone, asked("true"))
    assert error.value.code == "task.quota"
    service.submit(house.node, OWNER, asked("true"))
    with pytest.raises(MadangError) as error:
        quotas.set_quota(house.node, someone, "everybody", quotas.Limits())
    assert error.value.code == "permission.denied"


def test_a_project_shares_its_tasks_and_nobody_else_sees_them(house: House) -> None:
    make_project(house.node, OWNER, "genomes", "Genomes", organization="hospital", leader="member")
    made = service.submit(house.node, member(house), asked("true"), project="genomes")
    for number, who in ((0, member(house, "steward")),):
        assert len(service.list_tasks(house.node, who, service.Asked())) == number
        with pytest.raises(MadangError):
            service.see(house.node, who, made.id)
        with pytest.raises(MadangError):
            service.submit(house.node, who, asked("true"), project="genomes")
    administrator = member(house, "administrator")
    assert service.see(house.node, administrator, made.id).state == "queued"
    with pytest.raises(MadangError):
        service.printed(house.node, administrator, made.id)
    service.cancel(house.node, administrator, made.id)
    assert [each.share for each in usage.usage(house.node, member(house))] == [made.share]


@pytest.mark.usefixtures("boxes")
def test_shares_take_turns(house: House) -> None:
    service.submit_all(house.node, OWNER, [asked("true")] * 6)
    late = service.submit(house.node, member(house), asked("true"))
    work_off(house.node)
    with house.node.read() as session:
        order = [each.id for each in sorted(session.query(service.Task), key=lambda each: each.started)]
    assert order.index(late.id) < 6


def test_states_are_told_in_words(house: House) -> None:
    made = service.submit(house.node, OWNER, asked("true"))
    service.cancel(house.node, OWNER, made.id)
    with pytest.raises(MadangError) as error:
        service.cancel(house.node, OWNER, made.id)
    assert error.value.message == "This cannot be done now: it is stopped."
    assert error.value.hint == "It can be done when it is waiting, being prepared, running."


@pytest.mark.usefixtures("boxes")
def test_commands_do_what_they_say(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """`run`, `list`, `show`, `logs`, `fetch`, `cancel` and `usage` as processes of their own, with exit codes."""
    if not house.node.database.is_sqlite:
        pytest.skip("one database is enough")
    import json

    environment = os.environ | {"MADANG_HOME": str(house.node.home.path), "MADANG_LANG": "en"}

    def madang(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", "from madang.app.cli import main; main()", "compute", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    (tmp_path / "dna.txt").write_text("acgt")
    shell = "tr a-z A-Z < /inputs/dna.txt > upper.txt; echo printed; echo said >&2"
    limits = ("--cores", "1", "--memory", "500M", "--time", "1m")
    ran = madang("run", *limits, "--input", str(tmp_path / "dna.txt"), "--json", "--", "sh", "-c", shell)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["state"] == "complete" and [each["name"] for each in told["outputs"]] == ["upper.txt"]
    assert json.loads(madang("show", "1", "--json").stdout)["exit_code"] == 0
    logs = madang("logs", "1")
    assert (logs.stdout, logs.stderr) == ("printed\n", "said\n")
    assert madang("fetch", "1", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out" / "upper.txt").read_text() == "ACGT"
    crate = json.loads((tmp_path / "out" / "ro-crate-metadata.json").read_text())
    assert told["outputs"][0]["sha256"] in {each.get("sha256") for each in crate["@graph"]}
    assert madang("run", "--", "false").returncode == 1
    assert [each["number"] for each in json.loads(madang("list", "--json").stdout)] == [2, 1]
    assert json.loads(madang("usage", "--json").stdout)[0]["tasks"] == 2
    bad = (("cancel", "1"), ("show", "99"), ("run", "--cores", "10000", "--", "true"), ("fetch", "1", str(tmp_path)))
    for wrong in bad:
        answer = madang(*wrong)
        assert answer.returncode == 2 and answer.stderr.count("\n") == 1, answer.stderr
