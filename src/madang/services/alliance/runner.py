"""One run of the rounds of a study: it asks, waits, and gives what was told; masked answers it unmasks."""

import json
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.orm import selectinload

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.science.federated import masks
from madang.science.federated.study import Study
from madang.services.alliance import wire
from madang.services.alliance.bell import ASKER, PARTNERS, Listener, ring
from madang.services.alliance.hearing import part_of
from madang.services.alliance.models import ONLINE, AllianceStudy, StudyPart, StudyRound, StudySite
from madang.services.alliance.together import LEAST_MASKED

if TYPE_CHECKING:
    from madang.science.federated.rounds import Part

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


class Runner:
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

    def ask(self, step: str, told: Any) -> "list[tuple[str, Part]]":
        """As `rounds.Ask`."""
        from madang.science.federated.rounds import FACTS

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
        ring(self.node, PARTNERS)
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
        listener = Listener(self.node, ASKER)
        bodies: dict[int, bytes] = {}
        while True:
            over = time.monotonic() >= end
            with self.node.read() as session:
                told = StudyPart.study_id == self.study_id, StudyPart.digest == digest, StudyPart.site_id.in_(wanted)
                found = set(session.scalars(select(StudyPart.site_id).where(*told)))
                gone = set(
                    session.scalars(select(StudySite.id).where(StudySite.id.in_(wanted), StudySite.state != "approved"))
                )
                if found >= wanted or gone or over:
                    rows = session.execute(select(StudyPart.site_id, StudyPart.body).where(*told)).all()
                    bodies = {site: body for site, body in rows if site is not None}
            if found >= wanted:
                return bodies
            if self.progress is not None:
                self.progress.check()
            missing = wanted - found
            late = over or any(self._by_courier(each) for each in missing)
            if gone & missing or late:
                self._drop(missing if late else gone & missing, late)
                if masked and len(bodies) >= LEAST_MASKED and (late or missing <= gone):
                    self.sites = [each for each in self.sites if each.id not in missing]
                    return bodies
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

    def _check_people(self, step: str, parts: "dict[str, Part]") -> None:
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

    def _unmasked(
        self, question: dict[str, Any], digest: str, step: str, told: Any, bodies: dict[int, bytes]
    ) -> "Part":
        """The sum of masked answers, once all who answered have told their seeds."""
        from madang.science.federated.rounds import Part, check_part, layout

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
            size = math.prod(shape)
            sums[name] = high[at : at + size].reshape(shape), low[at : at + size].reshape(shape)
            at += size
        part = Part(sums)
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
        listener = Listener(self.node, ASKER)
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
