"""Doing something: rule, state, event and listeners are one thing; and what touches files is finished or withdrawn."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node import acts, rooms
from madang.node.acts import Intent, Telling, doing, intending
from madang.node.node import Node
from madang.node.people import Actor, Organization
from madang.node.permissions import Details, allow, anyone, not_who

OWNER = Actor.owner()
HEARD: list[str] = []
FAILS: list[str] = []


class Renamed(Details):
    title: str


RENAME = allow("thing.rename", anyone, details=Renamed)
LOSE = allow("thing.lose", anyone, details=Renamed, lasts=True)
CARRY = allow("thing.carry", anyone)
CONFIRM = allow("thing.confirm", anyone & not_who("owner_id"))


def hear(told: acts.Told) -> None:
    if told.act in FAILS:
        raise RuntimeError("the listener fails")
    HEARD.append(f"{told.act} {told.details['title']}")


def settle_carry(node: Node, intent: Intent) -> None:
    with acts.complete(node, intent, settled=True):
        HEARD.append(f"settled {intent.thing}")


@pytest.fixture(autouse=True)
def listening() -> Iterator[None]:
    HEARD.clear()
    FAILS.clear()
    plan = rooms.RoomPlan(
        *("listening", __name__, "Listening"),
        listens={"thing.rename": f"{__name__}:hear", "thing.lose": f"{__name__}:hear"},
        settles={"thing.carry": f"{__name__}:settle_carry"},
    )
    rooms.install([*rooms.plans(), plan])
    yield
    rooms.install(None)


def house(session: Any) -> Organization:
    return session.get(Organization, 1)


def rename(node: Node, title: str, act: Any = RENAME) -> None:
    with doing(node, OWNER, act, house) as done:
        done.thing.title = title
        done.tell(title=title)


def title(node: Node) -> str:
    with node.read() as session:
        return house(session).title


def events(node: Node, act: str) -> list[Any]:
    with node.read() as session:
        return node.audit.events(session, act=act)


def test_an_act_changes_tells_and_is_heard_at_once(node: Node) -> None:
    rename(node, "A")
    assert (title(node), HEARD) == ("A", ["thing.rename A"])
    assert [(event.thing, dict(event.details)) for event in events(node, "thing.rename")] == [
        ("thing:1", {"title": "A"})
    ]


def test_a_listener_that_fails_undoes_an_ordinary_act(node: Node) -> None:
    FAILS.append("thing.rename")
    before = title(node)
    with pytest.raises(RuntimeError, match="the listener fails"):
        rename(node, "B")
    assert title(node) == before
    assert not events(node, "thing.rename")


def test_an_act_that_lasts_is_done_and_its_listeners_are_asked_until_they_have_heard(node: Node) -> None:
    FAILS.append("thing.lose")
    rename(node, "C", LOSE)
    assert (title(node), HEARD) == ("C", [])
    with node.read() as session:
        waiting = session.scalars(select(Telling)).all()
    assert [(each.attempts, "the listener fails" in each.error) for each in waiting] == [(1, True)]
    FAILS.clear()
    acts.retell(node)
    acts.retell(node)
    assert HEARD == ["thing.lose C"]


@pytest.mark.parametrize("told", [{}, {"name": "x"}, {"title": "x", "more": 1}])
def test_forgetting_the_details_is_a_mistake_and_changes_nothing(node: Node, told: dict[str, Any]) -> None:
    before = title(node)
    with pytest.raises(ValueError), doing(node, OWNER, RENAME, house) as done:  # noqa: PT011 - pydantic's own
        done.thing.title = "D"
        if told:
            done.tell(**told)
    assert title(node) == before


def test_an_act_that_changes_no_state_and_tells_nothing_is_a_mistake(node: Node) -> None:
    with pytest.raises(RuntimeError, match="told nothing"), doing(node, OWNER, CARRY, house):
        pass


def test_the_owner_of_the_home_is_one_person_where_two_are_asked_for() -> None:
    class Thing:
        def __init__(self, owner_id: int | None) -> None:
            self.owner_id = owner_id

    from madang.node.permissions import may

    kim = Actor("person", "Kim", 7)
    assert not may(OWNER, CONFIRM, Thing(None)), "who began it was the owner"
    assert may(OWNER, CONFIRM, Thing(7))
    assert may(kim, CONFIRM, Thing(None))
    assert not may(kim, CONFIRM, Thing(7))
    assert not may(Actor.stranger(), CONFIRM, Thing(7))


def test_work_on_files_says_first_what_it_does_and_then_that_it_is_done(node: Node) -> None:
    with intending(node, OWNER, CARRY, "dataset:x", {"persons": 3}) as intent:
        with node.read() as session:
            assert acts.open_intents(session, CARRY) == {"dataset:x"}
        with intent.done(removed=2):
            pass
    with node.read() as session:
        assert not acts.open_intents(session, CARRY)
    assert [dict(event.details) for event in events(node, "thing.carry")] == [{"persons": 3, "removed": 2}]
    assert len(events(node, "thing.carry.begin")) == 1


def test_work_that_fails_is_withdrawn(node: Node) -> None:
    with pytest.raises(MadangError), intending(node, OWNER, CARRY, "dataset:x", {"persons": 3}):
        raise MadangError("x", "It failed.")
    with node.read() as session:
        assert not acts.open_intents(session, CARRY)
    assert events(node, "thing.carry.withdraw")


def test_what_a_killed_process_had_begun_is_finished_once_and_never_while_it_lives(node: Node) -> None:
    late = pytest.raises(MadangError, match="withdrawn meanwhile")  # since the test plays both processes
    with late, intending(node, OWNER, CARRY, "dataset:y", {"persons": 1}) as intent:
        assert acts.settle(node) == [], "its process lives"
        with node.write() as session:  # as if the process had died: nobody holds this lock
            session.get_one(Intent, intent.number).holder = "0" * 16
        assert acts.settle(node) == ["thing.carry dataset:y"]
        assert acts.settle(node) == []
        with intent.done():
            pass
    assert HEARD == ["settled dataset:y"]
    assert [dict(event.details) for event in events(node, "thing.carry")] == [{"persons": 1, "settled": True}]
