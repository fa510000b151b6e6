"""Who gets what at the doors of the room manufacturing; see services/access_tables.py."""

from typing import Any

from madang.node.people.projects import make_project
from madang.services.manufacturing.service import begin_campaign
from portal_house import OWNER
from services.access_tables import BAD, IN, NONE, YES, Acts, Reads

DESCRIPTION = """
[[factor]]
name = "a"
low = 0
high = 1

[[objective]]
name = "titer"
"""
READS: Reads = {
    "/manufacturing": ("/manufacturing", (IN, YES, YES, YES, YES)),
    "/manufacturing/campaigns/{number}": ("/manufacturing/campaigns/{campaign}", (NONE, YES, NONE, YES, NONE)),
    "/manufacturing/runs/{project}": ("/manufacturing/runs/vessel", (NONE, YES, NONE, YES, NONE)),
}
ACTS: Acts = {
    "/manufacturing/campaigns": (
        "/manufacturing/campaigns",
        {"project": "vessel", "name": "?", "description": "x"},
        (BAD,) * 5,
    ),
    "/manufacturing/equipment": (
        "/manufacturing/equipment",
        {"project": "vessel", "name": "x", "address": "http://elsewhere"},
        (BAD,) * 5,
    ),
    "/manufacturing/campaigns/{number}/results": ("/manufacturing/campaigns/999/results", {"table": "x"}, (NONE,) * 5),
    "/manufacturing/campaigns/{number}/end": ("/manufacturing/campaigns/999/end", {}, (NONE,) * 5),
    "/manufacturing/runs/{project}": ("/manufacturing/runs/vessel", {"name": "?", "table": "x"}, (BAD,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A project of the hospital that the member leads, with a campaign."""
    make_project(house.node, OWNER, "vessel", "Vessels", organization="hospital", leader="member")
    made = begin_campaign(house.node, OWNER, "vessel", "feed", "Feed", DESCRIPTION)
    return {"{campaign}": str(made.id)}
