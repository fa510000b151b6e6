"""Acts on datasets. Whatever changes a dataset says first what it is about to do and is finished after a kill."""

import contextlib
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.lake import Version
from madang.lake.dataset import Dataset
from madang.lake.engine import Engine
from madang.lake.removal import remove_versions as remove_them_all
from madang.node import acts
from madang.node.acts import Intending, Intent, intending
from madang.node.home import Home
from madang.node.node import Node, opened
from madang.node.people.actor import Actor
from madang.node.people.tokens import commander
from madang.node.permissions import Act, check
from madang.services.datasets.acts import REMOVE, REMOVE_PERSONS

if TYPE_CHECKING:
    from madang.lake.persons import Link, Removal


def newest_of(home: Home, name: str) -> int:
    """The number of the newest version of a dataset; 0 if there is none, or where `name` is that of a file."""
    if "." in name or "/" in name:
        return 0
    dataset = home.lake().dataset(name)
    return dataset.version().number if dataset.exists else 0


class Begun:
    """Something that a command does to a dataset."""

    def __init__(self, node: Node, intent: Intending) -> None:
        self.node = node
        self._intent = intent

    def made(self, version: Version, **details: Any) -> None:
        """Say which version it led to."""
        with self._intent.done(version=version.number, manifest=version.digest, **details):
            pass

    def done(self, **details: Any) -> None:
        """Say that it is done."""
        with self._intent.done(**details):
            pass


@contextlib.contextmanager
def begun(act: Act, name: str, **details: Any) -> Iterator[Begun]:
    """Have a command do an act to a dataset, as whom it acts; the block says by `made` or `done` that it is done.

    Errors: those of permissions, before anything is touched.
    """
    with opened() as node, begun_by(node, commander(node), act, name, **details) as begun:
        yield begun


@contextlib.contextmanager
def begun_by(node: Node, actor: Actor, act: Act, name: str, **details: Any) -> Iterator[Begun]:
    """The same for an actor who is there already, as in a job."""
    about = {"before": newest_of(node.home, name)} | details
    with intending(node, actor, act, f"dataset:{name}", about) as intent:
        yield Begun(node, intent)


def read(act: Act, version: Version, what: str = "") -> None:
    """Have a command read a version: who acts may, and the event stands before the first byte is given."""
    with opened() as node:
        actor = commander(node)
        check(actor, act)
        node.audit.read(actor, act.name, f"dataset:{version.dataset.name}", {"version": version.number, "what": what})


def remove_versions(node: Node, actor: Actor, dataset: Dataset, numbers: Collection[int], reason: str) -> int:
    """Remove versions for good; how many files went. Whoever shows them no longer does from this moment on."""
    about = {"before": dataset.version().number, "gone": sorted(numbers)}
    with intending(node, actor, REMOVE, f"dataset:{dataset.name}", about) as intent:
        files = remove_them_all(dataset, numbers, reason)
        with intent.done():
            pass
    return len(files)


def remove_persons(
    node: Node,
    actor: Actor,
    dataset: Dataset,
    persons: Collection[int],
    links: "list[Link]",
    progress: Progress | None = None,
) -> "Removal":
    """Make a version without these people and remove all earlier ones; whoever shows these no longer does from this
    moment on. Errors: those of `lake.persons.remove_persons`.
    """
    from madang.lake.persons import remove_persons as remove_them

    before = dataset.version().number
    thing = f"dataset:{dataset.name}"
    with intending(node, actor, REMOVE_PERSONS, thing, {"before": before, "persons": len(persons)}) as intent:
        with Engine() as engine:
            done = remove_them(dataset, persons, engine, links=links, progress=progress)
        with intent.done(version=dataset.version().number, gone=sorted(done.purged)):
            pass
    return done


def settle(node: Node, intent: Intent) -> None:
    """Finish or withdraw what a killed command had begun: the lake says how far it came."""
    name = intent.thing.partition(":")[2]
    dataset, told = node.home.lake().dataset(name), intent.told
    newest = newest_of(node.home, name)
    if intent.act == REMOVE.name:
        remove_what_is_left(dataset, told["gone"])
        with acts.complete(node, intent):
            return
    if newest <= told.get("before", 0):
        acts.withdraw(node, Actor.node(), intent.id, "killed before it was done")
        return
    details: dict[str, Any] = {"version": newest}
    if intent.act == REMOVE_PERSONS.name:
        gone = [number for number in range(1, newest)]
        remove_what_is_left(dataset, gone)
        details["gone"] = gone
    else:
        details["manifest"] = dataset.version().digest
    with acts.complete(node, intent, **details):
        pass


def remove_what_is_left(dataset: Dataset, numbers: Collection[int]) -> None:
    """Remove those of these versions that are still there."""
    if not dataset.exists:
        return
    left = [number for number in dataset.versions() if number in numbers]
    if left:
        with contextlib.suppress(MadangError):  # the newest goes only with all others: then there is nothing to do
            remove_them_all(dataset, left, "Removed by command.")
