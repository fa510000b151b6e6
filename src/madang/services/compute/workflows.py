"""Workflows: Snakemake and CWL, each run of them a task whose command is the engine, in a closed box.

The engines live in an environment of their own (`script/environment tools`) and are never imported here. What a run
reads is at /inputs, read only, and linked into its folder; the plain files that it makes there are kept. Nothing can be
downloaded while it runs.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.compute import service
from madang.services.compute.definition import DAY, GB, TOOLS, environment_of, inside
from madang.services.compute.models import Task

KIND = "workflow"
ENGINES = ("snakemake", "cwl")
MOST_FILES, MOST_BYTES = 10_000, 2 * GB  # of a folder that is given to a workflow as a whole
_NAMES = {"LOGNAME": "task", "USER": "task"}  # in a box nobody has a name, and Snakemake asks for one
_LINK = 'mkdir -p /task/tmp && cp -rs /inputs/. /task/out/ && cd /task/out && exec "$@"'


@dataclass(frozen=True)
class Workflow:
    """A run to ask for: the engine, its file (relative to what is at /inputs), inputs as TES has them, parameters."""

    engine: str
    file: str
    inputs: tuple[dict[str, str], ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    cores: int = 1
    memory: int = 4 * GB
    seconds: int = DAY
    tags: Mapping[str, str] = field(default_factory=dict)


def ask_workflow(node: Node, actor: Actor, wanted: Workflow, project: str = "") -> Task:
    """Ask for a run of a workflow. Errors: `workflow.engine`, and those of tasks."""
    if wanted.engine not in ENGINES:
        raise MadangError(
            "workflow.engine",
            _("There is no engine {name} here.").format(name=repr(wanted.engine)[:100]),
            ", ".join(ENGINES),
        )
    environment_of(TOOLS)
    file = str(inside(f"/inputs/{wanted.file}").relative_to("/inputs"))
    inputs = list(wanted.inputs)
    if wanted.parameters or wanted.engine == "cwl":
        text = json.dumps(dict(wanted.parameters), ensure_ascii=False)
        # Beside the workflow's own files: paths in it are relative to it.
        inputs.append({"path": "/parameters.json", "content": text})
    definition = {
        "name": wanted.name or file,
        "executors": [{"image": TOOLS, "command": _command(wanted, file), "workdir": "/task/out", "env": _NAMES}],
        "inputs": inputs,
        "outputs": [{"path": "/task/out", "url": "madang://", "type": "DIRECTORY"}],
        "volumes": ["/task/tmp"],
        "resources": {
            "cpu_cores": wanted.cores,
            "ram_gb": wanted.memory / GB,
            "backend_parameters": {"seconds": str(wanted.seconds)},
        },
        "tags": dict(wanted.tags),
    }
    return service.submit(node, actor, definition, project=project, kind=KIND)


def _command(wanted: Workflow, file: str) -> list[str]:
    if wanted.engine == "snakemake":
        engine = ["python", "-m", "snakemake", "--snakefile", file, "--cores", str(wanted.cores)]
        engine += ["--directory", ".", "--nolock", "--nocolor", "--latency-wait", "2"]
        engine += ["--configfile", "/parameters.json"] if wanted.parameters else []
        clean = _LINK.replace('exec "$@"', '"$@"; code=$?; rm -rf .snakemake; exit $code')
        return ["sh", "-c", clean, "workflow", *engine]
    # `python -m cwltool` forgets its exit code.
    engine = ["python", "-c", "import sys; from cwltool.main import main; sys.exit(main(sys.argv[1:]))"]
    engine += ["--no-container", "--disable-color", "--outdir", "/task/out"]
    engine += ["--tmpdir-prefix", "/task/tmp/", "--tmp-outdir-prefix", "/task/tmp/"]
    beside = 'cp /parameters.json .parameters.json && "$@"; code=$?; rm .parameters.json; exit $code'
    copy = _LINK.replace('exec "$@"', beside)
    return ["sh", "-c", copy, "workflow", *engine, file, ".parameters.json"]


def folder_inputs(path: Path) -> list[dict[str, str]]:
    """The folder of a workflow's file as the input /inputs. Errors: `workflow.file` if there is none, or too much."""
    if not path.is_file():
        raise MadangError("workflow.file", _("There is no file {path}.").format(path=repr(str(path))))
    folder = path.absolute().parent
    files = size = 0
    for here, _folders, names in os.walk(folder):
        files += len(names)
        size += sum(os.lstat(os.path.join(here, name)).st_size for name in names)
        if files > MOST_FILES or size > MOST_BYTES:
            raise MadangError(
                "workflow.file",
                _("The folder {path} is too large to be given to a workflow.").format(path=folder),
                _("Put the workflow and what it reads into a folder of their own."),
            )
    return [{"url": folder.as_uri(), "path": "/inputs", "type": "DIRECTORY"}]
