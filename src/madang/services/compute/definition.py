"""What a task is: its description as GA4GH TES 1.1 has it, checked; what it asks of the machine; which image it names.

Paths, names and values come from anybody: whatever could reach out of the box's own folders is refused here.
"""

import json
import os
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from madang.base.errors import MadangError
from madang.base.translate import _

LARGEST = 1 << 20  # characters of a description
GB = 1_000_000_000
DAY = 86_400
_SYSTEM = ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "root", "run", "sbin", "sys", "usr", "opt")
_LONGEST_NAME = 255  # bytes of a name in a path, by Linux
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_IMAGES = ("alpine", "busybox", "bash", "debian", "ubuntu", "python", "madang")  # for which this system stands in
TOOLS = "madang-tools"  # the image that stands for the environment with Snakemake and cwltool
MAIL = "madang.mail"  # the tag of a task of whose end its owner wants to hear
PARAMETERS = ("seconds", "gpus", "checkpoints")  # backend parameters that we know

Text = Annotated[str, StringConstraints(max_length=100_000, pattern=r"^[^\x00]*$")]
Short = Annotated[str, StringConstraints(max_length=4_096, pattern=r"^[^\x00]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Input(_Part):
    """A file or folder that a task reads."""

    name: Short | None = None
    description: Text | None = None
    url: Short | None = None
    path: Short
    type: Literal["FILE", "DIRECTORY"] = "FILE"
    content: Text | None = None
    streamable: bool | None = None


class Output(_Part):
    """A file or folder that a task leaves."""

    name: Short | None = None
    description: Text | None = None
    url: Short
    path: Short
    path_prefix: Short | None = None
    type: Literal["FILE", "DIRECTORY"] = "FILE"


class Resources(_Part):
    """What a task asks of the machine; sizes in gigabytes."""

    cpu_cores: int | None = Field(default=None, ge=1, le=1_000_000)
    preemptible: bool | None = None
    ram_gb: float | None = Field(default=None, gt=0, le=1_000_000)
    disk_gb: float | None = Field(default=None, gt=0, le=1_000_000_000)
    zones: list[Short] | None = None
    backend_parameters: dict[Short, Short] | None = None
    backend_parameters_strict: bool | None = None


class Executor(_Part):
    """One command of a task."""

    image: Short
    command: list[Text] = Field(min_length=1, max_length=10_000)
    workdir: Short | None = None
    stdin: Short | None = None
    stdout: Short | None = None
    stderr: Short | None = None
    env: dict[Short, Text] | None = None
    ignore_error: bool | None = None


class Definition(_Part):
    """A task as it was asked for."""

    name: Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")] | None = None
    description: Text | None = None
    inputs: list[Input] | None = Field(default=None, max_length=10_000)
    outputs: list[Output] | None = Field(default=None, max_length=10_000)
    resources: Resources | None = None
    executors: list[Executor] = Field(min_length=1, max_length=100)
    volumes: list[Short] | None = Field(default=None, max_length=100)
    tags: dict[Short, Short] | None = Field(default=None, max_length=100)


@dataclass(frozen=True)
class Needs:
    """What a task needs: cores, bytes of memory and disk, seconds of time, GPUs."""

    cores: int = 1
    memory: int = 2 * GB
    disk: int = 10 * GB
    seconds: int = DAY
    gpus: int = 0


def read_definition(given: Any) -> Definition:
    """Check a description. Errors: `task.definition`, `task.path`, `task.image`."""
    try:
        found = Definition.model_validate(given)
        text = found.model_dump_json(exclude_none=True)
    except (ValidationError, ValueError, RecursionError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        place = ".".join(str(part) for part in first["loc"])
        raise MadangError(
            "task.definition", _("This describes no task."), f"{place}: {first['msg']}"[:500] if place else ""
        ) from None
    if len(text) > LARGEST:
        raise MadangError("task.definition", _("The description of this task is too long."))
    for each in [*(found.inputs or ()), *(found.outputs or ())]:
        inside(each.path)
    for volume in found.volumes or ():
        inside(volume)
    _check_places(found)
    if (where := checkpoints_of(found)) and any(_overlap(where, each) for each in folders(found)):
        message = _("The folder of checkpoints, {path}, has to be one of its own.").format(path=repr(where)[:200])
        raise MadangError("task.path", message, "/checkpoints")
    for executor in found.executors:
        environment_of(executor.image)
        if executor.workdir:
            inside(executor.workdir, system=True)
        for stream in (executor.stdin, executor.stdout, executor.stderr):
            if stream:
                inside(stream)
        for name in executor.env or {}:
            if not _ENV.fullmatch(name):
                raise MadangError("task.definition", _("{name} cannot name a variable.").format(name=repr(name)[:100]))
    return found


def _check_places(definition: Definition) -> None:
    """No two inputs in one place, and no file where a folder has to be. Errors: `task.path`."""
    places = [str(inside(each.path)) for each in definition.inputs or ()]
    texts = {str(inside(each.path)) for each in definition.inputs or () if each.content is not None}
    twice = [each for each in texts if places.count(each) > 1]
    for each in [*places, *(folders(definition) if texts else ())]:
        above = str(each)
        while above != "/":
            if above in texts and (above != each or each not in places):
                twice.append(above)
            above = above.rpartition("/")[0] or "/"
    twice += [each for each in folders(definition) if each in texts]
    if twice:
        raise MadangError(
            "task.path",
            _("{path} would be a file, and something else too.").format(path=repr(min(twice))[:200]),
            _("Give each input a place of its own, and no file the name of a folder."),
        )


def checkpoints_of(definition: Definition) -> str:
    """The folder that outlives an attempt: who is begun again, or asked for again, finds there what was left in it."""
    told = (definition.resources or Resources()).backend_parameters or {}
    return str(inside(told["checkpoints"])) if told.get("checkpoints") else ""


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def inside(path: str, *, system: bool = False) -> PurePosixPath:
    """A path inside a box; it is absolute, leads nowhere else, and hides nothing of the system. Errors: `task.path`."""
    found = PurePosixPath(path)
    bad = not found.is_absolute() or ".." in found.parts or path.startswith("//") or len(found.parts) < 2
    bad = bad or any(len(part.encode()) > _LONGEST_NAME for part in found.parts)
    if bad or any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise MadangError(
            "task.path",
            _("{path} cannot be a path in a task.").format(path=repr(path)[:200]),
            _("Write an absolute path without `..`, such as /data/reads.fq."),
        )
    if not system and (found.parts[1] in _SYSTEM or len(found.parts) > 30):
        raise MadangError(
            "task.path",
            _("{path} belongs to the system.").format(path=repr(path)[:200]),
            _("Use a folder such as /data or /task."),
        )
    return found


def environment_of(image: str) -> str:
    """What stands for a container image here: `system` (this system's programs) or the path of an environment.

    Operators add lines to `images.toml` in the home's folder `compute`: `"name" = "system"` or a path of a virtual
    environment. Errors: `task.image`.
    """
    if image == TOOLS:
        return _tools()
    name = re.sub(r"[@:][^/]*$", "", image.strip()).removeprefix("docker.io/").removeprefix("library/")
    known = dict.fromkeys(_IMAGES, "system") | _table()
    found = known.get(image.strip(), known.get(name))
    if found is None:
        raise MadangError(
            "task.image",
            _("No container runs here, and nothing stands in for the image {image}.").format(image=repr(image)[:200]),
            _("These are known: {images}. The operator can add one.").format(images=", ".join(sorted(known))),
        )
    return found


def _tools() -> str:
    found = engines()
    if found is None:
        raise MadangError(
            "task.image", _("Snakemake and cwltool are not installed here."), _("Run script/environment tools.")
        )
    return str(found)


def engines() -> Path | None:
    """The environment in which Snakemake and cwltool are, to be run in a box; None where there is none."""
    from madang.node.home import Home

    source = Path(__file__).parents[4]
    apart = os.environ.get("MADANG_ENVIRONMENTS", "") or ".environments"
    for folder in (source / apart, Home.find().path / "environments"):
        if (folder / "tools" / "bin" / "python").exists():
            return folder / "tools"
    return None


def _table() -> dict[str, str]:
    from madang.node.home import Home

    path = Home.find().path / "compute" / "images.toml"
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        return {}
    return _read_table(path, stamp)


@cache
def _read_table(path: Path, stamp: int) -> dict[str, str]:
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise MadangError("task.image", _("The table of images cannot be read."), str(path)) from None
    return {str(name): str(value) for name, value in told.items()}


def needs_of(definition: Definition, *, checked: bool = True) -> Needs:
    """What a task needs; `checked`: and whether this machine has it. Errors: `task.resources`."""
    asked = definition.resources or Resources()
    told = asked.backend_parameters or {}
    unknown = sorted(set(told) - set(PARAMETERS))
    if asked.backend_parameters_strict and unknown:
        raise MadangError(
            "task.resources",
            _("These parameters are not known here: {names}.").format(names=", ".join(unknown)[:300]),
            _("Known: {names}.").format(names=", ".join(PARAMETERS)),
        )
    default = Needs()
    needs = Needs(
        asked.cpu_cores or default.cores,
        int((asked.ram_gb or 0) * GB) or min(default.memory, machine().memory),
        int((asked.disk_gb or 0) * GB) or default.disk,
        _whole(told.get("seconds", ""), default.seconds),
        _whole(told.get("gpus", ""), 0),
    )
    if checked:
        _check_machine(needs)
    return needs


def _check_machine(needs: Needs) -> None:
    has = machine()
    if needs.cores > has.cores or needs.memory > has.memory:
        raise MadangError(
            "task.resources",
            _("The task asks for {cores} cores and {memory} GB of memory; this machine has {has} and {most}.").format(
                cores=needs.cores, memory=f"{needs.memory / GB:g}", has=has.cores, most=f"{has.memory / GB:.0f}"
            ),
            _("Ask for less."),
        )
    if needs.gpus and not has.gpus:
        raise MadangError("task.resources", _("This machine has no GPU for tasks."), _("Ask for none."))
    if needs.gpus > has.gpus:
        raise MadangError(
            "task.resources",
            _("The task asks for {count} GPUs; this machine has {has}.").format(count=needs.gpus, has=has.gpus),
            _("Ask for less."),
        )


def _whole(text: str, default: int) -> int:
    if not text:
        return default
    if not text.isdecimal() or not 0 <= int(text) <= 366 * DAY:
        raise MadangError("task.resources", _("{value} is no whole number that can be used here.").format(value=text))
    return int(text)


@dataclass(frozen=True)
class Machine:
    """What there is for one task: cores, bytes of memory, GPUs."""

    cores: int
    memory: int
    gpus: int = 0


def machine() -> Machine:
    """This machine, a quarter of its memory left to everything else; or the largest node of a cluster."""
    from madang.node.home import Home
    from madang.services.compute.cluster import cluster_of

    cluster = cluster_of(Home.find())
    return cluster.largest if cluster is not None else _this_machine()


@cache
def _this_machine() -> Machine:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(len(os.sched_getaffinity(0)), int(pages * size * 0.75), len(graphics()))


@cache
def graphics() -> tuple[str, ...]:
    """The devices of this machine's GPUs; NVIDIA's, as its driver for Linux names them."""
    return tuple(sorted(str(path) for path in Path("/dev").glob("nvidia[0-9]*")))


def folders(definition: Definition) -> list[str]:
    """The folders that are there when a task begins, since it may write them."""
    found = {"/task"}
    for output in definition.outputs or ():
        begin, *wild = re.split(r"[*?\[]", output.path)
        whole = output.type == "DIRECTORY" or output.path.endswith("/")
        path = inside(f"{begin.rpartition('/')[0]}/" if wild else output.path)
        found.add(str(path) if whole or wild else str(path.parent))
    found |= {str(inside(each)) for each in definition.volumes or ()}
    for executor in definition.executors:
        found |= {str(inside(each).parent) for each in (executor.stdout, executor.stderr) if each}
        if executor.workdir and inside(executor.workdir, system=True).parts[1] not in _SYSTEM:
            found.add(str(inside(executor.workdir)))
    return sorted(each for each in found if each not in ("/", "/tmp"))


def roots(definition: Definition) -> list[str]:
    """Those of them that are within no other: they are mounted."""
    found = folders(definition)
    return sorted(each for each in found if not any(each != o and each.startswith(o + "/") for o in found))


def size_of(text: str) -> int:
    """Bytes of a size as people write it: 500M, 4G, 4GB, 1.5T. Errors: `task.resources`."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if found is None or float(found[1]) <= 0:
        raise MadangError("task.resources", _("{text} is no size.").format(text=repr(text)), _("Write 500M or 4G."))
    return int(float(found[1]) * 1000 ** " KMGT".index(found[2].upper() or " "))


def seconds_of(text: str) -> int:
    """Seconds of a time as people write it: 90s, 30m, 1h, 2d, 01:30:00. Errors: `task.resources`."""
    clock = re.fullmatch(r"(\d{1,4}):(\d{2})(?::(\d{2}))?", text.strip())
    if clock:
        total = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
    else:
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd]?)\s*", text, re.IGNORECASE)
        total = int(float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": DAY}[found[2].lower()]) if found else 0
    if not 1 <= total <= 366 * DAY:
        raise MadangError("task.resources", _("{text} is no time.").format(text=repr(text)), _("Write 90s, 30m or 1h."))
    return total


def as_text(definition: Definition) -> str:
    """The description as it is kept."""
    return json.dumps(definition.model_dump(mode="json", exclude_none=True), ensure_ascii=False)
