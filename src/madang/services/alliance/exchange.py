"""What a node says to a partner that comes to it: one address, one signed message after the other.

A message is believed by its signature and its number: the next one is done, the same one again gets the same answer,
any other is refused. What a message asks is done before its number counts, and doing it twice changes nothing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing_in
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.alliance import discover, offering, partners, wire
from madang.services.alliance.acts import JOINED
from madang.services.alliance.bell import ASKER, ring
from madang.services.alliance.hearing import meta_of, part_of, step_of
from madang.services.alliance.models import AllianceStudy, Partner, StudyPart, StudyRound, StudySite

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

MOST_WAIT = 20.0  # seconds that a message waits for something to be there
Answer = tuple[int, dict[str, str], bytes]


def received(node: Node, headers: Mapping[str, str], body: bytes) -> Answer:
    """Do what a message asks; its answer. Errors of what is not believed: `alliance.signature`, `alliance.clock`,
    `alliance.stranger`, `alliance.order`, `alliance.body`. Others are told in the answer."""
    me = wire.identity(node.home)
    key = wire.signer_of(headers)
    partner = _partner(node, key)
    if partner is None:
        meta, arrays = wire.unpack(body)
        public = str(meta.get("key", ""))[:64]
        if meta.get("kind") != "join" or wire.thumbprint(public) != key:
            raise MadangError("alliance.stranger", _("This node does not know that key."))
        wire.verify(public, me.name, headers, body)
        told = _arrive(node, meta, public)
    else:
        wire.verify(partner.key, me.name, headers, body)
        meta, arrays = wire.unpack(body)
        if meta.get("kind") == "join":
            told = _arrive(node, meta, partner.key)
        else:
            number = _in_order(partner, headers["madang-number"], body)
            error = (
                json.loads(partner.replied or b"{}")
                if number is None
                else _done(node, partner, meta, arrays, number, body)
            )
            told = _told(node, partner, meta, error)
    return _signed(me, key, headers, told)


def _signed(me: wire.Identity, key: str, headers: Mapping[str, str], body: bytes) -> Answer:
    number, request = headers["madang-number"], headers["signature"]
    return 200, wire.signed_answer(me, key, number, 200, body, request), body


def _partner(node: Node, key: str) -> Partner | None:
    with node.read() as session:
        every = session.execute(select(Partner.id, Partner.key).where(Partner.key != "")).all()
        number = next((each for each, public in every if wire.thumbprint(public) == key), None)
        if number is None:
            return None
        return session.get(Partner, number)


def _in_order(partner: Partner, text: str, body: bytes) -> int | None:
    """The number of the next message; None for the last one once more. Errors: `alliance.order`."""
    number = int(text) if text.isdigit() and len(text) < 12 else -1
    if partner.state == "left":
        raise MadangError("alliance.stranger", _("This node does not know that key."))
    if partner.until is not None and partner.until < now():
        raise MadangError("alliance.stranger", _("The key of this partner has expired."))
    if number == partner.received + 1:
        return number
    if number == partner.received and hashlib.sha256(body).hexdigest() == partner.received_digest:
        return None
    raise MadangError(
        "alliance.order",
        _("This message is not the next one (number {number}).").format(number=number),
        _("It was sent before, or one is missing."),
    )


def _arrive(node: Node, meta: Mapping[str, Any], public: str) -> bytes:
    """Somebody uses an invitation."""
    wanted = partners._hash(str(meta.get("secret", ""))[:200])
    with node.write() as session:
        partner = session.scalar(
            select(Partner).where(Partner.code_hash == wanted).options(selectinload(Partner.agreements))
        )
        again = partner is not None and partner.key == public and partner.state in ("joined", "confirmed")
        fresh = partner is not None and partner.state == "invited" and (partner.until is None or partner.until > now())
        if partner is None or not (again or fresh):
            raise MadangError("alliance.code", _("This invitation is used, over, or never was."))
        if fresh:
            with doing_in(session, node, Actor.node(), JOINED, lambda s: partner) as done:
                told = partners.arrived(session, node, partner, public, str(meta.get("name", ""))[:80])
                partner.received = 1
                done.tell(partner=partner.name, key=wire.thumbprint(public), version=1)
        else:
            told = partners.arrived(session, node, partner, public, "")
    return wire.pack({"kind": "joined", **told})


def _done(
    node: Node, partner: Partner, meta: dict[str, Any], arrays: dict[str, Any], number: int, body: bytes
) -> dict[str, Any]:
    """Do what a believed message asks, in one transaction with counting it; what was wrong with it, if anything.

    Looking at an answer comes before, so that nobody waits for it.
    """
    kinds = {
        "poll": _nothing,
        "catalog": _catalog,
        "decide": _decided,
        "answer": _answered,
        "leave": _left,
        "ledger": _ledger,
    }
    kind = str(meta.get("kind"))[:40]
    error: dict[str, Any] = {}
    try:
        if kind not in kinds:
            raise MadangError("alliance.body", _("There are no messages of this kind."))
        todo = kinds[kind](node, partner, meta, arrays)
        with node.write() as session:
            if "agreements" in meta:
                held = partners.by_id(session, partner.id)
                if not partners.knows(held, meta["agreements"]):
                    partners.told_agreements(node, held, meta["agreements"])
            if wrong := todo(session):
                error = {"error": {"code": "federated.answer", "message": wrong}}
            _count(session, partner.id, number, body, error)
    except MadangError as refused:
        error = {"error": {"code": refused.code, "message": refused.message}}
        with node.write() as session:
            _count(session, partner.id, number, body, error)
    if kind != "poll":
        ring(node, ASKER)
    return error


def _count(session: Session, partner_id: int, number: int, body: bytes, error: dict[str, Any]) -> None:
    """Count a message, if it is the next one: two at once cannot both be."""
    next_one = update(Partner).where(Partner.id == partner_id, Partner.received == number - 1)
    told = {"received_digest": hashlib.sha256(body).hexdigest(), "replied": json.dumps(error).encode(), "seen": now()}
    session.flush()
    if not cast("CursorResult[Any]", session.execute(next_one.values(received=number, **told))).rowcount:
        raise MadangError(
            "alliance.order", _("This message is not the next one (number {number}).").format(number=number)
        )


def _told(node: Node, partner: Partner, meta: dict[str, Any], told: dict[str, Any]) -> bytes:
    """What a message is answered: what was wrong, and what there is for the partner."""
    given, have = meta.get("wait", 0), meta.get("have")
    wait = float(given) if isinstance(given, int | float) and not isinstance(given, bool) else 0.0
    known = set(map(str, have)) if isinstance(have, list) else set()
    if meta.get("kind") == "poll" and "catalog" in meta and partner.state == "confirmed":
        told["catalog_wanted"] = _differs(node, partner.id, meta)
    at_once = "error" in told or told.get("catalog_wanted")
    patience = 0.0 if at_once else min(max(wait, 0.0), MOST_WAIT)
    told |= offering.waiting(node, partner.id, patience, known, brief=meta.get("kind") == "answer")
    if meta.get("kind") == "catalog" and "error" not in told:
        with node.read() as session:
            told["catalog"] = discover.catalog_of(session, partners.by_id(session, partner.id))
    if meta.get("kind") == "ledger":
        from madang.services.alliance.reconciling import ledger

        told["ledger"] = ledger(node, partner)
        (node.home.folder("alliance") / f"want-{partner.id}").unlink(missing_ok=True)
        told["ledger_wanted"] = False
    return wire.pack({"kind": "told", **told})


def _differs(node: Node, partner_id: int, meta: dict[str, Any]) -> bool:
    """Whether the two nodes know something else of each other's shares than is so."""
    with node.read() as session:
        ours = discover.hash_of(discover.catalog_of(session, partners.by_id(session, partner_id)))
    return bool(meta["catalog"] != discover.hash_of(discover.kept(node, partner_id)) or meta.get("knows") != ours)


Todo = Callable[[Session], str | None]  # what is to be told as wrong although it was kept


def _nothing(node: Node, partner: Partner, meta: dict[str, Any], arrays: dict[str, Any]) -> Todo:
    return lambda session: None


def _catalog(node: Node, partner: Partner, meta: dict[str, Any], arrays: dict[str, Any]) -> Todo:
    """A site tells what it shares; ours is in the answer."""
    discover.keep(node, partner.id, meta.get("catalog"))
    return lambda session: None


def _ledger(node: Node, partner: Partner, meta: dict[str, Any], arrays: dict[str, Any]) -> Todo:
    """A site tells its side of the audit; ours is in the answer."""
    from madang.services.alliance.reconciling import kept

    return lambda session: kept(node, partner, meta.get("ledger"))


def _left(node: Node, partner: Partner, meta: dict[str, Any], arrays: dict[str, Any]) -> Todo:
    from madang.services.alliance.acts import LEAVE

    def todo(session: Session) -> None:
        with doing_in(session, node, Actor.node(), LEAVE, lambda s: partners.by_id(s, partner.id)) as done:
            done.tell(partner=partner.name, reason="the partner left")
        discover.forget(node, partner.id)
        for site in session.scalars(select(StudySite).where(StudySite.partner_id == partner.id)):
            site.state, site.at = "withdrew", now()

    return todo


def _site(session: Session, partner: Partner, uid: Any) -> tuple[AllianceStudy, StudySite]:
    """A study that is asked from here, and this partner in it. Errors: `alliance.no_study`."""
    found = session.execute(
        select(AllianceStudy, StudySite)
        .join(StudySite, StudySite.study_id == AllianceStudy.id)
        .where(
            AllianceStudy.uid == str(uid)[:64], AllianceStudy.partner_id.is_(None), StudySite.partner_id == partner.id
        )
    ).first()
    if found is None:
        raise MadangError("alliance.no_study", _("That study is not asked of this partner."))
    return found[0], found[1]


def _decided(node: Node, partner: Partner, meta: dict[str, Any], arrays: dict[str, Any]) -> Todo:
    def todo(session: Session) -> None:
        decision = meta.get("decision")
        study, site = _site(session, partner, meta.get("study"))
        if meta.get("digest") != study.digest or decision not in ("approved", "refused"):
            raise MadangError("alliance.body", _("This decision is about another study."))
        told = meta.get("told", {})
        if not isinstance(told, dict) or len(json.dumps(told)) > 20_000:
            raise MadangError("alliance.body", _("This decision cannot be read."))
        if decision == "approved" and site.state not in ("sent", "approved"):
            raise MadangError("alliance.state", _("This site has decided otherwise before."))
        site.state = "withdrew" if decision == "refused" and site.state == "approved" else decision
        site.told, site.at = json.dumps(told), now()

    return todo


def _answered(node: Node, partner: Partner, meta: dict[str, Any], arrays: dict[str, Any]) -> Todo:
    with node.read() as session:
        study, site = _site(session, partner, meta.get("study"))
        round_ = session.scalar(
            select(StudyRound).where(StudyRound.study_id == study.id, StudyRound.digest == str(meta.get("digest")))
        )
        known = session.scalar(
            select(StudyPart.body).where(
                StudyPart.study_id == study.id, StudyPart.site_id == site.id, StudyPart.digest == meta.get("digest")
            )
        )
    if study.state != "running" or site.state != "approved" or round_ is None:
        raise MadangError("alliance.late", _("This answer is to no open question."))
    body = wire.pack(meta_of(meta), arrays)
    if known is not None:
        if known != body:
            raise MadangError("alliance.twice", _("This question was answered otherwise before."))
        return lambda session: None
    question = offering.parsed(round_.question)
    problem = ""
    if "refused" in meta:
        refusal = meta["refused"] if isinstance(meta["refused"], dict) else {}
        problem = str(refusal.get("message", ""))[:500] or "refused"
    else:
        try:
            part_of(study, question, meta, arrays)
        except MadangError as error:
            problem = error.message

    def todo(session: Session) -> str | None:
        if problem:
            mine = session.get_one(StudySite, site.id)
            mine.state, mine.at = "refused" if "refused" in meta else "fell-out", now()
            mine.told = json.dumps({**json.loads(mine.told), "reason": problem})
            node.audit.record(session, Actor.node(), "study.site", f"study:{study.id}",
                              {"partner": partner.name, "state": mine.state, "reason": problem})  # fmt: skip
            return None if "refused" in meta else problem
        session.add(StudyPart(study_id=study.id, site_id=site.id, digest=round_.digest,
                              step=step_of(question), body=body))  # fmt: skip
        node.audit.record(session, Actor.node(), "study.hear", f"study:{study.id}",
                          {"partner": partner.name, "step": step_of(question),
                           "digest": study.digest, "sha256": hashlib.sha256(body).hexdigest()})  # fmt: skip
        return None

    return todo
