"""Who gets what at the doors of the room contributions; see services/access_tables.py."""

from services.access_tables import IN, YES, Acts, Reads

READS: Reads = {
    "/contributions/{reference}": ("/contributions/record:closed", (IN, YES, YES, YES, YES)),
    "/contributions/{reference}/statement.jwt": (
        "/contributions/record:closed/statement.jwt",
        (IN, YES, YES, YES, YES),
    ),
}
ACTS: Acts = {}
