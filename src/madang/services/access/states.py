"""The states of applications and permits."""

from madang.base.translate import later
from madang.node.acts import States

APPLICATION = States(
    "application",
    "draft",
    {
        "draft": later("draft"),
        "in-review": later("in review"),
        "returned": later("back with the applicant"),
        "approved": later("approved"),
        "refused": later("refused"),
        "permitted": later("permitted"),
        "withdrawn": later("withdrawn"),
    },
    model=".models:Application",
)
PERMIT = States(
    "permit",
    "in-force",
    {
        "in-force": later("in force"),
        "suspended": later("suspended"),
        "ended": later("ended"),
        "destroyed": later("ended, data destroyed"),
    },
    model="madang.node.people.models:Permit",
)
