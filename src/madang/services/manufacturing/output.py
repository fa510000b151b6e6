"""How the commands of this room write their answers."""

import json
from pathlib import Path
from typing import Any

from madang.lake.files import put_instead, sentences


def write_json(path: Path | None, answer: Any) -> None:
    """Write `answer` to a file, or print it where there is none; floats in their shortest form."""
    text = json.dumps(answer, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    if path is None or str(path) == "-":
        print(text, end="")
        return
    with sentences("write the answer"):
        put_instead(path, text.encode(), 0o644)
