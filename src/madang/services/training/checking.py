"""A course checked as its teacher would have it: all code runs, every reference answer passes, every wrong fails."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Lake
from madang.science.grading.tasks import ENDINGS, LANGUAGES, Task, plain_file
from madang.services.training.boxes import Over, Session
from madang.services.training.courses import Course, Lesson
from madang.services.training.data import Shown, data_of
from madang.services.training.grader import grade, needs_boxes

_FLOWS = "snakemake"  # the kind of code that is run as a workflow
FENCE = re.compile(r"^```([a-z]+)?[^\n]*\n(.*?)^```$", re.M | re.S)
_CELL = 30.0  # seconds
_NOT_HERE = ("training.no_r", "training.no_workflows")


@dataclass
class Checked:
    """What was looked at in a course, and what is wrong with it, one sentence each."""

    course: str
    cells: int = 0
    references: int = 0
    wrong: int = 0
    problems: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)  # what cannot be looked at on this machine, and why
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """As `madang training check --json` writes it."""
        return dict(vars(self))


def cells(text: str, kind: str = "python") -> list[str]:
    """The code of a lesson that runs, in order."""
    return [found[2] for found in FENCE.finditer(text) if found[1] == kind]


def check(
    course: Course, *, lake: Lake | None = None, run: bool = True, tell: Callable[[str], None] = lambda text: None
) -> Checked:
    """Check a course; `run` False looks at syntax and data alone. `tell` hears of each lesson.

    `lake` has the datasets that lessons name; without it such a lesson does not pass.
    """
    begun = time.monotonic()
    found = Checked(course.name)
    for lesson in course.lessons:
        tell(lesson.name)
        shown: Shown = {}
        try:
            shown = data_of(lesson, lake)
        except MadangError as error:
            found.problems.append(error.message)
        _check_lesson(lesson, shown, found, run)
        if not lesson.tasks:
            found.problems.append(_("{lesson}: it has no task.").format(lesson=lesson.name))
        for task in lesson.tasks:
            _check_task(lesson, task, shown, found, run)
    found.seconds = round(time.monotonic() - begun, 2)
    return found


def _check_lesson(lesson: Lesson, shown: Shown, found: Checked, run: bool) -> None:
    for kind in ("python", _FLOWS):
        by_language = [cells(lesson.text[each], kind) for each in LANGUAGES]
        if by_language[0] != by_language[1]:
            found.problems.append(_("{lesson}: the code differs between the languages.").format(lesson=lesson.name))
        if kind == "python":
            found.cells += len(by_language[0])
            _run_cells(lesson, by_language[0], shown, found, run)
        elif run:
            _run_flows(lesson, by_language[0], found)


def _run_cells(lesson: Lesson, sources: list[str], shown: Shown, found: Checked, run: bool) -> None:
    for number, source in enumerate(sources, 1):
        try:
            compile(source, lesson.name, "exec")
        except SyntaxError as error:
            found.problems.append(f"{lesson.name}, {number}: {error}")
            return
    if not run or not sources:
        return
    session = Session("learner", shown)
    try:
        for number, source in enumerate(sources, 1):
            told = session.ask({"op": "run", "source": source}, time.monotonic() + _CELL)
            if "raised" in told:
                found.problems.append(f"{lesson.name}, {number}: {told['raised'][0]}: {told.get('text', '')}")
                return
    except Over as error:
        found.problems.append(f"{lesson.name}: {error.why}")
    finally:
        session.close()


def _run_flows(lesson: Lesson, sources: list[str], found: Checked) -> None:
    """Each workflow that a lesson shows makes what it says, beside the lesson's files in data/."""
    names = sorted(path.name for path in lesson.data.iterdir()) if lesson.data is not None else []
    files = {f"data/{name}": plain_file(lesson.data, name).decode() for name in names} if lesson.data else {}
    for number, source in enumerate(sources, 1):
        try:
            session = Session("pipeline")
        except MadangError as error:
            _leave(found, error)
            return
        found.cells += 1
        try:
            told = session.ask({"op": "flow", "source": source, "files": files}, time.monotonic() + _CELL)
            if "raised" in told:
                found.problems.append(f"{lesson.name}, {number}: {told.get('text', '')}")
        except Over as error:
            found.problems.append(f"{lesson.name}, {number}: {error.why}")
        finally:
            session.close()


def _leave(found: Checked, error: MadangError) -> None:
    """What runs such code is not installed, which says nothing about the course: one sentence, however often."""
    if error.code not in _NOT_HERE:
        raise error
    sentence = f"{error.message} {error.hint}"
    found.left += [] if sentence in found.left else [sentence]


def _check_task(lesson: Lesson, task: Task, shown: Shown, found: Checked, run: bool) -> None:
    if task.folder is None:
        return
    place = f"{lesson.name}/{task.name}"
    endings = ENDINGS[task.kind]
    names = sorted(path.name for path in task.folder.iterdir() if path.is_file())
    references = [name for name in names if name in {f"reference{each}" for each in endings}]
    wrong = [name for name in names if name.startswith("wrong") and name.endswith(endings)]
    if task.kind == "text":
        return
    if not references:
        found.problems.append(_("{task}: there is no reference{ending}.").format(task=place, ending=endings[0]))
    if not wrong:
        found.problems.append(_("{task}: there is no wrong answer that has to fail.").format(task=place))
    for name in [*references, *wrong] if run or not needs_boxes(task) else []:
        score = _score(task, task.folder, name, shown, found, place)
        if score is None:
            continue
        if name.startswith("reference"):
            found.references += 1
            if score < task.largest:
                found.problems.append(_("{task}: the reference answer does not pass.").format(task=place))
        else:
            found.wrong += 1
            if score >= task.largest:
                found.problems.append(_("{task}: {name} is wrong and passes.").format(task=place, name=name))


def _score(task: Task, folder: Path, name: str, shown: Shown, found: Checked, place: str) -> float | None:
    try:
        return grade(task, plain_file(folder, name), extra=shown).score
    except MadangError as error:
        if error.code in _NOT_HERE:
            _leave(found, error)
            return None
        if error.code.startswith("answer.") and name.startswith("wrong"):
            return 0.0
        found.problems.append(f"{place}, {name}: {error}")
        return None
