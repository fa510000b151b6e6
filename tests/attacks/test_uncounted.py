"""Ways out of a workspace that nobody counts, and ways to hold everybody else up."""

import json
import threading
import time

import pytest

from attacks.conftest import Guest, Spaces
from attacks.test_gateway import HOSTILE
from attacks.test_gateway import guest as guest
from madang.node.people.actor import Actor
from madang.services.workspace import service


def test_nothing_is_said_that_nobody_counts(spaces: Spaces, guest: Guest) -> None:
    """Names that nobody asked for, and a cell that begins again and again, would carry any amount out of the box."""
    start = HOSTILE.partition("def lines()")[0]
    says = (
        f'{start}\nfor n in range(300):\n    tell({{"say": "names", "names": [f"hidden{{n}}"] * 50, "from": 0}})\n'
        '    tell({"say": "begun", "count": 900_000 + n})\n    tell({"say": "ready"})\n    tell({"say": "ended"})\n'
    )
    heard = guest.run(says)
    assert "hidden" not in json.dumps(heard)
    assert [message.get("count") for message in heard if message["say"] == "begun"] == [1]
    assert sum(message["say"] in ("ready", "ended") for message in heard) <= 1
    heard = []
    with guest.client.stream("GET", "/events", timeout=20) as events:
        assert guest.ask("complete", {"code": "impo", "at": 4}).status_code == 200
        last = time.monotonic() + 60  # the stream says something every few seconds for ever
        for line in events.iter_lines():
            assert time.monotonic() < last, "no names came"
            if '"names"' in line:
                heard.append(json.loads(line[6:]))
                break
    assert "import" in heard[0]["names"]  # those that were asked for come, and are counted
    assert spaces.gateway.shown[spaces.workspace.id, spaces.people["lee"]].size > 0


def test_names_of_results_are_short_and_plain(spaces: Spaces, guest: Guest) -> None:
    """A program chooses them, and the portal shows them."""
    from madang.services.workspace import leaving

    good = "'table.csv', 'sex/by age.csv', '표 1.csv'"
    bad = "'x' * 200, 'a\\nb.csv', '-x', '\u202e.csv', 'a/b/c/d.csv', '<b>.csv', '.hidden'"
    guest.run(
        "import os\nos.makedirs('/workspace/release')\nos.chdir('/workspace/release')\n"
        f"for name in ({good}, {bad}):\n"
        "    os.makedirs(os.path.dirname(name) or '.', exist_ok=True); open(name, 'w').write('x')"
    )
    node, number = spaces.house.node, spaces.workspace.id
    assert [name for name, _size in leaving.results(node, number)] == ["sex/by age.csv", "table.csv", "표 1.csv"]
    guest.run("open('/workspace/release/later.csv', 'w').write('x')")
    assert len(leaving.results(node, number)) == 3  # not at every look
    leaving._listed.clear()
    assert len(leaving.results(node, number)) == 4
    leaving._listed.clear()
    guest.run("import shutil; shutil.rmtree('/workspace/release'); os.symlink('/etc', '/workspace/release')")
    assert leaving.results(node, number) == []


def test_a_workspace_that_was_made_deep_is_shown_and_destroyed(spaces: Spaces, guest: Guest) -> None:
    node, number = spaces.house.node, spaces.workspace.id
    heard = guest.run("import os, time\nfor n in range(3000):\n    os.mkdir('x'); os.chdir('x')\ntime.sleep(20)", 60)
    assert heard[-1]["say"] == "asleep" and "folders" in heard[-1]["reason"]
    assert service.disk_of(node, number) > 0
    service.end(node, Actor.owner(), number)
    service.destroy(node, Actor.owner(), number)
    assert not (node.home.path / "workspaces" / str(number)).exists()


def test_one_person_is_not_everybody(spaces: Spaces, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who goes in again and again, listens in very many pages or waits in very many requests holds nobody else up."""
    kim = spaces.enter("kim")
    for _number in range(25):
        spaces.enter("lee").client.close()
    assert len(spaces.gateway.guests) == 21
    assert kim.ask("list").status_code == 200 and guest.ask("list").status_code == 401
    guest = spaces.enter("lee")
    guest.ask("list")
    space = spaces.gateway.spaces[spaces.workspace.id]
    space.listeners.update({number: lambda message: None for number in range(200)})
    assert guest.client.get("/events").status_code == 503
    monkeypatch.setattr(space, "wake", lambda: None)  # a kernel that never comes up
    space.ready.clear()
    waiting = [threading.Thread(target=spaces.enter("lee").ask, args=("wake",)) for _number in range(3)]
    for each in waiting:
        each.start()
    end = time.monotonic() + 10
    while space.patience._value and time.monotonic() < end:  # type: ignore[attr-defined]  # how many may still wait
        time.sleep(0.01)
    begun = time.monotonic()
    assert guest.ask("wake").json() == {"awake": False}
    assert time.monotonic() - begun < 15
    space.ready.set()
    for each in waiting:
        each.join(30)
