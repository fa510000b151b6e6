"""Who gets what at the doors of the room contributions; see services/access_tables.py."""

from services.access_tables import BAD, IN, NO, YES, Acts, Reads

READS: Reads = {
    "/contributions": ("/contributions", (IN, YES, YES, YES, YES)),
    "/contributions/{reference}": ("/contributions/record:closed", (IN, YES, YES, YES, YES)),
    "/contributions/{reference}/statement.jwt": (
        "/contributions/record:closed/statement.jwt",
        (IN, YES, YES, YES, YES),
    ),
}
RULE = {"name": "n", "weights": "curated = 1", "parties": "hospital"}
ACTS: Acts = {
    "/contributions": ("/contributions", {"reference": "record:closed"}, (IN, YES, YES, YES, YES)),
    "/contributions/rules": ("/contributions/rules", RULE, (IN, NO, YES, NO, NO)),
    "/contributions/rules/{number}/sign": ("/contributions/rules/999/sign", {"party": "x"}, (BAD,) * 5),
    "/contributions/forget": ("/contributions/forget", {}, (IN, YES, YES, YES, YES)),
}
