"""The process that answers: reads one question from its input, writes the answer or why there is none."""

import json
import math
import sys
from datetime import date, time
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name, quote_paths


def main() -> None:
    """Answer one question as `ask` writes it."""
    question = json.load(sys.stdin.buffer)
    try:
        said = json.dumps(answer(question))
        if len(said) > question["size"]:
            said = json.dumps({"code": "ask.too_much"})
    except MemoryError:
        said = json.dumps({"code": "ask.memory"})
    except MadangError as error:
        code = {"engine.memory": "ask.memory", "engine.select_only": "ask.one_select"}.get(error.code, "ask.refused")
        said = json.dumps({"code": code, "message": error.message, "hint": error.hint})
    except UnicodeError:
        said = json.dumps({"code": "ask.refused", "message": "The question is not text in UTF-8.", "hint": ""})
    sys.stdout.write(said)


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Columns and rows of one SELECT. The engine is closed before the question is looked at."""
    sql, most = question["sql"], question["rows"]
    with Engine(question["memory"], threads=2, preserve_insertion_order=True) as engine:
        for name, paths in question["tables"].items():
            engine.execute(f"CREATE VIEW {quote_name(name)} AS FROM read_parquet({quote_paths(paths)})")
        engine.confine(Path(path) for paths in question["tables"].values() for path in paths)
        only = engine.one_select(sql)
        columns = engine.describe(only)
        rows = engine.rows(f"SELECT * FROM ({only}\n) LIMIT {most + 1}")
    return {"columns": columns, "rows": [list(map(_plain, row)) for row in rows[:most]], "is_cut": len(rows) > most}


def _plain(value: Any) -> Any:
    """A value as JSON has it; what JSON has not becomes text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value)


if __name__ == "__main__":
    main()
