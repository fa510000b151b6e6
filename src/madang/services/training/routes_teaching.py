"""The pages of a teacher: classes, the gradebook, who is stuck, what is taken away."""

import json
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field
from starlette.responses import PlainTextResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node.acts import label
from madang.node.permissions import check, may
from madang.science.grading.tasks import in_language
from madang.services.training import courses, giving, service, spaces, teaching
from madang.services.training.acts import LIST, OVERRIDE
from madang.services.training.routes import Nothing, badge, room
from madang.web import Done, Here, Number, View

__all__ = ["room"]


class ClassLine(View):
    """A class in a list."""

    number: int
    title: str
    course: str
    state: str


class Classes(View):
    """The classes that one may see, and the courses that can be opened."""

    classes: list[ClassLine]
    courses: list[tuple[str, str]]
    may_open: bool


class Cell(View):
    """A grade in the gradebook."""

    score: float
    tries: int
    changed: bool


class PersonRow(View):
    """Somebody in the gradebook."""

    number: str
    name: str
    team: str
    has_account: bool
    cells: list[Cell | None]
    score: float


class Column(View):
    """A task in the gradebook."""

    lesson: str
    task: str
    title: str
    largest: float
    tried: int
    difficulty: float | None
    discrimination: float | None


class StuckLine(View):
    """Who is stuck where."""

    number: str
    name: str
    task: str
    tries: int


class ClassView(View):
    """A class: roster and grades, who is stuck, what is alike."""

    number: int
    title: str
    course: str
    course_title: str
    state: str
    state_name: str
    assistants: str
    ends: datetime | None
    columns: list[Column]
    rows: list[PersonRow]
    largest: float
    stuck: list[StuckLine]
    alike: list[tuple[str, str, str, float]]
    unread: list[tuple[str, str, str]]
    may_change: bool


class NewClass(View):
    """A class to open."""

    title: str = Field(title="The title", min_length=1, max_length=200)
    course: str = Field(title="The course", min_length=1, max_length=63)
    organization: str = Field(default="house", title="The institution", max_length=70)
    ends: str = Field(default="", title="The end", pattern=r"^$|^\d{4}-\d{2}-\d{2}$")
    assistants: Literal["allowed", "say", "none"] = Field(default="say", title="The rule about assistants")


class Roster(View):
    """A roster to take in."""

    file: bytes = Field(title="The roster", min_length=1, max_length=teaching.LARGEST)


class Change(View):
    """A grade to change."""

    student: str = Field(title="The student number", min_length=1, max_length=60)
    task: str = Field(title="The task", min_length=3, max_length=130)
    score: float = Field(title="The score", ge=0, le=100_000, allow_inf_nan=False)
    reason: str = Field(title="The reason", min_length=1, max_length=2_000)


class Resets(View):
    """Whose workspace begins anew."""

    student: str = Field(title="Student number", max_length=60)


class Reason(View):
    """Why a badge is taken back."""

    reason: str = Field(title="The reason", min_length=1, max_length=2_000)


@room.page("/training/classes", "classes.html")
def classes(visit: Here) -> Classes:
    """The classes of a teacher."""
    check(visit.actor, LIST)
    known = courses.all_courses(service.home_of(visit.node))
    return Classes(
        classes=[
            ClassLine(number=each.id, title=each.title, course=each.course, state=label("class", each.state))
            for each in teaching.list_classes(visit.node, visit.actor)
        ],
        courses=[(each.name, in_language(each.title, language())) for each in known],
        may_open=bool(visit.actor.organizations("teacher")) or visit.actor.kind == "owner",
    )


@room.act("/training/classes", at=classes)
def open_class(visit: Here, given: NewClass) -> Done:
    """Open a course for a class."""
    try:
        ends = datetime.fromisoformat(given.ends).replace(tzinfo=UTC) if given.ends else None
    except ValueError:
        raise MadangError("class.end", _("There is no such day."), _("Write it as 2026-12-31.")) from None
    number = teaching.open_class(
        visit.node,
        visit.actor,
        title=given.title,
        course=given.course,
        organization=given.organization,
        ends=ends,
        assistants=given.assistants,
    )
    return Done(see=f"/training/classes/{number}", message=_("The class is open."))


@room.page("/training/classes/{number}", "class.html")
def class_page(visit: Here, number: Number) -> ClassView:
    """A class: gradebook, who is stuck now and where, how hard each task is."""
    found = teaching.see_class(visit.node, visit.actor, number)
    book = teaching.gradebook(visit.node, found)
    course = courses.find_course(found.course, service.home_of(visit.node))
    columns = [
        Column(
            lesson=lesson,
            task=task,
            title=title,
            largest=largest,
            tried=item.tried,
            difficulty=item.difficulty,
            discrimination=item.discrimination,
        )
        for (lesson, task, title, largest), item in zip(book.tasks, teaching.items_of(book), strict=True)
    ]
    return ClassView(
        number=number,
        title=found.title,
        course=found.course,
        course_title=in_language(course.title, language()),
        state=found.state,
        state_name=label("class", found.state),
        assistants=found.assistants,
        ends=found.ends,
        columns=columns,
        rows=[_row(each, columns) for each in book.rows],
        largest=book.largest,
        stuck=[
            StuckLine(number=each.number, name=each.name, task=f"{each.lesson}/{each.task}", tries=each.tries)
            for each in teaching.stuck(visit.node, found)
        ],
        alike=teaching.alike(visit.node, found),
        unread=teaching.unread(visit.node, found),
        may_change=may(visit.actor, OVERRIDE, found),
    )


def _row(row: teaching.Row, columns: list[Column]) -> PersonRow:
    found = [row.standing.get((each.lesson, each.task)) for each in columns]
    return PersonRow(
        number=row.member.number,
        name=row.member.name,
        team=row.member.team,
        has_account=row.member.person_id is not None,
        cells=[Cell(score=each.score, tries=each.tries, changed=each.changed) if each else None for each in found],
        score=row.score,
    )


@room.act("/training/classes/{number}/roster", at=class_page, largest=teaching.LARGEST + 100_000)
def roster(visit: Here, number: Number, given: Roster) -> Done:
    """Take a roster in: a workbook or CSV with student number, name, account, team."""
    count = teaching.set_roster(visit.node, visit.actor, number, teaching.read_roster(given.file))
    return Done(see=f"/training/classes/{number}", message=_("{count} people are in the class.").format(count=count))


@room.act("/training/classes/{number}/grades", at=class_page)
def change(visit: Here, number: Number, given: Change) -> Done:
    """Change a grade, with the reason."""
    lesson, slash, task = given.task.partition("/")
    if not slash:
        raise MadangError("task.none", _("There is no task {name}.").format(name=given.task))
    teaching.override(
        visit.node,
        visit.actor,
        number,
        student=given.student,
        lesson=lesson,
        task=task,
        score=given.score,
        reason=given.reason,
    )
    return Done(see=f"/training/classes/{number}", message=_("The grade is changed."))


@room.act("/training/classes/{number}/reset", at=class_page)
def reset_space(visit: Here, number: Number, given: Resets) -> Done:
    """Begin a learner's workspace of the course anew; what was sent and graded stays."""
    spaces.reset(visit.node, visit.actor, number, given.student)
    return Done(see=f"/training/classes/{number}", message=_("Their workspace begins anew."))


@room.act("/training/classes/{number}/close", at=class_page)
def close(visit: Here, number: Number, given: Nothing) -> Done:
    """Close a class."""
    teaching.close_class(visit.node, visit.actor, number)
    return Done(see=f"/training/classes/{number}", message=_("The class is closed."))


@room.bytes("/training/classes/{number}/grades.csv", "text/csv")
def grades_csv(visit: Here, number: Number) -> Response:
    """The gradebook as CSV."""
    found = teaching.see_class(visit.node, visit.actor, number)
    text = teaching.csv_of(teaching.gradebook(visit.node, found))
    return PlainTextResponse("\ufeff" + text, media_type="text/csv")


@room.bytes("/training/classes/{number}/statements.json", "application/json")
def statements(visit: Here, number: Number) -> Response:
    """What the class sent, as xAPI statements."""
    found = teaching.see_class(visit.node, visit.actor, number)
    told = teaching.xapi_of(visit.node, found, visit.origin)
    return Response(json.dumps(told, ensure_ascii=False), media_type="application/json")


@room.bytes("/training/badges/status.jwt", "application/jwt")
def status(visit: Here) -> Response:
    """Which badges were taken back, as a signed Bitstring Status List."""
    return PlainTextResponse(giving.status_list(visit.node, visit.origin), media_type="application/jwt")


@room.act("/badges/{uid}/revoke", at=badge)
def revoke(visit: Here, uid: str, given: Reason) -> Done:
    """Take a badge back, with the reason."""
    giving.revoke(visit.node, visit.actor, uid, given.reason)
    return Done(see=f"/badges/{uid}", message=_("The badge is taken back."))
