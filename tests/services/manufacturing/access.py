"""Who gets what at the doors of the room manufacturing; see services/access_tables.py."""

from typing import Any

from madang.node.people.projects import make_project
from madang.services.manufacturing import studies
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
    "/manufacturing/campaigns/{number}/next.csv": (
        "/manufacturing/campaigns/{campaign}/next.csv",
        (NONE, YES, NONE, YES, NONE),
    ),
    "/manufacturing/studies": ("/manufacturing/studies", (IN, YES, YES, YES, YES)),
    "/manufacturing/twins/{number}": ("/manufacturing/twins/{study}", (NONE, YES, NONE, YES, NONE)),
    "/manufacturing/foundry/{number}": ("/manufacturing/foundry/999", (NONE,) * 5),
    "/manufacturing/foundry/{number}/{round}/worklist.csv": (
        "/manufacturing/foundry/999/round-01/worklist.csv",
        (NONE,) * 5,
    ),
    "/manufacturing/watch/{number}": ("/manufacturing/watch/999", (NONE,) * 5),
    "/manufacturing/live/{number}": ("/manufacturing/live/999", (NONE,) * 5),
    "/manufacturing/runs/{project}": ("/manufacturing/runs/vessel", (NONE, YES, NONE, YES, NONE)),
}
ACTS: Acts = {
    "/manufacturing/campaigns": (
        "/manufacturing/campaigns",
        {"project": "vessel", "name": "?", "description": "x"},
        (BAD,) * 5,
    ),
    "/manufacturing/campaigns/form": (
        "/manufacturing/campaigns/form",
        {"project": "vessel", "name": "?"},
        (BAD,) * 5,
    ),
    "/manufacturing/campaigns/{number}/measured": (
        "/manufacturing/campaigns/999/measured",
        {"done": 0, "value": ["1"]},
        (NONE,) * 5,
    ),
    "/manufacturing/equipment": (
        "/manufacturing/equipment",
        {"project": "vessel", "name": "x", "address": "http://elsewhere"},
        (BAD,) * 5,
    ),
    "/manufacturing/campaigns/{number}/results": ("/manufacturing/campaigns/999/results", {"table": "x"}, (NONE,) * 5),
    "/manufacturing/twins": (
        "/manufacturing/twins",
        {"project": "vessel", "title": "t", "description": "= wrong"},
        (BAD,) * 5,
    ),
    "/manufacturing/foundry": (
        "/manufacturing/foundry",
        {"project": "vessel", "title": "t", "description": "= wrong"},
        (BAD,) * 5,
    ),
    "/manufacturing/foundry/{number}/readings": ("/manufacturing/foundry/999/readings", {"text": "x"}, (NONE,) * 5),
    "/manufacturing/watch": ("/manufacturing/watch", {"project": "no-such", "title": "t"}, (NONE,) * 5),
    "/manufacturing/live": ("/manufacturing/live", {"equipment": 999, "title": "t"}, (NONE,) * 5),
    "/manufacturing/live/{number}/stop": ("/manufacturing/live/999/stop", {}, (NONE,) * 5),
    "/manufacturing/transfer": ("/manufacturing/transfer", {"project": "no-such", "title": "t"}, (BAD,) * 5),
    "/manufacturing/runs/{project}/sheet": ("/manufacturing/runs/no-such/sheet", {"sheet": "x"}, (NONE,) * 5),
    "/manufacturing/campaigns/{number}/end": ("/manufacturing/campaigns/999/end", {}, (NONE,) * 5),
    "/manufacturing/runs/{project}": ("/manufacturing/runs/vessel", {"name": "?", "table": "x"}, (BAD,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A project of the hospital that the member leads, with a campaign."""
    make_project(house.node, OWNER, "vessel", "Vessels", organization="hospital", leader="member")
    made = begin_campaign(house.node, OWNER, "vessel", "feed", "Feed", DESCRIPTION)
    recipe = 'kinetics = "cho"\n[[feed]]\nfrom = 48\nrate = 0.001\nsubstrate = 300\n'
    study = studies.compute_twin(house.node, OWNER, "vessel", "Twin", recipe)
    return {"{campaign}": str(made.id), "{study}": str(study.id)}
