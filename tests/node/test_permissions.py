"""Who may do what: one table, and a query that says the same as the function."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from madang.base.errors import MadangError
from madang.node import permissions
from madang.node.people import HOUSE, Actor
from madang.node.permissions import Act, acts, anyone, check, may, nobody_else, role, signed_in, theirs, visible, where

# Every act of the node, and which of these people may do it: t whose it is, a administrator, u auditor,
# p anybody with an account, s a stranger.
WHO_MAY_DO_WHAT = {
    "account.edit": "t",
    "audit.anchor": "au",
    "audit.review": "u",
    "audit.read": "u",
    "job.cancel": "ta",
    "job.see": "ta",
    "organization.create": "a",
    "organization.list": "taups",
    "person.create": "a",
    "person.edit": "a",
    "person.list": "au",
    "role.give": "a",
    "session.end": "ta",
    "session.list": "ta",
    "token.list": "ta",
    "token.make": "t",
    "token.revoke": "ta",
}


@dataclass
class Thing:
    owner_id: int | None = 1
    organization_id: int | None = 2


def person(number: int, *roles: str, organization: int = HOUSE, scopes: frozenset[str] | None = None) -> Actor:
    return Actor("person", "Somebody", number, {organization: frozenset(roles)}, scopes)


PEOPLE = {
    "t": person(1),
    "a": person(2, "administrator"),
    "u": person(3, "auditor"),
    "p": person(4, "administrator", "auditor", organization=2),  # roles elsewhere are no roles of the node
    "s": Actor.stranger(),
}


def test_the_table_of_who_may_do_what() -> None:
    node_acts = {name for name in acts() if name in WHO_MAY_DO_WHAT or name.split(".")[0] in {"person", "audit", "job"}}
    assert node_acts == set(WHO_MAY_DO_WHAT)
    for act, allowed in WHO_MAY_DO_WHAT.items():
        assert "".join(who for who, actor in PEOPLE.items() if may(actor, act, Thing())) == allowed, act
        assert may(Actor.owner(), act, Thing())


def test_a_refusal_says_what_is_missing() -> None:
    for actor, code in [
        (Actor.stranger(), "permission.sign_in"),
        (person(4), "permission.denied"),
        (person(1, scopes=frozenset({"read"})), "permission.scope"),
    ]:
        with pytest.raises(MadangError) as refused:
            check(actor, "account.edit", Thing())
        assert refused.value.code == code


def test_a_token_reaches_no_further_than_its_scopes() -> None:
    def with_scopes(*scopes: str) -> Actor:
        return person(1, "auditor", scopes=frozenset(scopes))

    assert may(with_scopes("read"), "job.see", Thing())
    assert not may(with_scopes("read"), "job.cancel", Thing())
    assert may(with_scopes("write"), "job.cancel", Thing())
    assert may(with_scopes("job.*"), "job.cancel", Thing())
    assert may(with_scopes("job.see"), "job.see", Thing())
    assert not may(with_scopes("job.see", "audit.read"), "job.cancel", Thing())
    assert not may(with_scopes(), "organization.list")
    assert not may(with_scopes("read", "write", "token.*", "token.make"), "token.make", Thing())


class Rooms(DeclarativeBase):
    pass


class Record(Rooms):
    __tablename__ = "records"

    id: Mapped[int] = mapped_column(primary_key=True)
    tier: Mapped[str]
    owner_id: Mapped[int | None]
    organization_id: Mapped[int | None]


ENGINE = create_engine("sqlite://")
Rooms.metadata.create_all(ENGINE)
SIMPLE = st.sampled_from(
    [
        anyone,
        nobody_else,
        signed_in,
        theirs,
        role("steward"),
        role("steward", node=True),
        where("tier", "open", "listed"),
    ]
)
RULES = st.recursive(
    SIMPLE,
    lambda inner: st.builds(lambda a, b, both: a & b if both else a | b, inner, inner, st.booleans()),
    max_leaves=6,
)
ROLES = st.dictionaries(st.integers(1, 3), st.frozensets(st.sampled_from(["steward", "member"])), max_size=3)
SCOPES = st.none() | st.frozensets(st.sampled_from(["read", "write", "thing.*", "other.*"]))
ACTORS = st.one_of(
    st.builds(Actor.stranger),
    st.builds(Actor.owner),
    st.builds(
        lambda number, roles, scopes: Actor("person", "P", number, roles, scopes), st.integers(1, 3), ROLES, SCOPES
    ),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "tier": st.sampled_from(["open", "listed", "closed"]),
            "owner_id": st.none() | st.integers(1, 3),
            "organization_id": st.none() | st.integers(1, 3),
        }
    ),
    min_size=1,
    max_size=12,
)


@given(RULES, ACTORS, ROWS, st.booleans(), st.booleans())
def test_everything_that_i_may_see_is_one_query(rule, actor, rows, reads, by_token) -> None:  # type: ignore[no-untyped-def]  # generated
    act = Act("thing.see", rule, reads, by_token)
    with pytest.MonkeyPatch.context() as patch, Session(ENGINE) as session:
        patch.setitem(permissions._ACTS, act.name, act)
        session.execute(insert(Record), rows)
        expected = {record.id for record in session.scalars(select(Record)) if may(actor, act.name, record)}
        assert set(session.scalars(select(Record.id).where(visible(actor, act.name, Record)))) == expected
