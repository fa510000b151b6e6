"""Contributions: who contributed what to a result, as an account that can be checked.

For holders who want to be seen, funders who want to know what followed, and whoever cites. It is no second book: a
statement of use is a fold over what rooms already know of what stands on what (`RoomPlan.contributes`); a room that is
missing is named as missing. A weighting is computed only under a rule that all named parties signed, and is a
calculation example, not a claim. Somebody who asked to be forgotten is a pseudonym in every output.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoomPlan

if TYPE_CHECKING:
    from madang.services.contributions.service import statement_of
    from madang.services.contributions.statement import Link, Statement, Thing, Use, weigh
    from madang.services.contributions.using import use_of

__all__ = ["PLAN", "Link", "Statement", "Thing", "Use", "statement_of", "use_of", "weigh"]

PLAN = RoomPlan(
    name="contributions",
    package=__package__,
    title=later("Contributions"),
    acts=(".acts",),
    models=(".models",),
    pages=(".routes",),
    menu=(MenuItem("data", later("Contributions"), "/contributions", signed_in=True),),
    commands=(
        Command("contributions", later("Say what a result stands on, and who contributed it."), ".commands:command"),
    ),
    contributes=".known:of_datasets",
    uses=".known:downloads",
    docs="grants.md",
)

__getattr__ = at_first_use(
    __name__,
    {"service": ("statement_of",), "statement": ("Link", "Statement", "Thing", "Use", "weigh"), "using": ("use_of",)},
)
