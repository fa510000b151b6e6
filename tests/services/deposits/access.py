"""Who gets what at the doors of the room deposits; see services/access_tables.py."""

from typing import Any

from services.access_tables import BAD, IN, NONE, YES, Acts, Reads

HIDDEN = (NONE, NONE, YES, YES, NONE)
READS: Reads = {
    "/deposits": ("/deposits", (IN, YES, YES, YES, YES)),
    "/deposits/{name}": ("/deposits/theirs", HIDDEN),
    "/deposits/{name}/sheet.xlsx": ("/deposits/theirs/sheet.xlsx", HIDDEN),
    "/deposits/{name}/runs.xlsx": ("/deposits/theirs/runs.xlsx", HIDDEN),
    "/deposits/{name}/package.zip": ("/deposits/theirs/package.zip", HIDDEN),
    "/deposited/{name}/{number}": ("/deposited/nothing/1", (NONE,) * 5),
    "/deposits/{name}/files/{number}": ("/deposits/theirs/files/DEPOSIT_FILE", HIDDEN),
}
ACTS: Acts = {
    "/deposits/{name}/accession": ("/deposits/nobodys/accession", {"accession": "X"}, (NONE,) * 5),
    "/deposits/{name}/files": ("/deposits/nobodys/files", None, ()),
    "/deposits/{name}/promise": ("/deposits/nobodys/promise", {"promise": 1}, (NONE,) * 5),
    "/deposits": ("/deposits", {"name": "A B", "model": "insdc", "organization": "hospital"}, (BAD,) * 5),
    "/deposits/{name}": ("/deposits/nobodys", {"title": "x"}, (NONE,) * 5),
    "/deposits/{name}/samples": ("/deposits/nobodys/samples", None, ()),
    "/deposits/{name}/files/{number}/remove": ("/deposits/nobodys/files/1/remove", {}, (NONE,) * 5),
    "/deposits/{name}/swap": ("/deposits/nobodys/swap", {"file": "a_R1.fastq"}, (NONE,) * 5),
    "/deposits/{name}/check": ("/deposits/nobodys/check", {}, (NONE,) * 5),
    "/deposits/{name}/submit": ("/deposits/nobodys/submit", {}, (NONE,) * 5),
    "/deposits/{name}/return": ("/deposits/nobodys/return", {"question": "q"}, (NONE,) * 5),
    "/deposits/{name}/approve": ("/deposits/nobodys/approve", {}, (NONE,) * 5),
    "/deposits/{name}/uploads": ("/deposits/nobodys/uploads", {}, (BAD,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A deposit of the house's owner in the hospital, with one file."""
    import tempfile
    from pathlib import Path

    from madang.services.deposits import putting, service
    from portal_house import OWNER

    service.begin(house.node, OWNER, "theirs", "table", "hospital")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.csv").write_text("a,b\n1,2\n")
        putting.put_folder(house.node, OWNER, "theirs", Path(folder))
    return {"DEPOSIT_FILE": str(service.see(house.node, OWNER, "theirs").files[0].id)}
