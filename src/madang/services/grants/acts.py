"""What can be done with awards and promises, and by whom."""

from madang.base.translate import later
from madang.node.permissions import Details, allow, auditor, in_project, not_who, role, role_anywhere


class Imported(Details):
    """Awards or a plan that came in."""

    file: str
    awards: int
    promises: int


class Happened(Details):
    """Something that happened to a promise."""

    promise: int
    kind: str
    record: str = ""
    reason: str = ""


funder = role("funder")
mine = in_project("principal-investigator", "project-member")

LIST = allow("award.list", role_anywhere("funder") | auditor, reads=True, title=later("see all awards"))
SEE = allow("award.see", funder | in_project() | auditor, reads=True, title=later("see an award"))
IMPORT = allow("award.import", funder, title=later("import awards and plans"), details=Imported)
PLAN = allow("award.plan", funder | mine, title=later("change what is promised"), details=Happened)
LINK = allow("promise.link", funder | mine, title=later("link a record to a promise"), details=Happened)
REMIND = allow("award.remind", role_anywhere("funder"), title=later("have reminders written"))
CANCEL = allow("promise.cancel", funder, title=later("cancel a promise"), details=Happened)
FUNDS = allow("award.funds", funder | mine, title=later("enter private funds"), details=Happened)
EXCUSE = allow("promise.excuse", mine | funder, title=later("ask to be excused"), details=Happened)
ALLOW = allow(
    "promise.allow", funder & not_who("asked_by"), title=later("decide on an excuse of somebody else"), details=Happened
)
