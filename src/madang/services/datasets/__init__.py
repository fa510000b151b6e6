"""Datasets: raw records become versions of the lake, and versions are read, exported, traced and removed.

For data engineers of a holder, by command. What is computed is in science and lake; here is who may do it, and that
each of it leaves its event: the command line is audited like everybody.
"""

from typing import TYPE_CHECKING

from madang.base.lazily import at_first_use
from madang.base.translate import later
from madang.node.rooms import RoleKind, RoomPlan

if TYPE_CHECKING:
    from madang.services.datasets.acts import STANDARDIZE
    from madang.services.datasets.chain import Link, chain_of
    from madang.services.datasets.service import begun, begun_by, read, remove_persons, remove_versions

__all__ = ["PLAN", "STANDARDIZE", "Link", "begun", "begun_by", "chain_of", "read", "remove_persons", "remove_versions"]

_CHANGES = ("standardize", "import", "remove", "remove_persons", "load_vocabulary", "review")

PLAN = RoomPlan(
    name="datasets",
    package=__package__,
    title=later("Datasets"),
    acts=(".acts",),
    roles=(
        RoleKind(
            "data-engineer",
            later("Data engineer"),
            later("turns raw records into datasets, and removes what must go"),
            "node",
        ),
    ),
    settles={f"dataset.{act}": ".service:settle" for act in _CHANGES},
    traces={"dataset": ".tracing:trace"},
    docs="standardize.md",
)

__getattr__ = at_first_use(
    __name__,
    {
        "acts": ("STANDARDIZE",),
        "chain": ("Link", "chain_of"),
        "service": ("begun", "begun_by", "read", "remove_persons", "remove_versions"),
    },
)
