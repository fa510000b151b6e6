"""The pages of shortlists: places explained by their parts, the pick, decisions, lock, files."""

import json
from typing import Any

from starlette.responses import JSONResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import label
from madang.node.permissions import may
from madang.services.discovery import shortlists as service
from madang.services.discovery.acts import LOCK
from madang.services.discovery.helpers import HELPERS
from madang.services.discovery.routes import library
from madang.services.discovery.views import Decision, Goals, Name, Place, Reason, ShortlistPage, VerdictView
from madang.web import Done, Here, Number, Room

room = Room("discovery", __package__)
SHOWN = 100  # places that the page draws, beside those that were picked
FILES = {"shortlist.csv": "text/csv", "shortlist.json": "application/json"}


@room.act("/discovery/{name}/shortlists", at=library)
def rank(visit: Here, name: Name, given: Goals) -> Done:
    """Rank the compounds of a library by a table of goals."""
    costs = service.read_costs(given.costs.replace("\r\n", "\n"))
    made = service.shortlist(
        visit.node,
        visit.actor,
        name,
        given.title,
        given.goals.encode(),
        costs=costs,
        pick=given.pick,
        budget=given.budget,
    )
    return Done(see=f"/discovery/shortlists/{made.id}", message=_("The compounds are ranked."))


@room.page("/discovery/shortlists/{number}", "shortlist.html")
def shortlist(visit: Here, number: Number) -> ShortlistPage:
    """A shortlist: every place explained by its parts, and what was decided."""
    from madang.science.chemistry.depict import drawing

    found = service.see_shortlist(visit.node, visit.actor, number)
    visit.node.audit.read(visit.actor, "shortlist.see", f"shortlist:{found.id}")
    rows, asked = json.loads(found.rows), service.asked_of(found)
    latest = {verdict.compound: verdict.decision for verdict in found.verdicts}
    places = [
        Place(
            place=row["place"],
            id=row["id"],
            smiles=row["smiles"],
            svg=drawing(row["smiles"]),
            score=row["score"],
            front=row["front"],
            parts=[Reason(**{key: part[key] for key in Reason.model_fields}) for part in row["parts"]],
            cost=row.get("cost"),
            picked=row.get("picked", False),
            decision=latest.get(row["id"], ""),
        )
        for row in rows
        if row["place"] <= SHOWN or row.get("picked")
    ]
    return ShortlistPage(
        number=found.id,
        library=found.library.name,
        title=found.title,
        state=found.state,
        state_name=label("shortlist", found.state),
        version=found.version,
        sha256=found.sha256,
        signed=found.signed,
        goals=asked["goals"],
        pick=asked["pick"],
        budget=asked["budget"],
        cost=_together(rows),
        places=places,
        verdicts=[
            VerdictView(
                compound=one.compound,
                decision=one.decision,
                reason=one.reason,
                person=one.person.name if one.person else "",
                created=one.created,
            )
            for one in found.verdicts
        ],
        open=found.state == "open",
        may_lock=may(visit.actor, LOCK, found) and found.state == "open",
    )


@room.bytes("/discovery/shortlists/{number}/{file}", *FILES.values())
def shortlist_file(visit: Here, number: Number, file: str) -> Response:
    """A shortlist as a table (shortlist.csv), or all it says with its signature (shortlist.json)."""
    found = service.see_shortlist(visit.node, visit.actor, number)
    if file not in FILES:
        raise MadangError("shortlist.none", _("There is no shortlist {number}.").format(number=number))
    visit.node.audit.read(visit.actor, "shortlist.see", f"shortlist:{found.id}")
    headers = {"content-disposition": f'attachment; filename="{found.library.name}-{number}-{file}"'}
    if file == "shortlist.json":
        return JSONResponse(service.as_document(found), headers=headers)
    return Response("\ufeff" + service.as_csv(found), media_type="text/csv", headers=headers)


@room.act("/discovery/shortlists/{number}/decisions", at=shortlist)
def decide(visit: Here, number: Number, given: Decision) -> Done:
    """Decide what becomes of a compound."""
    service.decide(visit.node, visit.actor, number, given.compound, given.decision, given.reason)
    return Done(see=f"/discovery/shortlists/{number}", message=_("The decision is noted."))


@room.act("/discovery/shortlists/{number}/lock", at=shortlist)
def lock(visit: Here, number: Number) -> Done:
    """Lock a shortlist and sign it."""
    service.lock(visit.node, visit.actor, number)
    return Done(see=f"/discovery/shortlists/{number}", message=_("The shortlist is locked and signed."))


def decision_named(decision: str) -> str:
    """A decision in the reader's language."""
    named = {"make": _("make it"), "test": _("test it"), "hold": _("wait"), "drop": _("give it up")}
    return named.get(decision, "")


def _together(rows: list[dict[str, Any]]) -> float | None:
    """What the picked compounds cost together; None where the cost of one is not known."""
    costs = [row.get("cost") for row in rows if row.get("picked")]
    known = [float(cost) for cost in costs if cost is not None]
    return sum(known) if known and len(known) == len(costs) else None


room.helpers |= HELPERS | {
    "decision_named": decision_named,
    "decisions": lambda: [(each, decision_named(each)) for each in service.DECISIONS],
}
