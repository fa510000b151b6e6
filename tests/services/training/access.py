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
    "/training/platforms": ("/training/platforms", (IN, NO, NO, YES, YES)),
    "/training/lti/keys.json": ("/training/lti/keys.json", ALL),
    "/training/lti/login": ("/training/lti/login", (NO,) * 5),
    "/training/lti/enter": ("/training/lti/enter", (NO,) * 5),
    "/training/lti/choose/{number}": ("/training/lti/choose/1", (NONE,) * 5),
    "/training/badges/status.jwt": ("/training/badges/status.jwt", ALL),
    "/badges/{uid}": ("/badges/nothing", (NONE,) * 5),
    "/badges/{uid}/badge.jwt": ("/badges/nothing/badge.jwt", (NONE,) * 5),
}
CHANGE = {"student": "1", "task": "standardize/day", "score": 1, "reason": "r"}
PLATFORM = {"title": "t", "issuer": "x", "client": "x", "deployments": "1", "sign_in": "x", "tokens": "x", "keys": "x"}
ACTS: Acts = {
    "/training/courses/{course}/badge": (f"{AT}/badge", {}, (BAD, 409, 409, 409, 409)),
    "/training/courses/{course}/{lesson}/{task}": (f"{AT}/standardize/nothing", {"answer": "x"}, (NONE,) * 5),
    "/training/courses/{course}/space": ("/training/courses/nothing/space", {}, (NONE,) * 5),
    "/training/courses/{course}/{lesson}/{task}/from-space": (f"{AT}/standardize/day/from-space", {}, (NONE,) * 5),
    "/training/platforms": ("/training/platforms", PLATFORM, (IN, NO, NO, NO, BAD)),
    "/training/platforms/{number}/close": ("/training/platforms/9/close", {}, (NONE,) * 5),
    "/training/lti/choose/{number}": ("/training/lti/choose/1", {"places": ["x"]}, (NONE,) * 5),
    "/training/classes": ("/training/classes", {"title": "t", "course": "data-foundations"}, (IN, NO, NO, NO, NO)),
    "/training/classes/{number}/roster": ("/training/classes/{class}/roster", {}, (BAD,) * 5),
    "/training/classes/{number}/grades": ("/training/classes/{class}/grades", CHANGE, (IN, NO, NO, NO, NO)),
    "/training/classes/{number}/reset": ("/training/classes/{class}/reset", {"student": "1"}, (IN, NO, NO, NO, NO)),
    "/training/classes/{number}/close": ("/training/classes/{class}/close", {}, (IN, NO, NO, NO, NO)),
    "/badges/{uid}/revoke": ("/badges/nothing/revoke", {"reason": "r"}, (NONE,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A class of the house."""
    return {"{class}": str(teaching.open_class(house.node, OWNER, title="t", course="data-foundations"))}
