"""Doing something: one way in which rule, state, event and listeners come together.

    with doing(node, actor, PUBLISH, lambda session: find(session, name)) as done:
        done.thing.published = now()
        done.tell(version=3)

checks that the actor may and that the thing is in a state from which it can be done, opens the transaction, sets the
state, writes the event under the act's name and tells whoever listens: all in one transaction, or nothing. Forgetting
one of these is impossible: an act that neither changes a state nor tells details is a mistake that raises.

What touches files cannot be in the database's transaction. Such an act says first what it is about to do:

    with intending(node, actor, REMOVE, "dataset:x", {"persons": 3}) as intent:
        ...                                      # the work on files
        with intent.done() as session:           # effect and event, and the intent is over
            ...

After a kill the room that has the act finishes or withdraws it (`RoomPlan.settles`), and whatever the intent would
hide is hidden from its first moment (`open_intents`).
"""

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked
from madang.node import rooms
from madang.node.database import Base, after_commit, now
from madang.node.node import Node
from madang.node.people.actor import Actor, actor_as_json
from madang.node.permissions import Act, check, named
from madang.node.text import Machine

T = TypeVar("T")


@dataclass(frozen=True)
class States:
    """The states of one kind of thing: a table from which checks, diagrams and docs come.

    `labels` are what people call them (marked by `later`); `first` is where a thing begins. Which act leads from which
    state to which is with the acts of the same area. States in `by_clock` are computed, never set; those in `by_work`
    the node sets itself while it works, without an act.
    """

    area: str
    first: str
    labels: Mapping[str, str]
    model: str = ""  # "module:class" whose column `state` holds it
    by_clock: tuple[str, ...] = ()
    by_work: tuple[str, ...] = ()

    def moves(self) -> list[tuple[str, str, str]]:
        """From which state, by which act, to which: of all acts of this area that change it."""
        from madang.node.permissions import acts

        mine = [act for act in acts().values() if act.area == self.area and act.to]
        return [(frm, act.name, to) for act in mine for frm in (act.frm or ("",)) for to in act.to]


class Intent(Base):
    """That somebody is about to do something to files; gone once it is done or withdrawn."""

    __tablename__ = "intents"

    id: Mapped[int] = mapped_column(primary_key=True)
    act: Mapped[str] = mapped_column(Machine)
    thing: Mapped[str] = mapped_column(Machine, index=True)
    details: Mapped[str] = mapped_column(Machine)  # JSON
    actor: Mapped[str] = mapped_column(Machine)  # JSON, as that of a job
    holder: Mapped[str] = mapped_column(Machine)  # names the lock that its process holds while it lives
    begun: Mapped[datetime] = mapped_column(default=now)

    @property
    def told(self) -> dict[str, Any]:
        """Its details, read."""
        return dict(json.loads(self.details))


class Telling(Base):
    """That a listener has yet to hear of an act that lasts; gone once it has."""

    __tablename__ = "tellings"

    id: Mapped[int] = mapped_column(primary_key=True)
    listener: Mapped[str] = mapped_column(Machine)  # "room:act"
    act: Mapped[str] = mapped_column(Machine)
    thing: Mapped[str] = mapped_column(Machine)
    details: Mapped[str] = mapped_column(Machine)
    actor: Mapped[str] = mapped_column(Machine)
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(Machine, default="")
    created: Mapped[datetime] = mapped_column(default=now)


@dataclass(frozen=True)
class Told:
    """What a listener hears, within a transaction that its changes join."""

    session: Session
    node: Node
    actor: Actor
    act: str
    thing: str  # as events name it, `record:7`
    details: Mapping[str, Any]


@dataclass
class Doing(Generic[T]):
    """An act that is being done."""

    session: Session
    node: Node
    actor: Actor
    act: Act
    thing: T
    _details: dict[str, Any] = field(default_factory=dict)
    _state: str | None = None

    def tell(self, **details: Any) -> None:
        """Say what stands in the event beside who, what and when; fields are those of the act's `details`."""
        if self.act.details is None:
            raise RuntimeError(f"{self.act.name} has no details")
        self._details |= details

    def become(self, state: str) -> None:
        """Choose the state to which the act leads, where there are several."""
        if state not in self.act.to:
            raise RuntimeError(f"{self.act.name} does not lead to {state}")
        self._state = state


@contextlib.contextmanager
def doing(node: Node, actor: Actor, act: Act, thing: Callable[[Session], T]) -> Iterator[Doing[T]]:
    """Do an act to what `thing` finds (or makes) in the transaction; see the module.

    Errors: those of `check`, `act.state` where it cannot be done in the state that the thing has.
    """
    with node.write() as session, doing_in(session, node, actor, act, thing) as done:
        yield done


@contextlib.contextmanager
def doing_in(session: Session, node: Node, actor: Actor, act: Act, thing: Callable[[Session], T]) -> Iterator[Doing[T]]:
    """The same within a transaction for writing that is open already: several acts that happen together."""
    found = thing(session)
    check(actor, act, found)
    before = getattr(found, "state", None)
    if act.frm and before not in act.frm:
        raise MadangError(
            "act.state",
            _("This cannot be done now: it is {state}.").format(state=label(act.area, str(before))),
            _("It can be done when it is {states}.").format(
                states=", ".join(label(act.area, state) for state in act.frm)
            ),
        )
    done = Doing(session, node, actor, act, found)
    yield done
    finish(done, before)


def finish(done: Doing[Any], before: str | None) -> None:
    """Set the state, write the event, tell the listeners."""
    act, thing, session = done.act, done.thing, done.session
    details = dict(done._details)
    if act.details is not None:
        details = act.details(**details).model_dump(mode="json")
    if act.to:
        after = done._state or (act.to[0] if len(act.to) == 1 else None)
        if after is None:
            raise RuntimeError(f"{act.name} leads to several states, and none was chosen")
        thing.state = after
        if before != after:
            details |= {"from": before or "", "to": after}
    if not details and not act.reads:
        raise RuntimeError(f"{act.name} changed no state and told nothing")
    if thing is not None and getattr(thing, "id", None) is None and isinstance(thing, Base):
        session.add(thing)
    session.flush()
    told_of(session, done.node, done.actor, act, reference(act, thing), details)


def reference(act: Act, thing: Any) -> str:
    """How events name a thing: `record:7`."""
    if thing is None:
        return ""
    name = getattr(thing, "reference", None)
    return name if isinstance(name, str) else f"{act.area}:{thing.id}"


def told_of(session: Session, node: Node, actor: Actor, act: Act, thing: str, details: Mapping[str, Any]) -> None:
    """Write an act's event and have its listeners hear, in the transaction of `session`."""
    node.audit.record(session, actor, act.name, thing, dict(details))
    for name, listener in rooms.listeners(act.name):
        if not act.lasts:
            listener(Told(session, node, actor, act.name, thing, details))
            continue
        waiting = Telling(listener=name, act=act.name, thing=thing, details=_json(details), actor=actor_as_json(actor))
        session.add(waiting)
        session.flush()
        after_commit(session, partial(hear, node, waiting.id))


def label(area: str, state: str) -> str:
    """What people call a state, in the reader's language."""
    for _plan, states in rooms.states():
        if states.area == area and state in states.labels:
            return _(states.labels[state])
    return state


def hear(node: Node, telling: int) -> None:
    """Have the listener of a telling hear, in a transaction of its own; what goes wrong is kept and tried again."""
    from madang.node.jobs.worker import actor_or_node

    try:
        with node.write() as session:
            waiting = session.get(Telling, telling, with_for_update=True)
            if waiting is None:
                return
            listener = dict(rooms.listeners(waiting.act)).get(waiting.listener)
            if listener is not None:  # the room is gone: nobody has to hear any more
                actor = actor_or_node(session, waiting.actor)
                listener(Told(session, node, actor, waiting.act, waiting.thing, json.loads(waiting.details)))
            session.delete(waiting)
    except Exception as error:
        with contextlib.suppress(MadangError), node.write() as session:
            waiting = session.get(Telling, telling)
            if waiting is not None:
                waiting.attempts += 1
                waiting.error = f"{type(error).__name__}: {error}"[:500]


def retell(node: Node) -> None:
    """Try again whatever listeners have not heard; the keeper does it now and then."""
    with node.read() as session:
        waiting = session.scalars(select(Telling.id).order_by(Telling.id).limit(100)).all()
    for each in waiting:
        hear(node, each)


@dataclass
class Intending:
    """An act on files that is being done."""

    node: Node
    actor: Actor
    act: Act
    number: int
    thing: str
    details: dict[str, Any]
    over: bool = False

    @contextlib.contextmanager
    def done(self, made: Any = None, /, **details: Any) -> Iterator[Session]:
        """The transaction with the act's effect and event; with it the intent is over.

        `made` is the new row of what was made, where its state is a column: it is kept, in the state that the act
        leads to.
        """
        with self.node.write() as session:
            intent = session.get(Intent, self.number, with_for_update=True)
            if intent is None:
                raise MadangError("act.lost", _("This was withdrawn meanwhile."), _("Begin again."))
            yield session
            session.delete(intent)
            session.flush()
            told = self.details | details
            if self.act.details is not None:
                told = self.act.details(**told).model_dump(mode="json")
            if made is not None:
                made.state = self.act.to[0]
                session.add(made)
                session.flush()
                told |= {"from": "", "to": made.state}
            told_of(session, self.node, self.actor, self.act, self.thing, told)
        self.over = True


@contextlib.contextmanager
def intending(
    node: Node, actor: Actor, act: Act, thing: str, details: Mapping[str, Any], about: Any = None
) -> Iterator[Intending]:
    """Do an act that touches files; see the module. `about` is what the rule is asked of.

    An exception withdraws the intent: what it would have hidden is seen again, and nothing has happened.
    """
    check(actor, act, about)
    holder = secrets.token_hex(8)
    with _held(node, holder):
        with node.write() as session:
            kept = {"details": _json(details), "actor": actor_as_json(actor), "holder": holder}
            intent = Intent(act=act.name, thing=thing, **kept)
            session.add(intent)
            session.flush()
            number = intent.id
            node.audit.record(session, actor, f"{act.name}.begin", thing, dict(details))
        doing = Intending(node, actor, act, number, thing, dict(details))
        try:
            yield doing
        except BaseException as error:
            if not doing.over:
                withdraw(node, actor, number, type(error).__name__)
            raise
        if not doing.over:
            raise RuntimeError(f"{act.name} was begun and never done")


def withdraw(node: Node, actor: Actor, number: int, why: str) -> None:
    """Have an intent come to nothing."""
    with node.write() as session:
        intent = session.get(Intent, number)
        if intent is not None:
            session.delete(intent)
            node.audit.record(session, actor, f"{intent.act}.withdraw", intent.thing, {"reason": why})


def complete(
    node: Node, intent: Intent, made: Any = None, /, **details: Any
) -> contextlib.AbstractContextManager[Session]:
    """For a room that settles: the transaction that does what a killed process had begun, as who had begun it.

    `made` and `details` are those of `Intending.done`.
    """
    from madang.node.jobs.worker import actor_or_node

    with node.read() as session:
        actor = actor_or_node(session, intent.actor)
    return Intending(node, actor, named(intent.act), intent.id, intent.thing, intent.told).done(made, **details)


def open_intents(session: Session, act: Act) -> set[str]:
    """The things to which this act is being done at this moment, or was when a process died."""
    return set(session.scalars(select(Intent.thing).where(Intent.act == act.name)))


def settle(node: Node) -> list[str]:
    """Finish or withdraw what processes had begun that are dead; what was settled."""
    with node.read() as session:
        intents = session.scalars(select(Intent).order_by(Intent.id)).all()
    settled = []
    for intent in intents:
        with contextlib.suppress(MadangError), _held(node, intent.holder):
            with node.read() as session:
                if session.get(Intent, intent.id) is None:
                    continue
            for plan in rooms.plans():
                if intent.act in plan.settles:
                    plan.load(plan.settles[intent.act])(node, intent)
                    break
            else:
                withdraw(node, Actor.node(), intent.id, "nobody settles it")
            settled.append(f"{intent.act} {intent.thing}")
    return settled


@contextlib.contextmanager
def _held(node: Node, holder: str) -> Iterator[None]:
    """Held while the process that has an intent lives; the kernel frees it when it dies."""
    busy = MadangError("act.busy", "Another process is doing this.")
    path = node.home.folder("run") / f"intent-{holder}.lock"
    with locked(path, exclusive=True, patience=0, busy=busy):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _json(details: Mapping[str, Any]) -> str:
    return canonical_json(dict(details)).decode()
