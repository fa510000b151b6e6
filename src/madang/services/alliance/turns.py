"""What a site does when there is something to do: it takes studies in, brings decisions, answers questions."""

from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.alliance import answering, discover, partners, wire
from madang.services.alliance.agent import Line, having, poll, send, settled, undecided
from madang.services.alliance.models import AllianceStudy


def turn(node: Node, line: Line, partner_id: int, wait: float = 0.0, told: dict[str, Any] | None = None) -> int:
    """Bring decisions, take studies in, answer questions until there is none; how many were answered.

    `told` is what the partner told last, where it was asked before.
    """
    try:
        return _turn(node, line, partner_id, wait, told)
    finally:
        settled(node, line, partner_id)


def _turn(node: Node, line: Line, partner_id: int, wait: float, told: dict[str, Any] | None) -> int:
    told = _decisions(node, line, partner_id, wait) or told
    if not told:
        told = send(node, line, partner_id, poll(node, partner_id, wait), settle=False)
    count = 0
    while True:
        fresh = False
        if told.get("ledger_wanted") is True:
            told = tell_ledger(node, line, partner_id)
        if told.get("catalog_wanted") is True:
            told = tell_catalog(node, line, partner_id)
        for each in told.get("studies") or []:
            fresh = _taken_in(node, line, partner_id, each) or fresh
        if decided := _decisions(node, line, partner_id, wait):
            told, fresh = decided, True
        question = told.get("question")
        if question:
            with node.read() as session:
                number = session.scalar(
                    select(AllianceStudy.id).where(
                        AllianceStudy.uid == str(question.get("study")), AllianceStudy.partner_id == partner_id
                    )
                )
            if number is None:
                return count
            told = _answer(node, line, partner_id, number, question, wait)
            count += 1
        elif fresh:
            told = send(node, line, partner_id, poll(node, partner_id, 0.0), settle=False)
        else:
            return count


def _taken_in(node: Node, line: Line, partner_id: int, told: Any) -> bool:
    """Take a study in, or say why it cannot be; whether it was not known before."""
    actor, uid = Actor.node(), told.get("uid")
    with node.read() as session:
        known = session.scalar(select(AllianceStudy.id).where(AllianceStudy.uid == str(uid)))
    try:
        answering.receive(node, actor, partner_id, told)
    except MadangError as error:
        if known is None:
            node.audit.read(actor, "alliance.see", f"partner:{partner_id}", {"refused": error.code})
            meta = {"kind": "decide", "study": uid, "digest": told.get("digest"),
                    "decision": "refused", "told": {"reason": error.message}}  # fmt: skip
            send(node, line, partner_id, meta, settle=False)
    return known is None


def _answer(
    node: Node, line: Line, partner_id: int, number: int, question: dict[str, Any], wait: float
) -> dict[str, Any]:
    """Answer a question: what is kept of the answer, and the message with it, are one transaction."""
    while True:
        body, along = answering.prepared(node, Actor.node(), number, question)
        meta, arrays = wire.unpack(body)
        message = wire.pack({**meta, "wait": wait}, arrays)
        try:
            return send(node, line, partner_id, {}, message, along=along, settle=False)
        except answering.HistoryChanged:
            continue


def tell_ledger(node: Node, line: Line, partner_id: int) -> dict[str, Any]:
    """Tell a partner our side of the audit; its own is in the answer, and kept."""
    from madang.services.alliance.reconciling import kept, ledger

    with node.read() as session:
        partner = partners.by_id(session, partner_id)
    told = send(node, line, partner_id, {"kind": "ledger", "ledger": ledger(node, partner)})
    kept(node, partner, told.get("ledger"))
    return told


def tell_catalog(node: Node, line: Line, partner_id: int) -> dict[str, Any]:
    """Tell a partner what is shared here; what it shares is in the answer, and kept."""
    with node.read() as session:
        catalog = discover.catalog_of(session, partners.by_id(session, partner_id))
    told = send(node, line, partner_id, {"kind": "catalog", "catalog": catalog})
    if "catalog" in told:
        discover.keep(node, partner_id, told["catalog"])
    return told


def _decisions(node: Node, line: Line, partner_id: int, wait: float) -> dict[str, Any]:
    """Tell the asking node what was decided here; what it told to the last of it, nothing where there was none."""
    told: dict[str, Any] = {}
    every = undecided(node, partner_id)
    for place, study in enumerate(every):
        told = _decide(node, line, partner_id, study, wait if place == len(every) - 1 else 0.0)
    return told


def _decide(node: Node, line: Line, partner_id: int, study: AllianceStudy, wait: float) -> dict[str, Any]:
    said: dict[str, Any] = {"reason": study.problem}
    if study.state == "approved":
        said = {**answering.versions_of(node, study), **answering.mask_key(node, study.uid)}
    with node.read() as session:
        have = having(session, partner_id)
    meta = {"kind": "decide", "study": study.uid, "digest": study.digest, "decision": study.state, "told": said,
            "wait": wait, "have": have}  # fmt: skip
    told = send(node, line, partner_id, meta, settle=False)
    with node.write() as session:
        held = session.get(AllianceStudy, study.id)
        if held is not None and held.state == study.state:
            held.decided = True
    return told
