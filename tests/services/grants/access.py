"""Who gets what at the doors of the room grants; see services/access_tables.py."""

from datetime import date
from typing import Any

from madang.services.grants import service
from madang.services.grants.plans import AwardRow, Promised, Read
from portal_house import OWNER
from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/grants": ("/grants", (IN, YES, YES, YES, YES)),
    "/grants/{number}": ("/grants/A-1", (NONE, NONE, NONE, YES, NONE)),
    "/promises/{number}": ("/promises/1", (NONE, NONE, NONE, YES, NONE)),
    "/grants.xlsx": ("/grants.xlsx", (IN, YES, YES, YES, YES)),
    "/grants.json": ("/grants.json", (IN, YES, YES, YES, YES)),
    "/grants/template.xlsx": ("/grants/template.xlsx", (IN, YES, YES, YES, YES)),
    "/grants.csv": ("/grants.csv", (IN, YES, YES, YES, YES)),
}
ACTS: Acts = {
    "/grants/{number}/promises": ("/grants/A-9/promises", {"key": "x", "title": "t", "due": "2030-01-01"}, (NONE,) * 5),
    "/grants/{number}/prolong": ("/grants/A-9/prolong", {"days": 30}, (NONE,) * 5),
    "/grants/{number}/cancel": ("/grants/A-9/cancel", {"reason": "r"}, (NONE,) * 5),
    "/promises/{number}/cancel": ("/promises/999/cancel", {"reason": "r"}, (NONE,) * 5),
    "/promises/{number}/funds": ("/promises/999/funds", {"amount": 1, "text": "s"}, (NONE,) * 5),
    "/promises/{number}/records/{record}/unlink": ("/promises/999/records/nothing/unlink", {}, (NONE,) * 5),
    "/grants": ("/grants", {"file": "", "kind": "json"}, (IN, NO, NO, NO, NO)),
    "/promises/{number}/records": ("/promises/1/records", {"record": "nothing"}, (IN, NO, NO, NO, NO)),
    "/promises/{number}/excuse": ("/promises/1/excuse", {"reason": "x", "text": "t"}, (BAD,) * 5),
    "/promises/{number}/decide": ("/promises/1/decide", {"decision": "allow"}, (NONE,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """An award of the house with one promise."""
    row = AwardRow("A-1", "An award", ends=date(2030, 1, 1), promises=(Promised("d", "Data", date(2029, 1, 1)),))
    service.import_awards(house.node, OWNER, Read((row,)), "test")
    return {}
