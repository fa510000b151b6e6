"""What a room tells the house about itself: a plan, which is data and cheap to import.

Each room has a `PLAN` in its `__init__.py`; `madang.app.rooms` is the one list of them. Portal, command, job workers,
migrations, docs and tests read what they need from the plans, and nothing below the doors knows a room by name: the
list is found by its place alone. Whatever costs an import stands in a plan as `module:name`, modules with a leading dot
being the room's own, and is imported at first use.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any, Literal

LIST = "madang.app.rooms:plans"  # where the rooms of this program are listed
Lane = Literal["short", "long"]
Place = Literal["data", "access", "labs", "learning", "trust"]


@dataclass(frozen=True)
class RoleKind:
    """A role that people can hold: its name, what it is called, what it is for, and where it is held.

    `where` is `organization`, `node` (the installation itself) or `project`. Texts are marked by `later`.
    """

    name: str
    title: str
    purpose: str
    where: Literal["organization", "node", "project"] = "organization"


@dataclass(frozen=True)
class JobKind:
    """A job by its stable name (`catalog.prepare`), so that moving its function leaves nobody waiting.

    Jobs of the lane `short` never wait for those of the lane `long`. `aliases` are names that it had before. `failed`
    is "module:function" of (session, node, state, **arguments), called once it has failed for good or was cancelled.
    """

    name: str
    function: str
    lane: Lane = "short"
    aliases: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True)
class Narrow:
    """How far a session reaches that somebody else vouched for: `scopes`, as of a token, and addresses.

    At an address that begins with none of `paths` whoever has it is a stranger.
    """

    scopes: frozenset[str]
    paths: tuple[str, ...]

    def reaches(self, path: str) -> bool:
        """Whether it reaches an address."""
        return any(path == each or path.startswith(f"{each}/") for each in self.paths)


@dataclass(frozen=True)
class Command:
    """A command of `madang`: its name, one line of help (marked by `later`), `module:attribute` of its Typer code."""

    name: str
    help: str
    target: str


@dataclass(frozen=True)
class MenuItem:
    """A line of the menu: in which of its five places, its title (marked by `later`), its address.

    It is shown to whoever may do `act`; without one to everybody, with `signed_in` to everybody who signed in.
    """

    place: Place
    title: str
    address: str
    act: str = ""
    signed_in: bool = False
    said: str = ""  # what it is for, in one sentence (marked by `later`)


@dataclass(frozen=True)
class RoomPlan:
    """Everything that the house has to know of a room. Only `name`, `package` and `title` are needed."""

    name: str
    package: str
    title: str  # marked by `later`
    acts: tuple[str, ...] = ()  # modules in which its acts are made, such as ".acts"
    states: tuple[str, ...] = ()  # "module:name" of its `States`
    roles: tuple[RoleKind, ...] = ()
    models: tuple[str, ...] = ()  # modules with its tables
    pages: tuple[str, ...] = ()  # modules that have a `room` of `madang.web`
    commands: tuple[Command, ...] = ()
    jobs: tuple[JobKind, ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)  # HTTP status of error codes that do not tell it
    folders: Mapping[str, int] = field(default_factory=dict)  # of the home, with their modes
    not_in_backup: tuple[str, ...] = ()  # names at the top of the home
    named_by_hash: tuple[str, ...] = ()  # folders of the home whose files never change and are called by their SHA-256
    keeps: str = ""  # "module:function" of (node): what the keeper does every few seconds, so it has to be quick
    doctor: str = ""  # "module:function" of (node) -> findings
    menu: tuple[MenuItem, ...] = ()
    card: str = ""  # "module:function" of (node, actor) -> what waits for them, see `madang.web.cards`
    project: str = ""  # "module:function" of (node, actor, project's number) -> parts of its page (web.cards)
    listens: Mapping[str, str] = field(default_factory=dict)  # act's name: "module:function" of (told)
    settles: Mapping[str, str] = field(default_factory=dict)  # act's name: "module:function" of (node, intent)
    discloses: str = ""  # "module:function" of (node, dataset): whether strangers may know of what is in a dataset
    hashed: str = ""  # "module:function" of (node, manifest) -> when all files of a version were last found whole
    contributes: str = ""  # "module:function" of (node, reference, actor) -> links, see services.contributions
    originals: str = ""  # "module:function" of (node, dataset, record) -> files as they came, see services.catalog
    elsewhere: str = ""  # "module:function" of (node, actor, words) -> data that others keep, see services.catalog
    uses: str = ""  # "module:function" of (node, dataset) -> when it was used and by what, see services.contributions
    traces: Mapping[str, str] = field(default_factory=dict)  # kind of thing: "module:function" of (node, actor, name)
    demo: str = ""  # "module:function" of (node, progress): its part of `madang demo`
    opened: str = ""  # "module:function" of (node): called when the portal opens
    narrow: Mapping[str, "Narrow"] = field(default_factory=dict)  # sessions that reach no further, by how they began
    needs: tuple[str, ...] = ()  # modules of packages without which it is shut
    docs: str = ""  # its page in docs/

    def load(self, target: str) -> Any:
        """What `module:name` names; the module alone where there is no colon."""
        module, _colon, name = target.partition(":")
        loaded = importlib.import_module(module, self.package)
        return getattr(loaded, name) if name else loaded

    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return [name for name in self.needs if not _is_there(name)]


@cache
def _is_there(package: str) -> bool:
    """Whether a package is installed; asked once, since every page asks which rooms are open."""
    return importlib.util.find_spec(package) is not None


_installed: tuple[RoomPlan, ...] | None = None


def install(plans: Iterable[RoomPlan] | None) -> None:
    """Use these rooms instead of the list's; None goes back to the list. For tests and programs that build others."""
    global _installed
    _installed = None if plans is None else tuple(plans)
    for each in (job_kind, _job_kinds, acts_loaded, listeners, kind_of_role, statuses, narrow_sessions):
        each.cache_clear()


def plans() -> tuple[RoomPlan, ...]:
    """The rooms of this program."""
    global _installed
    if _installed is None:
        module, _colon, name = LIST.partition(":")
        _installed = tuple(getattr(importlib.import_module(module), name)())
    return _installed


def open_plans() -> list[RoomPlan]:
    """The rooms that have all that they need."""
    return [plan for plan in plans() if not plan.missing()]


@cache
def acts_loaded() -> bool:
    """Have the acts of every room in the table of permissions; true."""
    for plan in plans():
        for module in plan.acts:
            plan.load(module)
    return True


def load_models() -> list[ModuleType]:
    """Have the tables of every room in `Base.metadata`."""
    return [plan.load(module) for plan in plans() for module in plan.models]


def states() -> Iterator[tuple[RoomPlan, Any]]:
    """Every `States` of every room."""
    for plan in plans():
        for target in plan.states:
            yield plan, plan.load(target)


@cache
def _job_kinds() -> dict[str, tuple[RoomPlan, JobKind]]:
    return {name: (plan, kind) for plan in plans() for kind in plan.jobs for name in (kind.name, *kind.aliases)}


@cache
def job_kind(name: str) -> tuple[RoomPlan, JobKind] | None:
    """The job of that name, or that had it before."""
    return _job_kinds().get(name)


def job_of(function: Callable[..., Any]) -> JobKind | None:
    """The job that a function is."""
    place = (function.__module__, function.__name__)
    for plan, kind in _job_kinds().values():
        module, _colon, name = kind.function.partition(":")
        if (importlib.util.resolve_name(module, plan.package), name) == place:
            return kind
    return None


@cache
def listeners(act: str) -> tuple[tuple[str, Callable[..., None]], ...]:
    """Who listens to an act: names by which they are found again, and functions."""
    return tuple((f"{plan.name}:{act}", plan.load(plan.listens[act])) for plan in plans() if act in plan.listens)


@cache
def kind_of_role(name: str) -> RoleKind | None:
    """A role that some room has."""
    return next((kind for plan in plans() for kind in plan.roles if kind.name == name), None)


@cache
def narrow_sessions() -> dict[str, Narrow]:
    """Sessions that reach no further than a room says, by how they began."""
    return {how: narrow for plan in plans() for how, narrow in plan.narrow.items()}


def may_be_known(node: Any, dataset: str) -> bool:
    """Whether strangers may know of what is in a dataset; every room that has a say has to allow it."""
    return all(plan.load(plan.discloses)(node, dataset) for plan in plans() if plan.discloses)


def last_hashed(node: Any, manifest: str) -> Any:
    """When every file of the version with that manifest was last read and found whole; None where nobody knows."""
    found = [plan.load(plan.hashed)(node, manifest) for plan in plans() if plan.hashed]
    return max((moment for moment in found if moment is not None), default=None)


@cache
def statuses() -> dict[str, int]:
    """HTTP status by error code, of all rooms."""
    return {code: status for plan in plans() for code, status in plan.errors.items()}
