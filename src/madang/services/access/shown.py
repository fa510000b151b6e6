"""Applications and permits as people and programs see them."""

import json
from typing import Any

from sqlalchemy.orm import Session

from madang.base.translate import _, in_language
from madang.node.acts import label
from madang.node.node import Node
from madang.services.access import procedure
from madang.services.access.deciding import Tally, tally
from madang.services.access.models import Application, Grant
from madang.services.access.service import find, findings, steps_of


def finding_word(finding: str) -> str:
    """What people call a finding."""
    return {
        "matches": _("kept", "finding"),
        "differs": _("not kept", "finding"),
        "cannot tell": _("cannot tell", "finding"),
    }[finding]


def choice_word(choice: str) -> str:
    """What people call a vote."""
    return {
        "approve": _("approve", "vote"),
        "conditional": _("approve under conditions", "vote"),
        "results-only": _("results only", "vote"),
        "refuse": _("refuse", "vote"),
        "abstain": _("abstain", "vote"),
    }.get(choice, choice)


def answer_word(answer: str) -> str:
    """What people call an answer."""
    return {
        "closed-space": _("data in a closed space", "answer"),
        "results-only": _("results only", "answer"),
        "refused": _("refused", "answer"),
        "": "",
    }[answer]


def waits(application: Application) -> list[str]:
    """Which named steps wait, for whom, since when."""
    if application.state == "returned":
        return [_("waits for the applicant")]
    if application.state not in ("in-review", "approved"):
        return []
    found = []
    for step in steps_of(application):
        if step.state == "open":
            kind = procedure.NAMES[step.name]
            found.append(
                _("{step}: waits for {who} since {day}").format(
                    step=_(kind.title), who=_(kind.who), day=f"{step.opened:%Y-%m-%d}"
                )
            )
    if not found and application.state == "approved":
        found.append(_("The permit: waits for the data steward"))
    return found


def application_as_json(node: Node, application: Application) -> dict[str, Any]:
    """An application as JSON: what the command prints and the API gives."""
    with node.read() as session:
        fresh = find(session, application.id)
        counted = tally(session, fresh)
        permit = _permit_of(session, fresh)
    return {
        "number": fresh.id,
        "title": fresh.title,
        "kind": fresh.kind,
        "project": fresh.project.name,
        "project_title": fresh.project.title,
        "holder": fresh.organization.name,
        "holder_title": in_language(fresh.organization.title, fresh.organization.title_en),
        "dataset": fresh.dataset,
        "state": fresh.state,
        "state_name": label("application", fresh.state),
        "edition": fresh.edition,
        "urgent": fresh.urgent,
        "answer": fresh.answer,
        "conditions": fresh.conditions,
        "reasons": fresh.reasons,
        "permit": permit,
        "content": json.loads(fresh.content),
        "waits": waits(fresh),
        "steps": [
            {
                "name": step.name,
                "title": _(procedure.NAMES[step.name].title),
                "state": step.state,
                "opened": step.opened.isoformat() if step.opened else None,
                "closed": step.closed.isoformat() if step.closed else None,
                "note": step.note,
            }
            for step in steps_of(fresh)
        ],
        "votes": tally_as_json(counted),
        "findings": [
            {
                "rule": each.found.rule.id,
                "title": in_language(each.found.rule.title["ko"], each.found.rule.title["en"]),
                "explanation": in_language(each.found.rule.explanation["ko"], each.found.rule.explanation["en"]),
                "finding": each.found.finding.value,
                "about": list(each.found.about),
                "source": in_language(each.found.rule.source["ko"], each.found.rule.source["en"]),
                "date": each.found.rule.date,
                "example": each.pack.example,
                "pack": f"{each.pack.name}@{each.pack.version}",
            }
            for each in findings(node, fresh)
        ],
        "words": [
            {
                "kind": word.kind,
                "by": word.person.name if word.person else "",
                "text": word.text,
                "at": word.at.isoformat(),
            }
            for word in fresh.words
        ],
    }


def _permit_of(session: Session, application: Application) -> str | None:
    from madang.node.people.models import Permit

    found = session.get(Permit, application.parent_id) if application.parent_id else None
    return found.number if found else None


def tally_as_json(counted: Tally) -> dict[str, Any]:
    """The votes as numbers; who voted how is in the minutes."""
    return {
        "members": counted.members,
        "voted": counted.voted,
        "quorum": counted.quorum,
        "approve": counted.approve,
        "results_only": counted.results_only,
        "refuse": counted.refuse,
        "abstain": counted.abstain,
        "outcome": counted.outcome,
    }


def permit_as_json(node: Node, grant: Grant) -> dict[str, Any]:
    """A permit as JSON, from its signed document."""
    from madang.services.access.signed import read_permit

    permit = grant.permit
    return {
        "number": permit.number,
        "state": permit.state,
        "begins": permit.begins.isoformat(),
        "ends": permit.ends.isoformat(),
        "project": permit.project.name,
        "dataset": permit.dataset,
        "extract": grant.version,
        "terms": read_permit(node, permit.document),
        "document": permit.document,
        "report": json.loads(grant.report) if grant.report else None,
        "suspected": grant.suspected,
        "destruction": json.loads(grant.destruction) if grant.destruction else None,
    }
