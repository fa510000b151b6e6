"""A workspace as the place where a course is done: its lessons as notebooks, its answers as cells of them.

Notebooks are files that only the node writes, so that an answer is read from there and needs no way out of the space.
"""

import hashlib
import re
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.science.grading.tasks import Task, in_language
from madang.services.training import courses, data, service
from madang.services.training.acts import RESET
from madang.services.training.checking import FENCE
from madang.services.training.courses import Course, Lesson
from madang.services.training.grader import Grade

ANSWERS = {"code": "code", "r": "code"}  # kinds of tasks whose answer is a cell that runs; of all others it is a note


def open_space(node: Node, actor: Actor, name: str) -> int:
    """One's own workspace for a course, with a notebook of each lesson; its number.

    Errors: `course.none`, `lesson.data`, those of opening a workspace.
    """
    from madang.services.workspace import open_course, put_notebook

    course = courses.find_course(name, service.home_of(node))
    data.of_course(node, course)
    number: int = open_course(node, actor, course.name, in_language(course.title, language()), course.digest)
    for lesson in course.lessons:
        put_notebook(node, actor, number, lesson.name, cells_of(course, lesson))
    return number


def cells_of(course: Course, lesson: Lesson) -> list[dict[str, Any]]:
    """A lesson as cells of a notebook: its text and code, and for each task what is asked and a cell for the answer."""
    text = in_language(lesson.text, language())
    made, at = [], 0
    for found in FENCE.finditer(text):
        if found[1] != "python":
            continue
        made.append(("text", text[at : found.start()].strip()))
        made.append(("code", found[2].rstrip("\n")))
        at = found.end()
    made.append(("text", text[at:].strip()))
    cells = [{"kind": kind, "source": source} for kind, source in made if source]
    for task in lesson.tasks:
        title, asked = in_language(task.title, language()), in_language(task.text, language())
        cells.append({"kind": "text", "source": f"## {title}\n\n{asked}"})
        cells.append({"kind": ANSWERS.get(task.kind, "text"), "source": start_of(lesson, task), "id": cell_of(task)})
    return cells


def start_of(lesson: Lesson, task: Task) -> str:
    """With what the cell of an answer begins: a line that says of which task it is."""
    first = "%%R\n" if task.kind == "r" else ""
    return f"{first}# {_('answer to')} {lesson.name}/{task.name}\n{task.start}"


def cell_of(task: Task) -> str:
    """The name of the cell in which the answer to a task stands."""
    return "t" + hashlib.sha256(task.name.encode()).hexdigest()[:15]


def answer_in(node: Node, actor: Actor, name: str, lesson: str, task: str) -> str:
    """What stands in the cell of one's own workspace for a task. Errors: `lesson.no_space`, `lesson.no_cell`."""
    from madang.services.workspace import find_course, source_of_cell

    wanted = courses.find_course(name, service.home_of(node)).lesson(lesson).task(task)
    number = find_course(node, actor, name)
    if number is None:
        raise MadangError(
            "lesson.no_space", _("You have no workspace of this course."), _("Open it from the course's page.")
        )
    source = source_of_cell(node, actor, number, lesson, cell_of(wanted))
    if source is None:
        raise MadangError(
            "lesson.no_cell",
            _("The cell for this answer is not in the notebook {name} any more.").format(name=lesson),
            _("Copy your answer into the field, and send it from there."),
        )
    source = re.sub(r"\A%%R[^\n]*\n", "", source) if wanted.kind == "r" else source
    return re.sub(rf"\A#[^\n]*\b{re.escape(lesson)}/{re.escape(task)}[^\n]*\n?", "", source)


def send_from(node: Node, actor: Actor, name: str, lesson: str, task: str) -> Grade:
    """Send what stands there. Errors: those of `answer_in` and `service.send`."""
    return service.send(node, actor, name, lesson, task, answer_in(node, actor, name, lesson, task))


def reset(node: Node, actor: Actor, number: int, student: str) -> None:
    """Begin somebody's workspace of a class's course anew: its notebooks and files are gone, grades stay.

    Errors: `class.member`, `lesson.no_space`.
    """
    from madang.services.training.teaching import find_class
    from madang.services.workspace import clear_course

    with doing(node, actor, RESET, lambda session: find_class(session, number)) as done:
        member = next((each for each in done.thing.members if each.number == student), None)
        if member is None or member.person_id is None:
            raise MadangError(
                "class.member", _("Nobody with an account has the student number {number}.").format(number=student)
            )
        person, course = member.person_id, done.thing.course
        done.tell(course=course, person=person)
    if not clear_course(node, person, course):
        raise MadangError("lesson.no_space", _("They have no workspace of this course."))
