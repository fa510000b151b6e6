"""`madang training`: check courses, grade answers, verify badges."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _

app = typer.Typer(add_completion=False, no_args_is_help=True)
LARGEST = 4 << 20


@app.command("check")
def check_command(
    course: Annotated[str, typer.Argument(help=_("Name or folder of one course; all of them without."))] = "",
    as_json: Annotated[Path | None, typer.Option("--json", help=_("Write the findings as JSON to this file."))] = None,
    quick: Annotated[bool, typer.Option("--quick", help=_("Look at syntax and data only; run nothing."))] = False,
) -> None:
    """Check courses: all code runs, every reference answer passes, every wrong answer fails."""
    from madang.base.console import console
    from madang.node import closed
    from madang.services.training import courses
    from madang.services.training.checking import check

    if not quick and not closed.is_available():
        raise MadangError(
            "closed.missing", _("Programs cannot be closed in on this machine."), _("Use --quick, which runs nothing.")
        )
    home = _home()
    found = [courses.find_course(course, home)] if course else _every(home)
    checked = [check(each, run=not quick, tell=lambda name: console().print(name, markup=False)) for each in found]
    _write(as_json, {"courses": [each.as_json() for each in checked]})
    problems = [f"{each.course}/{problem}" for each in checked for problem in each.problems]
    for each in checked:
        said = _("{course}: {cells} pieces of code run, {references} reference answers pass, {wrong} wrong ones fail.")
        console().print(said.format(**vars(each)), markup=False)
    if problems:
        raise MadangError("course.failed", " ".join(problems[:20]), _("Correct these and check again."))


@app.command("grade")
def grade_command(
    task: Annotated[str, typer.Argument(help=_("COURSE/LESSON/TASK, a task's folder, or a notebook for nbgrader."))],
    file: Annotated[Path, typer.Argument(help=_("The answer."))],
    as_json: Annotated[Path | None, typer.Option("--json", help=_("Write the grade as JSON to this file."))] = None,
) -> None:
    """Grade an answer: it runs in a closed box that nobody used before, and only plain values come out."""
    from madang.base.console import console
    from madang.services.training import grader, notebook_grader
    from madang.services.training.courses import find_task

    if task.endswith(".ipynb"):
        found = notebook_grader.grade(_bytes(Path(task)), _bytes(file))
    else:
        known, data = find_task(task, _home())
        grader.check_ready(known)
        found = grader.grade(known, _bytes(file), extra=data)
    _write(as_json, found.as_json())
    if str(as_json) == "-":
        return
    console().print(_("{score:g} of {largest:g}").format(score=found.score, largest=found.largest_score), markup=False)
    for line in found.feedback:
        console().print(f"{line.case}. {line.text}", markup=False)
    if found.waiting:
        console().print(_("{points:g} points wait for a teacher.").format(points=found.waiting), markup=False)


def _home() -> Path:
    """The home of the installation; it need not be there."""
    from madang.node.home import Home

    return Home.find().path


def _every(home: Path) -> list[Any]:
    from madang.science.grading.tasks import is_name
    from madang.services.training import courses

    places = [place for place in courses.folders(home) if place.is_dir()]
    found = [each for place in places for each in sorted(place.iterdir()) if (each / "course.toml").is_file()]
    return [courses.read_course(each) for each in found if is_name(each.name)]


def _bytes(path: Path) -> bytes:
    """A file that somebody names. Errors: `answer.file`, `answer.large`."""
    try:
        if not path.is_file():
            raise OSError(2, "no file")
        if path.stat().st_size > LARGEST:
            raise MadangError("answer.large", _("{file} is larger than 4 MB.").format(file=path))
        return path.read_bytes()
    except OSError as error:
        raise MadangError("answer.file", _("{file} cannot be read.").format(file=path), str(error.strerror)) from None


def _write(path: Path | None, document: dict[str, Any]) -> None:
    if path is None:
        return
    text = json.dumps(document, ensure_ascii=True, indent=1)
    if str(path) == "-":
        print(text)
        return
    try:
        path.write_text(text + "\n", "utf-8")
    except OSError as error:
        raise MadangError(
            "answer.file", _("{file} cannot be written.").format(file=path), str(error.strerror)
        ) from None
