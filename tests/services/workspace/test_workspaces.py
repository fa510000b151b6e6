"""Workspaces as people use them: a study in one, colleagues, sleep, end, opening again, and what a kill leaves."""

import io
import json
import os
import signal
import tarfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from attacks.conftest import Guest, Spaces
from madang.app import cli
from madang.app.portal import portal
from madang.base.errors import MadangError
from madang.node.database import now
from madang.node.people.actor import Actor
from madang.node.people.models import Permit
from madang.services.workspace import bring, door, leaving, notebooks, service
from portal_house import OURS, OWNER, PASSWORD, House, commit
from services.workspace import study
from support import needs
from web.served import serving


def actor(spaces: Spaces, name: str) -> Actor:
    with spaces.house.node.read() as session:
        return Actor.person(session, spaces.people[name], session_id=spaces.sessions[name])


def books(spaces: Spaces) -> Path:
    return service.folder_of(spaces.house.node, spaces.workspace.id) / "notebooks"


def test_a_study_finds_the_effect_that_was_planted(spaces: Spaces) -> None:
    node = spaces.house.node
    commit(node, "extract", trial=study.TRIAL)
    second = service.open_workspace(node, actor(spaces, "park"), "P-second")
    client = spaces.client()
    client.get("/enter", params={"ticket": spaces.ticket("park", second.id)}).raise_for_status()
    guest = Guest(client, spaces.served.address)
    heard = guest.run(study.TABLE_1, 60)
    shown = [message for message in heard if message["say"] == "show"]
    assert shown, heard
    table = shown[0]["table"]
    assert (table["count"], len(table["rows"]), table["columns"][0]) == (40, 40, "not treated, mean")
    heard = guest.run(study.CURVE, 60)
    assert [message["say"] for message in heard if message["say"] in ("show", "error")] == ["show"]
    assert "picture" in next(message for message in heard if message["say"] == "show")
    heard = guest.run(study.COX, 60)
    said = "".join(message["text"] for message in heard if message["say"] == "text")
    effect, error = map(float, said.split())
    assert abs(effect + 0.693147) < 3 * error < 0.3
    end = time.monotonic() + 10
    while True:  # it is kept after it was said
        kept = notebooks.load(service.folder_of(node, second.id) / "notebooks", "n2")["cells"][0]["outputs"]
        if kept or time.monotonic() > end:
            break
        time.sleep(0.02)
    assert kept[-1]["table"]["columns"] == ["coef", "se(coef)", "p"]


def test_the_same_study_in_r(spaces: Spaces) -> None:
    needs("Rscript")
    node = spaces.house.node
    commit(node, "extract", trial=study.TRIAL)
    second = service.open_workspace(node, actor(spaces, "park"), "P-second")
    client = spaces.client()
    client.get("/enter", params={"ticket": spaces.ticket("park", second.id)}).raise_for_status()
    guest = Guest(client, spaces.served.address)
    heard = guest.run(study.R, 60)
    effect, error = map(float, "".join(m["text"] for m in heard if m["say"] == "text").split())
    assert abs(effect + 0.693147) < 3 * error < 0.3
    assert [sorted(set(m) & {"picture", "table"}) for m in heard if m["say"] == "show"] == [["picture"]]
    heard = guest.run("%%R\ncat(nrow(trial), '\\n')\nstop('a fault')", 60)
    assert "2000" in "".join(m["text"] for m in heard if m["say"] == "text")
    assert [m["value"] for m in heard if m["say"] == "error"] == ["a fault"]


def source_of_r(folder: Path, name: str, code: str, needs: str = "") -> None:
    """A package of R, as its sources."""
    folder.mkdir(exist_ok=True)
    described = f"Package: {name}\nVersion: 1.0\nTitle: Ours\nDescription: Ours.\nAuthor: us\nMaintainer: us <a@b.c>\n"
    described += "License: CC0\n" + (f"Imports: {needs}\n" if needs else "")
    files = {"DESCRIPTION": described, "NAMESPACE": 'exportPattern("^[a-z]")\n', f"R/{name}.R": code}
    with tarfile.open(folder / f"{name}_1.0.tar.gz", "w:gz") as packed:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text.encode()))


def test_packages_of_r_come_from_the_approved_folder_and_from_what_was_brought_in(spaces: Spaces) -> None:
    needs("Rscript")
    node = spaces.house.node
    approved, brought = node.home.path / "r-packages", service.folder_of(node, spaces.workspace.id) / "brought"
    source_of_r(approved, "lesser", "half <- function(x) x / 2\n")
    source_of_r(approved, "greater", "quarter <- function(x) lesser::half(lesser::half(x))\n", "lesser")
    guest = spaces.enter()

    def said(code: str) -> str:
        return "".join(m.get("text", "") + m.get("value", "") for m in guest.run(f"%%R\n{code}", 120))

    said("install.packages('greater', quiet = TRUE)")  # and what it needs
    assert "0.25" in said("cat(greater::quarter(1))")
    source_of_r(brought, "later", "answer <- function() 41 + 1\n")
    assert "42" in said("install.packages('later', quiet = TRUE)\ncat(later::answer())")
    assert "not available" in said("install.packages('absent')\nprint(warnings())")
    space = spaces.gateway.spaces[spaces.workspace.id]
    space.sleep()
    assert "0.25" in said("cat(greater::quarter(1))")  # what was installed stays


def test_functions_of_madang_are_there(spaces: Spaces) -> None:
    heard = spaces.enter().run("import madang.research, madang.science.cohorts, pyreadstat; print('there')")
    assert "there" in "".join(message.get("text", "") for message in heard), heard


def test_colleagues_share_one_space(spaces: Spaces) -> None:
    lee, kim = spaces.enter("lee"), spaces.enter("kim")
    lee.run("shared = 41")
    heard = kim.run("print(shared + 1)")
    assert "42\n" in [message.get("text") for message in heard]
    made = lee.ask("create", {"name": "ours"}).json()
    cells = [{"id": made["cells"][0]["id"], "kind": "code", "source": "by lee"}]
    assert lee.ask("save", {"name": "ours", "version": 1, "cells": cells}).json() == {"version": 2}
    late = kim.ask("save", {"name": "ours", "version": 1, "cells": [{**cells[0], "source": "by kim"}]})
    assert (late.status_code, late.json()["code"]) == (409, "workspace.notebook_changed")
    assert notebooks.load(books(spaces), "ours")["cells"][0]["source"] == "by lee"
    assert lee.ask("complete", {"code": "shar", "at": 4}).status_code == 200
    assert lee.ask("stop").status_code == 200


def test_a_cell_that_does_not_end_is_interrupted(spaces: Spaces) -> None:
    guest = spaces.enter()
    assert guest.ask("wake").json() == {"awake": True}
    stopped, kim = threading.Event(), spaces.enter("kim")

    def stop() -> None:  # many times at once and again: one that comes before the cell has begun stops nothing
        while not stopped.wait(0.3):
            for _each in range(5):
                kim.ask("stop")

    asking = threading.Thread(target=stop)
    asking.start()
    try:
        heard = guest.run("import time\nwhile True: time.sleep(0.1)", 30)
        stubborn = "while True:\n    try: time.sleep(0.1)\n    except KeyboardInterrupt: break\ntime.sleep(1000)"
        assert "done" in [message["say"] for message in guest.run(stubborn, 30)]
    finally:
        stopped.set()
        asking.join()
    assert [message["name"] for message in heard if message["say"] == "error"] == ["KeyboardInterrupt"]


def test_a_killed_kernel_loses_variables_and_nothing_else(spaces: Spaces) -> None:
    guest = spaces.enter()
    guest.run("open('/workspace/kept.txt', 'w').write('kept'); gone = 1")
    space = spaces.gateway.spaces[spaces.workspace.id]
    assert space.running is not None
    os.kill(space.running.pid, signal.SIGKILL)
    assert space.running.wait(10)
    heard = guest.run("print(open('/workspace/kept.txt').read(), 'gone' in globals())")
    assert "kept False\n" in [message.get("text") for message in heard]
    assert notebooks.list_notebooks(books(spaces)) == ["n0", "n1"]


def test_too_much_memory_ends_the_kernel_with_a_sentence(spaces: Spaces) -> None:
    settings = spaces.house.node.settings
    small = settings.model_copy(update={"workspace": settings.workspace.model_copy(update={"memory_mb": 256})})
    object.__setattr__(spaces.house.node, "settings", small)
    heard = spaces.enter().run("import time; x = [bytearray(64 << 20) for _ in range(40)]; time.sleep(20)", 60)
    ended = [m for m in heard if m["say"] == "asleep"]
    memory = [m for m in heard if m["say"] == "error" and m["name"] == "MemoryError"]
    assert memory or (ended and "memory" in ended[0]["reason"])


def test_a_killed_gateway_takes_its_boxes_along_and_comes_again(
    spaces: Spaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = spaces.house.node
    monkeypatch.setenv("MADANG_WORKSPACE_PORT", "0")
    guest = entered(spaces)
    guest.ask("create", {"name": "mine"}).raise_for_status()
    assert guest.ask("wake").json() == {"awake": True}
    first = door.read_place(node)["pid"]
    assert len(below(first)) >= 2  # bubblewrap and the kernel
    boxes = below(first)
    os.kill(first, signal.SIGKILL)
    end = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in boxes) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in boxes)
    guest = entered(spaces)
    assert door.read_place(node)["pid"] != first
    assert guest.ask("list").json()["notebooks"] == ["mine"]
    os.kill(door.read_place(node)["pid"], signal.SIGTERM)


def entered(spaces: Spaces) -> Guest:
    """Through a gateway process of its own."""
    import httpx

    node = spaces.house.node
    door.ensure_gateway(node)
    origin = f"http://127.0.0.1:{door.read_place(node)['port']}"
    client = httpx.Client(base_url=origin, timeout=30)
    client.get("/enter", params={"ticket": spaces.ticket("lee")}).raise_for_status()
    return Guest(client, origin)


def below(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        for task in Path(f"/proc/{current}/task").iterdir():
            children = [int(child) for child in (task / "children").read_text().split()]
            found += children
            waiting += children
    return found


def test_an_ended_workspace_keeps_its_code_and_opens_again_by_a_renewed_permit(spaces: Spaces) -> None:
    node, number = spaces.house.node, spaces.workspace.id
    lee = actor(spaces, "lee")
    notebooks.create(books(spaces), "code")
    ended = service.end(node, lee, number, "done")
    assert ended.state == "dormant" and ended.kept_until is not None and ended.kept_until > now() + timedelta(days=300)
    with pytest.raises(MadangError) as error:
        service.entered(node, lee, ended)
    assert error.value.code == "workspace.closed"
    with pytest.raises(MadangError) as error:
        service.stop(node, lee, number)
    assert error.value.code == "act.state"

    def over(session: Any) -> None:
        session.get(Permit, spaces.permit).ends = now() - timedelta(seconds=1)

    spaces.change(over)
    with pytest.raises(MadangError) as error:
        service.renew(node, actor(spaces, "lee"), number)
    assert error.value.code == "workspace.no_right"
    with node.write() as session:
        again = {"number": "P-again", "project_id": spaces.workspace.project_id, "dataset": "extract"}
        session.add(Permit(**again, organization_id=1, begins=now(), ends=now() + timedelta(days=1)))
    digest = ended.digest
    commit(node, "extract", person="SELECT 1 AS person_id")  # the extract goes on; the workspace's version does not
    renewed = service.renew(node, actor(spaces, "lee"), number, "P-again")
    assert (renewed.state, renewed.digest, renewed.version) == ("open", digest, 1)
    assert notebooks.list_notebooks(books(spaces)) == ["code"]
    service.end(node, actor(spaces, "lee"), number)
    with pytest.raises(MadangError):
        service.destroy(node, actor(spaces, "lee"), number)
    destroyed = service.destroy(node, OWNER, number)
    assert destroyed.state == "destroyed"
    assert not (node.home.path / "workspaces" / str(number)).exists()
    with node.read() as session:
        record = node.audit.events(session, act="workspace.destroy")[0]
    assert record.details["files"] == 1 and record.details["dataset"] == "extract"
    assert node.audit.verify().findings == []


def test_results_leave_by_the_release_desk_as_they_lie_there(spaces: Spaces) -> None:
    pytest.importorskip("highspy")
    node, number = spaces.house.node, spaces.workspace.id
    guest = spaces.enter()
    guest.run(
        "import os\nos.mkdir('/workspace/release')\n"
        "open('/workspace/release/table.csv', 'w').write('sex,count\\nF,40\\nM,60\\n')\n"
        "os.symlink('/etc/passwd', '/workspace/release/link.csv')"
    )
    lee = actor(spaces, "lee")
    assert leaving.results(node, number) == [("table.csv", 20)]
    for name in ("link.csv", "../secret.csv", "/etc/passwd", "nothing.csv"):
        with pytest.raises(MadangError) as error:
            leaving.ask(node, lee, number, [name], "", "")
        assert error.value.code == "closed.file"
    with pytest.raises(MadangError) as error:
        leaving.ask(node, actor(spaces, "park"), number, ["table.csv"], "", "")
    assert error.value.code == "workspace.none"
    request = leaving.ask(node, lee, number, ["table.csv"], "counts by sex", "a paper")
    from madang.services.release import service as desk

    found = desk.see(node, lee, request)
    assert [file.name for file in found.files] == ["table.csv"]
    assert (found.dataset, found.project_id) == ("extract@1", spaces.workspace.project_id)


def test_who_read_which_data_when_is_in_the_audit(spaces: Spaces) -> None:
    node = spaces.house.node
    service.entered(node, actor(spaces, "lee"), spaces.workspace)
    with node.read() as session:
        event = node.audit.events(session, act="workspace.enter")[0]
    assert event.details == {"dataset": "extract", "version": 1, "digest": spaces.workspace.digest}
    assert event.actor == f"person:{spaces.people['lee']}"


def test_the_commands(spaces: Spaces, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MADANG_HOME", str(spaces.house.node.home.path))
    monkeypatch.setenv("MADANG_LANG", "en")

    def said(*words: str, code: int = 0) -> str:
        assert cli.run(["workspace", *words]) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    commit(spaces.house.node, "alone", person="SELECT 1 AS person_id")
    made = json.loads(said("open", "alone", "--json"))
    assert (made["dataset"], made["state"], made["awake"]) == ("alone", "open", False)
    assert json.loads(said("open", "alone", "--json"))["number"] == made["number"]  # not another one
    assert json.loads(said("open", "P-first", "--json"))["permit"] == "P-first"
    rows = json.loads(said("list", "--json"))
    assert {row["number"] for row in rows} >= {made["number"], spaces.workspace.id}
    assert "alone@1" in said("list")
    assert "put to sleep" in said("stop", str(made["number"]))
    assert all(row["disk"] > 0 and row["memory"] == 0 for row in json.loads(said("usage", "--json")))
    assert "disk, MB" in said("usage")
    assert "is kept until" in said("end", str(made["number"]))
    for words in (("open", "nothing"), ("stop", "99"), ("stop", str(made["number"])), ("stop", "x"), ("open",)):
        assert "Traceback" not in said(*words, code=2)


def token_of(house: House, login: str) -> str:
    """An API token of somebody."""
    from madang.node.people.models import Person
    from madang.node.people.proof import Proof
    from madang.node.people.sessions import begin_session
    from madang.node.people.tokens import make_token

    with house.node.write() as session:
        person = session.query(Person).filter_by(login=login).one()
        begin_session(session, house.node, person, method="password")
        number = person.id
    with house.node.read() as session:
        return make_token(house.node, Actor.person(session, number), Proof(PASSWORD), "x", ["read", "write"], 1)


def test_the_pages(spaces: Spaces) -> None:
    house, number = spaces.house, spaces.workspace.id
    record = house.published("public")
    with serving(portal(house.node, keeper=False)) as site:
        with site.browser({"madang": house.cookies["member"]}) as browser:
            assert browser.get("/workspaces?lang=en").status_code == 200
            opened = browser.post("/workspaces", data={"reference": record}, headers=OURS, follow_redirects=True)
            assert opened.status_code == 200 and "Go in to the notebooks" in opened.text
            mine = int(opened.url.path.rpartition("/")[2])
            told = browser.get(f"/api/v1/workspaces/{mine}").json()
            assert (told["record"], told["enters"], told["closed"], told["awake"]) == (record, True, "", False)
            bearer = {"Authorization": f"Bearer {token_of(house, 'member')}"}
            assert site.get(f"/api/v1/workspaces/{mine}", headers=bearer).status_code == 200
            by_token = site.post(f"/api/v1/workspaces/{mine}/enter", headers=bearer, json={})
            assert (by_token.status_code, by_token.json()["code"]) == (401, "permission.sign_in")
            assert browser.get(f"/workspaces/{number}").status_code == 404  # another project's
            assert browser.get(f"/api/v1/workspaces/{number}").status_code == 404
            sent = {"name": "codes.csv", "reason": "codes"}
            files = {"file": ("codes.csv", b"a,b\n1,2\n")}
            brought = browser.post(
                f"/workspaces/{mine}/files", data=sent, files=files, headers=OURS, follow_redirects=True
            )
            assert "waits for review" in brought.text
            file = bring.files_of(house.node, mine)[0].id
            refused = browser.post(f"/workspaces/{mine}/files/{file}", data={"decision": "accept"}, headers=OURS)
            assert refused.status_code == 403
        with site.browser({"madang": house.cookies["steward"]}) as browser:
            page = browser.get(f"/workspaces/{mine}?lang=en")
            assert "Accept" in page.text and "Go in to the notebooks" not in page.text
            assert browser.get(f"/workspaces/{mine}/files/{file}/content").content == b"a,b\n1,2\n"
            assert browser.post(f"/workspaces/{mine}/enter", headers=OURS).status_code == 403
            accepted = browser.post(
                f"/workspaces/{mine}/files/{file}", data={"decision": "accept"}, headers=OURS, follow_redirects=True
            )
            assert "accepted" in accepted.text
            korean = browser.get("/workspaces?lang=ko").text
            assert "안심분석실" in korean and "Open a workspace" not in korean
        assert site.get("/workspaces").status_code in (303, 401, 403)
        assert site.get("/api/v1/workspaces").status_code in (401, 403)


@pytest.mark.also_root
def test_kill_9_of_the_portal_ends_gateway_and_boxes_and_loses_no_file(
    spaces: Spaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell runs while the portal is killed: its box ends, what it wrote and the notebook are there afterwards."""
    import re
    import subprocess
    import sys

    import httpx

    from madang.node.people.sessions import begin_session

    node, number = spaces.house.node, spaces.workspace.id
    with node.write() as session:
        from madang.node.people.models import Person

        person = session.get(Person, spaces.people["lee"])
        assert person is not None
        cookie = begin_session(session, node, person)
    environment = os.environ | {"MADANG_HOME": str(node.home.path), "MADANG_LANG": "en", "MADANG_WORKSPACE_PORT": "0"}
    command = [str(Path(sys.executable).with_name("madang")), "serve", "--port", "0"]

    def entered_by_portal(address: str) -> Guest:
        with httpx.Client(base_url=address, cookies={"madang": cookie}, headers=OURS, timeout=60) as portal_of:
            way = portal_of.post(f"/api/v1/workspaces/{number}/enter", headers={"Origin": address}).json()["see"]
        origin, _mark, path = way.partition("/enter")
        client = httpx.Client(base_url=origin.replace("localhost", "127.0.0.1"), timeout=30)
        client.get(f"/enter{path}").raise_for_status()
        return Guest(client, origin.replace("localhost", "127.0.0.1"))

    for round_number in range(2):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as served:
            assert served.stdout is not None
            found = re.search(r"http://[\d.:]+", served.stdout.readline())
            assert found is not None
            guest = entered_by_portal(found[0])
            if round_number == 1:
                assert guest.ask("list").json()["notebooks"] == ["mine"]
                assert notebooks.load(books(spaces), "mine")["cells"][0]["source"] == "kept"
                served.terminate()
                break
            made = guest.ask("create", {"name": "mine"}).json()
            cells = [{"id": made["cells"][0]["id"], "kind": "code", "source": "kept"}]
            guest.ask("save", {"name": "mine", "version": 1, "cells": cells}).raise_for_status()
            code = "open('/workspace/kept.txt', 'w').write('kept')\nimport time; time.sleep(60)"
            guest.ask("run", {"notebook": "mine", "cell": cells[0]["id"], "code": code}).raise_for_status()
            written = service.folder_of(node, number) / "files" / "kept.txt"
            end = time.monotonic() + 30
            while not written.exists() and time.monotonic() < end:
                time.sleep(0.05)
            gateway = door.read_place(node)["pid"]
            gone = [gateway, *below(gateway)]
            assert len(gone) >= 3
            os.kill(served.pid, signal.SIGKILL)
            end = time.monotonic() + 20
            while any(_lives(pid) for pid in gone) and time.monotonic() < end:
                time.sleep(0.1)
            assert not any(_lives(pid) for pid in gone)
            assert written.read_text() == "kept"


def _lives(pid: int) -> bool:
    try:
        return b"Z" not in Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
