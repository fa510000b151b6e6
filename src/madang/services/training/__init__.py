"""Training: people learn on the node's own data, and leave with a skill that anyone can verify.

For learners, teachers and whoever asks for people with a skill. Courses are folders of readable files; answers run in
closed boxes and only plain values come out; what was finished is an Open Badge 3.0, a W3C Verifiable Credential.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, Narrow, RoleKind, RoomPlan

if TYPE_CHECKING:
    from madang.services.training.giving import trusted
    from madang.services.training.service import course_data

__all__ = ["PLAN", "course_data", "trusted"]

_REACHED = ("/training", "/badges", "/sign-out")  # by who came from a learning platform
PLAN = RoomPlan(
    name="training",
    package=__package__,
    title=later("Training"),
    acts=(".acts",),
    states=(".acts:CLASS_STATES", ".acts:BADGE_STATES", ".acts:PLATFORM_STATES"),
    models=(".models",),
    pages=(".routes_lti",),
    roles=(RoleKind("teacher", later("Teacher"), later("opens classes, sees their grades and changes them")),),
    commands=(Command("training", later("Check courses, grade answers, verify badges."), ".commands:app"),),
    errors={
        "answer.too_often": 429,
        "training.box": 503,
        "training.no_r": 503,
        "training.no_workflows": 503,
        "badge.not_passed": 409,
        "lti.refused": 403,
    },
    jobs=(JobKind("training.pass_grade", ".passing:pass_grade"),),
    narrow={
        "lti": Narrow(frozenset(("answer.send", "answer.see", "badge.give", "launch.choose")), _REACHED),
    },
    folders={"training": 0o700},
    menu=(
        MenuItem("learning", later("Courses"), "/training"),
        MenuItem("learning", later("My progress"), "/training/me", signed_in=True),
        MenuItem("learning", later("Classes"), "/training/classes", act="class.list"),
        MenuItem("learning", later("Learning platforms"), "/training/platforms", act="platform.list"),
    ),
    card=".cards:waiting",
    demo=".demo:make",
    doctor=".doctor:look",
    docs="training.md",
)

__getattr__ = at_first_use(__name__, {"giving": ("trusted",), "service": ("course_data",)})
