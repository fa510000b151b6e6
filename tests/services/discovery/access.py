"""Who gets what at the doors of the room discovery; see services/access_tables.py. The member is of the project."""

from typing import Any

from services.access_tables import BAD, IN, NONE, YES, Acts, Reads

HIDDEN = (NONE, YES, NONE, NONE, NONE)
READS: Reads = {
    "/discovery": ("/discovery", (IN, YES, YES, YES, YES)),
    "/discovery/{name}": ("/discovery/secret-molecules", HIDDEN),
    "/discovery/{name}/lots": ("/discovery/secret-molecules/lots", HIDDEN),
    "/discovery/{name}/sequences": ("/discovery/secret-molecules/sequences", HIDDEN),
    "/discovery/{name}/activity.csv": ("/discovery/secret-molecules/activity.csv", HIDDEN),
    "/discovery/{name}/models/{number}": ("/discovery/secret-molecules/models/999", (NONE,) * 5),
    "/discovery/{name}/models/{number}/library.csv": (
        "/discovery/secret-molecules/models/999/library.csv",
        (NONE,) * 5,
    ),
    "/discovery/{name}/dockings/{number}": ("/discovery/secret-molecules/dockings/999", (NONE,) * 5),
    "/discovery/{name}/dockings/{number}/{file}": (
        "/discovery/secret-molecules/dockings/999/scores.csv",
        (NONE,) * 5,
    ),
    "/discovery/{name}/activity": ("/discovery/secret-molecules/activity", HIDDEN),
    "/discovery/{name}/assays/{number}": ("/discovery/secret-molecules/assays/PLATE_ASSAY", HIDDEN),
    "/discovery/shortlists/{number}": ("/discovery/shortlists/SHORTLIST", HIDDEN),
    "/discovery/shortlists/{number}/{file}": ("/discovery/shortlists/SHORTLIST/shortlist.csv", HIDDEN),
}
ACTS: Acts = {
    "/discovery": ("/discovery", {"name": "?"}, (BAD,) * 5),
    "/discovery/{name}/assays": ("/discovery/no-such/assays", {"title": "t", "file": "eA=="}, (NONE,) * 5),
    "/discovery/{name}/sequences": ("/discovery/no-such/sequences", {"text": "t"}, (NONE,) * 5),
    "/discovery/{name}/lots": ("/discovery/no-such/lots", {"table": "t"}, (NONE,) * 5),
    "/discovery/{name}/models": ("/discovery/no-such/models", {"name": "m", "file": "eA=="}, (NONE,) * 5),
    "/discovery/{name}/models/{number}/predictions": (
        "/discovery/no-such/models/999/predictions",
        {"text": "CCO"},
        (NONE,) * 5,
    ),
    "/discovery/{name}/dockings": ("/discovery/no-such/dockings", {"name": "m", "receptor": "eA=="}, (NONE,) * 5),
    "/discovery/{name}/shortlists": ("/discovery/no-such/shortlists", {"title": "t", "goals": "g"}, (NONE,) * 5),
    "/discovery/{name}/close": ("/discovery/no-such/close", {}, (NONE,) * 5),
    "/discovery/shortlists/{number}/decisions": (
        "/discovery/shortlists/999999/decisions",
        {"compound": "c", "decision": "make"},
        (NONE,) * 5,
    ),
    "/discovery/shortlists/{number}/lock": ("/discovery/shortlists/999999/lock", {}, (NONE,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A library of a project of the member's, with plates and a shortlist."""
    from madang.node.people.projects import make_project
    from madang.services.discovery import service, shortlists
    from madang.services.discovery.demo import _GOALS, plate
    from portal_house import OWNER

    node = house.node
    make_project(node, OWNER, "secret", "Secret molecules", organization="hospital", leader="member")
    files = [("m.smi", b"CCO DEMO-0001\nc1ccccc1O DEMO-0031\n")]
    service.fill(node, OWNER, "secret-molecules", "secret", files)
    assay = service.measure(node, OWNER, "secret-molecules", "Plates", plate())
    made = shortlists.shortlist(node, OWNER, "secret-molecules", "First", _GOALS)
    return {"PLATE_ASSAY": str(assay.id), "SHORTLIST": str(made.id)}
