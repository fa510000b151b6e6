"""What a site does when there is something to do: it takes studies in, brings decisions, answers questions."""

from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.alliance import answering, discover, partners, wire
from madang.services.alliance.agent import Line, poll, send, undecided
from madang.services.alliance.models import AllianceStudy


def turn(node: Node, line: Line, partner_id: int, wait: float = 0.0, told: dict[str, Any] | None = None) -> int:
    """Bring decisions, take studies in, answer questions until there is none; how many were answered.

    `told` is what the partner told last, where it was asked before.
    """
    actor = Actor.node()
    for study in undecided(node, partner_id):
        _decide(node, line, partner_id, study)
        told = None
    if not told:
        told = send(node, line, partner_id, poll(node, partner_id, wait))
    count = 0
    while True:
        fresh = False
        if told.get("ledger_wanted") is True:
            told = tell_ledger(node, line, partner_id)
        if told.get("catalog_wanted") is True:
            told = tell_catalog(node, line, partner_id)
        for each in told.get("studies") or []:
            with node.read() as session:
                known = session.scalar(select(AllianceStudy.id).where(AllianceStudy.uid == str(each.get("uid"))))
            try:
                answering.receive(node, actor, partner_id, each)
            except MadangError as error:
                if known is None:
                    node.audit.read(actor, "alliance.see", f"partner:{partner_id}", {"refused": error.code})
                    told_off = {"reason": error.message}
                    meta = {"kind": "decide", "study": each.get("uid"), "digest": each.get("digest"),
                            "decision": "refused", "told": told_off}  # fmt: skip
                    send(node, line, partner_id, meta)
            fresh = fresh or known is None
        for study in undecided(node, partner_id):
            _decide(node, line, partner_id, study)
            fresh = True
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
            body = answering.answer(node, actor, number, question)
            meta, arrays = wire.unpack(body)
            told = send(node, line, partner_id, {}, wire.pack({**meta, "wait": wait}, arrays))
            count += 1
        elif fresh:
            told = send(node, line, partner_id, poll(node, partner_id, 0.0))
        else:
            return count


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


def _decide(node: Node, line: Line, partner_id: int, study: AllianceStudy) -> None:
    """Tell the asking node what was decided."""
    told: dict[str, Any] = {"reason": study.problem}
    if study.state == "approved":
        told = {**answering.versions_of(node, study), **answering.mask_key(node, study.uid)}
    meta = {"kind": "decide", "study": study.uid, "digest": study.digest, "decision": study.state, "told": told}
    send(node, line, partner_id, meta)
    with node.write() as session:
        held = session.get(AllianceStudy, study.id)
        if held is not None and held.state == study.state:
            held.decided = True
