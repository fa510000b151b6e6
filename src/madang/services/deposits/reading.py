"""Uploaded files are read in a closed process, never here: formats, and the cells of sample sheets."""

import json
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import closed

_CHILD = "madang.services.deposits.child"
_FAILED = ("closed.time", "closed.memory", "closed.output", "closed.disk")
SECONDS, MEMORY = 3600, 2 << 30


def look_closed(path: Path, name: str) -> dict[str, Any]:
    """Format, facts and findings of a file; a parser that takes too long or too much is a finding too."""
    return _ask(path, ["look", name], SECONDS)


def cells_closed(path: Path) -> list[list[Any]]:
    """The cells of the first sheet of a workbook, or of a CSV. Errors: `deposit.sheet`."""
    told = _ask(path, ["cells", path.name], 120)
    if "rows" not in told:
        why = told["findings"][0]["message"] if told.get("findings") else ""
        raise MadangError("deposit.sheet", _("The sample sheet cannot be read: {why}").format(why=why))
    rows: list[list[Any]] = told["rows"]
    return rows


def _ask(path: Path, words: list[str], seconds: int) -> dict[str, Any]:
    limits = closed.Limits(seconds=seconds, memory=MEMORY, output=64 << 20)
    box = closed.Box(limits, read={"/given/file": path})
    try:
        finished = box.run([box.python, "-P", "-s", "-m", _CHILD, *words])
        if finished.code == 0:
            told: dict[str, Any] = json.loads(finished.output)
            return told
        message = _("The program that reads this format ended by itself; the file may be damaged.")
    except MadangError as error:
        if error.code not in _FAILED:
            raise
        message = error.message
    except ValueError:
        message = _("The program that reads this format ended by itself; the file may be damaged.")
    finding = {"severity": "wrong", "code": "file.unreadable", "message": message}
    return {"format": "unknown", "read": False, "facts": {}, "findings": [finding]}
