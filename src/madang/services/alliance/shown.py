"""What pages and commands show of an alliance."""

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.translate import _
from madang.node.acts import label
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.federated.study import study_of, words
from madang.services.alliance import discover, wire
from madang.services.alliance.acts import SEE
from madang.services.alliance.models import AllianceStudy, Partner, Share, StudyPart, StudySite


def overview(node: Node, actor: Actor) -> dict[str, Any]:
    """Partners, studies and shares."""
    check(actor, SEE)
    with node.read() as session:
        partners = session.scalars(select(Partner).options(selectinload(Partner.agreements)).order_by(Partner.id)).all()
        studies = session.scalars(
            select(AllianceStudy)
            .options(selectinload(AllianceStudy.partner))
            .order_by(AllianceStudy.id.desc())
            .limit(200)
        ).all()
        shares = session.scalars(select(Share).order_by(Share.name)).all()
    return {
        "words": wire.in_words(wire.identity(node.home).public),
        "partners": [partner_told(each) for each in partners],
        "studies": [_study(each) for each in studies],
        "shares": [
            {"name": s.name, "digest": s.digest, "vocabulary": s.vocabulary, "country": s.country} for s in shares
        ],
        "discovered": discover.discovered(node, actor),
        "watched": discover.watched(node),
    }


def partner_told(partner: Partner) -> dict[str, Any]:
    """A partner, its key in words, and the agreement in force."""
    force = next((a for a in reversed(partner.agreements) if a.ours and a.theirs), None)
    last = partner.agreements[-1] if partner.agreements else None
    return {
        "number": partner.id,
        "name": partner.name,
        "state": partner.state,
        "state_label": label("partner", partner.state),
        "words": wire.in_words(partner.key) if partner.key else "",
        "address": partner.address,
        "standing": partner.standing,
        "way": partner.way,
        "agreement": force.version if force else 0,
        "proposed": last.version if last and not last.ours else 0,
        "seen": partner.seen.isoformat() if partner.seen else "",
    }


def _study(study: AllianceStudy) -> dict[str, Any]:
    return {
        "number": study.id,
        "title": study.title,
        "whose": study.partner.name if study.partner is not None else _("this node"),
        "ours": study.partner_id is None,
        "state": study.state,
        "state_label": label("study", study.state),
        "digest": study.digest,
        "created": study.created.isoformat(),
    }


def study_shown(node: Node, actor: Actor, number: int) -> dict[str, Any]:
    """A study in words, its sites, its answer, and what left here for it."""
    from madang.services.alliance.answering import found_study

    check(actor, SEE)
    with node.read() as session:
        found_study(session, number)
        study = session.scalars(
            select(AllianceStudy)
            .where(AllianceStudy.id == number)
            .options(
                selectinload(AllianceStudy.partner),
                selectinload(AllianceStudy.sites).selectinload(StudySite.partner),
            )
        ).one()
        left = session.execute(
            select(StudyPart.step, StudyPart.at)
            .where(StudyPart.study_id == number, StudyPart.site_id.is_(None))
            .order_by(StudyPart.id)
        ).all()
    node.audit.read(actor, SEE.name, study.reference)
    asked = study_of(json.loads(study.document))
    return {
        **_study(study),
        "purpose": asked.purpose,
        "words": words(asked),
        "cost": 1,
        "problem": study.problem,
        "document": json.loads(study.document),
        "sites": [
            {
                "site": each.partner.name,
                "state": each.state,
                "way": each.way,
                "reason": str(json.loads(each.told).get("reason", "")),
                "vocabulary": str(json.loads(each.told).get("vocabulary", "")),
                "country": str(json.loads(each.told).get("country", "")),
                "since": each.at.isoformat(),
            }
            for each in study.sites
        ],
        "answer": json.loads(study.answer) if study.answer else None,
        "left": [{"step": step, "at": at.isoformat()} for step, at in left],
    }
