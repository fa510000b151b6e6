"""What can be done in training, and by whom; the states of classes and badges."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import (
    Details,
    administrator,
    allow,
    auditor,
    nobody_else,
    role,
    role_anywhere,
    theirs,
)


class Sent(Details):
    """An answer that was graded; the answer itself is not in the record."""

    course: str
    lesson: str
    task: str
    score: float
    largest: float


class Opened(Details):
    """A class that was opened, or its roster."""

    course: str
    people: int = 0


class Changed(Details):
    """A grade that a teacher changed."""

    person: int
    task: str
    score: float
    reason: str


class Cleared(Details):
    """Whose workspace of a course began anew."""

    course: str
    person: int


class Given(Details):
    """A badge that was given or taken back."""

    course: str
    digest: str
    reason: str = ""


class Registered(Details):
    """A learning platform that was registered, or closed."""

    issuer: str
    client: str


class Passed(Details):
    """A grade that was passed back to a platform."""

    platform: str
    course: str
    score: float
    largest: float


teacher = role("teacher")

SEND = allow("answer.send", theirs, title=later("send an answer"), details=Sent)
SEE = allow("answer.see", theirs, reads=True, title=later("see one's own answers"))
OPEN = allow("class.open", teacher, title=later("open a class"), details=Opened, to="open")
LIST = allow("class.list", role_anywhere("teacher") | auditor, reads=True, title=later("see one's classes"))
SEE_CLASS = allow("class.see", teacher | auditor, reads=True, title=later("see a class and its grades"))
ROSTER = allow("class.roster", teacher, title=later("set who is in a class"), details=Opened, frm=("open",))
OVERRIDE = allow("class.override", teacher, title=later("change a grade"), details=Changed)
RESET = allow("class.reset", teacher, title=later("begin a learner's workspace anew"), details=Cleared)
CLOSE = allow("class.close", teacher, title=later("close a class"), details=Opened, frm=("open",), to="closed")
GIVE = allow("badge.give", theirs, title=later("get a badge"), details=Given, to="valid")
REVOKE = allow(
    "badge.revoke", teacher, title=later("take a badge back"), details=Given, frm=("valid",), to="revoked", lasts=True
)

ADD_PLATFORM = allow(
    "platform.add",
    administrator,
    by_token=False,
    title=later("register a learning platform"),
    details=Registered,
    to="open",
)
LIST_PLATFORMS = allow("platform.list", administrator | auditor, reads=True, title=later("see the learning platforms"))
CLOSE_PLATFORM = allow(
    "platform.close",
    administrator,
    by_token=False,
    title=later("close a learning platform"),
    details=Registered,
    frm=("open",),
    to="closed",
)
CHOOSE = allow("launch.choose", theirs, title=later("choose what a platform shows"))
PASS = allow("grade.pass", nobody_else, title=later("pass a grade back to a platform"), details=Passed)

PLATFORM_STATES = States(
    "platform",
    "open",
    {"open": later("connected"), "closed": later("disconnected")},
    model=".models:Platform",
)
CLASS_STATES = States(
    "class", "open", {"open": later("in session"), "closed": later("class is over")}, model=".models:TrainingClass"
)
BADGE_STATES = States(
    "badge", "valid", {"valid": later("it holds"), "revoked": later("it was taken back")}, model=".models:Badge"
)
