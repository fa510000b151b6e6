"""Who gets what at the doors of the room compute; see services/access_tables.py."""

from typing import Any

from madang.node.people.accounts import find_person
from madang.services.compute.models import Task
from services.access_tables import BAD, IN, NO, NONE, YES, Acts, Reads

READS: Reads = {
    "/compute": ("/compute", (IN, YES, YES, YES, YES)),
    "/compute/{number}": ("/compute/{compute_task}", (NONE, YES, NONE, YES, YES)),
    "/compute/{number}/outputs/{name:path}": ("/compute/999/outputs/x", (NONE,) * 5),
    "/compute/{number}/crate": ("/compute/999/crate", (NONE,) * 5),
    "/compute/{number}/report": ("/compute/999/report", (NONE,) * 5),
    "/machine": ("/machine", (IN, NO, NO, YES, YES)),
    "/sequencing": ("/sequencing", (IN, YES, YES, YES, YES)),
    "/sequencing/{number}": ("/sequencing/999", (NONE,) * 5),
}
ACTS: Acts = {
    "/compute/tasks": ("/compute/tasks", {"command": ""}, (BAD,) * 5),
    "/compute/files": ("/compute/files", {"name": "x"}, (BAD,) * 5),
    "/compute/{number}/cancel": ("/compute/999/cancel", {}, (NONE,) * 5),
    "/compute/{number}/place": ("/compute/999/place", {"workspace": 1}, (NONE,) * 5),
    "/compute/{number}/release": ("/compute/999/release", {}, (NONE,) * 5),
    "/compute/{number}/again": ("/compute/999/again", {}, (NONE,) * 5),
    "/compute/{number}/clear": ("/compute/999/clear", {}, (NONE,) * 5),
    "/compute/training": ("/compute/training", {"inputs": ""}, (BAD,) * 5),
    "/machine/quotas": ("/machine/quotas", {"share": "person:nobody"}, (BAD,) * 5),
    "/machine/prices": ("/machine/prices", {"begins": "no day"}, (BAD,) * 5),
    "/sequencing/runs": ("/sequencing/runs", {"reference": ""}, (BAD,) * 5),
}


def furnish(house: Any) -> dict[str, str]:
    """A task of the member's that is over."""
    with house.node.write() as session:
        member = find_person(session, "member").id
        text = '{"name": "t", "executors": [{"image": "alpine", "command": ["true"]}]}'
        task = Task(owner_id=member, share=f"person:{member}", state="canceled", name="t", definition=text)
        task.cores, task.memory, task.disk, task.seconds = 1, 10**9, 10**9, 60
        session.add(task)
        session.flush()
        return {"{compute_task}": str(task.id)}
