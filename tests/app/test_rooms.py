"""A room of three files, as docs/architecture.md says how to make one, is seen wherever rooms are seen."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fastapi.testclient import TestClient

from madang.app import cli
from madang.app.portal import portal
from madang.app.registry import commands
from madang.node import permissions, rooms
from madang.node.backup import backup
from madang.node.home import Home
from madang.node.node import Node
from madang.node.people import Actor
from madang.web import menu

PLAN = """
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoomPlan
PLAN = RoomPlan(
    name="wishes", package="wishes", title=later("Wishes"), acts=(".acts",), pages=(".routes",),
    commands=(Command("wish", later("Leave a wish."), ".routes:command"),),
    folders={"wishes": 0o700}, menu=(MenuItem("data", later("Wishes"), "/wishes"),),
)
"""
ACTS = """
from madang.node.permissions import Details, allow, anyone
class Wished(Details):
    what: str
WISH = allow("wish.make", anyone, details=Wished)
"""
ROUTES = """
from madang.node.acts import doing
from madang.node.node import opened
from madang.node.people.tokens import commander
from madang.web import Here, Room, View
from wishes.acts import WISH
room = Room("wishes", "madang.web")
class Wishes(View):
    kept: int
@room.bytes("/wishes", "application/json")
def wishes(visit: Here) -> Wishes:
    \"\"\"What people wish.\"\"\"
    return Wishes(kept=len(list(visit.node.home.folder("wishes").iterdir())))
def command(what: str) -> None:
    with opened() as node, doing(node, commander(node), WISH, lambda session: None) as done:
        (node.home.folder("wishes") / "one").write_text(what)
        done.tell(what=what)
"""


@pytest.fixture
def wishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[rooms.RoomPlan]:
    """The room, made in a folder and added to the list."""
    folder = tmp_path / "packages" / "wishes"
    folder.mkdir(parents=True)
    for name, text in {"__init__": PLAN, "acts": ACTS, "routes": ROUTES}.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setenv("MADANG_HOME", str(tmp_path / "home"))
    made: ModuleType = __import__("wishes")
    rooms.acts_loaded()  # or those of other rooms would be taken for ours and forgotten
    known = dict(permissions._ACTS)
    rooms.install([*rooms.plans(), made.PLAN])
    menu.items.cache_clear()
    yield made.PLAN
    rooms.install(None)
    menu.items.cache_clear()
    permissions._ACTS.clear()
    permissions._ACTS.update(known)
    for name in [name for name in sys.modules if name.split(".")[0] == "wishes"]:
        del sys.modules[name]


def test_a_room_is_in_portal_command_audit_docs_backup_and_menu(wishes: rooms.RoomPlan, tmp_path: Path) -> None:
    assert "wish" in {entry.name for entry in commands()}
    assert cli.run(["wish", "more data"]) == 0
    node = Node.open(Home.find())
    with node.read() as session:
        event = node.audit.events(session, act="wish.make")[0]
    assert (event.actor, event.details) == ("owner", {"what": "more data"})
    assert permissions.acts()["wish.make"].details is not None
    assert "Wishes" in [link.title for link in menu.menu(Actor.stranger(), "/wishes").inside]
    with TestClient(portal(node, keeper=False)) as browser:
        assert browser.get("/api/v1/wishes").json() == {"kept": 1}
    backup(node, Actor.owner(), tmp_path / "backup")
    assert (tmp_path / "backup" / "home" / "wishes" / "one").read_text() == "more data"
    node.close()


def test_a_room_whose_packages_are_missing_is_shut_and_breaks_nothing(tmp_path: Path) -> None:
    plan = rooms.RoomPlan("shut", "shut", "Shut", pages=(".nowhere",), needs=("no_such_package",))
    rooms.install([*rooms.plans(), plan])
    try:
        assert plan.missing() == ["no_such_package"] and plan not in rooms.open_plans()
        node = Node.open(Home(tmp_path / "home"))
        with TestClient(portal(node, keeper=False)) as browser:
            assert browser.get("/").status_code == 200
            assert "no_such_package" in browser.get("/places/labs").text
        node.close()
    finally:
        rooms.install(None)
