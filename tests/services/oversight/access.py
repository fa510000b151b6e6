"""Who gets what at the doors of the room oversight; see services/access_tables.py."""

from services.access_tables import BAD, IN, NO, YES, Acts, Reads

READS: Reads = {
    "/audit": ("/audit", (IN, NO, NO, YES, NO)),
    "/audit/monthly": ("/audit/monthly", (IN, NO, NO, YES, NO)),
    "/audit/export": ("/audit/export", (IN, NO, NO, YES, NO)),
    "/state": ("/state", (IN, NO, NO, NO, YES)),
    "/jobs": ("/jobs", (IN, YES, YES, YES, YES)),
    "/jobs/{number}": ("/jobs/1", (IN, NO, NO, NO, YES)),
    "/jobs/{number}/events": ("/jobs/1/events", (IN, NO, NO, NO, YES)),
}
ACTS: Acts = {
    "/audit/verify": ("/audit/verify", {}, (IN, NO, NO, YES, NO)),
    "/audit/monthly": ("/audit/monthly", {"month": "2999-01", "found": "nothing"}, (IN, NO, NO, BAD, NO)),
    "/jobs/{number}/retry": ("/jobs/1/retry", {}, (IN, NO, NO, NO, BAD)),
    "/jobs/{number}/cancel": ("/jobs/1/cancel", {}, (IN, NO, NO, NO, YES)),
}
