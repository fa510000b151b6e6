"""Who gets what at the doors of the room cohorts; see services/access_tables.py."""

import json
from typing import Any

from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

EXPRESSION: dict[str, Any] = {
    "ConceptSets": [],
    "PrimaryCriteria": {
        "CriteriaList": [{"VisitOccurrence": {}}],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
        "PrimaryCriteriaLimit": {"Type": "First"},
    },
}


def furnish(house: Any) -> dict[str, str]:
    """A cohort on the shelf of the house, counted on the dataset `closed`."""
    from madang.science.cohorts import of_document
    from madang.services.cohorts import service
    from madang.services.cohorts.models import CohortCount
    from portal_house import OWNER

    kept = service.keep(house.node, OWNER, of_document(EXPRESSION, "Visitors"), name="visitors")
    with house.node.write() as session:
        made = CohortCount(version_id=kept.id, dataset="closed", number=1, manifest="m", state="done", persons=20)
        rows = service.rows_of(session, "closed")
        made.organization_id, made.minimum = rows.organization_id, rows.minimum
        session.add(made)
        session.flush()
        return {"COHORT_COUNT": str(made.id)}


READS: Reads = {
    "/cohorts": ("/cohorts", (IN, YES, YES, YES, YES)),
    "/cohorts/{name}": ("/cohorts/visitors", (NONE, YES, YES, YES, YES)),
    "/cohorts/{name}/counts/{number}": ("/cohorts/visitors/counts/COHORT_COUNT", (NONE, YES, YES, YES, YES)),
    "/cohorts/{name}/versions/{number}.json": ("/cohorts/visitors/versions/1.json", (NONE, YES, YES, YES, YES)),
    "/cohorts/{name}/counts/{number}/members.csv": (
        "/cohorts/visitors/counts/COHORT_COUNT/members.csv",
        (NONE, NO, NONE, NO, NO),  # of a steward, because this one has no members kept
    ),
    "/atlas/{reference}": ("/atlas/closed", (IN, NO, YES, NO, NO)),
}
ACTS: Acts = {
    "/cohorts": ("/cohorts", {"text": json.dumps({"no": "definition"})}, (BAD,) * 5),
    "/cohorts/{name}/count": ("/cohorts/visitors/count", {"dataset": "no-such"}, (NONE,) * 5),
    "/cohorts/{name}/retire": ("/cohorts/no-such/retire", {}, (NONE,) * 5),
    "/atlas/{reference}": ("/atlas/no-such", {}, (NONE,) * 5),
}
