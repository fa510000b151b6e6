"""Who gets what at the doors of the room emr; see services/access_tables.py."""

from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/emr": ("/emr", (YES,) * 5),
    "/emr/validate": ("/emr/validate", (YES,) * 5),
    "/emr/hand-in": ("/emr/hand-in", (YES,) * 5),
    "/emr/reports/{number}": ("/emr/reports/999", (NONE,) * 5),
    "/emr/reports/{number}/report.json": ("/emr/reports/999/report.json", (NONE,) * 5),
    "/emr/run": ("/emr/run", (YES,) * 5),
    "/emr/runs/{number}": ("/emr/runs/999", (NONE,) * 5),
    "/emr/runs/{number}/report.json": ("/emr/runs/999/report.json", (NONE,) * 5),
    "/emr/challenges": ("/emr/challenges", (YES,) * 5),
    "/emr/challenges/{number}": ("/emr/challenges/999", (NONE,) * 5),
    "/emr/challenges/{number}/challenge.json": ("/emr/challenges/999/challenge.json", (NONE,) * 5),
    "/emr/challenges/{number}/records.ndjson": ("/emr/challenges/999/records.ndjson", (NONE,) * 5),
    "/emr/schemes/{name}": ("/emr/schemes/emr-korea", (YES,) * 5),
}
RUN = {"target": "http://nowhere.example/fhir", "product": "p", "version": "1"}
DRAW = {"login": "member", "product": "p", "version": "1"}
NOTE = {"criterion": "c", "verdict": "met", "text": "t"}
ACTS: Acts = {
    "/emr/validate": ("/emr/validate", {"text": " "}, (BAD,) * 5),
    "/emr/hand-in": ("/emr/hand-in", {"product": "p", "version": "1", "file": ""}, (BAD, BAD, BAD, BAD, BAD)),
    "/emr/reports/{number}/take": ("/emr/reports/999/take", {"reason": "r"}, (NONE,) * 5),
    "/emr/reports/{number}/return": ("/emr/reports/999/return", {"reason": "r"}, (NONE,) * 5),
    "/emr/reports/{number}/schemes/{name}/note": ("/emr/reports/999/schemes/emr-korea/note", NOTE, (BAD,) * 5),
    "/emr/run": ("/emr/run", RUN, (BAD,) * 5),
    "/emr/runs/{number}/again": ("/emr/runs/999/again", {}, (NONE,) * 5),
    "/emr/runs/{number}/hand-in": ("/emr/runs/999/hand-in", {}, (NONE,) * 5),
    "/emr/runs/{number}/bring": ("/emr/runs/999/bring", {"dataset": "ours"}, (NONE,) * 5),
    "/emr/challenges": ("/emr/challenges", DRAW, (IN, NO, NO, NO, NO)),
    "/emr/challenges/{number}/withdraw": ("/emr/challenges/999/withdraw", {}, (NONE,) * 5),
}
