"""Who gets what at the doors of the room access; see services/access_tables.py."""

from typing import Any

from access_house import CONDITION, CONTENT, PERSON, person

from madang.node.people.accounts import find_organization
from madang.node.people.projects import make_project
from madang.services.access import deciding, permits, service
from portal_house import OWNER, commit
from services.access_tables import BAD, IN, NONE, YES, Acts, Reads

_HOLDER = (NONE, NONE, YES, YES, NONE)
_N = "/applications/99"
_P = "/permits/2026-9999"
READS: Reads = {
    "/access": ("/access", (YES,) * 5),
    "/access/visa-keys.json": ("/access/visa-keys.json", (YES,) * 5),
    "/applications": ("/applications", (IN, YES, YES, YES, YES)),
    "/applications/{number}": ("/applications/{application}", _HOLDER),
    "/applications/{number}/minutes": ("/applications/{application}/minutes", _HOLDER),
    "/access/codes.csv": ("/access/codes.csv", (YES,) * 5),
    "/permits/{number}": ("/permits/{permit}", _HOLDER),
    "/permits/{number}/visas.json": ("/permits/{permit}/visas.json", _HOLDER),
    "/permits/{number}/permit.jwt": ("/permits/{permit}/permit.jwt", _HOLDER),
    "/permits/{number}/record.json": ("/permits/{permit}/record.json", _HOLDER),
}
_NEW = {"project": "none", "dataset": "none", "title": "t"}
_SAID = {"text": "t"}
_STUDY = {"file": '{"a": {"kind": "count", "source": "person"}}'}
_BODIES: dict[str, dict[str, Any]] = {
    **{what: {} for what in ("count", "submit", "withdraw", "decide", "permit")},
    **{what: {"text": "t"} for what in ("appeal", "ask", "not-urgent")},
    "codes": {"file": "list,vocabulary,code\na,KCD8,E11\n"},
    "steps": {"step": "fee"},
    "votes": {"choice": "approve", "edition": 1},
}
ACTS: Acts = {
    "/applications": ("/applications", _NEW, (BAD,) * 5),
    "/applications/{number}": (_N, {"purpose": "p"}, (NONE,) * 5),
    **{f"/applications/{{number}}/{what}": (f"{_N}/{what}", body, (NONE,) * 5) for what, body in _BODIES.items()},
    "/permits/{number}/studies": (
        f"{_P}/studies",
        _STUDY,
        (NONE,) * 5,
    ),
    "/permits/{number}/studies/{study}/run": (f"{_P}/studies/1/run", {}, (NONE,) * 5),
    "/permits/{number}/recipes": (f"{_P}/recipes", {}, (NONE,) * 5),
    "/permits/{number}/extract": (f"{_P}/extract", {}, (NONE,) * 5),
    **{
        f"/permits/{{number}}/{what}": (f"{_P}/{what}", _SAID, (NONE,) * 5)
        for what in ("suspend", "resume", "report", "end", "destroy")
    },
}


def furnish(house: Any) -> dict[str, str]:
    """An application with its permit, of data that the hospital holds. Who may do what with it: test_access.py."""
    node = house.node
    with node.read() as session:
        hospital = find_organization(session, "hospital").id
    voter = person(node, "voter", "committee", hospital)
    person(node, "asker")
    make_project(node, OWNER, "asking", "Asking", organization="house", leader="asker")
    commit(node, "asked", person=PERSON, condition_occurrence=CONDITION)
    number = service.apply(
        node, OWNER, project="asking", dataset="asked", title="Asked", organization="hospital", content=CONTENT
    )
    service.submit(node, OWNER, number)
    for step in ("screening", "adequacy", "ethics"):
        deciding.close_step(node, OWNER, number, step)
    deciding.vote(node, voter, number, "approve")
    deciding.close_vote(node, OWNER, number)
    deciding.close_step(node, OWNER, number, "fee")
    return {"{application}": str(number), "{permit}": permits.issue(node, OWNER, number)}
