"""What can be done with workspaces, by whom, from which state to which."""

from sqlalchemy import and_

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import (
    Details,
    Rule,
    administrator,
    allow,
    auditor,
    in_project,
    nobody_else,
    role,
    signed_in,
    theirs,
)


class Opened(Details):
    """Which data a workspace shows, by which right."""

    dataset: str
    version: int
    digest: str
    permit: str
    project: str


class Brings(Details):
    """A file that is brought in."""

    name: str
    hash: str
    size: int


class Stops(Details):
    """Why a workspace was put to sleep."""

    reason: str


class Ends(Details):
    """Why a workspace ended, and until when its code is kept."""

    reason: str
    kept_until: str


class Destroys(Details):
    """What was destroyed."""

    files: int
    bytes: int
    dataset: str
    version: int


class Uses(Details):
    """What was looked at, in sums."""

    person: int | None
    cells: int
    bytes: int
    pictures: int
    refused: int


# Who opened a project's workspace and left the project is out of it.
alone = Rule(
    "whose it is, where it is no project's",
    lambda actor, thing: thing.project_id is None and theirs.holds(actor, thing),
    lambda actor, model: and_(model.project_id.is_(None), theirs.clause(actor, model)),
)
people = alone | in_project()
OPEN = allow("workspace.open", signed_in, title=later("open a workspace"), to="open", details=Opened)
SEE = allow(
    "workspace.see",
    people | role("steward") | administrator | auditor,
    reads=True,
    title=later("see that a workspace is there, and what it uses"),
)
ENTER = allow("workspace.enter", people, reads=True, by_token=False, title=later("work in a workspace"))
STOP = allow(
    "workspace.stop",
    people | role("steward") | administrator,
    title=later("put a workspace to sleep"),
    frm=("open",),
    details=Stops,
)
END = allow(
    "workspace.end",
    people | role("steward") | administrator,
    title=later("end a workspace"),
    frm=("open",),
    to="dormant",
    details=Ends,
    lasts=True,
)
RENEW = allow(
    "workspace.renew",
    people,
    title=later("open a workspace again"),
    frm=("dormant",),
    to="open",
    details=Opened,
)
DESTROY = allow(
    "workspace.destroy",
    role("steward") | administrator,
    title=later("destroy what a workspace kept"),
    frm=("dormant",),
    to="destroyed",
    details=Destroys,
    lasts=True,
)
BRING = allow("workspace.bring", people, title=later("bring a file into a workspace"), frm=("open",), details=Brings)
ACCEPT = allow(
    "brought.accept",
    role("steward"),
    title=later("accept a file that is brought in"),
    frm=("asked",),
    to="accepted",
    details=Brings,
)
REFUSE = allow(
    "brought.refuse",
    role("steward"),
    title=later("refuse a file that is brought in"),
    frm=("asked",),
    to="refused",
    details=Brings,
)
USE = allow("workspace.use", nobody_else, title=later("sum up what was looked at"), details=Uses)

STATES = States(
    "workspace",
    "open",
    {"open": later("in use"), "dormant": later("dormant"), "destroyed": later("destroyed")},
    model=".models:Workspace",
)
BROUGHT = States(
    "brought",
    "asked",
    {
        "asked": later("waits for review"),
        "accepted": later("accepted"),
        "refused": later("refused"),
    },
    model=".models:Brought",
)
