"""The asking side: a study is sent, waits for decisions, runs in rounds, and ends with an answer or a clear state.

Rounds and what was told to them are in the database; a coordinator that was killed runs the same study again, finds
every answer that it had, and goes on from there. The same question has the same hash, so nothing is asked twice.
"""

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import selectinload

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.federated import masks
from madang.science.federated.pooling import pooled
from madang.science.federated.rounds import FACTS, Part, layout
from madang.science.federated.study import Study, study_of
from madang.services.alliance import partners, wire
from madang.services.alliance.acts import ASK, END, RUN, SEE
from madang.services.alliance.bell import Listener, ring
from madang.services.alliance.exchange import part_of
from madang.services.alliance.models import ONLINE, AllianceStudy, Partner, StudyPart, StudyRound, StudySite
from madang.services.alliance.together import LEAST_MASKED

PATIENCE = 60.0  # seconds in which a site has to answer a question


class FellOut(Exception):
    """A site is in the study no more; the fit begins again with the others."""


class Waiting(MadangError):
    """Sites have yet to decide, or to answer."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            "alliance.waiting",
            _("These sites have not decided yet: {names}.").format(names=", ".join(names)),
            _("Run the same command again later; it goes on where it was."),
        )


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
    ring(node)
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


def sites_of(node: Node, study_id: int) -> list[StudySite]:
    """The sites of a study as they stand, with their partners."""
    with node.read() as session:
        return list(
            session.scalars(
                select(StudySite)
                .where(StudySite.study_id == study_id)
                .options(selectinload(StudySite.partner))
                .order_by(StudySite.id)
            )
        )


def find_asked(node: Node, actor: Actor, number: int) -> AllianceStudy:
    """A study that is asked from here. Errors: `alliance.no_study`."""
    check(actor, SEE)
    from madang.services.alliance.answering import found_study

    with node.read() as session:
        return found_study(session, number)


def wait_for_decisions(node: Node, study_id: int, seconds: float, progress: Progress | None = None) -> None:
    """Until every site has decided, or that long. Raises `Waiting` where not one has approved."""
    end = time.monotonic() + seconds
    listener = Listener(node)
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
            runner = _Runner(node, study_id, study.uid, asked, patience, progress)
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


def _whole(node: Node, study: AllianceStudy, asked: Study, found: dict[str, Any], runner: "_Runner") -> dict[str, Any]:
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


class _Runner:
    """One run of the rounds; it asks, waits, and gives what was told."""

    def __init__(
        self, node: Node, study_id: int, uid: str, study: Study, patience: float, progress: Progress | None
    ) -> None:
        self.node, self.study_id, self.uid, self.study = node, study_id, uid, study
        self.patience, self.progress = patience, progress
        every = sites_of(node, study_id)
        self.sites = [each for each in every if each.state == "approved"]
        self.number = 0
        self.people: dict[str, float] = {}
        self.together = {}
        if not self.sites:
            waiting = [each.partner.name for each in every if each.state == "sent"]
            if waiting:
                raise Waiting(waiting)
            reasons = [f"{s.partner.name}: {json.loads(s.told).get('reason') or s.state}" for s in every]
            raise MadangError(
                "alliance.nobody", _("No site is in the study ({reasons}).").format(reasons="; ".join(reasons)[:800])
            )
        if study.secure:
            self.together = {
                wire.thumbprint(each.partner.key): {
                    name: json.loads(each.told).get(name) for name in ("mask", "key", "signature")
                }
                for each in self.sites
            }
            if len(self.together) < LEAST_MASKED:
                raise MadangError(
                    "alliance.together", _("Masked sums need at least {least} sites.").format(least=LEAST_MASKED)
                )

    @property
    def inside(self) -> set[str]:
        """The names of the sites that are in the answer."""
        return {each.partner.name for each in self.sites}

    def ask(self, step: str, told: Any) -> list[tuple[str, Part]]:
        """As `rounds.Ask`."""
        told = json.loads(json.dumps(told))
        masked = self.study.secure and step not in FACTS
        question: dict[str, Any] = {"study": self.uid, "step": step, "told": told}
        if masked:
            question["together"] = self.together
        digest = self._put(question)
        bodies = self._collect(digest, masked)
        record = self._record()
        parts = {
            each.partner.name: part_of(record, question, *wire.unpack(bodies[each.id]))
            for each in self.sites
            if each.id in bodies
        }
        if masked:
            return [("all", self._unmasked(question, digest, step, told, bodies))]
        self._check_people(step, parts)
        return list(parts.items())

    def _record(self) -> AllianceStudy:
        with self.node.read() as session:
            found = session.get(AllianceStudy, self.study_id)
        assert found is not None
        return found

    def _put(self, question: dict[str, Any]) -> str:
        """Ask: the question's hash. One that stands at this place already is left; others after it are taken away."""
        self.number += 1
        digest = sha256_of(question)
        with self.node.write() as session:
            held = session.scalar(
                select(StudyRound).where(StudyRound.study_id == self.study_id, StudyRound.number == self.number)
            )
            if held is not None and held.digest == digest:
                later = select(StudyRound.number).where(
                    StudyRound.study_id == self.study_id, StudyRound.number > self.number
                )
                if session.scalar(later) is None or self._all_told(session, digest):
                    return digest
            if held is not None:
                session.execute(
                    delete(StudyRound).where(StudyRound.study_id == self.study_id, StudyRound.number >= self.number)
                )
                session.flush()
            text = json.dumps(question)
            session.add(StudyRound(study_id=self.study_id, number=self.number, digest=digest, question=text))
        ring(self.node)
        return digest

    def _all_told(self, session: Any, digest: str) -> bool:
        told = set(
            session.scalars(
                select(StudyPart.site_id).where(StudyPart.study_id == self.study_id, StudyPart.digest == digest)
            )
        )
        return {each.id for each in self.sites} <= told

    def _collect(self, digest: str, masked: bool) -> dict[int, bytes]:
        """What all sites told; a site that does not answer in time, or was found wrong, falls out."""
        end = time.monotonic() + self.patience
        wanted = {each.id for each in self.sites}
        listener = Listener(self.node)
        while True:
            with self.node.read() as session:
                rows = session.execute(
                    select(StudyPart.site_id, StudyPart.body).where(
                        StudyPart.study_id == self.study_id,
                        StudyPart.digest == digest,
                        StudyPart.site_id.in_(wanted),
                    )
                ).all()
                if len(rows) == len(wanted):
                    return {site: body for site, body in rows if site is not None}
                gone = set(
                    session.scalars(select(StudySite.id).where(StudySite.id.in_(wanted), StudySite.state != "approved"))
                )
            if self.progress is not None:
                self.progress.check()
            missing = wanted - {site for site, _body in rows}
            late = time.monotonic() >= end or any(self._by_courier(each) for each in missing)
            if gone & missing or late:
                self._drop(missing if late else gone & missing, late)
                if masked and len(rows) >= LEAST_MASKED and (late or missing <= gone):
                    self.sites = [each for each in self.sites if each.id not in missing]
                    return {site: body for site, body in rows if site is not None}
                raise FellOut
            listener.wait(end - time.monotonic())

    def _by_courier(self, site_id: int) -> bool:
        """A courier brought all that it will bring."""
        return any(each.id == site_id and each.way not in ONLINE for each in self.sites)

    def _drop(self, site_ids: set[int], late: bool) -> None:
        with self.node.write() as session:
            for site in session.scalars(select(StudySite).where(StudySite.id.in_(site_ids))):
                if site.state == "approved":
                    site.state, site.at = "fell-out", now()
                    why = _("no answer in time") if site.way in ONLINE else _("its file does not answer this step")
                    site.told = json.dumps({**json.loads(site.told), "reason": why})

    def _check_people(self, step: str, parts: dict[str, Part]) -> None:
        """A site tells of equally many people in every round of a fit. Errors: FellOut."""
        if step not in ("glm", "center", "cox"):
            return
        for each in self.sites:
            name = each.partner.name
            n = float(parts[name].sums["n"][0])
            if self.people.setdefault(name, n) != n:
                with self.node.write() as session:
                    site = session.get(StudySite, each.id)
                    assert site is not None
                    site.state, site.at = "fell-out", now()
                    why = _("it told of other numbers of people in two rounds")
                    site.told = json.dumps({**json.loads(site.told), "reason": why})
                raise FellOut

    def _unmasked(self, question: dict[str, Any], digest: str, step: str, told: Any, bodies: dict[int, bytes]) -> Part:
        """The sum of masked answers, once all who answered have told their seeds."""
        names = {each.id: wire.thumbprint(each.partner.key) for each in self.sites}
        answered = sorted(names.values())
        inner = self._put({"study": self.uid, "unmask": question, "answered": answered})
        told_seeds = {
            names[site]: wire.unpack(body)[0]["facts"] for site, body in self._seeds(inner, len(answered)).items()
        }
        sent = {names[site]: wire.unpack(body) for site, body in bodies.items() if site in names}
        masked = {name: masks.from_bytes(arrays["masked"]) for name, (_meta, arrays) in sent.items()}
        own = {name: bytes.fromhex(facts["own"]) for name, facts in told_seeds.items()}
        if missing := sorted(set(answered) - set(told_seeds)):
            own |= self._recovered(
                question, missing, {name: meta["facts"]["shares"] for name, (meta, _a) in sent.items()}
            )
        fallen = {
            lost: self._pairs_of(lost, answered, told_seeds) for lost in sorted(set(self.together) - set(answered))
        }
        high, low = masks.decode(masks.unmask(masked, own, fallen))
        self.together = {name: told for name, told in self.together.items() if name in answered}
        sums, at = {}, 0
        for name, shape in layout(self.study, step, told).items():
            size = int(np.prod(shape, dtype=int))
            sums[name] = high[at : at + size].reshape(shape), low[at : at + size].reshape(shape)
            at += size
        part = Part(sums)
        from madang.science.federated.rounds import check_part

        check_part(self.study, step, told, part)
        return part

    def _pairs_of(self, lost: str, answered: list[str], told: dict[str, Any]) -> dict[str, bytes]:
        """The seeds of a fallen site's pairs; all who answered have to tell theirs. Errors: `alliance.masks`."""
        if set(answered) - set(told):
            raise _unreadable()
        return {name: bytes.fromhex(facts["fallen"][lost]) for name, facts in told.items()}

    def _seeds(self, digest: str, count: int) -> dict[int, bytes]:
        """What the sites told of their seeds: all, or after the time for it enough to help the others."""
        end = time.monotonic() + self.patience
        listener = Listener(self.node)
        wanted = {each.id for each in self.sites}
        while True:
            with self.node.read() as session:
                rows = session.execute(
                    select(StudyPart.site_id, StudyPart.body).where(
                        StudyPart.study_id == self.study_id, StudyPart.digest == digest, StudyPart.site_id.in_(wanted)
                    )
                ).all()
                states = set(session.scalars(select(StudySite.state).where(StudySite.id.in_(wanted))))
            found = {site: body for site, body in rows if site is not None}
            if len(found) == len(wanted):
                return found
            if states != {"approved"}:
                raise _unreadable()
            if time.monotonic() >= end:
                if len(found) >= masks.least_of(count):
                    return found
                raise _unreadable()
            if self.progress is not None:
                self.progress.check()
            listener.wait(end - time.monotonic())

    def _recovered(
        self, question: dict[str, Any], missing: list[str], shares: dict[str, dict[str, str]]
    ) -> dict[str, bytes]:
        """The seeds of sites that fell out between their masked answer and their seed, from the shares of the others.

        They stay in the study; the next round needs them again.
        """
        names = {each.id: wire.thumbprint(each.partner.key) for each in self.sites}
        among = sorted(set(names.values()) - set(missing))
        ask = {"study": self.uid, "recover": question, "missing": missing, "among": among,
               "shares": {name: shares[name] for name in missing}}  # fmt: skip
        digest = self._put(ask)
        here, self.sites = self.sites, [each for each in self.sites if names[each.id] in among]
        try:
            told = {names[site]: wire.unpack(body)[0]["facts"]["shares"]
                    for site, body in self._seeds(digest, len(names)).items()}  # fmt: skip
        finally:
            self.sites = here
        least, everybody = masks.least_of(len(self.together)), set(self.together)
        return {
            lost: masks.put_together(
                {name: bytes.fromhex(each[lost]) for name, each in told.items()}, sorted(everybody - {lost}), least
            )
            for lost in missing
        }


def _unreadable() -> MadangError:
    return MadangError(
        "alliance.masks",
        _("Sites fell out between their masked answers and their seeds; this round cannot be read any more."),
        _("Ask again with at least three other sites, or without masks."),
    )
