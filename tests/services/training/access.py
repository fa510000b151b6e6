"""Who gets what at the doors of the room training; see services/access_tables.py."""

from typing import Any

from madang.services.training import teaching
from portal_house import OWNER
from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

AT = "/training/courses/data-foundations"
ALL = (YES,) * 5
READS: Reads = {
    "/training": ("/training", ALL),
    "/training/me": ("/training/me", (IN, YES, YES, YES, YES)),
    "/training/courses/{course}": (AT, ALL),
    "/training/courses/{course}/{lesson}": (f"{AT}/standardize", ALL),
    "/training/courses/{course}/{lesson}/data/{name}": (f"{AT}/standardize/data/visits.csv", ALL),
    "/training/courses/{course}/{lesson}/{task}": (f"{AT}/standardize/day", ALL),
    "/training/classes": ("/training/classes", (IN, NO, NO, YES, NO)),
    "/training/classes/{number}": ("/training/classes/{class}", (IN, NO, NO, YES, NO)),
    "/training/classes/{number}/grades.csv": ("/training/classes/{class}/grades.csv", (IN, NO, NO, YES, NO)),
    "/training/classes/{number}/statements.json": (
        "/training/classes/{class}/statements.json",
        (IN, NO, NO, YES, NO),
    ),
    "/training/badges/status.jwt": ("/training/badges/status.jwt", ALL),
    "/badges/{uid}": ("/badges/nothing", (NONE,) * 5),
    "/badges/{uid}/badge.jwt": ("/badges/nothing/badge.jwt", (NONE,) * 5),
}
CHANGE = {"student": "1", "task": "standardize/day", "score": 1, "reason": "r"}
ACTS: Acts = {
    "/training/courses/{course}/badge": (f"{AT}/badge", {}, (BAD, 409, 409, 409, 409)),
    "/training/courses/{course}/{lesson}/{task}": (f"{AT}/standardize/nothing", {"answer": "x"}, (NONE,) * 5),
    "/training/classes": ("/training/classes", {"title": "t", "course": "data-foundations"}, (IN, NO, NO, NO, NO)),
    "/training/classes/{number}/roster": ("/training/classes/{class}/roster", {}, (BAD,) * 5),
    "/training/classes/{number}/grades": ("/training/classes/{class}/grades", CHANGE, (IN, NO, NO, NO, NO)),
    "/training/classes/{number}/close": ("/training/classes/{class}/close", {}, (IN, NO, NO, NO, NO)),
    "/badges/{uid}/revoke": ("/badges/nothing/revoke", {"reason": "r"}, (NONE,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A class of the house."""
    return {"{class}": str(teaching.open_class(house.node, OWNER, title="t", course="data-foundations"))}
