"""The page of notebooks: one document, one style and one script, all of them ours, and nothing else."""

from functools import cache
from pathlib import Path
from typing import Any

from madang import __version__
from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.services.workspace.models import Workspace

_FOLDER = Path(__file__).parent
STATIC = {
    name: (kind, (_FOLDER / "static" / name).read_bytes())
    for name, kind in (("notebook.css", "text/css"), ("notebook.js", "text/javascript"))
}


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    made = Environment(loader=FileSystemLoader(_FOLDER / "templates"), autoescape=True)
    made.globals.update(_=_, language=language, version=__version__)
    return made


def notebook_page(workspace: Workspace | None, error: MadangError | None) -> str:
    """The document; without a workspace a page that says why."""
    template = _environment().get_template("notebook.html")
    return str(template.render(workspace=workspace, error=error, texts=_texts()))


def _texts() -> dict[str, str]:
    """What the script says."""
    return {
        "run": _("Run"),
        "running": _("runs"),
        "waits": _("waits"),
        "awake": _("awake"),
        "waking": _("wakes up"),
        "asleep": _("asleep"),
        "over": _("This workspace is over for you. Go in from the portal again."),
        "code": _("Code of cell {number}"),
        "note": _("Note of cell {number}"),
        "addCode": _("Add code"),
        "addNote": _("Add a note"),
        "delete": _("Delete this cell"),
        "rows": _("{rows} rows, {columns} columns"),
        "shown": _("What cell {number} shows"),
        "picture": _("Picture of cell {number}"),
        "changed": _("A colleague changed this notebook; it was loaded again."),
        "lost": _("The connection is lost; trying again."),
        "seconds": _("{seconds} s"),
    }
