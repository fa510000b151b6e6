"""What those see who look after an installation: who did what, whether anything was changed, and how work goes on.

The audit is `madang.node.audit`, jobs are `madang.node.jobs`; this room has their pages.
"""

from madang.base.translate import later
from madang.node.rooms import MenuItem, RoleKind, RoomPlan

PLAN = RoomPlan(
    name="oversight",
    package=__package__,
    title=later("Oversight"),
    pages=(".routes",),
    roles=(
        RoleKind("auditor", later("Auditor"), later("reads who did what and proves that nothing was changed"), "node"),
    ),
    menu=(
        MenuItem("trust", later("Audit"), "/audit", act="audit.read"),
        MenuItem("trust", later("Monthly review"), "/audit/monthly", act="audit.read"),
        MenuItem("trust", later("Jobs"), "/jobs", act="person.list"),
        MenuItem("trust", later("State of the system"), "/state", act="node.examine"),
    ),
    docs="node.md",
)
