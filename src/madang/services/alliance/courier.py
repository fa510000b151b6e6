"""Studies and answers as signed files, for sites whose data network has no way out."""

import json
from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.federated.study import Study, study_of
from madang.services.alliance import answering, partners, wire
from madang.services.alliance.acts import ASK, SEE
from madang.services.alliance.answering import question_digest
from madang.services.alliance.hearing import meta_of, part_of
from madang.services.alliance.models import AllianceStudy, Partner, StudyPart, StudySite

STUDY, ANSWER = "alliance-study", "alliance-answer"


def steps(study: Study) -> list[tuple[str, dict[str, Any]]]:
    """The steps that need no other site's answer: what a courier can carry. Errors: `alliance.rounds`."""
    stated = study.levels()
    if study.kind == "count":
        return [("count", {})]
    if study.kind == "feasibility":
        return [("fits", {})]
    if study.kind == "moments":
        return [("moments", {"center": {name: 0.0 for name in study.estimator["columns"]}})]
    if study.kind == "meta":
        return [("estimate", {})]
    if study.kind == "calibration":
        return [("calibration", {})]
    from madang.science.federated.rounds import cell_columns

    if study.kind in ("table", "mantel-haenszel") and all(name in stated for name in cell_columns(study)):
        return [("cells", {"levels": [list(stated[name]) for name in cell_columns(study)]})]
    raise MadangError(
        "alliance.rounds",
        _("This study takes several rounds, which no courier can run."),
        _("By courier go counts, means, tables with stated levels, calibration, and meta (an approximation)."),
    )


def carried_out(node: Node, actor: Actor, number: int, name: str) -> bytes:
    """The file with a study for a site; the site then is one by courier."""
    check(actor, ASK)
    with node.read() as session:
        study = answering.found_study(session, number)
        partner = partners.find(session, name)
    asked = study_of(json.loads(study.document))
    if asked.secure:
        raise MadangError("alliance.rounds", _("Masked sums need sites that are online."))
    questions = [{"study": study.uid, "step": step, "told": told} for step, told in steps(asked)]
    content = {
        "uid": study.uid,
        "digest": study.digest,
        "document": json.loads(study.document),
        "questions": [{**each, "digest": question_digest(each)} for each in questions],
    }
    with node.write() as session:
        site = _site(session, study.id, partner.id)
        site.way = "courier"
    me = wire.identity(node.home)
    return wire.sealed(me, STUDY, wire.thumbprint(partner.key), json.dumps(content).encode())


def _site(session: Any, study_id: int, partner_id: int) -> StudySite:
    found = session.scalar(select(StudySite).where(StudySite.study_id == study_id, StudySite.partner_id == partner_id))
    if found is None:
        raise MadangError("alliance.no_study", _("That study is not asked of this partner."))
    return found


def _sender(node: Node, data: bytes) -> Partner:
    key = wire.head_of(data)["from"]
    with node.read() as session:
        for each in session.scalars(select(Partner).where(Partner.key != "")):
            if wire.thumbprint(each.key) == key and each.state == "confirmed":
                return each
    raise MadangError("alliance.stranger", _("This file is of no partner that was confirmed here."))


def brought_in(node: Node, actor: Actor, data: bytes) -> AllianceStudy:
    """At the site: keep the study of a courier's file; it is decided on like any other."""
    check(actor, SEE)
    partner = _sender(node, data)
    content = json.loads(wire.opened_file(data, STUDY, partner.key, wire.identity(node.home).name))
    return answering.receive(node, actor, partner.id, content)


def answered(node: Node, actor: Actor, data: bytes) -> bytes:
    """At the site: the file with the answer to an approved study of a courier's file, to be carried out."""
    partner = _sender(node, data)
    content = json.loads(wire.opened_file(data, STUDY, partner.key, wire.identity(node.home).name))
    study = answering.receive(node, actor, partner.id, content)
    if study.state != "approved":
        raise MadangError(
            "alliance.state",
            _("The study is not approved."),
            _("madang alliance approve {number}").format(number=study.id),
        )
    parts = []
    import base64

    for question in content["questions"]:
        body = answering.answer(node, actor, study.id, question)
        meta, _arrays = wire.unpack(body)
        if "refused" in meta:
            raise MadangError(meta["refused"]["code"], meta["refused"]["message"], meta["refused"].get("hint", ""))
        parts.append(base64.b64encode(body).decode())
    told = answering.versions_of(node, study)
    out = {"uid": study.uid, "digest": study.digest, "parts": parts, "told": told}
    me = wire.identity(node.home)
    return wire.sealed(me, ANSWER, wire.thumbprint(partner.key), json.dumps(out).encode())


def taken_back(node: Node, actor: Actor, data: bytes) -> AllianceStudy:
    """At the asking node: the answer of a courier's file, checked like one that came by the line."""
    import base64

    check(actor, ASK)
    partner = _sender(node, data)
    content = json.loads(wire.opened_file(data, ANSWER, partner.key, wire.identity(node.home).name))
    with node.read() as session:
        study = session.scalar(
            select(AllianceStudy).where(AllianceStudy.uid == content["uid"], AllianceStudy.partner_id.is_(None))
        )
    if study is None or study.digest != content["digest"]:
        raise MadangError("alliance.no_study", _("This answers no study of this node."))
    if study.state == "answered":
        raise MadangError("alliance.late", _("The study is answered already."))
    asked = study_of(json.loads(study.document))
    questions = {}
    for step, told in steps(asked):
        question = {"study": study.uid, "step": step, "told": told}
        questions[question_digest(question)] = question
    with node.write() as session:
        site = _site(session, study.id, partner.id)
        site.state, site.way, site.at = "approved", "courier", now()
        site.told = json.dumps(content["told"])
        for text in content["parts"]:
            meta, arrays = wire.unpack(base64.b64decode(text))
            answered = questions.get(str(meta.get("digest")))
            if answered is None or meta.get("study") != study.uid:
                raise MadangError("alliance.file", _("This file answers another question."))
            part_of(study, answered, meta, arrays)
            known = session.scalar(
                select(StudyPart.id).where(StudyPart.site_id == site.id, StudyPart.digest == meta["digest"])
            )
            if known is None:
                body = wire.pack(meta_of(meta), arrays)
                session.add(
                    StudyPart(
                        study_id=study.id, site_id=site.id, digest=meta["digest"], step=answered["step"], body=body
                    )
                )
        import hashlib

        node.audit.record(session, actor, "study.hear", f"study:{study.id}",
                          {"partner": partner.name, "way": "courier", "digest": study.digest,
                           "sha256": hashlib.sha256(data).hexdigest()})  # fmt: skip
    return study


__all__ = ["answered", "brought_in", "carried_out", "steps", "taken_back"]
