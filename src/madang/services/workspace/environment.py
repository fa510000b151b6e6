"""The Python of workspaces: an environment that stands apart from the node's own and is mounted read-only."""

import os
from pathlib import Path

import madang
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node


def lacks(node: Node) -> str:
    """What is missing before people can work in a workspace, in a sentence; empty where nothing is."""
    try:
        find_environment(node)
    except MadangError as error:
        return f"{error.message} {error.hint}"
    return ""


def find_environment(node: Node) -> Path:
    """The folder of the environment. Errors: `workspace.no_environment`."""
    named = node.settings.workspace.environment
    apart = os.environ.get("MADANG_ENVIRONMENTS", "")
    source = Path(madang.__file__).parents[2]
    places = [Path(named)] if named else []
    places += [source / (apart or ".environments") / "workspace", node.home.path / "environments" / "workspace"]
    for place in places:
        if (place / "pyvenv.cfg").is_file() and (place / "bin" / "python").exists():
            return place
    raise MadangError(
        "workspace.no_environment",
        _("The Python of workspaces is not there."),
        _("Run script/environment workspace, or name it in the setting workspace.environment."),
    )
