"""A site's side: studies come in, people (or a standing rule) decide, steps are answered once and remembered."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing, doing_in
from madang.node.database import after_commit, now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.text import clean_line
from madang.science.federated import masks
from madang.science.federated.study import study_of
from madang.services.alliance import discover, shares, wire
from madang.services.alliance.acts import APPROVE, RECEIVE, REFUSE, TELL
from madang.services.alliance.models import AllianceStudy, Partner, RowsTold, Share, StudyPart
from madang.services.alliance.partners import in_force
from madang.services.alliance.shares import Kept, find_share, packed, table_of, unpacked
from madang.services.alliance.together import found_study, mask_key, masked, question_digest, recovering, unmasking

if TYPE_CHECKING:
    from madang.science.federated.disclosure import Limits
    from madang.science.federated.rounds import Site

Along = Callable[[Session], None]
MOST_OPEN = 2 * 1024**3  # bytes of studies that are kept open


class HistoryChanged(Exception):
    """Meanwhile other rows of the same data were told of; what was allowed before has to be looked at again."""


@dataclass
class Opened:
    """The rows of a study that is being answered, and what they were checked against."""

    site: "Site"
    share: str  # digest of the data
    version: int  # of the agreement
    known: int  # of the rows told of these data, the last that was looked at
    told: bool = False  # whether its own rows are among them


_open: Kept[Opened] = Kept(MOST_OPEN)  # of this process: studies whose rows are in memory


def receive(node: Node, actor: Actor, partner_id: int, told: Any) -> AllianceStudy:
    """Keep a study that a partner asks; the second time nothing happens. A standing rule may approve it at once."""
    if not isinstance(told, dict) or not isinstance(told.get("uid"), str) or len(told["uid"]) > 64:
        raise MadangError("alliance.body", _("This is no study."))
    study = study_of(told.get("document"))
    if study.digest != told.get("digest"):
        raise MadangError("alliance.body", _("The study is not the one whose hash it has."))
    with node.read() as session:
        found = session.scalar(
            select(AllianceStudy).where(AllianceStudy.uid == told["uid"], AllianceStudy.partner_id == partner_id)
        )
    if found is not None:
        if found.digest != study.digest:
            raise MadangError("alliance.changed", _("A study was changed after it was asked."))
        return found
    made = AllianceStudy(
        uid=told["uid"],
        partner_id=partner_id,
        title=clean_line(study.title, _("The title"), 200),
        digest=study.digest,
        document=json.dumps(dict(study.document)),
    )
    with node.write() as session:
        partner = session.get(Partner, partner_id)
        assert partner is not None
        version, _agreement = in_force(partner)
        with doing_in(session, node, actor, RECEIVE, lambda s: made) as done:
            done.tell(digest=study.digest, partners=[partner.name], reason=f"agreement {version}")
        session.flush()
        rule = study.kind in partner.standing.split(",")
        number = made.id
    if rule:
        approve(node, actor, number, "standing rule")
    return made


def approve(node: Node, actor: Actor, number: int, reason: str = "") -> AllianceStudy:
    """Approve a study; its budget is looked at, and that what it asks about is shared here and fits."""
    study, partner = seen(node, number)
    try:
        open_site(node, study, partner)  # or the sentence why it cannot be answered
    except MadangError as error:
        _note(node, study, partner, error)
        raise
    with doing(node, actor, APPROVE, lambda session: found_study(session, number)) as done:
        done.thing.decided, done.thing.problem = False, ""
        done.tell(digest=done.thing.digest, partners=[partner.name], reason=reason)
        return done.thing


def _note(node: Node, study: AllianceStudy, partner: Partner, error: MadangError) -> None:
    """Keep by which rule a study cannot be answered, for who decides; and a question that would tell of a few."""
    from madang.science.federated.disclosure import Refused

    with node.write() as session:
        found_study(session, study.id).problem = error.message
    if isinstance(error, Refused) and error.rule == "difference":
        discover.noted(node, study, partner.name, error.rule)


def refuse(node: Node, actor: Actor, number: int, reason: str = "") -> AllianceStudy:
    """Refuse a study, or withdraw from one that was approved."""
    with doing(node, actor, REFUSE, lambda session: found_study(session, number)) as done:
        done.thing.problem = clean_line(reason, _("The reason"), 500)
        done.thing.decided = False
        done.tell(digest=done.thing.digest, reason=done.thing.problem)
    _open.drop((str(node.home.path), number))
    return done.thing


def seen(node: Node, number: int) -> tuple[AllianceStudy, Partner]:
    """A study that a partner asks, and the partner; both as they are in the database now."""
    with node.read() as session:
        study = session.get(AllianceStudy, number) or found_study(session, number)
        if study.partner_id is None:
            raise MadangError("alliance.ours", _("This study is asked from here."), _("Its sites decide on it."))
        partner = session.get(Partner, study.partner_id, options=[selectinload(Partner.agreements)])
    assert partner is not None
    return study, partner


def versions_of(node: Node, study: AllianceStudy) -> dict[str, Any]:
    """What a site says of itself with its decision: its data's hash, vocabulary release, country."""
    from madang import __version__

    with node.read() as session:
        share = find_share(session, json.loads(study.document)["cohort"]["dataset"])
        return {
            "data": share.digest[:16],
            "vocabulary": share.vocabulary,
            "country": share.country,
            "program": __version__,
        }


def open_site(node: Node, study: AllianceStudy, partner: Partner) -> Opened:
    """The rows of a study, checked by every rule that needs no step: agreement, budget, size, earlier answers.

    Agreement and budget are looked at for every message; rows and earlier answers once, as long as the data and the
    agreement are the same.
    """
    from madang.science.federated.disclosure import Limits, check_history
    from madang.science.federated.rounds import Site

    if partner.state != "confirmed" or (partner.until is not None and partner.until < now()):
        raise MadangError("alliance.stranger", _("{name} is no partner any more.").format(name=partner.name))
    if study.state == "refused":
        raise MadangError("alliance.refused", _("This study was refused here."))
    version, agreement = in_force(partner)
    if agreement["ends"] and agreement["ends"] < now().date().isoformat():
        raise MadangError("alliance.over", _("The agreement with {name} is over.").format(name=partner.name))
    document = json.loads(study.document)
    name = str(document["cohort"]["dataset"])
    if agreement["datasets"] and name not in agreement["datasets"]:
        raise MadangError("alliance.dataset", _("The agreement does not cover {name}.").format(name=name[:80]))
    limits = Limits.of(agreement["limits"])
    with node.read() as session:
        share = find_share(session, name)
        _check_budget(session, study, partner, limits)
    key = (str(node.home.path), study.id)
    found = _open.get(key)
    if found is not None and (found.share, found.version) == (share.digest, version):
        return found
    with node.read() as session:
        others = RowsTold.share == share.digest, RowsTold.study_id != study.id
        earlier = session.execute(select(RowsTold.members, RowsTold.size).where(*others).distinct()).all()
        known = _last_told(session, share.digest)
        shares.only(node, set(session.scalars(select(Share.digest))))
    site = Site(study_of(document), table_of(node, share), limits, json.loads(share.units))
    before = [unpacked(*each) for each in earlier if each.size == site.members.size]
    check_history(site.used(), before, limits)
    found = Opened(site, share.digest, version, known)
    _open.put(key, found, 3 * site.rows.nbytes)
    return found


def _last_told(session: Session, share: str) -> int:
    return session.scalar(select(func.max(RowsTold.id)).where(RowsTold.share == share)) or 0


def _check_budget(session: Session, study: AllianceStudy, partner: Partner, limits: "Limits") -> None:
    since = now() - timedelta(days=365)
    of_partner = AllianceStudy.partner_id == partner.id, StudyPart.site_id.is_(None)
    answered = session.scalar(
        select(func.count(StudyPart.study_id.distinct()))
        .join(AllianceStudy, AllianceStudy.id == StudyPart.study_id)
        .where(*of_partner, StudyPart.at > since, StudyPart.study_id != study.id)
    )
    if (answered or 0) >= limits.budget:
        raise MadangError(
            "alliance.budget",
            _("The budget of {count} questions a year is used up.").format(count=limits.budget),
            _("Agree on another one, or wait."),
        )


def answer(node: Node, actor: Actor, number: int, question: dict[str, Any]) -> bytes:
    """The message with our answer to a question of a study: the same bytes whenever it is asked again.

    A refusal by a rule is an answer too. What leaves is in the audit before it leaves.
    """
    while True:
        body, along = prepared(node, actor, number, question)
        if along is None:
            return body
        try:
            with node.write() as session:
                along(session)
            return body
        except HistoryChanged:
            continue


def prepared(node: Node, actor: Actor, number: int, question: dict[str, Any]) -> tuple[bytes, Along | None]:
    """As `answer`, but what has to be kept and written into the audit before it leaves is given as something to be done
    in a transaction; it raises `HistoryChanged` where the answer has to be made again."""
    study, partner = seen(node, number)
    digest = question_digest(question)
    if digest != question.get("digest") or question.get("study") != study.uid:
        raise MadangError("alliance.body", _("The question is not the one whose hash it has."))
    head = {"kind": "answer", "study": study.uid, "digest": digest, "round": question.get("round")}
    if study.state != "approved":
        refused = {"code": "alliance.refused", "message": _("It is not approved here.")}
        return wire.pack({**head, "refused": refused}), None
    with node.read() as session:
        ours = StudyPart.study_id == number, StudyPart.digest == digest, StudyPart.site_id.is_(None)
        known = session.scalar(select(StudyPart.body).where(*ours))
    if known is not None and partner.state == "confirmed":
        return known, None
    step = str(question.get("step", ""))
    opened: Opened | None = None
    try:
        meta: dict[str, Any]
        arrays: dict[str, Any]
        if "unmask" in question or "recover" in question:
            told = unmasking if "unmask" in question else recovering
            meta, arrays = told(node, study, question), {}
            step = "unmask" if "unmask" in question else "recover"
        else:
            opened = open_site(node, study, partner)
            meta, arrays = _step(node, study, partner, opened.site, question)
    except MadangError as error:
        refused = {"code": error.code, "message": error.message, "hint": error.hint}
        return wire.pack({**head, "refused": refused}), None
    body = wire.pack({**head, **meta}, arrays)

    def along(session: Session) -> None:
        with doing_in(session, node, actor, TELL, lambda s: s.get_one(AllianceStudy, number)) as done:
            session.add(StudyPart(study_id=number, digest=digest, step=step, body=body))
            if opened is not None and not opened.told:
                _remember(session, node, number, opened)
            done.tell(digest=study.digest, partner=partner.name, step=step, sha256=hashlib.sha256(body).hexdigest())

    return body, along


def _remember(session: Session, node: Node, number: int, opened: Opened) -> None:
    """With its first answer: the rows of a study become history. Errors: HistoryChanged where others came between."""
    if session.scalar(select(RowsTold.id).where(RowsTold.study_id == number).limit(1)) is None:
        if _last_told(session, opened.share) != opened.known:
            _open.drop((str(node.home.path), number))
            raise HistoryChanged
        for mine in dict.fromkeys(packed(each) for each in opened.site.used()):
            size = opened.site.members.size
            session.add(RowsTold(share=opened.share, study_id=number, members=mine, size=size))

    def is_told() -> None:
        opened.told = True

    after_commit(session, is_told)


def _step(
    node: Node, study: AllianceStudy, partner: Partner, site: "Site", question: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    from madang.science.federated.rounds import FACTS, layout

    step, told = str(question["step"]), question["told"]
    try:
        part = site.answer(step, told)
    except (KeyError, TypeError, ValueError, IndexError):
        raise MadangError("federated.step", _("This step of the study cannot be read.")) from None
    if not site.study.secure or step in FACTS:
        arrays = {f"{name}.{k}": value[k] for name, value in part.sums.items() for k in (0, 1)}
        return {"facts": dict(part.facts)}, arrays
    shapes = layout(site.study, step, told)
    return masked(node, study, question, [e for name in shapes for e in masks.encode(*part.sums[name])])


def forget_open() -> None:
    """Leave no rows in memory."""
    _open.clear()
    shares.forget()


__all__ = [
    "HistoryChanged",
    "answer",
    "approve",
    "forget_open",
    "found_study",
    "mask_key",
    "prepared",
    "question_digest",
    "receive",
    "refuse",
]
