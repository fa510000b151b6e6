"""Who may do what: one table of acts, one function that asks it, one way to turn it into a query.

A room names its acts once, at import:

    permissions.allow("record.see", is_open | role("steward") | role("auditor", node=True))

and asks `check(actor, "record.see", record)` before it does something, or filters a query by
`visible(actor, "record.see", Record)`: exactly the rows for which `may` says yes. A thing, or a model, that rules by
organization or owner ask about has `organization_id` or `owner_id`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, false, or_, true

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE


@dataclass(frozen=True)
class Rule:
    """A condition on an actor and a thing, both as a yes or no and as a part of a query. Combine with `|` and `&`."""

    name: str
    holds: Callable[[Actor, Any], bool]
    clause: Callable[[Actor, Any], ColumnElement[bool]]

    def __or__(self, other: "Rule") -> "Rule":
        return Rule(
            f"{self.name}, or {other.name}",
            lambda actor, thing: self.holds(actor, thing) or other.holds(actor, thing),
            lambda actor, model: or_(self.clause(actor, model), other.clause(actor, model)),
        )

    def __and__(self, other: "Rule") -> "Rule":
        return Rule(
            f"{self.name} and {other.name}",
            lambda actor, thing: self.holds(actor, thing) and other.holds(actor, thing),
            lambda actor, model: and_(self.clause(actor, model), other.clause(actor, model)),
        )


@dataclass(frozen=True)
class Act:
    """Something that can be done: its name (`record.publish`), who may, what a token needs."""

    name: str
    rule: Rule
    reads: bool  # changes nothing, so the token scope `read` is enough
    by_token: bool  # False: only a person who signed in, never a token


def _about_actor(name: str, holds: Callable[[Actor], bool]) -> Rule:
    return Rule(name, lambda actor, thing: holds(actor), lambda actor, model: true() if holds(actor) else false())


anyone = _about_actor("anyone", lambda actor: True)
nobody_else = _about_actor("nobody else", lambda actor: False)  # only the owner of the home
signed_in = _about_actor("anyone signed in", lambda actor: actor.is_signed_in)
theirs = Rule(
    "whose it is",
    lambda actor, thing: actor.person_id is not None and thing.owner_id == actor.person_id,
    lambda actor, model: false() if actor.person_id is None else model.owner_id == actor.person_id,
)


def role(name: str, *, node: bool = False) -> Rule:
    """Who holds the role in the organization of the thing; with `node`, in the installation itself."""
    if node:
        return _about_actor(f"the {name} of the node", lambda actor: actor.holds(name, HOUSE))
    return Rule(
        f"a {name} of its organization",
        lambda actor, thing: thing.organization_id is not None and actor.holds(name, thing.organization_id),
        lambda actor, model: model.organization_id.in_(actor.organizations(name)),
    )


def where(column: str, *values: Any) -> Rule:
    """Whatever the actor: if the thing's `column` is one of `values`."""
    return Rule(
        f"{column} is {' or '.join(map(str, values))}",
        lambda actor, thing: getattr(thing, column) in values,
        lambda actor, model: getattr(model, column).in_(values),
    )


_ACTS: dict[str, Act] = {}


def allow(name: str, rule: Rule, *, reads: bool = False, by_token: bool = True) -> None:
    """Add an act to the table; once for each name."""
    if name in _ACTS:
        raise ValueError(f"the act {name} is in the table already")
    _ACTS[name] = Act(name, rule, reads, by_token)


def acts() -> dict[str, Act]:
    """The whole table, by name."""
    return dict(sorted(_ACTS.items()))


def may(actor: Actor, act: str, thing: Any = None) -> bool:
    """Whether `actor` may do `act` to `thing`. The owner of the home, and the node itself, may do everything."""
    known = _ACTS[act]
    return _reaches(actor, known) and (actor.kind in ("owner", "node") or known.rule.holds(actor, thing))


def check(actor: Actor, act: str, thing: Any = None) -> None:
    """Raise a sentence unless `actor` may do `act` to `thing`."""
    if may(actor, act, thing):
        return
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    if not _reaches(actor, _ACTS[act]):
        raise MadangError(
            "permission.scope",
            _("This token may not do that ({act}).").format(act=act),
            _("Make a token with a wider scope, or sign in."),
        )
    raise MadangError(
        "permission.denied",
        _("{name} may not do this ({act}).").format(name=actor.name, act=act),
        _("Those who may: {who}.").format(who=_ACTS[act].rule.name),
    )


def visible(actor: Actor, act: str, model: Any) -> ColumnElement[bool]:
    """The rows of `model` to which `actor` may do `act`, as a condition for a query."""
    known = _ACTS[act]
    if not _reaches(actor, known):
        return false()
    return true() if actor.kind in ("owner", "node") else known.rule.clause(actor, model)


def _reaches(actor: Actor, act: Act) -> bool:
    """Whether the scopes of a token reach so far: `read`, `write`, an area as `record.*`, or the act's own name."""
    if actor.scopes is None:
        return True
    if not act.by_token:
        return False
    wanted = {act.name, f"{act.name.split('.')[0]}.*", "write"} | ({"read"} if act.reads else set())
    return bool(wanted & actor.scopes)


# What the node itself offers; rooms add their own.
administrator = role("administrator", node=True)
auditor = role("auditor", node=True)
allow("person.create", administrator, by_token=False)
allow("person.list", administrator | auditor, reads=True)
allow("person.edit", administrator, by_token=False)
allow("role.give", administrator, by_token=False)
allow("organization.create", administrator, by_token=False)
allow("organization.list", anyone, reads=True)
allow("session.end", theirs | administrator, by_token=False)
allow("session.list", theirs | administrator, reads=True, by_token=False)
allow("token.make", theirs, by_token=False)
allow("token.list", theirs | administrator, reads=True, by_token=False)
allow("token.revoke", theirs | administrator, by_token=False)
allow("account.edit", theirs, by_token=False)  # own password, one-time codes, linked identities
allow("audit.read", auditor, reads=True)
allow("audit.anchor", auditor | administrator)
allow("job.see", theirs | administrator, reads=True)
allow("job.cancel", theirs | administrator)
