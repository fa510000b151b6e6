"""The notebooks of a workspace: files in a folder that only the node writes, so that no program can put a link there.

A notebook is a `.ipynb` of nbformat 4.5 with its cells' text and, under a kind of our own, what they last showed.
"""

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _

_NAME = re.compile(r"[a-z0-9가-힣](?:[a-z0-9가-힣 _-]{0,58}[a-z0-9가-힣])?", re.IGNORECASE)
_ID = re.compile(r"[a-z0-9]{4,32}")
MOST, CELLS, CODE = 200, 500, 200_000  # notebooks, cells of one, characters of one cell


def list_notebooks(folder: Path) -> list[str]:
    """The names of the notebooks, sorted."""
    return sorted(path.stem for path in folder.glob("*.ipynb"))


def path_of(folder: Path, name: str) -> Path:
    """Where a notebook lies. Errors: `workspace.notebook_name`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MadangError(
            "workspace.notebook_name",
            _("This cannot be the name of a notebook."),
            _("Use letters, digits, spaces, hyphens and underscores, 60 at most."),
        )
    return folder / f"{name}.ipynb"


def load(folder: Path, name: str) -> dict[str, Any]:
    """A notebook as the page has it: `version`, and `cells` with `id`, `kind`, `source`, `outputs`, `count`.

    Errors: `workspace.no_notebook`.
    """
    try:
        kept = json.loads(path_of(folder, name).read_text("utf-8"))
        cells = [
            {
                "id": cell["id"],
                "kind": "text" if cell["cell_type"] == "markdown" else "code",
                "source": "".join(cell["source"]),
                "outputs": cell.get("metadata", {}).get("madang", []),
                "count": cell.get("execution_count"),
            }
            for cell in kept["cells"]
        ]
        return {"name": name, "version": kept["metadata"]["madang"]["version"], "cells": cells}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise MadangError("workspace.no_notebook", _("There is no notebook {name}.").format(name=name)) from None


def create(folder: Path, name: str) -> dict[str, Any]:
    """A new notebook with one empty cell. Errors: `workspace.notebook_taken`, `workspace.notebook_name`."""
    path = path_of(folder, name)
    if path.exists() or len(list_notebooks(folder)) >= MOST:
        raise MadangError("workspace.notebook_taken", _("There is a notebook {name} already.").format(name=name))
    made = {"name": name, "version": 1, "cells": [new_cell("")]}
    _write(path, made)
    return made


def new_cell(source: str, kind: str = "code") -> dict[str, Any]:
    """A cell that was never run."""
    return {"id": secrets.token_hex(4), "kind": kind, "source": source, "outputs": [], "count": None}


def save(folder: Path, name: str, version: int, cells: Any) -> dict[str, Any]:
    """Keep what somebody wrote, on top of `version`; what cells showed stays with them.

    Errors: `workspace.notebook_changed` where a colleague saved meanwhile, `workspace.notebook`.
    """
    known = load(folder, name)
    if known["version"] != version:
        raise MadangError(
            "workspace.notebook_changed",
            _("A colleague changed this notebook meanwhile."),
            _("Load it again; your cell is still in your page."),
        )
    before = {cell["id"]: cell for cell in known["cells"]}
    kept: list[dict[str, Any]] = []
    seen: set[str] = set()
    for given in cells if isinstance(cells, list) else [None]:
        cell = given if isinstance(given, dict) else {}
        good = isinstance(cell.get("source"), str) and len(cell["source"]) <= CODE
        if not good or not _ID.fullmatch(str(cell.get("id"))) or cell["id"] in seen or len(kept) >= CELLS:
            raise MadangError("workspace.notebook", _("This is no notebook that can be kept."))
        seen.add(cell["id"])
        known_cell = before.get(cell["id"], {})
        old = {"outputs": known_cell.get("outputs", []), "count": known_cell.get("count")}
        kind = "text" if cell.get("kind") == "text" else "code"
        source = cell["source"].replace("\0", "")
        kept.append(
            {"id": cell["id"], "kind": kind, "source": source, "outputs": old["outputs"], "count": old["count"]}
        )
    made = {"name": name, "version": version + 1, "cells": kept}
    _write(path_of(folder, name), made)
    return made


def keep_outputs(folder: Path, name: str, cell: str, outputs: list[dict[str, Any]], count: int) -> None:
    """Keep what a cell showed; its version stays, since nobody's text changes."""
    known = load(folder, name)
    for each in known["cells"]:
        if each["id"] == cell:
            each["outputs"], each["count"] = outputs, count
            _write(path_of(folder, name), known)


def remove(folder: Path, name: str) -> None:
    """Take a notebook away. Errors: `workspace.no_notebook`."""
    load(folder, name)
    path_of(folder, name).unlink(missing_ok=True)


def _write(path: Path, notebook: dict[str, Any]) -> None:
    cells = []
    for cell in notebook["cells"]:
        common = {"id": cell["id"], "source": cell["source"], "metadata": {"madang": cell["outputs"]}}
        if cell["kind"] == "text":
            cells.append({"cell_type": "markdown", **common})
        else:
            cells.append({"cell_type": "code", "execution_count": cell["count"], "outputs": [], **common})
    whole = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"language_info": {"name": "python"}, "madang": {"version": notebook["version"]}},
        "cells": cells,
    }
    partial = path.with_suffix(f".{secrets.token_hex(4)}.part")
    with partial.open("w", encoding="utf-8") as file:
        json.dump(whole, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
