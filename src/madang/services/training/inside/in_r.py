"""The process beside an answer in R: it takes lines of JSON as that of Python does, and has R do what they ask.

Nothing here is to be trusted, nor has to be, as in `learner`. It stands alone, since it is run by its path.
"""

import json
import os
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ASKED, _ANSWER = Path("/tmp/asked.R"), Path("/tmp/answer.json")  # inside the box


def literal(value: Any) -> str:
    """A plain value as R writes it: lists of one kind are vectors, mappings are named lists, and those of equally long
    lists data frames."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}.get(repr(value), repr(value))
    if isinstance(value, str):
        return '"' + "".join(_letter(each) for each in value) + '"'
    if isinstance(value, dict):
        inside = ", ".join(f"`{_name(str(key))}` = {literal(each)}" for key, each in value.items())
        lists = [each for each in value.values() if isinstance(each, list)]
        table = value and len(lists) == len(value) and len({len(each) for each in lists}) == 1 and lists[0]
        return f"data.frame({inside}, stringsAsFactors = FALSE, check.names = FALSE)" if table else f"list({inside})"
    kinds = {float if type(each) is int else type(each) for each in value if each is not None}
    if value and len(kinds) == 1 and kinds <= {float, str, bool}:
        return "c(" + ", ".join("NA" if each is None else literal(each) for each in value) + ")"
    return "list(" + ", ".join(map(literal, value)) + ")"


def _letter(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if " " <= letter <= "~" else f"\\U{{{ord(letter):x}}}"


def _name(name: str) -> str:
    return name.replace("\\", "\\\\").replace("`", "\\`")


class InR:
    """R, which waits for what is asked; `decode` reads what goes in."""

    def __init__(self, decode: Callable[[Any], Any]) -> None:
        self.decode, self.tag = decode, secrets.token_hex(16)
        script = str(Path(__file__).with_name("answer.R"))
        command = ["R", "--vanilla", "--no-echo", "-f", script, "--args", self.tag]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._hear()

    def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Do one thing."""
        assert self.process.stdin is not None
        what = asked["op"]
        if what == "run":
            given, line = asked["source"], "run"
        elif what == "call":
            given = "list(" + ", ".join(literal(self.decode(each)) for each in asked["args"]) + ")"
            line = asked["name"]
        else:
            given, line = "NULL", asked["name"]
        _ASKED.write_text(given, encoding="utf-8")
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        """What R answers, once it is done; what the answer prints goes to standard error."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == self.tag.encode():
                return dict(json.loads(_ANSWER.read_text(encoding="utf-8")))
            os.write(2, line)
        os._exit(0)  # R has ended, and so has the answer
