"""Compute: tasks and pipelines on this machine's cores, for people of projects and for programs that speak GA4GH.

Tasks are described as GA4GH TES 1.1 has it and run in closed boxes, by a runner of their own; what they leave is kept
with its hash. Whoever asks for work sees it wait, run and end, and what it used.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import Command, MenuItem, RoomPlan

if TYPE_CHECKING:
    from madang.services.compute.definition import engines

__all__ = ["PLAN", "engines"]

# To GA4GH's clients what cannot be a task is a bad request.
_BAD = ("task.resources", "task.image", "task.definition", "workflow.engine", "workflow.request", "object.request")
PLAN = RoomPlan(
    name="compute",
    package=__package__,
    title=later("Compute"),
    acts=(".acts",),
    states=(".acts:TASK",),
    models=(".models",),
    pages=(".routes", ".machine_pages", ".sequencing_pages", ".tes", ".wes", ".drs"),
    commands=(
        Command("compute", later("Run tasks and workflows on this machine, and see what they use."), ".commands:app"),
        Command("sequencing", later("Pipelines for sequencing data, for research use."), ".sequencing_commands:app"),
    ),
    errors=dict.fromkeys(_BAD, 400) | {"task.quota": 403, "task.closed": 403, "task.permit": 403},
    folders={"compute": 0o700},
    menu=(
        MenuItem(
            "labs",
            later("Compute"),
            "/compute",
            signed_in=True,
            said=later("Run commands and workflows on this machine or its cluster, closed in, within a quota."),
        ),
        MenuItem(
            "labs",
            later("Sequencing"),
            "/sequencing",
            signed_in=True,
            said=later("From reads to variants and a report, for research."),
        ),
        MenuItem("labs", later("Machine and queue"), "/machine", act="compute.oversee"),
    ),
    card=".service:waiting",
    project=".service:of_project",
    demo=".demo:make",
    opened=".runner:wake",
    contributes=".contributing:of_run",
    doctor=".doctor:look",
    docs="compute.md",
)

__getattr__ = at_first_use(__name__, {"definition": ("engines",)})
