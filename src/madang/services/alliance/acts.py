"""What can be done in an alliance, by whom, and the states of partners and studies."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import Details, administrator, allow, auditor, role_anywhere


class Told(Details):
    """What was done with whom."""

    partner: str = ""
    key: str = ""
    reason: str = ""
    version: int = 0


class Asked(Details):
    """A study: its hash, and of whom or by whom it is."""

    digest: str
    partners: tuple[str, ...] = ()
    reason: str = ""


class Left(Details):
    """What left this site: for which study, which step, and the hash of its bytes."""

    digest: str
    partner: str
    step: str
    sha256: str


class Shared(Details):
    """What a site shares under which name."""

    name: str
    digest: str


steward = role_anywhere("steward") | administrator
SEE = allow("alliance.see", steward | auditor, reads=True, title=later("see partners and studies"))
SHARE = allow("alliance.share", steward, title=later("share data with studies"), details=Shared)
INVITE = allow("partner.invite", administrator, title=later("invite a node"), to=("invited",), details=Told)
JOIN = allow("partner.join", administrator, title=later("join an alliance"), to=("confirmed",), details=Told)
JOINED = allow(
    "partner.arrive", administrator, title=later("use an invitation"), frm=("invited",), to=("joined",), details=Told
)
CONFIRM = allow(
    "partner.confirm", administrator, title=later("confirm a partner's key"), frm=("joined",), to=("confirmed",),
    details=Told,
)  # fmt: skip
AMEND = allow("partner.amend", administrator, title=later("propose or sign an agreement"), details=Told)
STAND = allow("partner.rule", administrator, title=later("set a standing rule"), details=Told)
LEAVE = allow(
    "partner.leave", administrator, title=later("leave a partner"), to=("left",), details=Told, lasts=True,
    frm=("invited", "joined", "confirmed"),
)  # fmt: skip
ASK = allow("study.ask", steward, title=later("ask a question of partners"), to=("open",), details=Asked)
RUN = allow("study.run", steward, title=later("run a study"), frm=("open", "running", "stopped"), to=("running",),
            details=Asked)  # fmt: skip
END = allow("study.end", steward, title=later("end a study"), frm=("open", "running"), to=("answered", "stopped"),
            details=Asked)  # fmt: skip
RECEIVE = allow("study.receive", steward, title=later("receive a study"), to=("waiting",), details=Asked)
APPROVE = allow("study.approve", steward, title=later("approve a study"), frm=("waiting",), to=("approved",),
                details=Asked)  # fmt: skip
REFUSE = allow("study.refuse", steward, title=later("refuse a study"), frm=("waiting", "approved"), to=("refused",),
               details=Asked)  # fmt: skip
TELL = allow("study.tell", steward, title=later("answer a step of a study"), frm=("approved",), details=Left)

PARTNER = States(
    "partner",
    "invited",
    {
        "invited": later("invited"),
        "joined": later("to be confirmed"),
        "confirmed": later("confirmed"),
        "left": later("left"),
    },
    model=".models:Partner",
)
STUDY = States(
    "study",
    "open",
    {
        "open": later("waiting for sites"),
        "running": later("running"),
        "answered": later("answered"),
        "stopped": later("stopped"),
        "waiting": later("waiting for approval"),
        "approved": later("approved"),
        "refused": later("refused"),
    },
    model=".models:AllianceStudy",
)
