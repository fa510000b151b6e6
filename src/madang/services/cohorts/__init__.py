"""Cohorts: the shelf of definitions, their counts on dataset versions, and the gate before ATLAS.

For researchers who ask which people, for holders who decide who may see how many, and for the rooms that count
populations (access, alliance). Definitions follow OHDSI's ATLAS and circe.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, JobKind, MenuItem, RoomPlan

if TYPE_CHECKING:
    from madang.services.cohorts.populations import Population, count_population
    from madang.services.cohorts.service import definition_of, find, keep, see

__all__ = ["Population", "count_population", "definition_of", "find", "keep", "see"]

PLAN = RoomPlan(
    name="cohorts",
    package=__package__,
    title=later("Cohorts"),
    acts=(".acts",),
    states=(".acts:COHORT_STATES",),
    models=(".models",),
    pages=(".routes", ".atlas_pages"),
    commands=(
        Command("cohort", later("Who is in it: run, check and explain cohort definitions of ATLAS."), ".commands:app"),
        Command("atlas", later("Open ATLAS on one version of a dataset, closed in."), ".atlas_command:command"),
    ),
    jobs=(JobKind("cohorts.count", ".service:count_job", lane="long", failed=".service:count_failed"),),
    folders={"cohorts": 0o700},
    menu=(MenuItem("data", later("Cohorts"), "/cohorts", signed_in=True),),
    listens={"dataset.remove_persons": ".listening:removed", "dataset.remove": ".listening:removed"},
    demo=".demo:make",
    needs=("duckcdm",),
    contributes=".contributing:of_cohort",
    uses=".contributing:uses",
    docs="cohorts.md",
)

# Where a public name is; imported at first use, so that help is instant.

__getattr__ = at_first_use(
    __name__, {"populations": ("Population", "count_population"), "service": ("definition_of", "find", "keep", "see")}
)
