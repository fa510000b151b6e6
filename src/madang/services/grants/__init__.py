"""Grants: what was promised with public money, and whether it was kept.

For funders, research offices and projects. Awards and machine-actionable data management plans (RDA DMP Common
Standard) come in; each promised dataset is promised, due, late, deposited, validated, released, excused or cancelled.
That is never stored: it is computed from an append-only log of events and the clock, for today or any past day. Rules
of what counts as kept are data, one file for each funder.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoleKind, RoomPlan

if TYPE_CHECKING:
    from madang.services.grants.linking import choices, link, missing, note_checked, note_record, unlink

__all__ = ["PLAN", "choices", "link", "missing", "note_checked", "note_record", "unlink"]

PLAN = RoomPlan(
    name="grants",
    package=__package__,
    title=later("Grants"),
    acts=(".acts",),
    models=(".models",),
    pages=(".routes",),
    roles=(RoleKind("funder", later("Funder"), later("sees the promises of the awards that it gave, and excuses")),),
    commands=(
        Command("grants", later("Import awards and plans; say what was promised, kept and late."), ".commands:app"),
    ),
    menu=(MenuItem("data", later("Grants"), "/grants", signed_in=True),),
    keeps=".reminding:keep",
    card=".cards:late",
    project=".cards:of_project",
    listens={
        "record.publish": ".listening:released",
        "record.edit": ".listening:edited",
        "record.withdraw": ".listening:withdrawn",
    },
    demo=".demo:make",
    docs="grants.md",
)

__getattr__ = at_first_use(
    __name__, {"linking": ("choices", "link", "missing", "note_checked", "note_record", "unlink")}
)
