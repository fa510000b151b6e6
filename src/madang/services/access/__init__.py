"""Access: from an application for controlled data to a permitted, pseudonymized, measured extract, and its end.

For companies and researchers who ask, stewards and committees who decide, data engineers who make extracts. Guidelines
are data whose rules are held against an application line by line; a rule finds, people decide. A permit is a signed
document and a GA4GH Passport visa (ControlledAccessGrants), and it is one more rule of the house's permissions.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoomPlan

if TYPE_CHECKING:
    from madang.services.access.asking import (
        apart,
        count_before_a_permit,
        extract_of,
        permit_document,
        permits_in_force,
        permits_of_visas,
    )

PLAN = RoomPlan(
    name="access",
    package=__package__,
    title=later("Access to data"),
    acts=(".acts",),
    states=(".states:APPLICATION", ".states:PERMIT"),
    models=(".models",),
    pages=(".routes", ".permit_pages", ".front_page"),
    commands=(
        Command("access", later("Apply for data, decide on applications, keep the record."), ".commands:app"),
        Command("extract", later("Make the extract that a permit allows."), ".commands:extract"),
    ),
    errors={
        "access.altered": 409,
        "access.not_in_force": 409,
        "access.conflict_of_interest": 403,
        "access.training": 409,
    },
    menu=(
        MenuItem("access", later("Applications"), "/applications", signed_in=True),
        MenuItem("access", later("How applications are decided"), "/access"),
    ),
    card=".cards:waiting",
    listens={
        "project.invite": ".joining:joins",
        "project.leave": ".joining:leaves",
        "project.remove": ".joining:leaves",
    },
    traces={"permit": ".tracing:trace"},
    settles={"permit.extract": ".extracting:settle"},
    demo=".demo:make",
    contributes=".contributing:of_permit",
    uses=".contributing:uses",
    docs="access.md",
)

# All but the plan are made when asked for.
__all__ = [
    "PLAN",
    "apart",
    "count_before_a_permit",
    "extract_of",
    "permit_document",
    "permits_in_force",
    "permits_of_visas",
]

__getattr__ = at_first_use(
    __name__,
    {
        "asking": (
            "apart",
            "count_before_a_permit",
            "extract_of",
            "permit_document",
            "permits_in_force",
            "permits_of_visas",
        )
    },
)
