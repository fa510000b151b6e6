"""What computations add to statements of use: which earlier ones and which files they read."""

import json

from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Project
from madang.node.permissions import may
from madang.services.compute.acts import SEE
from madang.services.compute.models import Task
from madang.services.contributions import Link, Thing

_TASK, _FILE = "madang://task/", "madang://file/"


def of_run(node: Node, reference: str, actor: Actor | None = None) -> list[Link]:
    """The links of `run:N`; with an actor only if they may see it."""
    kind, _colon, number = reference.partition(":")
    if kind != "run" or not number.isascii() or not number.isdigit() or len(number) > 9:
        return []
    with node.read() as session:
        found = session.get(Task, int(number))
        if found is None or (actor is not None and not may(actor, SEE, found)):
            return []
        project = session.get(Project, found.project_id) if found.project_id is not None else None
    links = []
    for each in json.loads(found.definition).get("inputs") or ():
        url = str(each.get("url", ""))
        if url.startswith(_TASK):
            before = url.removeprefix(_TASK).partition("/")[0]
            links.append(Link(reference, Thing(f"run:{before}", before), "compute"))
        elif url.startswith(_FILE):
            links.append(
                Link(reference, Thing(f"file:{url.removeprefix(_FILE)}", str(each.get("name") or "")), "source")
            )
    if project is not None:
        links.append(Link(reference, Thing(f"project:{project.name}", project.title), "by"))
    return links
