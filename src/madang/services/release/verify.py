"""Declared queries computed again in a closed process that sees nothing but the version they are about."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node import closed
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import as_document

_ROOM = 2 << 30
_MEMORY = 1 << 30
_SECONDS = 120.0
_OUTPUT = 32 << 20


def held(version: Version, items: Sequence[dict[str, Any]], rules: Rules) -> list[dict[str, Any]]:
    """What came of each query; all are unverified, with the reason, where nothing could be computed."""
    files: dict[str, Path] = {}
    tables: dict[str, list[str]] = {}
    for name, table in version.tables.items():
        inside = {f"/data/{len(files) + number}.parquet": path for number, path in enumerate(table.paths)}
        tables[name] = list(inside)
        files |= inside
    limits = {name: value for name, value in rules.document().items() if name != "sha256"}
    question = {"tables": tables, "items": list(items), "rules": limits, "memory": _MEMORY}
    box = closed.Box(closed.Limits(_SECONDS, _MEMORY + _ROOM, _OUTPUT, address=_MEMORY + _ROOM), read=files)
    try:
        ended = box.run([box.python, "-P", "-s", "-m", "madang.services.release.child"], json.dumps(question).encode())
        if ended.code:
            raise MadangError("release.unverified", _("The declared query could not be computed."))
        answers: list[dict[str, Any]] = json.loads(ended.output)
    except MadangError as error:
        return [unverified(error.message) for _item in items]
    return answers


def unverified(sentence: str) -> dict[str, Any]:
    """What is said of a result that was not computed again."""
    return {"match": "unverified", "sentence": as_document(sentence), "findings": [], "hidden": False, "counts": None}
