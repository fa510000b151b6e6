"""Uploaded files are read in a closed process, never here: formats, and the cells of sample sheets."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.base.translate import told as told_text
from madang.node import closed

_CHILD = "madang.services.deposits.child"
_ENDED = later("The program that reads this format ended by itself; the file may be damaged.")
_FAILED = ("closed.time", "closed.memory", "closed.output", "closed.disk")
SECONDS, SLOWEST, MEMORY = 3600, 10_000_000, 2 << 30  # at least so long, or so many bytes a second
TOGETHER, TOGETHER_BYTES, SECONDS_TOGETHER = 32, 64 << 20, 120  # files that share a closed process


def look_closed(path: Path, name: str) -> dict[str, Any]:
    """Format, facts and findings of a file; a parser that takes too long or too much is a finding too."""
    return _ask(path, ["look", name], max(SECONDS, path.stat().st_size // SLOWEST))


def look_together(group: Sequence[tuple[Path, str]]) -> list[dict[str, Any]]:
    """The same of a few files in one closed process, in their order; where that fails, each of them has one of its own,
    so that a hostile file takes no other with it."""
    told = _ask_all(group) if len(group) > 1 else []
    return told if len(told) == len(group) else [look_closed(path, name) for path, name in group]


def groups(files: Sequence[tuple[Path, str]]) -> Iterator[list[tuple[Path, str]]]:
    """Files in their order, those together that share a closed process: small ones, not too many."""
    group: list[tuple[Path, str]] = []
    total = 0
    for path, name in files:
        size = path.stat().st_size
        if group and (len(group) == TOGETHER or total + size > TOGETHER_BYTES):
            yield group
            group, total = [], 0
        group.append((path, name))
        total += size
    if group:
        yield group


def _ask_all(group: Sequence[tuple[Path, str]]) -> list[dict[str, Any]]:
    limits = closed.Limits(seconds=SECONDS_TOGETHER, memory=MEMORY, output=64 << 20)
    box = closed.Box(limits, read={f"/given/{number}": path for number, (path, _name) in enumerate(group)})
    try:
        finished = box.run([box.python, "-P", "-s", "-m", _CHILD, "looks", *(name for _path, name in group)])
        if finished.code == 0:
            return [json.loads(line) for line in finished.output.splitlines()]
    except MadangError as error:
        if error.code not in _FAILED:
            raise
    except ValueError:
        pass
    return []


def compare_closed(variants: Path, reference: Path) -> list[dict[str, Any]]:
    """Whether variants are of a reference: findings. Where that cannot be computed there are none."""
    seconds = max(SECONDS, (variants.stat().st_size + reference.stat().st_size) // SLOWEST)
    box = closed.Box(
        closed.Limits(seconds=seconds, memory=MEMORY, output=1 << 20),
        read={"/given/0": variants, "/given/1": reference},
    )
    try:
        finished = box.run([box.python, "-P", "-s", "-m", _CHILD, "compare", variants.name])
        found: list[dict[str, Any]] = json.loads(finished.output)["findings"] if finished.code == 0 else []
        return found
    except MadangError as error:
        if error.code not in _FAILED:
            raise
    except ValueError:
        pass
    return []


def cells_closed(path: Path) -> list[list[Any]]:
    """The cells of the first sheet of a workbook, or of a CSV. Errors: `deposit.sheet`."""
    told = _ask(path, ["cells", path.name], 120)
    if "rows" not in told:
        why = told_text(told["findings"][0]["message"]) if told.get("findings") else ""
        raise MadangError("deposit.sheet", _("The sample sheet cannot be read: {why}").format(why=why))
    rows: list[list[Any]] = told["rows"]
    return rows


def _ask(path: Path, words: list[str], seconds: int) -> dict[str, Any]:
    limits = closed.Limits(seconds=seconds, memory=MEMORY, output=64 << 20)
    box = closed.Box(limits, read={"/given/file": path})
    message: Any = [_ENDED, "", {}]
    try:
        finished = box.run([box.python, "-P", "-s", "-m", _CHILD, *words])
        if finished.code == 0:
            told: dict[str, Any] = json.loads(finished.output)
            return told
    except MadangError as error:
        if error.code not in _FAILED:
            raise
        message = error.message
    except ValueError:
        pass
    finding = {"severity": "wrong", "code": "file.unreadable", "message": message}
    return {"format": "unknown", "read": False, "facts": {}, "findings": [finding]}
