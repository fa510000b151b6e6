"""Where each key of a TOML file stands, so that an error can name the line.

The standard library's reader gives values without positions. This scan reads text that the reader has accepted
already, so it needs to know only where strings, comments and brackets begin and end.
"""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError

KeyPath = tuple[str | int, ...]

_STRING = r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\''
_KEY_PART = r'(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
_KEY = rf"{_KEY_PART}(?:\s*\.\s*{_KEY_PART})*"
_TOKEN = re.compile(
    rf"(?P<comment>\#[^\n]*)|(?P<key>{_KEY})(?=\s*=)|(?P<string>{_STRING})"
    r"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<comma>,)|(?P<newline>\n)|(?P<space>[ \t\r]+)"
    r"|(?P<other>[^\s\[\]{},#\"']+|.)",
    re.DOTALL,
)
_HEADER = re.compile(rf"[ \t]*(?P<open>\[\[?)[ \t]*(?P<key>{_KEY})[ \t]*\]\]?[ \t]*(?:#[^\n]*)?(?=\r?\n|\Z)")


def _parts(key: str) -> tuple[str, ...]:
    """The parts of a dotted key, unquoted."""
    parts = []
    for part in re.findall(_KEY_PART, key):
        parts.append(tomllib.loads(f"k = {part}")["k"] if part[0] in "\"'" else part)
    return tuple(parts)


@dataclass(frozen=True)
class TomlFile:
    """One TOML file: `data` as read, `label` as shown to people, `lines` from key path to line number (from 1)."""

    label: str
    data: dict[str, Any]
    lines: dict[KeyPath, int] = field(repr=False)

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest enclosing table."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, code: str, path: KeyPath, message: str, hint: str = "") -> MadangError:
        """An error that names this file and the line of `path`."""
        return MadangError(code, f"{self.label}:{self.line(path)}: {message}", hint)


def read_toml(path: Path, label: str) -> TomlFile:
    """Read the TOML file at `path`; `label` is its name in messages.

    Errors: `pack.missing_file`, `pack.unreadable` (not UTF-8, or not TOML: with the line).
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise MadangError("pack.missing_file", f"{label} is missing.", f"It should be at {path}.") from None
    except UnicodeDecodeError as error:
        raise MadangError(
            "pack.unreadable", f"{label} is not UTF-8 text (byte {error.start}).", "Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise MadangError("pack.unreadable", f"{label} cannot be read: {error.strerror}.") from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.match(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)", str(error))
        what = found["what"] if found else str(error)
        line = found["line"] if found and found["line"] else text.count("\n") + 1
        raise MadangError("pack.unreadable", f"{label}:{line}: this is not TOML: {what}.") from None
    return TomlFile(label, data, key_lines(text))


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line of every key and table of valid TOML `text`, elements of arrays of tables counted from 0."""
    text = text.replace("\r\n", "\n")
    lines: dict[KeyPath, int] = {}
    arrays: dict[KeyPath, int] = {}
    table: KeyPath = ()
    frames: list[tuple[str, KeyPath, int]] = []  # open brackets: which, the path they hold, index of the element
    current: KeyPath = ()
    position, line, fresh = 0, 1, True
    while position < len(text):
        header = _HEADER.match(text, position) if fresh and not frames else None
        if header:
            table = _header_path(_parts(header["key"]), header["open"] == "[[", arrays)
            for depth in range(1, len(table) + 1):
                lines.setdefault(table[:depth], line)
            position, fresh = header.end(), False
            continue
        token = _TOKEN.match(text, position)
        if token is None:
            break
        kind, value = token.lastgroup, token.group()
        if kind == "key" and (not frames or frames[-1][0] == "{"):
            current = (frames[-1][1] if frames else table) + _parts(value)
            for depth in range(1, len(current) + 1):
                lines.setdefault(current[:depth], line)
        elif kind == "open":
            if frames and frames[-1][0] == "[":
                current = (*frames[-1][1], frames[-1][2])
            lines.setdefault(current, line)
            frames.append((value, current, 0))
        elif kind == "close" and frames:
            frames.pop()
        elif kind == "comma" and frames and frames[-1][0] == "[":
            bracket, path, index = frames.pop()
            frames.append((bracket, path, index + 1))
        fresh = kind == "newline" or (fresh and kind == "space")
        line += value.count("\n")
        position = token.end()
    return lines


def _header_path(key: tuple[str, ...], is_array: bool, arrays: dict[KeyPath, int]) -> KeyPath:
    """The path that a table header opens, with the index of every array of tables on the way."""
    path: KeyPath = ()
    for depth, part in enumerate(key, start=1):
        path = (*path, part)
        if is_array and depth == len(key):
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path = (*path, arrays[path])
    return path
