"""What can be done here, by whom: whoever is in a project works on its campaigns, runs and equipment."""

from madang.base.translate import later
from madang.node.acts import States
from madang.node.permissions import Details, allow, auditor, in_project


class Named(Details):
    """A campaign, a run or equipment by its name."""

    name: str


class Counted(Details):
    """Results that were added to a campaign."""

    taken: int
    failed: int


class Handed(Details):
    """A transfer package by the hash of its manifest."""

    name: str
    sha256: str


works = in_project("principal-investigator", "project-member")
sees = in_project() | auditor
CAMPAIGN = States("campaign", "active", {"active": later("active"), "ended": later("ended")}, model=".models:Campaign")
BEGIN = allow("campaign.begin", works, title=later("begin a campaign"), to="active", details=Named)
ADD = allow("campaign.add", works, title=later("add results to a campaign"), frm=("active",), details=Counted)
END = allow("campaign.end", works, title=later("end a campaign"), frm=("active",), to="ended")
SEE = allow("campaign.see", sees, reads=True, title=later("see a campaign"))
ADD_RUN = allow("cultivation.add", works, title=later("add a past run"), details=Named)
SEE_RUN = allow("cultivation.see", sees, reads=True, title=later("see past runs"))
REGISTER = allow("equipment.register", works, title=later("name equipment"), details=Named)
SEE_EQUIPMENT = allow("equipment.see", sees, reads=True, title=later("see equipment"))
STUDY = allow("study.begin", works, title=later("compute a twin, run a foundry, learn good runs"), details=Named)
SEE_STUDY = allow("study.see", sees, reads=True, title=later("see a study"))
RECORD = allow("recording.begin", works, title=later("record a run from equipment"), details=Named)
STOP = allow("recording.stop", works, title=later("end a recording"), details=Named)
HAND_OVER = allow("transfer.make", works, title=later("make a transfer package"), details=Handed)
