"""Projects: who is in one, until when, what was approved outside, and roles handed to somebody for a time."""

from datetime import timedelta

import pytest

from madang.base.errors import MadangError
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import HOUSE, Actor, Permit, Person
from madang.node.people.accounts import find_person
from madang.node.people.projects import (
    add_member,
    end_project,
    find_project,
    hand_role,
    handovers,
    make_project,
    note_approval,
    remove_member,
    see_project,
    take_back,
)
from madang.node.permissions import granted
from portal_house import OWNER, House


def actor(node: Node, login: str) -> Actor:
    with node.read() as session:
        return Actor.person(session, find_person(session, login).id)


def number(node: Node, name: str = "kidney") -> int:
    with node.read() as session:
        return find_project(session, name).id


@pytest.fixture
def kidney(house: House) -> House:
    make_project(house.node, OWNER, "kidney", "Kidneys", organization="hospital", leader="member")
    return house


def test_who_leads_takes_people_in_and_out_and_an_end_is_an_end(kidney: House) -> None:
    node = kidney.node
    leader = actor(node, "member")
    add_member(node, leader, "kidney", "auditor", ends=now() + timedelta(seconds=60))
    assert actor(node, "auditor").in_project(number(node))
    add_member(node, leader, "kidney", "auditor", ends=now() - timedelta(seconds=1))
    assert not actor(node, "auditor").in_project(number(node))
    add_member(node, leader, "kidney", "administrator")
    remove_member(node, leader, "kidney", "administrator")
    assert not actor(node, "administrator").in_project(number(node))
    with pytest.raises(MadangError, match="may not do this"):
        add_member(node, actor(node, "auditor"), "kidney", "administrator")
    with pytest.raises(MadangError, match="Nobody would lead"):
        remove_member(node, leader, "kidney", "member")


def test_anybody_may_leave(kidney: House) -> None:
    node = kidney.node
    add_member(node, actor(node, "member"), "kidney", "auditor")
    remove_member(node, actor(node, "auditor"), "kidney", "auditor")
    assert not actor(node, "auditor").in_project(number(node))


def test_approvals_stand_in_it_with_number_and_end(kidney: House) -> None:
    leader = actor(kidney.node, "member")
    note_approval(kidney.node, leader, "kidney", "ethics", "The board", "2026-1", now(), now() + timedelta(days=365))
    assert [each.number for each in see_project(kidney.node, leader, "kidney").approvals] == ["2026-1"]
    with pytest.raises(MadangError, match="ends after"):
        note_approval(kidney.node, leader, "kidney", "ethics", "The board", "2026-2", now(), now() - timedelta(days=1))


def test_a_permit_opens_its_dataset_to_members_from_its_beginning_to_its_end(kidney: House) -> None:
    node = kidney.node
    with node.write() as session:
        holder = find_project(session, "kidney").organization_id
        session.add(
            Permit(
                number="P-1",
                project_id=number(node),
                dataset="extract",
                organization_id=holder,
                begins=now(),
                ends=now() + timedelta(seconds=60),
            )
        )

    class Extract:
        dataset = "extract"

    member = actor(node, "member")
    assert granted.holds(member, Extract())
    assert not granted.holds(actor(node, "auditor"), Extract())
    with node.write() as session:
        session.query(Permit).one().ends = now()
    assert not granted.holds(actor(node, "member"), Extract())
    with node.write() as session:
        session.query(Permit).one().ends = now() + timedelta(seconds=60)
    end_project(node, member, "kidney")
    assert not granted.holds(actor(node, "member"), Extract()), "the project has ended"


def test_a_role_is_handed_for_a_time_and_every_event_says_so(kidney: House) -> None:
    node = kidney.node
    hand_role(node, actor(node, "auditor"), "auditor", "member", now(), now() + timedelta(days=1), reason="leave")
    stands_in = actor(node, "member")
    assert stands_in.holds("auditor", HOUSE)
    node.audit.read(stands_in, "audit.read")
    with node.read() as session:
        event = node.audit.events(session, act="audit.read", limit=1)[0]
        auditor = find_person(session, "auditor").id
    assert event.stands_for == f"person:{auditor} as auditor"
    take_back(node, actor(node, "auditor"), handovers(node, actor(node, "auditor"))[0].id)
    assert not actor(node, "member").holds("auditor", HOUSE)
    with pytest.raises(MadangError, match="do not hold"):
        hand_role(node, actor(node, "member"), "auditor", "administrator", now(), now() + timedelta(days=1))


def test_a_handed_role_is_worth_nothing_once_its_owner_lost_it(kidney: House) -> None:
    node = kidney.node
    hand_role(node, actor(node, "auditor"), "auditor", "member", now(), now() + timedelta(days=1))
    with node.write() as session:
        session.get_one(Person, find_person(session, "auditor").id).disabled = now()
    assert not actor(node, "member").holds("auditor", HOUSE)


@pytest.mark.parametrize("name", ["", "A B", "1a", "a", "x" * 64, "kidney"])
def test_what_cannot_be_a_project(kidney: House, name: str) -> None:
    with pytest.raises(MadangError) as refused:
        make_project(kidney.node, OWNER, name, "t")
    assert refused.value.code in ("project.name", "project.taken")
