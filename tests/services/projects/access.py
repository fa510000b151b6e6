"""Who gets what at the doors of the room projects; see services/access_tables.py."""

from typing import Any

from madang.node.people.projects import make_project
from portal_house import OWNER
from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/start": ("/start", (IN, YES, YES, YES, YES)),
    "/projects": ("/projects", (IN, YES, YES, YES, YES)),
    "/projects/{name}": ("/projects/kidney", (NONE, YES, YES, YES, YES)),
    "/places/{place}": ("/places/labs", (YES,) * 5),
}
ACTS: Acts = {
    "/projects": ("/projects", {"name": "?", "title": "t"}, (BAD,) * 5),
    "/projects/{name}/members": ("/projects/kidney/members", {"login": "nobody"}, (IN, NONE, NO, NO, NO)),
    "/projects/{name}/members/remove": ("/projects/kidney/members/remove", {"login": "nobody"}, (NONE,) * 5),
    "/projects/{name}/approvals": (
        "/projects/kidney/approvals",
        {"kind": "ethics", "body": "b", "number": "n", "given": "2026-02-30"},
        (BAD,) * 5,
    ),
    "/projects/{name}/end": ("/projects/nothing/end", {}, (NONE,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A project of the hospital that the member leads."""
    make_project(house.node, OWNER, "kidney", "Kidneys", organization="hospital", leader="member")
    return {}
