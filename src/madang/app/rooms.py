"""The one list of rooms: portal, command, job workers, migrations, docs and tests are made from it.

A room is added by one line here; how a room looks is in docs/architecture.md.
"""

from importlib import import_module

from madang.node.rooms import RoomPlan

ROOMS = (  # in the order in which the portal looks addresses up
    "madang.services.catalog",
    "madang.services.certification",
    "madang.services.cohorts",
    "madang.services.compute",
    "madang.services.datasets",
    "madang.services.deposits",
    "madang.services.discovery",
    "madang.services.emr",
    "madang.services.people",
    "madang.services.access",
    "madang.services.projects",
    "madang.services.release",
    "madang.services.oversight",
    "madang.services.grants",
    "madang.services.contributions",
    "madang.services.manufacturing",
    "madang.services.training",
    "madang.services.workspace",
    "madang.services.alliance",
)


def plans() -> tuple[RoomPlan, ...]:
    """The plan of every room."""
    return tuple(import_module(name).PLAN for name in ROOMS)
