"""The ready example of a task that learns: a small model of risk, trained from data of the catalog or under a permit.

It writes checkpoints; whoever is begun again after a kill, or asked for again after a stop, goes on from the last one.
What it leaves is a version of the model, known by its hash, with a card that names its data by theirs. Under a permit
the model stays, as everything does that is made of such data, until its release was judged.
"""

import re
from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.science.risk.outcomes import OUTCOMES, outcome_name
from madang.services.compute import permitted, service
from madang.services.compute.models import Task

KIND = "training"
MOST_EPOCHS = 10_000
_RECORD = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(@[0-9]{1,9})?")


@dataclass(frozen=True)
class Training:
    """What to train on (the number of a permit, or a record as NAME or NAME@3), and what is to be foreseen."""

    permit: str = ""
    record: str = ""
    outcome: str = OUTCOMES[0]
    epochs: int = 60
    seed: int = 1


def ask_training(node: Node, actor: Actor, wanted: Training, project: str = "") -> Task:
    """Ask for a training. Errors: `risk.data`, and those of tasks."""
    if bool(wanted.permit) == bool(wanted.record) or (wanted.record and not _RECORD.fullmatch(wanted.record)):
        message = _("Name either a permit or a record to train on.")
        raise MadangError("risk.data", message, "--permit 2026-0001, --record hospital@3")
    if wanted.outcome not in OUTCOMES:
        message = _("{name} is no outcome here.").format(name=repr(wanted.outcome)[:100])
        raise MadangError("risk.data", message, ", ".join(OUTCOMES))
    if wanted.permit and not project:
        project = permitted.project_of(node, actor, wanted.permit)
    data = f"madang://permit/{wanted.permit}" if wanted.permit else f"madang://record/{wanted.record}"
    command = ["python", "-P", "-s", "-m", "madang.science.risk", "--data", "/data", "--out", "/task"]
    command += ["--checkpoints", "/checkpoints", "--outcome", wanted.outcome]
    command += ["--epochs", str(min(MOST_EPOCHS, max(1, wanted.epochs))), "--seed", str(wanted.seed)]
    definition = {
        "name": _("A model of {outcome}").format(outcome=outcome_name(wanted.outcome)),
        "executors": [{"image": "madang", "command": command, "workdir": "/task"}],
        "inputs": [{"url": data, "path": "/data"}],
        "outputs": [{"path": "/task", "url": "madang://", "type": "DIRECTORY"}],
        "resources": {"cpu_cores": 1, "ram_gb": 2.0, "backend_parameters": {"checkpoints": "/checkpoints"}},
        "tags": {"pipeline": KIND},
    }
    return service.submit(node, actor, definition, project=project, kind=KIND)
