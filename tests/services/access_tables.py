"""Who gets what at every door of the portal: each room has its rows in tests/services/ROOM/access.py.

READS has of each address an example, and what a stranger, a member, a steward, an auditor, an administrator get; ACTS
the same of what is posted, with a body. What is posted does nothing if it is allowed: it lacks something, or is about
nothing. A room that needs things for its examples has `furnish(house)`, which gives {placeholder: text} for them.
"""

import importlib.util
from pathlib import Path
from typing import Any

ROLES = ("", "member", "steward", "auditor", "administrator")
YES, IN, NO, NONE, BAD = 200, 401, 403, 404, 422
Reads = dict[str, tuple[str, tuple[int, ...]]]
Acts = dict[str, tuple[str, dict[str, Any] | None, tuple[int, ...]]]


def tables() -> list[Any]:
    """The modules access.py of all rooms."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*/access.py")):
        spec = importlib.util.spec_from_file_location(f"access_of_{path.parent.name}", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found.append(module)
    return found


TABLES = tables()
READS: Reads = {path: row for table in TABLES for path, row in table.READS.items()}
ACTS: Acts = {path: row for table in TABLES for path, row in table.ACTS.items()}


def furnish(house: Any) -> dict[str, str]:
    """Make what the examples of all rooms are about; what stands for their placeholders."""
    made: dict[str, str] = {}
    for table in TABLES:
        if hasattr(table, "furnish"):
            made |= table.furnish(house)
    return made


def filled(example: str, made: dict[str, str]) -> str:
    """An example with its placeholders filled in."""
    for name, text in made.items():
        example = example.replace(name, text)
    return example
