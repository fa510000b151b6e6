"""Training: people learn on the node's own data, and leave with a skill that anyone can verify.

For learners, teachers and whoever asks for people with a skill. Courses are folders of readable files; answers run in
closed boxes and only plain values come out; what was finished is an Open Badge 3.0, a W3C Verifiable Credential.
"""

from madang.base.translate import later
from madang.node.rooms import Command, RoomPlan

PLAN = RoomPlan(
    name="training",
    package=__package__,
    title=later("Training"),
    commands=(Command("training", later("Check courses, grade answers, verify badges."), ".commands:app"),),
    docs="training.md",
)
