"""Counts before a permit: what was told is kept, and what is told next depends on it."""

import zlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.privacy.counts import Perturbed, Told, ask_persons, tell, translated
from madang.services.access import acts
from madang.services.access.models import Application, ToldCount
from madang.services.access.people import population_in
from madang.services.access.service import see

if TYPE_CHECKING:
    import numpy as np

COUNTS_PER_DAY = 100
MOST_TOLD = 2_000  # populations that are told of one version of a dataset
VERSIONS = 5  # the newest others of a dataset, what was told of which is held against a new answer


def count(node: Node, actor: Actor, number: int, given: dict[str, Any] | None = None) -> Perturbed:
    """How many persons fit the population of an application, perturbed. Errors: `access.too_many`."""
    application = see(node, actor, number)
    return count_for(node, actor, application, given or application.told.population.model_dump())


def count_for(node: Node, actor: Actor, application: Application, given: dict[str, Any]) -> Perturbed:
    """The same for another population than the application has."""
    check(actor, acts.COUNT, application)
    version = node.home.lake().find(application.dataset)

    def persons(engine: Engine) -> str:
        return population_in(engine, version, given).persons_sql()

    answer = told_before_a_permit(node, actor, version, persons)
    with node.write() as session:
        node.audit.record(session, actor, acts.COUNT.name, f"application:{application.id}", {"dataset": version.name})
    return answer


def told_before_a_permit(node: Node, actor: Actor, version: Version, persons: Callable[[Engine], str]) -> Perturbed:
    """How many persons a SELECT of person_id finds, as it may be told to somebody without a permit; it is kept, so that
    a set that differs by few gets the same answer, asked at the same moment or of another version of the data too.
    `persons` gives the SELECT, for an engine that has the version attached. Errors: `access.too_many`."""
    with node.read() as session:
        since = now() - timedelta(days=1)
        mine = ToldCount.person_id == actor.person_id if actor.person_id else ToldCount.person_id.is_(None)
        asked = session.scalar(select(func.count()).where(mine, ToldCount.at > since)) or 0
        rows = _rows(session, version)
        last, earlier = _last(rows), [_read(row) for row in rows]
        others = _others(session, version)
    if asked >= COUNTS_PER_DAY or len(rows) >= MOST_TOLD:
        raise MadangError(
            "access.too_many",
            _("No more populations are counted today."),
            _("Each person may count {most} a day.").format(most=COUNTS_PER_DAY),
        )
    with Engine() as engine:
        version.attach(engine)
        before = _translated(node, version, others, engine)
        told = ask_persons(engine, persons(engine), node.home.key("counts"), [*before, *earlier])
    with node.write() as session:  # one at a time: what others were told meanwhile counts as well
        meanwhile = [_read(row) for row in _rows(session, version, last)]
        told = Told(told.members, tell(meanwhile, told.members, told.answer))
        if all(each.members != told.members for each in [*earlier, *meanwhile]):
            session.add(
                ToldCount(
                    dataset=version.dataset.name,
                    version=version.number,
                    members=zlib.compress(told.members),
                    answer=told.answer.count,
                    person_id=actor.person_id,
                )
            )
    return told.answer


def _rows(session: Session, version: Version, after: int = 0) -> Sequence[ToldCount]:
    query = select(ToldCount).where(
        ToldCount.dataset == version.dataset.name, ToldCount.version == version.number, ToldCount.id > after
    )
    return session.scalars(query.order_by(ToldCount.id)).all()


def _last(rows: Sequence[ToldCount]) -> int:
    return rows[-1].id if rows else 0


def _read(row: ToldCount) -> Told:
    return Told(zlib.decompress(row.members), Perturbed(row.answer))


def _others(session: Session, version: Version) -> dict[int, list[Told]]:
    """What was told of other versions of the same data, by version, the newest versions last."""
    mine = ToldCount.dataset == version.dataset.name
    query = select(ToldCount.version).where(mine, ToldCount.version != version.number).distinct()
    numbers = sorted(session.scalars(query))[-VERSIONS:]
    rows = session.scalars(select(ToldCount).where(mine, ToldCount.version.in_(numbers)).order_by(ToldCount.id)).all()
    return {number: [_read(row) for row in rows if row.version == number] for number in numbers}


def _translated(node: Node, version: Version, others: dict[int, list[Told]], engine: Engine) -> list[Told]:
    """The same sets as sets of persons of this version, as far as the other versions are still there."""
    if not others:
        return []
    people = _people(engine)
    found: list[Told] = []
    for number, told in others.items():
        try:
            other = version.dataset.version(number)
        except MadangError:  # removed from the lake: nobody can ask about it any more
            continue
        with Engine() as beside:
            other.attach(beside)
            before = _people(beside)
        found += [translated(each, before, people) for each in told]
    return found


def _people(engine: Engine) -> "np.ndarray":
    ordered = engine.query("SELECT person_id FROM person ORDER BY person_id")
    return ordered.column(0).to_numpy()
