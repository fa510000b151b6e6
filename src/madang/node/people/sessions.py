"""Sessions of browsers: what a cookie stands for. The cookie itself is kept nowhere, only its hash."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Person, SignInSession
from madang.node.permissions import check
from madang.node.rooms import narrow_sessions

_SEEN_EVERY = timedelta(minutes=1)  # so that not every request writes


def hash_of(secret: str) -> str:
    """How a random secret is kept; at 256 bits a plain hash hides it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def begin_session(
    session: Session, node: Node, person: Person, *, address: str = "", browser: str = "", method: str = "password"
) -> str:
    """Begin a session for a person who has proved who they are; what the cookie holds."""
    cookie = secrets.token_urlsafe(32)
    at = now()
    session.execute(delete(SignInSession).where(SignInSession.ends < at))
    session.add(
        SignInSession(
            person_id=person.id,
            hash=hash_of(cookie),
            address=address[:100],
            browser="".join(c for c in browser if c.isprintable())[:200],
            method=method,
            ends=at + timedelta(hours=node.settings.sign_in.session_hours),
        )
    )
    actor = Actor.person(session, person.id, address=address)
    node.audit.record(session, actor, "session.begin", f"person:{person.id}", {"method": method})
    return cookie


def actor_of_cookie(node: Node, cookie: str, address: str = "", path: str = "") -> Actor | None:
    """Who a cookie stands for; None if the session is over, idle for too long, or never was.

    Who lacks something (`Actor.lacks`) holds no roles: they can see what is open and set it up.
    Where a room says so by how a session began, it reaches no further than its scopes and addresses; `path` is where
    they are.
    """
    at = now()
    idle = at - timedelta(minutes=node.settings.sign_in.idle_minutes)
    with node.read() as session:
        found = session.scalar(select(SignInSession).where(SignInSession.hash == hash_of(cookie)))
        if found is None or found.ends <= at or found.seen <= idle:
            return None
        try:
            narrow = narrow_sessions().get(found.method)
            if narrow is not None and not narrow.reaches(path):
                return None
            scopes = narrow.scopes if narrow is not None else None
            actor = Actor.person(session, found.person_id, scopes=scopes, address=address, session_id=found.id)
        except MadangError:
            return None
        lacks = lacking(node, found.person) if found.method == "password" else ""
    if lacks:
        nothing = MappingProxyType[int, frozenset[str]]({})
        actor = replace(actor, roles=nothing, projects=nothing, permits=(), stands_for="", lacks=lacks)
    if at - found.seen > _SEEN_EVERY:
        with node.write() as session:
            again = session.get(SignInSession, found.id)
            if again is not None:
                again.seen = at
    return actor


def lacking(node: Node, person: Person) -> str:
    """What somebody who signs in with a password has to set up first: `password` where it is one that they were
    given, `code` where one-time codes are required; otherwise nothing."""
    if person.must_change:
        return "password"
    return "code" if node.settings.sign_in.require_code and person.code_secret is None else ""


def list_sessions(node: Node, actor: Actor, person_id: int) -> Sequence[SignInSession]:
    """The sessions of a person that are not over, the newest first."""
    at = now()
    idle = at - timedelta(minutes=node.settings.sign_in.idle_minutes)
    with node.read() as session:
        check(actor, "session.list", session.get(Person, person_id) or Person(id=0))
        query = select(SignInSession).where(
            SignInSession.person_id == person_id, SignInSession.ends > at, SignInSession.seen > idle
        )
        return session.scalars(query.order_by(SignInSession.created.desc(), SignInSession.id.desc())).all()


def end_session(node: Node, actor: Actor, session_id: int) -> None:
    """End a session; nothing happens if it is over already."""
    with node.write() as session:
        found = session.get(SignInSession, session_id)
        if found is None:
            return
        check(actor, "session.end", found)
        session.delete(found)
        node.audit.record(session, actor, "session.end", f"person:{found.person_id}")


def end_other_sessions(node: Node, actor: Actor) -> int:
    """End all sessions of one's own but this one; how many they were."""
    if actor.person_id is None:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    count = 0
    for each in list_sessions(node, actor, actor.person_id):
        if each.id != actor.session_id:
            end_session(node, actor, each.id)
            count += 1
    return count
