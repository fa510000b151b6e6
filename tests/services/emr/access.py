"""Who gets what at the doors of the room emr; see services/access_tables.py."""

from services.access_tables import BAD, NONE, YES, Acts, Reads

READS: Reads = {
    "/emr": ("/emr", (YES,) * 5),
    "/emr/validate": ("/emr/validate", (YES,) * 5),
    "/emr/hand-in": ("/emr/hand-in", (YES,) * 5),
    "/emr/reports/{number}": ("/emr/reports/999", (NONE,) * 5),
    "/emr/reports/{number}/report.json": ("/emr/reports/999/report.json", (NONE,) * 5),
}
ACTS: Acts = {
    "/emr/validate": ("/emr/validate", {"text": " "}, (BAD,) * 5),
    "/emr/hand-in": ("/emr/hand-in", {"product": "p", "version": "1", "file": ""}, (BAD, BAD, BAD, BAD, BAD)),
    "/emr/reports/{number}/take": ("/emr/reports/999/take", {"reason": "r"}, (NONE,) * 5),
    "/emr/reports/{number}/return": ("/emr/reports/999/return", {"reason": "r"}, (NONE,) * 5),
}
