"""Opening ATLAS for somebody: permission, audit, the shelf in and out, and the end when the permission ends."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node.acts import doing
from madang.node.jobs.work import actor_of
from madang.node.node import Node
from madang.node.people.actor import Actor, actor_as_json
from madang.node.permissions import check, may
from madang.science.cohorts.definition import of_bytes
from madang.science.omop.release import mapped_with
from madang.services.cohorts import service
from madang.services.cohorts.acts import OPEN_ATLAS

if TYPE_CHECKING:
    import socket

    from madang.services.cohorts.atlas import Atlas
    from madang.services.cohorts.gate import Gate

IDLE = 1800.0  # seconds without a request after which it ends, unless somebody waits at a terminal
LOOKS = 2.0  # seconds for which an answer about the permission holds
MOST_DEFINITIONS = 200


def run(
    node: Node,
    actor: Actor,
    version: Version,
    listening: "socket.socket",
    *,
    vocabulary: Version | None = None,
    project: str = "",
    achilles: bool = True,
    memory: int = 3 << 30,
    idle: float | None = None,
    address: str = "",
    name: str = "",
    opened: Callable[["Gate"], None],
    say: Callable[[str], None] | None = None,
    ended: Callable[[], bool] = lambda: False,
) -> None:
    """Run ATLAS on a version behind its gate until it is stopped, nobody is there, or it is permitted no more.

    It is reached at `address`, where several are told apart by `name`, or else on loopback as localhost. `opened` is
    told of the gate once it answers. The start is in the audit before anything is shown. Errors: those of `check`,
    `closed.missing`, `atlas.failed`.
    """
    from madang.services.cohorts.atlas import started
    from madang.services.cohorts.gate import Gate
    from madang.web.server import make_server

    with node.read() as session:
        rows = service.rows_of(session, version.dataset.name)
        check(actor, OPEN_ATLAS, rows)
    with doing(node, actor, OPEN_ATLAS, lambda session: service.rows_of(session, version.dataset.name)) as done:
        done.tell(dataset=version.name, manifest=version.digest)
    words = vocabulary or mapped_with(node.home.lake(), version)
    with started(
        version,
        words,
        definitions=_definitions(node, actor),
        minimum=rows.minimum,
        achilles=achilles,
        memory=memory,
        user=actor.name,
        say=say,
    ) as atlas:
        permission = _Permission(node, actor, version.dataset.name, atlas)
        scheme, _colon, host = (address or f"http://localhost:{listening.getsockname()[1]}").partition("://")
        shelf = _Shelf(node, actor, atlas, project)
        gate = Gate(atlas.socket, host, permission, shelf.saved, scheme=scheme, name=name)
        server = make_server(gate)
        opened(gate)

        def watch() -> None:
            while not server.should_exit:
                time.sleep(1)
                late = idle is not None and time.monotonic() - permission.asked > idle
                if permission.refused() or ended() or late:
                    server.should_exit = True

        import threading

        threading.Thread(target=watch, daemon=True).start()
        server.run(sockets=[listening])


class _Permission:
    """Whether it is still permitted, asked anew every few seconds: roles and permits of this moment."""

    def __init__(self, node: Node, actor: Actor, dataset: str, atlas: "Atlas") -> None:
        self.node, self.dataset, self.atlas = node, dataset, atlas
        self.kept = actor_as_json(actor)
        self.asked = self._looked = time.monotonic()
        self._answer = ""

    def __call__(self) -> str:
        self.asked = time.monotonic()
        return self.refused()

    def refused(self) -> str:
        """ "" or why it is over."""
        if not self.atlas.is_alive:
            return _("ATLAS has ended.")
        if time.monotonic() - self._looked > LOOKS:
            self._looked = time.monotonic()
            self._answer = self._ask()
        return self._answer

    def _ask(self) -> str:
        try:
            with self.node.read() as session:
                actor = actor_of(session, self.kept)
                permitted = may(actor, OPEN_ATLAS, service.rows_of(session, self.dataset))
        except MadangError as error:
            return error.message
        return "" if permitted else _("The permission for this dataset has ended.")


class _Shelf:
    """What is saved in ATLAS comes onto the shelf, which is the truth; what cannot be run stays a draft in ATLAS."""

    def __init__(self, node: Node, actor: Actor, atlas: "Atlas", project: str) -> None:
        self.node, self.actor, self.atlas, self.project = node, actor, atlas, project
        self.names = {number: name for name, number in atlas.numbers.items()}

    def saved(self, number: int, title: str, expression: str) -> None:
        """Told by the gate of a definition that ATLAS saved."""
        try:
            definition = of_bytes(expression.encode(), title)
            name = self.names.get(number, "")
            version = service.keep(self.node, self.actor, definition, name=name, project=self._project(name))
            self.names[number] = version.cohort.name
        except MadangError:
            return  # a draft: there is nothing that could be run yet

    def _project(self, name: str) -> str:
        if not name:
            return self.project
        with self.node.read() as session:
            kept = service.find(session, name)
            return kept.project.name if kept.project else ""


def _definitions(node: Node, actor: Actor) -> dict[str, str]:
    """The newest versions of what is on the shelves that one may see, by name."""
    found = service.shelf(node, actor)[:MOST_DEFINITIONS]
    return {each.name: each.versions[-1].expression for each in found if each.versions}
