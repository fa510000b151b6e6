"""What an administrator cannot do alone: give themselves a role, make another who oversees, take over such an account.

Such a change is *asked for*, every administrator and auditor is told, and it is done once a second person of them says
yes, or when the hours of `sign_in.guarded_hours` have passed and none of them said no. The owner of the home, who has
the command line and the database, is bound by none of this.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.node import mail
from madang.node.acts import States, doing, doing_in
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import changing
from madang.node.people.actor import Actor
from madang.node.people.addresses import addresses
from madang.node.people.models import HOUSE, GuardedChange, Organization, Person, Role
from madang.node.permissions import Details, administrator, allow, auditor, check, not_who
from madang.node.rooms import kind_of_role

OVERSEERS = ("administrator", "auditor")  # roles of the installation whose holders watch one another

STATES = States(
    "change", "asked", {"asked": later("waits for a second person"), "done": later("done", "change"),
                        "refused": later("refused", "change")},
    model="madang.node.people.models:GuardedChange",
)  # fmt: skip


class Asked(Details):
    """What is to be changed of whom; the password itself stands nowhere but as its hash."""

    kind: str
    person: str
    role: str = ""
    organization: str = ""


SEE = allow("change.see", administrator | auditor, reads=True, title=later("see changes that wait for a second person"))
ASK = allow(
    "change.ask", administrator, by_token=False, to="asked", details=Asked,
    title=later("ask for a change that needs a second person"),
)  # fmt: skip
CONFIRM = allow(
    "change.confirm", (administrator | auditor) & not_who("asked_id"), by_token=False, frm=("asked",), to="done",
    title=later("confirm a change as the second person"),
)  # fmt: skip
REFUSE = allow(
    "change.refuse", administrator | auditor, by_token=False, frm=("asked",), to="refused",
    title=later("refuse a change that waits for a second person"),
)  # fmt: skip


def is_guarded(session: Session, actor: Actor, kind: str, person: Person, role: str = "") -> bool:
    """Whether `actor` needs a second person to change this: `kind` is role, password or codes.

    A role is guarded that somebody gives to themselves, or that oversees; password and codes are those of somebody
    else who holds a role that oversees.
    """
    if actor.kind != "person":
        return False
    if kind == "role":
        return person.id == actor.person_id or role in OVERSEERS
    held = select(Role.id).filter_by(person_id=person.id, organization_id=HOUSE).where(Role.role.in_(OVERSEERS))
    return person.id != actor.person_id and session.scalar(held.limit(1)) is not None


def ask(
    session: Session, node: Node, actor: Actor, kind: str, person: Person, *, secret: str = "", **details: Any
) -> int:
    """Write down what is to be changed and tell everybody who oversees; its number. `secret` is a password's hash."""
    kept = canonical_json(details).decode()
    same = select(GuardedChange).filter_by(person_id=person.id, kind=kind, details=kept, state="asked")
    for before in session.scalars(same):  # a newer wish replaces the same one: only one of them can be said yes to
        before.state, before.decided = "refused", now()
    with doing_in(
        session, node, actor, ASK,
        lambda session: GuardedChange(
            kind=kind, person_id=person.id, asked_id=actor.person_id, details=kept, secret=secret, state="",
        ),
    ) as done:  # fmt: skip
        done.tell(kind=kind, person=person.login, role=details.get("role", ""), organization=details.get("place", ""))
    change = done.thing
    session.refresh(change, ["person", "asked"])
    for email in addresses(session, *OVERSEERS):
        mail.write(
            session, email, _("A change waits for a second person"),
            "\n\n".join((sentence(change), when(node, change), _("See People > Changes in the portal."))),
        )  # fmt: skip
    return change.id


def list_changes(node: Node, actor: Actor) -> Sequence[GuardedChange]:
    """The changes of accounts that were asked for, those that wait first, then the newest."""
    check(actor, SEE)
    with node.read() as session:
        query = select(GuardedChange).options(
            selectinload(GuardedChange.person), selectinload(GuardedChange.asked), selectinload(GuardedChange.decider)
        )
        return session.scalars(query.order_by(GuardedChange.state != "asked", GuardedChange.id.desc()).limit(200)).all()


def see_change(node: Node, actor: Actor, number: int) -> None:
    """Return if there is such a change and the actor may see it. Errors: `people.no_change`, those of permissions."""
    check(actor, SEE)
    with node.read() as session:
        _change(session, number)


def decide(node: Node, actor: Actor, number: int, yes: bool) -> None:
    """Do the change as its second person, or see that it is not done; who asked for it may say no as well."""
    with doing(node, actor, CONFIRM if yes else REFUSE, lambda session: _change(session, number)) as done:
        done.thing.decided, done.thing.decided_id = now(), actor.person_id
        if yes:
            _do(done.session, node, actor, done.thing)
        done.thing.secret = ""


def keep(node: Node) -> None:
    """Do what has waited for its hours without a no; the keeper calls it."""
    hours = node.settings.sign_in.guarded_hours
    if not hours:
        return
    due = (GuardedChange.state == "asked") & (GuardedChange.created <= now() - timedelta(hours=hours))
    with node.read() as session:
        numbers = session.scalars(select(GuardedChange.id).where(due)).all()
    for number in numbers:
        decide(node, Actor.node(), number, yes=True)


def sentence(change: GuardedChange) -> str:
    """What the change is, in the reader's language."""
    asker = change.asked.login if change.asked else "-"
    if change.kind == "role":
        told = json.loads(change.details)
        kind = kind_of_role(told["role"])
        role = _(kind.title) if kind else told["role"]
        return _("{asker} wants {login} to hold the role {role} in {place}.").format(
            asker=asker, login=change.person.login, role=role, place=told.get("title") or told["place"]
        )
    if change.kind == "password":
        return _("{asker} wants to set a new password for {login}.").format(asker=asker, login=change.person.login)
    return _("{asker} wants {login} to sign in without one-time codes.").format(asker=asker, login=change.person.login)


def when(node: Node, change: GuardedChange) -> str:
    """When it is done if nobody says anything, in the reader's language."""
    hours = node.settings.sign_in.guarded_hours
    if not hours:
        return _("It is done once a second administrator or an auditor confirms it.")
    at = node.settings.local(change.created + timedelta(hours=hours))
    text = _("It is done at {time} unless an administrator or auditor refuses it; a second one can confirm it now.")
    return text.format(time=f"{at:%Y-%m-%d %H:%M}")


def _do(session: Session, node: Node, actor: Actor, change: GuardedChange) -> None:
    person = change.person
    if change.kind == "role":
        told = json.loads(change.details)
        organization = session.scalar(select(Organization).where(Organization.name == told["place"]))
        if organization is None:
            raise MadangError(
                "people.no_organization", _("There is no organization {name}.").format(name=told["place"])
            )
        changing.hold(session, node, actor, person, told["role"], organization)
    elif change.kind == "password":
        changing.put_password(session, node, actor, person, change.secret, "person.password", to_be_changed=True)
    else:
        changing.forget(session, node, actor, person)


def _change(session: Session, number: int) -> GuardedChange:
    change = session.get(GuardedChange, number, with_for_update=True)
    if change is None:
        raise MadangError("people.no_change", _("There is no such change."))
    return change
