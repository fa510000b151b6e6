"""The two audits side by side: what a site says that left, and what the asking node says that came."""

import hashlib
import json
import time
from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.services.alliance.bell import PARTNERS, ring
from madang.services.alliance.models import AllianceStudy, Partner, StudyPart, StudySite


def ledger(node: Node, partner: Partner) -> dict[str, list[str]]:
    """What passed between us and a partner: {direction: lines of study, step and hash of the bytes}, sorted."""
    with node.read() as session:
        told = session.execute(
            select(AllianceStudy.uid, StudyPart.step, StudyPart.body)
            .join(AllianceStudy, AllianceStudy.id == StudyPart.study_id)
            .where(AllianceStudy.partner_id == partner.id, StudyPart.site_id.is_(None))
        ).all()
        heard = session.execute(
            select(AllianceStudy.uid, StudyPart.step, StudyPart.body)
            .join(AllianceStudy, AllianceStudy.id == StudyPart.study_id)
            .join(StudySite, StudySite.id == StudyPart.site_id)
            .where(StudySite.partner_id == partner.id)
        ).all()
    return {name: sorted(_line(*row) for row in rows) for name, rows in (("told", told), ("heard", heard))}


def _line(uid: str, step: str, body: bytes) -> str:
    return f"{uid} {step} {hashlib.sha256(body).hexdigest()}"


def compared(ours: dict[str, list[str]], theirs: Any) -> dict[str, Any]:
    """What only one side knows. What we told has to be what they heard, and the other way round."""
    told = theirs if isinstance(theirs, dict) else {}
    sides = {
        "only_we_told": set(ours["told"]) - set(map(str, told.get("heard", []))),
        "only_they_heard": set(map(str, told.get("heard", []))) - set(ours["told"]),
        "only_they_told": set(map(str, told.get("told", []))) - set(ours["heard"]),
        "only_we_heard": set(ours["heard"]) - set(map(str, told.get("told", []))),
    }
    return {"agree": not any(sides.values()), "same": len(set(ours["told"]) | set(ours["heard"])) -
            len(sides["only_we_told"]) - len(sides["only_we_heard"]),
            **{name: sorted(each) for name, each in sides.items()}}  # fmt: skip


def kept(node: Node, partner: Partner, theirs: Any) -> None:
    """Keep what a partner told of its side, to be compared when somebody asks."""
    path = node.home.folder("alliance") / f"ledger-{partner.id}.json"
    path.write_text(json.dumps(theirs), "utf-8")


def reconcile(node: Node, actor: Actor, name: str, wait: float = 30.0) -> dict[str, Any]:
    """Compare our audit with a partner's, which is asked for it now (or, if it only comes to us, when it comes).

    Errors: `alliance.waiting` where it did not come in time.
    """
    from madang.services.alliance import agent, partners, turns
    from madang.services.alliance.acts import SEE

    check(actor, SEE)
    with node.read() as session:
        partner = partners.find(session, name)
    node.audit.read(actor, SEE.name, f"partner:{partner.id}", {"reconcile": True})
    path = node.home.folder("alliance") / f"ledger-{partner.id}.json"
    path.unlink(missing_ok=True)
    if partner.address:
        with agent.Line(node, partner.address, partner.authority) as line:
            turns.tell_ledger(node, line, partner.id)
    else:
        (node.home.folder("alliance") / f"want-{partner.id}").touch()
        ring(node, PARTNERS)
        end = time.monotonic() + wait
        while not path.exists():
            if time.monotonic() > end:
                raise MadangError(
                    "alliance.waiting",
                    _("{name} has not told its side of the audit yet.").format(name=partner.name),
                    _("Its `madang alliance wait` has to run; try again."),
                )
            time.sleep(0.05)
    return {"partner": partner.name, **compared(ledger(node, partner), json.loads(path.read_text("utf-8")))}
