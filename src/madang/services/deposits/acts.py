"""What can be done with deposits, by whom, from which state to which."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import Details, allow, auditor, nobody_else, role, signed_in, theirs


class Changed(Details):
    """What of a deposit was changed: names of fields, `samples`, or a file that is to come or was refused."""

    what: str


class Filed(Details):
    """A file came in."""

    file: str
    bytes: int
    sha256: str


class Checked(Details):
    """What the checks found."""

    files: int
    wrong: int


class Returned(Details):
    """What a curator asks of the depositor."""

    question: str


class Approved(Details):
    """A curator took it into the catalog: as which record, with which access."""

    record: str
    tier: str


class Noted(Details):
    """The accession that a national station gave."""

    accession: str


curator = role("steward")
SEE = allow("deposit.see", theirs | curator | auditor, reads=True, title=later("see a deposit"))
BEGIN = allow("deposit.begin", signed_in, title=later("begin a deposit"), to="draft")
DESCRIBE = allow("deposit.describe", theirs, title=later("describe a deposit"), frm=("draft",), details=Changed)
PUT = allow("deposit.put", theirs, title=later("put a file into a deposit"), frm=("draft",), details=Filed)
REGISTER = allow(  # a path of the machine: only who runs it knows whose file it is
    "deposit.register",
    nobody_else,
    title=later("register a file where it lies"),
    frm=("draft",),
    details=Filed,
)
CHECK = allow("deposit.check", theirs | curator, title=later("have a deposit checked"), details=Checked)
SUBMIT = allow("deposit.submit", theirs, title=later("submit a deposit"), frm=("draft",), to="submitted")
RETURN = allow(
    "deposit.return", curator, title=later("give a deposit back"), frm=("submitted",), to="draft", details=Returned
)
APPROVE = allow(
    "deposit.approve",
    curator,
    title=later("approve a deposit"),
    frm=("submitted",),
    to="approved",
    details=Approved,
)
PUBLISH = allow("deposit.publish", curator, title=later("publish a deposit"), frm=("approved",), to="published")
NOTE = allow("deposit.note", theirs | curator, title=later("note the accession of a deposit"), details=Noted)
DEPOSIT_STATES = States(
    "deposit",
    "draft",
    {
        "draft": later("draft"),
        "submitted": later("submitted"),
        "approved": later("approved"),
        "published": later("published"),
    },
)
