"""The asking side: a study is sent, waits for decisions, runs in rounds, and ends with an answer or a clear state.

Rounds and what was told to them are in the database; a coordinator that was killed runs the same study again, finds
every answer that it had, and goes on from there. The same question has the same hash, so nothing is asked twice.
"""

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.federated.study import Study, study_of
from madang.services.alliance import partners
from madang.services.alliance.acts import ASK, END, RUN, SEE
from madang.services.alliance.bell import ASKER, PARTNERS, Listener, ring
from madang.services.alliance.models import ONLINE, AllianceStudy, Partner, StudySite
from madang.services.alliance.runner import PATIENCE, FellOut, Runner, Waiting, sites_of
from madang.services.alliance.together import LEAST_MASKED


def ask(node: Node, actor: Actor, study: Study, only: Sequence[str] = (), *, simulated: bool = False) -> AllianceStudy:
    """Send a study to all confirmed partners, or to those named; one that is open already is given again.

    With `simulated` it goes to the simulated sites alone, else to none of them unless they are named.
    """
    check(actor, ASK)
    with node.read() as session:
        every = session.scalars(select(Partner).where(Partner.state == "confirmed").order_by(Partner.id)).all()
        found = [each for each in every if (each.way == "simulated") == simulated and _can(each, study)]
        if only:
            named = [partners.find(session, name) for name in only]
            lost = [each.name for each in named if each.state != "confirmed"]
            if lost:
                raise MadangError(
                    "alliance.stranger", _("{name} is no confirmed partner.").format(name=", ".join(lost))
                )
            found = named
        before = session.scalars(
            select(AllianceStudy)
            .where(
                AllianceStudy.digest == study.digest,
                AllianceStudy.partner_id.is_(None),
                AllianceStudy.state.in_(("open", "running")),
            )
            .options(selectinload(AllianceStudy.sites))
            .order_by(AllianceStudy.id.desc())
        ).first()
    if not found:
        raise MadangError(
            "alliance.alone", _("There is no confirmed partner to ask."), _("madang alliance invite, then confirm.")
        )
    if before is not None and {s.partner_id for s in before.sites} == {p.id for p in found}:
        return before
    if study.secure and len(found) < LEAST_MASKED:
        raise MadangError("alliance.together", _("Masked sums need at least {least} sites.").format(least=LEAST_MASKED))
    made = AllianceStudy(
        uid=secrets.token_hex(12), title=study.title, digest=study.digest, document=json.dumps(dict(study.document))
    )
    made.sites = [StudySite(partner_id=each.id, way=each.way) for each in found]
    with doing(node, actor, ASK, lambda session: made) as done:
        done.tell(digest=study.digest, partners=[each.name for each in found])
    ring(node, PARTNERS)
    return made


def _can(partner: Partner, study: Study) -> bool:
    """Whether a partner can be asked this without being named: one that answers by hand only what takes one round."""
    if partner.way in ONLINE:
        return True
    from madang.services.alliance.courier import steps

    try:
        return bool(steps(study)) and not study.secure
    except MadangError:
        return False


def find_asked(node: Node, actor: Actor, number: int) -> AllianceStudy:
    """A study that is asked from here. Errors: `alliance.no_study`."""
    check(actor, SEE)
    from madang.services.alliance.answering import found_study

    with node.read() as session:
        return found_study(session, number)


def wait_for_decisions(node: Node, study_id: int, seconds: float, progress: Progress | None = None) -> None:
    """Until every site has decided, or that long. Raises `Waiting` where not one has approved."""
    end = time.monotonic() + seconds
    listener = Listener(node, ASKER)
    while True:
        sites = sites_of(node, study_id)
        waiting = [each for each in sites if each.state == "sent"]
        if not waiting:
            return
        if time.monotonic() >= end:
            raise Waiting([each.partner.name for each in waiting])
        if progress is not None:
            progress.check()
        listener.wait(end - time.monotonic())


def decided_and_run(
    node: Node,
    actor: Actor,
    study_id: int,
    wait: float,
    *,
    patience: float = PATIENCE,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Wait for decisions so long, then run with those that have approved, while simulated sites come for work."""
    from madang.services.alliance.simulated import running

    if any(each.way == "simulated" for each in sites_of(node, study_id)):
        with running(node):
            return _then_run(node, actor, study_id, wait, patience, progress)
    return _then_run(node, actor, study_id, wait, patience, progress)


def _then_run(
    node: Node, actor: Actor, study_id: int, wait: float, patience: float, progress: Progress | None
) -> dict[str, Any]:
    try:
        wait_for_decisions(node, study_id, wait, progress)
    except Waiting:
        if not any(each.state == "approved" for each in sites_of(node, study_id)):
            raise
    return run(node, actor, study_id, patience=patience, progress=progress)


def run(
    node: Node, actor: Actor, study_id: int, *, patience: float = PATIENCE, progress: Progress | None = None
) -> dict[str, Any]:
    """Run a study with the sites that have approved; the answer, which says who is in it and who is not.

    Errors leave the study stopped with its reason, except that nobody has answered in time and masks leave no way on.
    """
    from madang.science.federated.pooling import pooled

    with node.read() as session:
        study = session.get(AllianceStudy, study_id)
    if study is None:
        raise MadangError("alliance.no_study", _("There is no study {number}.").format(number=study_id))
    if study.state == "answered":
        return dict(json.loads(study.answer))
    asked = study_of(json.loads(study.document))
    if study.state != "running":
        with doing(node, actor, RUN, lambda session: session.get(AllianceStudy, study_id)) as done:
            done.tell(digest=study.digest)
    try:
        while True:
            runner = Runner(node, study_id, study.uid, asked, patience, progress)
            try:
                found = pooled(asked, runner.ask, one_round=any(s.way not in ONLINE for s in runner.sites))
                break
            except FellOut:
                continue
        answer = _whole(node, study, asked, found, runner)
    except MadangError as error:
        if error.code == "cancelled":
            raise
        _end(node, actor, study_id, "stopped", problem=error.message)
        raise
    _end(node, actor, study_id, "answered", answer=answer)
    return answer


def _end(node: Node, actor: Actor, study_id: int, state: str, *, problem: str = "", answer: Any = None) -> None:
    with doing(node, actor, END, lambda session: session.get(AllianceStudy, study_id)) as done:
        assert done.thing is not None  # a study is never deleted
        done.become(state)
        done.thing.problem = problem
        done.thing.answer = json.dumps(answer, ensure_ascii=False) if answer is not None else ""
        done.tell(digest=done.thing.digest, reason=problem)


def _whole(node: Node, study: AllianceStudy, asked: Study, found: dict[str, Any], runner: "Runner") -> dict[str, Any]:
    """The answer with all that has to be said of it."""
    sites = []
    for each in sites_of(node, study.id):
        told = json.loads(each.told)
        inside = each.partner.name in runner.inside
        sites.append(
            {
                "site": each.partner.name,
                "in": inside,
                "state": "in" if inside else each.state,
                "way": each.way,
                "since": each.at.isoformat(),
                "vocabulary": told.get("vocabulary", ""),
                "country": told.get("country", ""),
                "data": told.get("data", ""),
                "reason": told.get("reason", ""),
                "source": told.get("source", ""),
            }
        )
    held = {s["vocabulary"] for s in sites if s["in"] and s["vocabulary"]}
    countries = {s["country"] for s in sites if s["in"] and s["country"]}
    return {
        "study": study.uid,
        "number": study.id,
        "title": study.title,
        "asker": node.settings.title,
        "digest": study.digest,
        "state": "answered",
        "secure": asked.secure,
        **found,
        "sites": sites,
        "vocabularies_differ": len(held) > 1,
        "countries": sorted(countries),
        "questions": runner.number,
    }
