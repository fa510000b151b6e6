"""What can be done with conformance reports, and by whom."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import Details, allow, not_who, role, signed_in, theirs

ASSESSOR = "conformance-assessor"
REPORT = States(
    "conformance",
    "handed-in",
    {
        "handed-in": later("Handed in"),
        "taken": later("Taken as evidence"),
        "returned": later("Returned"),
    },
    model=".models:ConformanceReport",
)


class HandedIn(Details):
    """A report that was handed in, by its hash."""

    sha256: str
    kind: str
    guide: str


class Judged(Details):
    """Why a report was taken or returned."""

    sha256: str
    reason: str


assessor = role(ASSESSOR, node=True)
HAND_IN = allow(
    "conformance.hand_in", signed_in, title=later("hand in a conformance report"), to="handed-in", details=HandedIn
)
SEE = allow("conformance.see", theirs | assessor, reads=True, title=later("see a conformance report"))
TAKE = allow(
    "conformance.take",
    assessor & not_who("owner_id"),
    title=later("take a conformance report as evidence"),
    frm=("handed-in",),
    to="taken",
    details=Judged,
)
RETURN = allow(
    "conformance.return",
    assessor & not_who("owner_id"),
    title=later("return a conformance report"),
    frm=("handed-in",),
    to="returned",
    details=Judged,
)
