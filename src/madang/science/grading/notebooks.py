"""Notebooks as answers and, where a course was written for nbgrader, as tasks: which cells count, and in which order.

Cells are told apart by the metadata of nbgrader (schema 3): `grade` with `solution` is read by a teacher, `grade`
alone is a test, `locked` is the teacher's. Outputs that a notebook keeps are never read.
"""

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from madang.base.errors import MadangError
from madang.base.translate import _

MOST = 2_000  # cells
_AUTOTEST = re.compile(r"^\s*###\s*(?:HASHED\s+)?AUTOTEST\s+(.+?)\s*$")
_MARK = re.compile(r"^\s*###\s*(BEGIN|END)\s+(SOLUTION|HIDDEN TESTS)\s*$")
_EMPTY = NotImplementedError.__name__  # what a cell of nbgrader raises until somebody answers
_MAGIC = re.compile(r"^\s*[%!?]")


@dataclass(frozen=True)
class Cell:
    """A cell: its program or text, and what nbgrader's metadata say of it."""

    source: str
    code: bool
    name: str = ""
    grade: bool = False
    solution: bool = False
    locked: bool = False
    points: float = 0.0

    @property
    def is_test(self) -> bool:
        """Whether it is a test of the teacher's."""
        return self.grade and not self.solution

    @property
    def is_unchanged(self) -> bool:
        """Whether an answer is still empty, or what nbgrader puts where an answer belongs."""
        lines = [line.strip() for line in self.source.splitlines() if line.strip()]
        return not lines or lines in (["YOUR ANSWER HERE"], ["# YOUR CODE HERE", f"raise {_EMPTY}()"])


@dataclass(frozen=True)
class Step:
    """Something that is done in turn: `answer` runs a cell of the learner's, `test` one of the teacher's."""

    kind: Literal["answer", "test", "read"]
    cell: Cell


def cells_of(text: str) -> list[Cell]:
    """The cells of a notebook (nbformat 4). Errors: `answer.notebook`."""
    try:
        document = json.loads(text)
        found = document["cells"]
        if not isinstance(found, list) or len(found) > MOST or document.get("nbformat") != 4:
            raise ValueError("cells")
        return [_cell(each) for each in found]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise MadangError(
            "answer.notebook", _("This is no notebook of format 4."), _("Save it again with Jupyter.")
        ) from None


def _cell(given: Mapping[str, Any]) -> Cell:
    source = given["source"]
    source = source if isinstance(source, str) else "".join(source)
    about = given.get("metadata", {}).get("nbgrader") or {}
    points = about.get("points", 0.0)
    return Cell(
        source=source,
        code=given["cell_type"] == "code",
        name=str(about.get("grade_id", "")),
        grade=about.get("grade") is True,
        solution=about.get("solution") is True,
        locked=about.get("locked") is True,
        points=float(points) if isinstance(points, (int, float)) and 0 <= points < 1e6 else 0.0,
    )


def code_of(text: str) -> str:
    """All code of a notebook as one program, without lines for the notebook itself. Errors: `answer.notebook`."""
    return "\n\n".join(plain(cell.source) for cell in cells_of(text) if cell.code)


def plain(source: str) -> str:
    """A cell without magics and shell lines."""
    if source.lstrip().startswith("%%"):
        return ""
    return "\n".join("pass" if _MAGIC.match(line) else line for line in source.splitlines())


def is_gradable(cells: list[Cell]) -> bool:
    """Whether a notebook is a task: it has cells with points."""
    return any(cell.grade for cell in cells)


def steps(source: list[Cell], answer: list[Cell]) -> list[Step]:
    """What is run: the learner's cells in the learner's order, every test and locked cell as the teacher wrote it.

    A teacher's cell that the answer lacks comes last; one that it has twice counts once.
    """
    own = {cell.name: cell for cell in source if cell.name}
    done: set[str] = set()
    made: list[Step] = []
    for cell in answer:
        teachers = own.get(cell.name) if cell.name not in done else None
        if teachers is None:
            made.append(Step("answer", _unmarked(cell)))
            continue
        done.add(cell.name)
        made.append(_step(teachers, cell))
    made += [_step(cell, None) for name, cell in own.items() if name not in done]
    return made


def _step(teachers: Cell, learners: Cell | None) -> Step:
    if teachers.is_test:
        return Step("test", teachers)
    if teachers.grade:
        given = learners or Cell("", teachers.code)
        kept = Cell(given.source, given.code, teachers.name, True, True, False, teachers.points)
        return Step("read", kept)
    return Step("answer", _unmarked(teachers if teachers.locked or learners is None else learners))


def _unmarked(cell: Cell) -> Cell:
    return Cell(cell.source, cell.code, cell.name)


def reference_steps(source: list[Cell]) -> list[Step]:
    """The same with the teacher's own answers."""
    return steps(source, source)


def defined(source: list[Cell]) -> list[str]:
    """The names that the teacher's own answers define: what tests may ask of an answer under a builtin name too."""
    names: set[str] = set()
    for cell in source:
        if not cell.code or cell.is_test:
            continue
        try:
            tree = ast.parse(plain(cell.source))
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
            names |= {
                each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            }
    return sorted(names)


def parts(test: str) -> list[tuple[Literal["run", "same"], str]]:
    """What a test cell does: programs that must not fail, and expressions that must be what the reference has."""
    made: list[tuple[Literal["run", "same"], str]] = []
    lines: list[str] = []
    for line in plain(test).splitlines():
        found = _AUTOTEST.match(line)
        if found:
            made += [("same", each.strip()) for each in found[1].split(";") if each.strip()]
        elif not _MARK.match(line):
            lines.append(line)
    return [("run", "\n".join(lines)), *made]
