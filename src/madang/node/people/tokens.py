"""API tokens: what a program shows instead of a password. Kept as hashes, scoped, with an end."""

import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import ApiToken, Person
from madang.node.people.proof import Proof, own, prove
from madang.node.people.sessions import hash_of
from madang.node.permissions import acts, check
from madang.node.text import clean_line

PREFIX = "madang_"  # so that people and scanners recognize one that leaked
_USED_EVERY = timedelta(minutes=1)


def make_token(node: Node, actor: Actor, proof: Proof, name: str, scopes: Iterable[str], days: int) -> str:
    """A new token of one's own; it is shown this once."""
    wanted = sorted(set(scopes))
    _check_scopes(wanted)
    most = node.settings.sign_in.token_days
    if not 1 <= days <= most:
        raise MadangError("people.token_days", _("A token lives from 1 to {most} days.").format(most=most))
    alone = [each for each in wanted if each in acts() and acts()[each].alone]
    if alone and (len(wanted) > 1 or not proof.code.strip()):
        raise MadangError(
            "people.token_alone",
            _("A token for {act} is for that act alone, and needs a one-time code.").format(act=alone[0]),
            _("Set one-time codes up, and make a token with this scope only."),
        )
    prove(node, actor, proof)
    secret = PREFIX + secrets.token_urlsafe(32)
    with node.write() as session:
        person = own(session.get(Person, actor.person_id))
        check(actor, "token.make", person)
        token = ApiToken(
            person_id=person.id,
            name=clean_line(name, _("The name"), 120, required=True),
            hash=hash_of(secret),
            scopes=" ".join(wanted),
            expires=now() + timedelta(days=days),
        )
        session.add(token)
        session.flush()
        details = {"name": token.name, "scopes": wanted, "days": days}
        node.audit.record(session, actor, "token.make", f"token:{token.id}", details)
    return secret


def actor_of_token(node: Node, secret: str, address: str = "") -> Actor | None:
    """Who a token stands for, with its scopes; None if it is revoked, has expired, or never was."""
    at = now()
    with node.read() as session:
        found = session.scalar(select(ApiToken).where(ApiToken.hash == hash_of(secret)))
        if found is None or found.revoked is not None or found.expires <= at:
            return None
        try:
            scopes = frozenset(found.scopes.split())
            actor = Actor.person(session, found.person_id, scopes=scopes, via="token", address=address)
        except MadangError:
            return None
    if found.used is None or at - found.used > _USED_EVERY:
        with node.write() as session:
            again = session.get(ApiToken, found.id)
            if again is not None:
                again.used = at
    return actor


def commander(node: Node) -> Actor:
    """As whom a command acts: with MADANG_TOKEN set the person of that token, under its rules and scopes; otherwise
    the owner of the home. Errors: `permission.token`.
    """
    secret = os.environ.get("MADANG_TOKEN", "").strip()
    if not secret:
        return Actor.owner()
    found = actor_of_token(node, secret)
    if found is None:
        raise MadangError(
            "permission.token",
            _("The token in MADANG_TOKEN is not valid: it was revoked, has expired, or never was."),
            _("Unset MADANG_TOKEN to act as the owner of the home, or make another one on your account's page."),
        )
    return replace(found, via="command")


def list_tokens(node: Node, actor: Actor, person_id: int) -> Sequence[ApiToken]:
    """The tokens of a person, the newest first, those that are over too."""
    with node.read() as session:
        check(actor, "token.list", session.get(Person, person_id) or Person(id=0))
        query = select(ApiToken).where(ApiToken.person_id == person_id)
        return session.scalars(query.order_by(ApiToken.id.desc())).all()


def revoke_token(node: Node, actor: Actor, token_id: int) -> None:
    """Have a token stand for nobody from now on."""
    with node.write() as session:
        found = session.get(ApiToken, token_id)
        if found is None:
            raise MadangError("people.no_token", _("There is no such token."))
        check(actor, "token.revoke", found)
        if found.revoked is None:
            found.revoked = now()
            node.audit.record(session, actor, "token.revoke", f"token:{found.id}", {"name": found.name})


def _check_scopes(scopes: Sequence[str]) -> None:
    by_token = [act for act in acts().values() if act.by_token]
    areas = {f"{act.name.split('.')[0]}.*" for act in by_token}
    known = {"read", "write", *areas, *(act.name for act in by_token)}
    unknown = [scope for scope in scopes if scope not in known]
    if unknown or not scopes:
        raise MadangError(
            "people.scope",
            _("A token cannot have the scope {scope}.").format(scope=", ".join(unknown) or "''"),
            _("Give it read, write, or an area such as {areas}.").format(areas=", ".join(sorted(areas))),
        )
