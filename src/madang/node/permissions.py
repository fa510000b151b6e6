"""Who may do what: one table of acts, one function that asks it, one way to turn it into a query.

A room makes its acts once, in its `acts.py`:

    SEE = allow("record.see", is_open | role("steward") | role("auditor", node=True), reads=True)

and does them by `madang.node.acts.doing`. Where nothing is done, `check(actor, SEE, record)` asks, and
`visible(actor, SEE, Record)` filters a query: exactly the rows for which `may` says yes. A thing, or a model, that
rules by organization, owner, project or permit ask about has `organization_id`, `owner_id`, `project_id` or `dataset`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, and_, false, or_, true

from madang.base.errors import MadangError
from madang.base.translate import _, later
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
    who: Callable[[Any], list[str]] = lambda thing: [""]  # in the reader's language, each way to come under it

    def __or__(self, other: "Rule") -> "Rule":
        return Rule(
            f"{self.name}, or {other.name}",
            lambda actor, thing: self.reaches(actor, thing) or other.reaches(actor, thing),
            lambda actor, model: or_(self.filter(actor, model), other.filter(actor, model)),
            self.binds or other.binds,
            lambda thing: list(dict.fromkeys([*self.who(thing), *other.who(thing)])),
        )

    def __and__(self, other: "Rule") -> "Rule":
        return Rule(
            f"{self.name} and {other.name}",
            lambda actor, thing: self.reaches(actor, thing) and other.reaches(actor, thing),
            lambda actor, model: and_(self.filter(actor, model), other.filter(actor, model)),
            self.binds or other.binds,
            lambda thing: [", ".join(filter(None, both)) for both in product(self.who(thing), other.who(thing))],
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


def _about_actor(name: str, holds: Callable[[Actor], bool], who: Callable[[], str]) -> Rule:
    return Rule(
        name,
        lambda actor, thing: holds(actor),
        lambda actor, model: true() if holds(actor) else false(),
        who=lambda thing: [who()],
    )


def _titled(role: str) -> str:
    kind = rooms.kind_of_role(role)
    return _(kind.title) if kind is not None else role


anyone = _about_actor("anyone", lambda actor: True, lambda: _("everybody"))
nobody_else = _about_actor("nobody else", lambda actor: False, lambda: _("the owner of this installation"))
signed_in = _about_actor(
    "anyone signed in", lambda actor: actor.is_signed_in, lambda: _("everybody who has an account")
)
theirs = Rule(
    "whose it is",
    lambda actor, thing: actor.person_id is not None and thing.owner_id == actor.person_id,
    lambda actor, model: false() if actor.person_id is None else model.owner_id == actor.person_id,
    who=lambda thing: [_("the person whose it is")],
)


def role(name: str, *, node: bool = False) -> Rule:
    """Who holds the role in the organization of the thing; with `node`, in the installation itself."""
    if node:
        return _about_actor(
            f"the {name} of the node",
            lambda actor: actor.holds(name, HOUSE),
            lambda: _("{role} of this installation").format(role=_titled(name)),
        )
    return Rule(
        f"a {name} of its organization",
        lambda actor, thing: thing.organization_id is not None and actor.holds(name, thing.organization_id),
        lambda actor, model: model.organization_id.in_(actor.organizations(name)),
        who=lambda thing: [_("{role} of the organization that it belongs to").format(role=_titled(name))],
    )


def role_anywhere(name: str) -> Rule:
    """Who holds the role in some organization, whatever the thing."""
    return _about_actor(f"a {name}", lambda actor: bool(actor.organizations(name)), lambda: _titled(name))


def where(column: str, *values: Any) -> Rule:
    """Whatever the actor: if the thing's `column` is one of `values`."""
    return Rule(
        f"{column} is {' or '.join(map(str, values))}",
        lambda actor, thing: getattr(thing, column) in values,
        lambda actor, model: getattr(model, column).in_(values),
        who=lambda thing: [""] if thing is None or getattr(thing, column) in values else [],
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
        who=lambda thing: [_("a second person, not the one who did it before")],
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
        who=lambda thing: [
            _("{role} of its project").format(role=", ".join(_titled(each) for each in roles))
            if roles
            else _("everybody in its project")
        ],
    )


granted = Rule(
    "who holds a permit that is in force",
    lambda actor, thing: thing.dataset in actor.permitted(),
    lambda actor, model: model.dataset.in_(sorted(actor.permitted())),
    who=lambda thing: [_("people in a project with a permit for these data that is in force")],
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
    if actor.lacks == "password":
        raise MadangError(
            "people.lacks_password", _("Choose your own password first."), _("Account > Password in the portal.")
        )
    if actor.lacks == "code":
        raise MadangError(
            "people.lacks_code", _("Set up one-time codes first."), _("Account > One-time codes in the portal.")
        )
    if not _reaches(actor, known):
        if actor.via == "session":
            raise MadangError(
                "permission.scope",
                _("You came from another system, and this way in reaches no further than that."),
                _("Sign in here to do more."),
            )
        raise MadangError(
            "permission.scope",
            _("This token may not do that."),
            _("Make a token with a wider scope, or sign in."),
        )
    raise MadangError(
        "permission.denied",
        _("Your account may not do this yet."),
        _("Open to: {who}.").format(who="; ".join(filter(None, known.rule.who(thing))) or _("nobody in this state")),
    )


def visible(actor: Actor, act: Act | str, model: Any) -> ColumnElement[bool]:
    """The rows of `model` to which `actor` may do `act`, as a condition for a query."""
    known = named(act)
    return known.rule.filter(actor, model) if _reaches(actor, known) else false()


# What somebody does who has to set up their password or codes first (`Actor.lacks`), beside reading what is open.
_SETTING_UP = {"account.edit", "session.end"}


def _reaches(actor: Actor, act: Act) -> bool:
    """Whether the scopes of a token reach so far: `read`, `write`, an area as `record.*`, or the act's own name."""
    if actor.lacks:
        return act.reads or act.name in _SETTING_UP
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
allow("person.create", administrator, by_token=False, title=later("make an account"))
allow("person.list", administrator | auditor, reads=True, title=later("see people"))
allow("person.edit", administrator, by_token=False, title=later("change an account"))
allow("role.give", administrator, by_token=False, title=later("give or take a role"))
allow("organization.create", administrator, by_token=False, title=later("make an organization"))
allow("organization.list", anyone, reads=True, title=later("see organizations"))
allow("session.end", theirs | administrator, by_token=False, title=later("end a session"))
allow("session.list", theirs | administrator, reads=True, by_token=False, title=later("see sessions"))
allow("token.make", theirs, by_token=False, title=later("make a token"))
allow("token.list", theirs | administrator, reads=True, by_token=False, title=later("see tokens"))
allow("token.revoke", theirs | administrator, by_token=False, title=later("revoke a token"))
allow(
    "account.edit", theirs, by_token=False, title=later("change their own account")
)  # own password, one-time codes, linked identities
allow("audit.read", auditor, reads=True, title=later("read the audit"))
allow("audit.anchor", auditor | administrator, title=later("anchor the audit"))
allow("audit.review", auditor, by_token=False, title=later("sign the monthly review of access"))
allow("node.examine", administrator, reads=True, title=later("look what is wrong with the installation"))

allow("job.see", theirs | administrator, reads=True, title=later("see a job"))
allow("job.cancel", theirs | administrator, title=later("stop a job"))
