"""A task as a folder of readable files: task.toml, a reference answer, wrong answers that have to fail.

    kind = "code"                       # and r sql rule pipeline number choice table form shortlist plant ... (KINDS)
    entry = "mean_age"                  # code, r: the function that is called, or the name that is read
    seconds = 5
    title.en = "..."                    # and title.ko, text.en, text.ko
    [[case]]
    args = [[1, 2]]
    expect = 1.5
    hidden = true
    points = 1
    hint.en = "What if the list is empty?"

`reference.*` beside it is the answer that has to get everything, each `wrong*.*` one that must not.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.grading.compare import Closeness

PROGRAMS = ("code", "r")  # kinds that define a function or a value
LANGUAGES = ("en", "ko")
ENDINGS = {
    "code": (".py", ".py.txt"),
    "r": (".r", ".R"),
    "sql": (".sql",),
    "rule": (".toml",),
    "pipeline": (".smk",),
    "number": (".txt",),
    "choice": (".txt",),
    "table": (".csv",),
    "form": (".json",),
    "shortlist": (".txt",),
    "plant": (".json",),
    "mapping": (".csv",),
    "cohort": (".json",),
    "text": (".txt",),
}
KINDS = tuple(ENDINGS)
LARGEST = 1 << 20  # bytes of a file of a course
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
Text = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """One thing that is tried: what goes in, what has to come out (never shown where `hidden`), what it is worth."""

    expect: Any = None
    args: tuple[Any, ...] | None = None  # code: what the function is called with; None: the value is read
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # sql: name: {columns: [...], rows: [...]}
    files: Mapping[str, str] = field(default_factory=dict)  # pipeline: path: text, the older first
    raises: str = ""
    hidden: bool = False
    points: float = 1.0
    hint: Text = field(default_factory=dict)
    close: Closeness = field(default_factory=Closeness)


@dataclass(frozen=True)
class Task:
    """A task: what is asked, in each language, and how it is judged. `rest` is what its kind alone knows."""

    name: str
    kind: str
    title: Text
    text: Text
    cases: tuple[Case, ...]
    entry: str = ""
    start: str = ""
    seconds: float = 5.0
    memory: int = 512 << 20
    rest: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def largest(self) -> float:
        """The largest score."""
        return sum(case.points for case in self.cases)


def in_language(text: Text, language: str) -> str:
    """A text in a language, else in English, else whatever there is."""
    return text.get(language) or text.get("en") or next(iter(text.values()), "")


def read_task(folder: Path) -> Task:
    """The task in a folder. Errors: `task.none`, `task.toml`, with the place."""
    label = f"{folder.name}/task.toml"
    document = read_toml(folder, "task.toml", "task.none")
    kind = document.get("kind")
    if kind not in KINDS:
        raise _wrong(label, _("kind has to be one of {kinds}").format(kinds=", ".join(KINDS)))
    entry = document.get("entry", "")
    if kind in PROGRAMS and not (isinstance(entry, str) and _IDENTIFIER.fullmatch(entry)):
        raise _wrong(label, _("entry has to name a function or a value of the answer"))
    close = _closeness(document, label, Closeness())
    cases = document.get("case")
    if not isinstance(cases, list) or not cases or not all(isinstance(each, dict) for each in cases):
        raise _wrong(label, _("it has no [[case]]"))
    if kind == "cohort":
        document["tables"] = _tables(document.get("tables"), label)
    if not any(each.get("points", 1) for each in cases):
        raise _wrong(label, _("no case has points"))
    seconds = document.get("seconds", 30.0 if kind == "pipeline" else 5.0)
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 < seconds <= 120:
        raise _wrong(label, _("seconds has to be between 0 and 120"))
    return Task(
        name=folder.name,
        kind=kind,
        title=text_of(document, "title", label),
        text=text_of(document, "text", label),
        cases=tuple(_case(each, label, close, kind) for each in cases),
        entry=entry,
        start=str(document.get("start", "")),
        seconds=float(seconds),
        rest={key: value for key, value in document.items() if key not in _KNOWN},
        folder=folder,
    )


_KNOWN = {"kind", "entry", "title", "text", "case", "seconds", "start", "absolute", "relative", "ordered"}


def read_toml(folder: Path, name: str, none: str) -> dict[str, Any]:
    """A TOML file right in a folder: a plain file, no link, not too large. Errors: `none`, `task.toml`."""
    path = folder / name
    if not folder.is_dir() or not path.is_file():
        raise MadangError(none, _("There is no {file} in {folder}.").format(file=name, folder=folder.name))
    return parse_toml(plain_file(folder, name), f"{folder.name}/{name}")


def parse_toml(data: bytes, label: str) -> dict[str, Any]:
    """A TOML document. Errors: `task.toml`."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise _wrong(label, str(error)[:200] or _("it is no TOML")) from None


def plain_file(folder: Path, name: str) -> bytes:
    """The bytes of a file of a course, below its folder, without links. Errors: `course.path`, `course.large`."""
    root, path = folder.resolve(), folder / name
    if path.is_symlink() or not path.resolve().is_relative_to(root) or not path.is_file():
        raise MadangError(
            "course.path",
            _("{name} is no plain file in the folder {folder}.").format(name=name, folder=folder.name),
            _("A course has all its files in its own folder, and no links."),
        )
    if path.stat().st_size > LARGEST:
        raise MadangError("course.large", _("{name} is larger than 1 MB.").format(name=name))
    return path.read_bytes()


def text_of(document: Mapping[str, Any], key: str, label: str) -> Text:
    """A text in both languages. Errors: `task.toml` where one is missing."""
    found = document.get(key)
    if not isinstance(found, dict) or not all(isinstance(found.get(each), str) and found[each] for each in LANGUAGES):
        raise _wrong(label, _("{key} is needed in English and Korean (.en, .ko)").format(key=key))
    return {each: found[each] for each in LANGUAGES}


def is_name(name: str) -> bool:
    """Whether it can name a course, a lesson or a task: small letters, digits and hyphens."""
    return bool(_NAME.fullmatch(name))


def _case(given: Mapping[str, Any], label: str, close: Closeness, kind: str) -> Case:
    points = given.get("points", 1)
    least = 0 if kind == "pipeline" else 1e-9  # a case of a pipeline may be an example only
    if not isinstance(points, (int, float)) or isinstance(points, bool) or not least <= points <= 1000:
        raise _wrong(label, _("points of a case have to be between 0 and 1000"))
    args = given.get("args")
    if args is not None and not isinstance(args, list):
        raise _wrong(label, _("args of a case have to be a list"))
    raises = given.get("raises", "")
    if kind != "text" and not raises and "expect" not in given and not given.get("none"):
        raise _wrong(label, _("a case needs expect, raises or none"))
    hint = given.get("hint", {})
    if not isinstance(hint, dict) or not all(isinstance(each, str) for each in hint.values()):
        raise _wrong(label, _("hint of a case is a text in each language (.en, .ko)"))
    tables = given.get("tables", {})
    if kind in ("sql", "rule") or (kind == "cohort" and tables):
        tables = _tables(tables, label)
    if kind == "rule" and not _is_of_rule(given.get("expect")):
        raise _wrong(label, _("expect of a case of kind rule has rows, a list of keys, and may have of and fails"))
    return Case(
        expect=given.get("expect"),
        args=None if args is None else tuple(args),
        tables=tables,
        files=_files(given, label) if kind == "pipeline" else {},
        raises=str(raises),
        hidden=given.get("hidden", False) is True,
        points=float(points),
        hint=hint,
        close=_closeness(given, label, close),
    )


def _is_of_rule(wanted: Any) -> bool:
    """Whether it says which rows break a rule; see the room training, `rule_task`."""
    if not isinstance(wanted, dict) or not set(wanted) <= {"rows", "of", "fails"}:
        return False
    rows = wanted.get("rows")
    return isinstance(rows, list) and all(type(each) is int for each in rows)


def _tables(given: Any, label: str) -> dict[str, Any]:
    if not isinstance(given, dict) or not given:
        raise _wrong(label, _("a case of kind sql needs tables"))
    for name, table in given.items():
        columns, rows = (table.get("columns"), table.get("rows")) if isinstance(table, dict) else (None, None)
        fits = isinstance(columns, list) and isinstance(rows, list) and _IDENTIFIER.fullmatch(name)
        if not fits or not all(isinstance(c, str) and _COLUMN.fullmatch(c) for c in columns or []):
            raise _wrong(label, _("a table needs columns ('name TYPE') and rows"))
        if any(not isinstance(row, list) or len(row) != len(columns or []) for row in rows or []):
            raise _wrong(label, _("every row of a table has a value for every column"))
    return {name: {**table, "rows": _rows(table)} for name, table in given.items()}


def _rows(table: Mapping[str, Any]) -> list[list[Any]]:
    """The rows of a table; TOML knows no missing value, which is written as "" in all columns but those of text."""
    texts = [column.endswith(" VARCHAR") for column in table["columns"]]
    return [
        [None if value == "" and not text else value for value, text in zip(row, texts, strict=True)]
        for row in table["rows"]
    ]


def _files(given: Mapping[str, Any], label: str) -> dict[str, str]:
    """What a workflow finds, and what it has to make: `expect` maps a file to what has to be in it."""
    found, wanted = given.get("files"), given.get("expect")
    for each, kinds in ((found, (str,)), (wanted, (str, int, float, list))):
        values = each.values() if isinstance(each, dict) else ()
        if not values or not all(isinstance(value, kinds) and value is not True for value in values):
            raise _wrong(label, _("a case of kind pipeline needs files and expect, each with names of files"))
        if not all(is_file_name(name) for name in each or {}):
            raise _wrong(label, _("a file of a case has a relative name, such as reads/a.fastq"))
    return dict(found or {})


def is_file_name(name: str) -> bool:
    """Whether it names a file in the folder of a workflow: relative, short, without hidden parts."""
    return bool(_FILE.fullmatch(name)) and name != "Snakefile" and len(name) <= 200


_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*){0,7}")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62} (BIGINT|INTEGER|DOUBLE|VARCHAR|DATE|BOOLEAN|TIMESTAMP)")


def _closeness(given: Mapping[str, Any], label: str, before: Closeness) -> Closeness:
    absolute, relative = given.get("absolute", before.absolute), given.get("relative", before.relative)
    for value in (absolute, relative):
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
            raise _wrong(label, _("absolute and relative are numbers from 0"))
    return Closeness(float(absolute), float(relative), given.get("ordered", before.ordered) is True)


def _wrong(label: str, what: str) -> MadangError:
    return MadangError(
        "task.toml",
        _("{file} cannot be used: {what}.").format(file=label, what=what.rstrip(".")),
        _("How a task is written is in docs/training.md."),
    )
