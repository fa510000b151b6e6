"""Who may do what with applications and permits."""

from madang.base.translate import later
from madang.node.permissions import Details, allow, auditor, in_project, role, role_anywhere, signed_in

steward, committee = role("steward"), role("committee")
theirs = in_project("principal-investigator", "project-member")
leads = in_project("principal-investigator")


class Edition(Details):
    """Which edition of an application."""

    edition: int


class Counted(Details):
    """Of which data a population was counted; never the answer."""

    dataset: str


class Stepped(Details):
    """A step that was closed, and how."""

    step: str
    outcome: str


class Voted(Details):
    """That somebody voted on an edition, and how."""

    edition: int
    choice: str


class Decided(Details):
    """How it was decided."""

    answer: str
    approve: int
    refuse: int
    abstain: int
    members: int


class Said(Details):
    """Why."""

    reason: str


class Issued(Details):
    """A permit, from when until when."""

    permit: str
    begins: str
    ends: str
    serial: int


class Study(Details):
    """A study that was handed in, or run: how many queries, results, and which release they are in."""

    study: int
    queries: int = 0
    results: int = 0
    failed: int = 0
    release: int = 0


class Made(Details):
    """An extract."""

    dataset: str
    version: int = 0
    persons: int = 0


APPLY = allow("application.make", theirs, title=later("apply for data"), to="draft", details=Edition)
SEE = allow("application.see", theirs | steward | committee | auditor, reads=True, title=later("see an application"))
LIST = allow("application.list", signed_in, reads=True, title=later("list applications"))
DESK = allow(
    "application.desk",
    role_anywhere("steward") | role_anywhere("committee"),
    reads=True,
    title=later("see the desk of applications"),
)
COUNT = allow("application.count", theirs, title=later("count a population"), details=Counted, reads=True)
EDIT = allow("application.edit", theirs, title=later("edit an application"), frm=("draft", "returned"), details=Edition)
SUBMIT = allow(
    "application.submit",
    leads,
    title=later("submit an application"),
    frm=("draft", "returned"),
    to="in-review",
    details=Edition,
)
WITHDRAW = allow(
    "application.withdraw",
    leads,
    title=later("withdraw an application"),
    frm=("draft", "in-review", "returned"),
    to="withdrawn",
)
RETURN = allow(
    "application.return",
    steward | committee,
    title=later("ask the applicant"),
    frm=("in-review",),
    to="returned",
    details=Said,
)
STEP = allow("application.step", steward, title=later("close a step"), frm=("in-review", "approved"), details=Stepped)
NOT_URGENT = allow(
    "application.not_urgent", steward, title=later("say that it can wait"), frm=("in-review",), details=Said
)
MINUTES = allow(
    "application.minutes", steward | committee | auditor, title=later("read the minutes of the committee"), reads=True
)
VOTE = allow("application.vote", committee.for_everybody(), title=later("vote"), frm=("in-review",), details=Voted)
DECIDE = allow(
    "application.decide",
    steward | committee,
    title=later("close the vote"),
    frm=("in-review",),
    to=("approved", "refused"),
    details=Decided,
)
APPEAL = allow("application.appeal", leads, title=later("appeal"), frm=("refused",), to="in-review", details=Said)
PERMIT = allow(
    "application.permit", steward, title=later("issue the permit"), frm=("approved",), to="permitted", details=Issued
)

SEE_PERMIT = allow("permit.see", theirs | steward | committee | auditor, reads=True, title=later("see a permit"))
SUSPEND = allow(
    "permit.suspend",
    steward,
    title=later("suspend a permit"),
    frm=("in-force",),
    to="suspended",
    details=Said,
    lasts=True,
)
RESUME = allow(
    "permit.resume", steward, title=later("let a permit go on"), frm=("suspended",), to="in-force", details=Said
)
REPORT = allow(
    "permit.report",
    theirs | steward,
    title=later("report a suspected re-identification"),
    frm=("in-force", "suspended"),
    to="suspended",
    details=Said,
    lasts=True,
)
END = allow(
    "permit.end",
    leads | steward,
    title=later("end a permit"),
    frm=("in-force", "suspended"),
    to="ended",
    details=Said,
    lasts=True,
)
EXTRACT = allow("permit.extract", steward, title=later("make the extract"), details=Made)
STUDY = allow("permit.study", theirs, title=later("hand in a study to be run"), frm=("in-force",), details=Study)
RUN = allow("permit.run", steward, title=later("run a study"), frm=("in-force",), details=Study)
DESTROY = allow(
    "permit.destroy", steward, title=later("destroy the extract and its key"), frm=("ended", "suspended", "in-force"),
    to="destroyed", details=Said, lasts=True,
)  # fmt: skip
