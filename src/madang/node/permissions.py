"""Who may do what: one table of acts, one function that asks it, one way to turn it into a query.

A room makes its acts once, in its `acts.py`:

    SEE = allow("record.see", is_open | role("steward") | role("auditor", node=True), reads=True)

and does them by `madang.node.acts.doing`. Where nothing is done, `check(actor, SEE, record)` asks, and
`visible(actor, SEE, Record)` filters a query: exactly the rows for which `may` says yes. A thing, or a model, that
rules by organization, owner, project or permit ask about has `organization_id`, `owner_id`, `project_id` or `dataset`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, and_, false, or_, true

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import rooms
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE


@dataclass(frozen=True)
class Rule:
    """A condition on an actor and a thing, both as a yes or no and as a part of a query. Combine with `|` and `&`."""

    name: str
    holds: Callable[[Actor, Any], bool]
    clause: Callable[[Actor, Any], ColumnElement[bool]]
    binds: bool = False  # the owner of the home too, who otherwise may do everything

    def __or__(self, other: "Rule") -> "Rule":
        return Rule(
            f"{self.name}, or {other.name}",
            lambda actor, thing: self.reaches(actor, thing) or other.reaches(actor, thing),
            lambda actor, model: or_(self.filter(actor, model), other.filter(actor, model)),
            self.binds or other.binds,
        )

    def __and__(self, other: "Rule") -> "Rule":
        return Rule(
            f"{self.name} and {other.name}",
            lambda actor, thing: self.reaches(actor, thing) and other.reaches(actor, thing),
            lambda actor, model: and_(self.filter(actor, model), other.filter(actor, model)),
            self.binds or other.binds,
        )

    def reaches(self, actor: Actor, thing: Any) -> bool:
        """Whether `actor` may, the owner of the home and the node itself being bound by few rules."""
        return (not self.binds and actor.kind in ("owner", "node")) or self.holds(actor, thing)

    def filter(self, actor: Actor, model: Any) -> ColumnElement[bool]:
        """The same as a condition for a query."""
        return true() if not self.binds and actor.kind in ("owner", "node") else self.clause(actor, model)

    def for_everybody(self) -> "Rule":
        """The same rule, which binds the owner of the home as well: they are one person, and a member of nothing."""
        return replace(self, binds=True)


class Details(BaseModel):
    """What an act's event says beside who, what and when. A field that changes its meaning takes a new name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Act:
    """Something that can be done: its name (`record.publish`), who may, and what doing it changes.

    `title` says it to people (marked by `later`). `frm` are the states from which it can be done (none: any), `to` is
    the state to which it leads, or several of which it chooses one. An act that `lasts` is done whatever its listeners
    say; they are asked again until they have heard.
    """

    name: str
    rule: Rule
    reads: bool = False  # changes nothing, so the token scope `read` is enough
    by_token: bool = True  # False: only a person who signed in, never a token
    alone: bool = False  # a token for it is made for it alone, after a one-time code
    title: str = ""
    frm: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    details: type[Details] | None = None
    lasts: bool = False

    @property
    def area(self) -> str:
        """What it is done to, as events name it: `record` of `record.publish`."""
        return self.name.partition(".")[0]


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


def role_anywhere(name: str) -> Rule:
    """Who holds the role in some organization, whatever the thing."""
    return _about_actor(f"a {name}", lambda actor: bool(actor.organizations(name)))


def where(column: str, *values: Any) -> Rule:
    """Whatever the actor: if the thing's `column` is one of `values`."""
    return Rule(
        f"{column} is {' or '.join(map(str, values))}",
        lambda actor, thing: getattr(thing, column) in values,
        lambda actor, model: getattr(model, column).in_(values),
    )


def not_who(column: str) -> Rule:
    """Anyone but whom the thing's `column` names (a person's number): a second person. Binds the owner of the home,
    as whom the column is empty."""
    return Rule(
        f"not who is its {column.removesuffix('_id')}",
        lambda actor, thing: actor.is_signed_in and getattr(thing, column) != actor.person_id,
        lambda actor, model: (
            getattr(model, column).is_distinct_from(actor.person_id) if actor.is_signed_in else false()
        ),
        binds=True,
    )


def in_project(*roles: str) -> Rule:
    """Who is in the project of the thing now, in one of these roles; without any, in whichever."""
    wanted = frozenset(roles)

    def fits(held: frozenset[str]) -> bool:
        return bool(held) if not wanted else bool(held & wanted)

    return Rule(
        f"a {' or '.join(roles)} of its project" if roles else "a member of its project",
        lambda actor, thing: thing.project_id is not None and fits(actor.projects.get(thing.project_id, frozenset())),
        lambda actor, model: model.project_id.in_([number for number, held in actor.projects.items() if fits(held)]),
    )


granted = Rule(
    "who holds a permit that is in force",
    lambda actor, thing: thing.dataset in actor.permitted(),
    lambda actor, model: model.dataset.in_(sorted(actor.permitted())),
)


_ACTS: dict[str, Act] = {}


def allow(
    name: str,
    rule: Rule,
    *,
    reads: bool = False,
    by_token: bool = True,
    alone: bool = False,
    title: str = "",
    frm: tuple[str, ...] = (),
    to: str | tuple[str, ...] = (),
    details: type[Details] | None = None,
    lasts: bool = False,
) -> Act:
    """Add an act to the table, once for each name, and return it."""
    if name in _ACTS:
        raise ValueError(f"the act {name} is in the table already")
    ends = (to,) if isinstance(to, str) else to
    _ACTS[name] = Act(name, rule, reads, by_token, alone, title, frm, ends, details, lasts)
    return _ACTS[name]


def acts() -> dict[str, Act]:
    """The whole table, by name, those of all rooms too."""
    rooms.acts_loaded()
    return dict(sorted(_ACTS.items()))


def named(act: Act | str) -> Act:
    """An act by its name."""
    if isinstance(act, Act):
        return act
    if act not in _ACTS:
        rooms.acts_loaded()
    return _ACTS[act]


def may(actor: Actor, act: Act | str, thing: Any = None) -> bool:
    """Whether `actor` may do `act` to `thing`. The owner of the home, and the node itself, may do everything that is
    not for two people."""
    known = named(act)
    return _reaches(actor, known) and known.rule.reaches(actor, thing)


def check(actor: Actor, act: Act | str, thing: Any = None) -> None:
    """Raise a sentence unless `actor` may do `act` to `thing`."""
    if may(actor, act, thing):
        return
    known = named(act)
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    if not _reaches(actor, known):
        raise MadangError(
            "permission.scope",
            _("This token may not do that ({act}).").format(act=known.name),
            _("Make a token with a wider scope, or sign in."),
        )
    raise MadangError(
        "permission.denied",
        _("{name} may not do this ({act}).").format(name=actor.name, act=known.name),
        _("Those who may: {who}.").format(who=known.rule.name),
    )


def visible(actor: Actor, act: Act | str, model: Any) -> ColumnElement[bool]:
    """The rows of `model` to which `actor` may do `act`, as a condition for a query."""
    known = named(act)
    return known.rule.filter(actor, model) if _reaches(actor, known) else false()


def _reaches(actor: Actor, act: Act) -> bool:
    """Whether the scopes of a token reach so far: `read`, `write`, an area as `record.*`, or the act's own name."""
    if actor.scopes is None:
        return True
    if not act.by_token:
        return False
    if act.alone:
        return act.name in actor.scopes
    wanted = {act.name, f"{act.area}.*", "write"} | ({"read"} if act.reads else set())
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
