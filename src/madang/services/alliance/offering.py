"""What there is for a partner that comes: agreements, studies to decide on, the question that is open."""

import json
import time
from functools import lru_cache
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.node.node import Node
from madang.services.alliance import partners, wire
from madang.services.alliance.bell import PARTNERS, Listener
from madang.services.alliance.models import ONLINE, AllianceStudy, Partner, StudyPart, StudyRound, StudySite

MOST_STUDIES = 20  # told at once


def waiting(node: Node, partner_id: int, wait: float, have: set[str], *, brief: bool) -> dict[str, Any]:
    """What is there for a partner; waits for it so long. A `brief` answer, which it gets between two rounds, has no
    agreements, and studies that wait for its decision (but those that it has) only where there is no question."""
    end = time.monotonic() + wait
    listener = Listener(node, PARTNERS)
    wanted = node.home.folder("alliance") / f"want-{partner_id}"
    while True:
        told: dict[str, Any] = {"studies": [], "question": None, "ledger_wanted": wanted.exists()}
        with node.read() as session:
            if not brief:
                partner = partners.by_id(session, partner_id)
                told |= {"state": partner.state, "agreements": partners.ours_signed(partner)}
            else:
                told["state"] = session.scalar(select(Partner.state).where(Partner.id == partner_id))
            if told["state"] == "confirmed":
                told["question"] = _question(session, partner_id)
                if not brief or told["question"] is None:
                    told["studies"] = _studies(session, partner_id, have)
        if any(told[name] for name in ("question", "ledger_wanted", "studies")) or time.monotonic() >= end:
            return told
        listener.wait(end - time.monotonic())


def _studies(session: Session, partner_id: int, have: set[str]) -> list[dict[str, Any]]:
    """Studies that wait for the partner's decision."""
    rows = session.execute(
        select(AllianceStudy.uid, AllianceStudy.digest, AllianceStudy.document)
        .join(StudySite, AllianceStudy.id == StudySite.study_id)
        .where(
            StudySite.partner_id == partner_id,
            StudySite.state == "sent",
            StudySite.way.in_(ONLINE),
            AllianceStudy.state.in_(("open", "running")),
        )
        .limit(MOST_STUDIES + len(have))
    ).all()
    return [{"uid": row.uid, "digest": row.digest, "document": json.loads(row.document)}
            for row in rows if row.uid not in have]  # fmt: skip


def _question(session: Session, partner_id: int) -> dict[str, Any] | None:
    """The newest question of a running study that this site has not answered."""
    for site in session.execute(
        select(StudySite.id, StudySite.study_id)
        .join(AllianceStudy, AllianceStudy.id == StudySite.study_id)
        .where(StudySite.partner_id == partner_id, StudySite.state == "approved", AllianceStudy.state == "running")
        .order_by(StudySite.id)
    ).all():
        of_study = StudyRound.study_id == site.study_id
        newest = session.execute(
            select(StudyRound.digest, StudyRound.number).where(of_study).order_by(StudyRound.number.desc()).limit(1)
        ).first()
        if newest is None:
            continue
        answered = StudyPart.study_id == site.study_id, StudyPart.site_id == site.id, StudyPart.digest == newest.digest
        if session.scalar(select(StudyPart.id).where(*answered)) is not None:
            continue
        asked = select(StudyRound.question).where(of_study, StudyRound.number == newest.number)
        question = parsed(session.scalar(asked) or "{}")
        among = question.get("among", question.get("answered"))
        if among is None or _thumbprint(session, partner_id) in among:
            return {**question, "digest": newest.digest, "round": newest.number}
    return None


@lru_cache(maxsize=8)
def parsed(text: str) -> dict[str, Any]:
    """A question; all sites are asked the same one. It is not changed by who reads it."""
    return dict(json.loads(text))


def _thumbprint(session: Session, partner_id: int) -> str:
    return wire.thumbprint(session.scalar(select(Partner.key).where(Partner.id == partner_id)) or "")
