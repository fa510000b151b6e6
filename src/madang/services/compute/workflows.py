"""Workflows: Snakemake and CWL, each run of them a task whose command is the engine, in a closed box.

The engines live in an environment of their own (`script/environment tools`) and are never imported here. What a run
reads is at /inputs, read only, and linked into its folder; the plain files that it makes there are kept. Nothing can be
downloaded while it runs.
"""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.compute import service, staging
from madang.services.compute.definition import DAY, GB, LARGEST, TOOLS, environment_of, inside
from madang.services.compute.models import Task

KIND = "workflow"
WORKFLOW = "workflow"  # the name of the input that is run
ENGINES = ("snakemake", "cwl")
MOST_FILES, MOST_BYTES = 10_000, 2 * GB  # of a folder that is given to a workflow as a whole
_NAMES = {"LOGNAME": "task", "USER": "task"}  # in a box nobody has a name, and Snakemake asks for one
_LINK = 'mkdir -p /task/tmp && cp -rs /inputs/. /task/out/ && cd /task/out && exec "$@"'
_SAME = (
    "[ ! -e {kept} ] || cmp -s {kept} {file} || "
    "{{ echo 'The workflow is no longer what was asked for.' >&2; exit 66; }}; "
)


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
    inputs = _with_workflow(wanted.inputs, file)
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


def _with_workflow(given: Sequence[Mapping[str, str]], file: str) -> list[dict[str, str]]:
    """The inputs, among which one has the name `workflow`: what is run, for the crate.

    Of a folder of this machine the text is taken now; before it is run it is compared, since the folder may change.
    """
    inputs = [dict(each) for each in given]
    for each in inputs:
        if each["path"] == f"/inputs/{file}":
            each["name"] = WORKFLOW
            return inputs
        if each["path"] == "/inputs" and each.get("url", "").startswith("file://"):
            source = Path(unquote(each["url"].removeprefix("file://"))) / file
            try:
                text = source.read_bytes().decode()
            except (OSError, UnicodeDecodeError):
                continue
            if len(text) <= LARGEST // 20:
                inputs.append({"name": WORKFLOW, "path": f"/workflow/{file}", "content": text})
                return inputs
    return inputs


def workflow_of(node: Node, task: Task) -> tuple[str, bytes] | None:
    """The file of a run's workflow, its name and bytes; None where it is not known."""
    for each in service.definition_of(task).inputs or ():
        if each.name != WORKFLOW or task.kind != KIND:
            continue
        name = each.path.removeprefix("/workflow/").removeprefix("/inputs/")
        if each.content is not None:
            return name, each.content.encode()
        number = (each.url or "").removeprefix("madang://file/")
        if number.isdecimal():
            return name, staging.brought_path(node, int(number)).read_bytes()
    return None


def engine_of(task: Task) -> tuple[str, str]:
    """Which engine ran a workflow, and its version in the environment of engines as it is now (empty: not there)."""
    words = service.definition_of(task).executors[0].command
    name = "snakemake" if "snakemake" in words else "cwltool"
    try:
        found = sorted(Path(environment_of(TOOLS)).glob(f"lib/python*/site-packages/{name}-*.dist-info"))
    except MadangError:
        found = []
    return name, found[-1].name.removeprefix(f"{name}-").removesuffix(".dist-info") if found else ""


def _command(wanted: Workflow, file: str) -> list[str]:
    same = _SAME.format(kept=shlex.quote(f"/workflow/{file}"), file=shlex.quote(f"/inputs/{file}"))
    if wanted.engine == "snakemake":
        engine = ["python", "-m", "snakemake", "--snakefile", file, "--cores", str(wanted.cores)]
        engine += ["--directory", ".", "--nolock", "--nocolor", "--latency-wait", "2"]
        engine += ["--configfile", "/parameters.json"] if wanted.parameters else []
        clean = _LINK.replace('exec "$@"', '"$@"; code=$?; rm -rf .snakemake; exit $code')
        return ["sh", "-c", same + clean, "workflow", *engine]
    # `python -m cwltool` forgets its exit code.
    engine = ["python", "-c", "import sys; from cwltool.main import main; sys.exit(main(sys.argv[1:]))"]
    engine += ["--no-container", "--disable-color", "--outdir", "/task/out"]
    engine += ["--tmpdir-prefix", "/task/tmp/", "--tmp-outdir-prefix", "/task/tmp/"]
    beside = 'cp /parameters.json .parameters.json && "$@"; code=$?; rm .parameters.json; exit $code'
    copy = _LINK.replace('exec "$@"', beside)
    return ["sh", "-c", same + copy, "workflow", *engine, file, ".parameters.json"]


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
