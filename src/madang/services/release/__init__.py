"""The release desk: what leaves a workspace or a project, checked by rules, by the ledger of everything that left, and
by two people who do not see each other's vote.

For researchers who want to take results away, checkers who answer for them, and whoever asks later what left and why.
Follows the Five Safes' safe outputs, and statements 3.1 and 3.3 of the Standard Architecture for Trusted Research
Environments (SATRE).
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoleKind, RoomPlan

if TYPE_CHECKING:
    from madang.services.release.service import ask, hand_over, take, vote

PLAN = RoomPlan(
    name="release",
    package=__package__,
    title=later("Releases"),
    acts=(".acts",),
    states=(".acts:RELEASE",),
    models=(".models",),
    pages=(".routes",),
    commands=(Command("release", later("Take results away: ask, vote, take."), ".commands:app"),),
    roles=(
        RoleKind(
            "release-checker", later("Release checker"), later("judges what may leave, blind to the other checker")
        ),
    ),
    folders={"releases": 0o700},
    errors={"release.conflict": 403, "release.voted": 409, "release.recipient": 403},
    menu=(MenuItem("access", later("Releases"), "/releases", signed_in=True),),
    card=".cards:waiting",
    project=".cards:of_project",
    demo=".demo:make",
    traces={"release": ".tracing:trace"},
    needs=("highspy",),
    contributes=".contributing:of_release",
    uses=".contributing:uses",
    docs="release.md",
)

__all__ = ["PLAN", "ask", "hand_over", "take", "vote"]

__getattr__ = at_first_use(__name__, {"service": ("ask", "hand_over", "take", "vote")})
