"""Who gets what at the doors of the release desk; see services/access_tables.py."""

from typing import Any

from madang.services.release.examine import Upload
from madang.services.release.service import ask
from portal_house import OWNER
from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/releases": ("/releases", (IN, YES, YES, YES, YES)),
    "/releases/{number}": ("/releases/RELEASE", (NONE, NONE, YES, YES, NONE)),
    "/releases/{number}/files/{place}": ("/releases/RELEASE/files/1", (NONE,) * 5),
}
ACTS: Acts = {
    "/releases": ("/releases", {"name": "t.csv"}, (BAD,) * 5),
    "/releases/{number}/vote": ("/releases/RELEASE/vote", {"agrees": True}, (IN, NO, NO, NO, NO)),
    "/releases/{number}/questions": ("/releases/RELEASE/questions", {"text": "?"}, (IN, NO, NO, NO, NO)),
    "/releases/{number}/withdraw": ("/releases/RELEASE/withdraw", {}, (IN, NO, NO, NO, NO)),
    "/releases/{number}/take": ("/releases/RELEASE/take", {}, (IN, NO, 409, NO, NO)),
}


def furnish(house: Any) -> dict[str, str]:
    """A request of the owner of the home."""
    number = ask(house.node, OWNER, [Upload("table.csv", b"group,count\nA,40\nB,62\n")], recipients=["steward"])
    return {"RELEASE": str(number)}
