"""The cluster of an installation, as its operator described it in `compute/cluster.toml` of the home.

    executor = "slurm"
    folder = "/shared/madang"     # where tasks go to the nodes and come back: the same path on all of them
    user = "madang-tasks"         # as whom jobs run, where the node itself runs as root
    cores = 64                    # of the largest node
    memory = "256G"
    gpus = 0
    partition = ""
    python = ""                   # on the nodes, with madang; empty: this one, under the same path
    jobs = 16                     # that wait or run at one time
    options = []                  # more options of sbatch, such as "--account=lab"

Without that file tasks run on this machine.
"""

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home
from madang.services.compute.definition import Machine, size_of

FILE = "cluster.toml"
STATE = "cluster.json"  # beside it: what the scheduler said last against running tasks


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    executor: str = Field(pattern="^slurm$")
    folder: Path
    user: str = ""
    cores: int = Field(ge=1, le=100_000)
    memory: str
    gpus: int = Field(default=0, ge=0, le=10_000)
    partition: str = ""
    python: str = ""
    jobs: int = Field(default=16, ge=1, le=10_000)
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """How to reach the cluster, and what its largest node has."""

    folder: Path
    user: str
    largest: Machine
    partition: str
    python: str
    jobs: int
    options: tuple[str, ...]


def cluster_of(home: Home) -> Cluster | None:
    """The cluster of an installation; None where it has none. Errors: `task.cluster` if it is described wrongly."""
    path = home.path / "compute" / FILE
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        return None
    return _read(path, stamp)


@cache
def _read(path: Path, stamp: int) -> Cluster:
    try:
        told = _Told.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    except (OSError, ValueError) as error:
        reason = str(error)
    else:
        largest = Machine(told.cores, size_of(told.memory), told.gpus)
        return Cluster(told.folder, told.user, largest, told.partition, told.python, told.jobs, told.options)
    raise MadangError(
        "task.cluster", _("The description of the cluster cannot be used: {reason}").format(reason=reason), str(path)
    )


@dataclass(frozen=True)
class ClusterNode:
    """A node, as the scheduler tells it; `memory` in bytes."""

    name: str
    state: str
    cores: int
    in_use: int
    memory: int


@dataclass(frozen=True)
class Told:
    """What the scheduler said last: against running tasks (empty: nothing), and of its nodes."""

    said: str = ""
    nodes: tuple[ClusterNode, ...] = ()


def told_of(home: Home) -> Told:
    """What the runner heard last of the scheduler."""
    try:
        told = json.loads((home.path / "compute" / STATE).read_text("utf-8"))
        return Told(str(told.get("said", "")), tuple(ClusterNode(**each) for each in told.get("nodes", ())))
    except (OSError, ValueError, TypeError):
        return Told()
