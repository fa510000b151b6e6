"""What can be done with conformance reports, tests of live systems and challenges, and by whom."""

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

RUN = States(
    "trial",
    "running",
    {"running": later("Running"), "over": later("Over"), "stopped": later("Stopped")},
    model=".models:ConformanceRun",
    by_work=("over", "stopped"),
)
CHALLENGE = States(
    "challenge",
    "open",
    {"open": later("Open"), "answered": later("Answered"), "withdrawn": later("Withdrawn")},
    model=".models:ConformanceChallenge",
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


class Tested(Details):
    """Which system is tested from here, and as what the report counts. Never what the kit signs in with."""

    target: str
    kind: str
    only: str = ""


class Drawn(Details):
    """Records that were drawn for a product, by their hash."""

    sha256: str
    product: str


class Noted(Details):
    """What an assessor noted of a criterion."""

    criterion: str
    verdict: str


class Brought(Details):
    """Records of a tested system that become a dataset."""

    dataset: str


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
NOTE = allow(
    "conformance.note",
    assessor & not_who("owner_id"),
    title=later("note how a criterion is shown"),
    frm=("handed-in", "taken"),
    details=Noted,
)
TEST = allow("trial.start", signed_in, title=later("test a live system"), to="running", details=Tested)
ASSESS = allow(
    "trial.assess", assessor, title=later("test a live system as an assessment"), to="running", details=Tested
)
GO_ON = allow(
    "trial.go_on",
    theirs,
    title=later("go on with a test, or run one again"),
    frm=("over", "stopped"),
    to="running",
    details=Tested,
)
SEE_RUN = allow("trial.see", theirs | assessor, reads=True, title=later("see a test of a live system"))
BRING = allow(
    "trial.bring",
    theirs & role("data-engineer", node=True),
    title=later("bring the records of a tested system in"),
    frm=("over",),
    details=Brought,
)
DRAW = allow(
    "challenge.draw",
    assessor & not_who("owner_id"),
    title=later("draw a challenge for a product"),
    to="open",
    details=Drawn,
)
SEE_CHALLENGE = allow("challenge.see", theirs | assessor, reads=True, title=later("see a challenge"))
WITHDRAW = allow(
    "challenge.withdraw",
    assessor,
    title=later("withdraw a challenge"),
    frm=("open",),
    to="withdrawn",
    details=Drawn,
)
ANSWER = allow(
    "challenge.answer",
    theirs | assessor,
    title=later("answer a challenge by a report"),
    frm=("open",),
    to="answered",
    details=Drawn,
)
