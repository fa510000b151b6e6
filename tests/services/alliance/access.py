"""Who gets what at the doors of the room alliance; see services/access_tables.py."""

from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/alliance": ("/alliance", (IN, NO, YES, YES, YES)),
    "/alliance/partners/{number}": ("/alliance/partners/1", (IN, NO, NONE, NONE, NONE)),
    "/alliance/studies/{number}": ("/alliance/studies/1", (IN, NO, NONE, NONE, NONE)),
    "/alliance/studies/{number}/form.csv": ("/alliance/studies/1/form.csv", (IN, NO, NONE, NO, NONE)),
    "/alliance/studies/{number}/crate.zip": ("/alliance/studies/1/crate.zip", (IN, NO, NONE, NONE, NONE)),
}
ACTS: Acts = {
    "/alliance/messages": ("/alliance/messages", {}, (IN,) * 5),
    "/alliance/invite": ("/alliance/invite", {"name": "x", "agreement": "nothing"}, (BAD,) * 5),
    "/alliance/join": ("/alliance/join", {"code": "x" * 30}, (IN, NO, NO, NO, BAD)),
    "/alliance/ask": ("/alliance/ask", {"study": "nothing"}, (BAD,) * 5),
    "/alliance/partners/{number}/confirm": ("/alliance/partners/1/confirm", None, (NONE,) * 5),
    "/alliance/partners/{number}/agree": ("/alliance/partners/1/agree", None, (NONE,) * 5),
    "/alliance/partners/{number}/leave": ("/alliance/partners/1/leave", {"reason": ""}, (IN, NO, NO, NO, NONE)),
    "/alliance/studies/{number}/approve": ("/alliance/studies/1/approve", {"reason": ""}, (IN, NO, NONE, NO, NONE)),
    "/alliance/studies/{number}/refuse": ("/alliance/studies/1/refuse", {"reason": ""}, (IN, NO, NONE, NO, NONE)),
    "/alliance/studies/{number}/hand": (
        "/alliance/studies/1/hand",
        {"partner": "x", "table": "n,1", "source": "x"},
        (IN, NO, NONE, NO, NONE),
    ),
    "/alliance/studies/{number}/run": ("/alliance/studies/1/run", None, (IN, NO, NONE, NO, NONE)),
}
