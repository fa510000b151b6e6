"""The pages of a learner: courses, lessons, tasks that are done in the page, progress, badges."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import Field
from starlette.responses import PlainTextResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node import signing
from madang.science.grading.tasks import Task, in_language
from madang.services.training import courses, giving, service, spaces
from madang.services.training.courses import Course, Lesson
from madang.services.training.grader import Grade
from madang.services.training.reading import as_html, without_heading
from madang.services.training.service import Key, Standing
from madang.services.training.skills import skills_named
from madang.services.training.teaching import feedback_of
from madang.web import Done, Here, Room, View

room = Room("training", __package__)
Name = Annotated[str, Path(max_length=63)]


class TaskLine(View):
    """A task and how the reader stands in it."""

    name: str
    title: str
    score: float
    largest: float
    tries: int


class LessonLine(View):
    """A lesson with its tasks."""

    name: str
    title: str
    tasks: list[TaskLine]


class CourseLine(View):
    """A course in a list."""

    name: str
    title: str
    summary: str
    roles: list[str]
    level: int
    lessons: int
    share: float
    goes_on: str


class Shelf(View):
    """The courses, by role and level."""

    role: str
    level: int
    courses: list[CourseLine]


class CourseView(View):
    """A course: lessons, tasks, how the reader stands, where they go on."""

    name: str
    title: str
    summary: str
    roles: list[str]
    level: int
    skills: list[str]
    version: str
    needed: float
    share: float
    goes_on: str
    lessons: list[LessonLine]
    rules: list[tuple[str, str]]
    badge: str
    space: int  # one's own workspace of it; 0: none
    signed_in: bool


class LessonView(View):
    """A lesson to read, and its tasks."""

    course: str
    course_title: str
    name: str
    title: str
    text: str
    data: list[str]
    dataset: str
    tasks: list[TaskLine]
    next: str


class Case(View):
    """What is said of one case."""

    met: bool
    hidden: bool
    text: str


class TaskView(View):
    """A task, to be done in the page."""

    course: str
    lesson: str
    lesson_title: str
    name: str
    title: str
    kind: str
    text: str
    start: str
    largest: float
    score: float
    tries: int
    waiting: float
    last: str
    feedback: list[Case]
    sent: datetime | None
    rules: list[tuple[str, str]]
    next: str
    space: int
    signed_in: bool
    missing: str


class Mine(View):
    """Progress: courses that were begun, badges, the skill tree."""

    courses: list[CourseLine]
    badges: list["BadgeLine"]
    skills: list[tuple[str, str, str, str]]  # skill, course, its name, state


class BadgeLine(View):
    """A badge in a list."""

    uid: str
    course: str
    title: str
    issued: datetime
    until: datetime
    state: str


class BadgeView(View):
    """A badge as whoever has its address sees it."""

    uid: str
    title: str
    holder: str
    issuer: str
    key: str
    state: str
    sentence: str
    course: str
    course_title: str  # as the course is called now in the reader's language, else as the badge has it
    version: str
    issued: datetime
    until: datetime
    scores: list[tuple[str, str]]
    token: str


class Sent(View):
    """An answer."""

    answer: str = Field(title="The answer", min_length=1, max_length=200_000)


class Nothing(View):
    """Nothing has to be said."""


def _line(course: Course, standing: dict[Key, Standing]) -> CourseLine:
    goes_on = service.next_task(course, standing)
    return CourseLine(
        name=course.name,
        title=in_language(course.title, language()),
        summary=in_language(course.summary, language()),
        roles=list(course.roles),
        level=course.level,
        lessons=len(course.lessons),
        share=service.share(course, standing),
        goes_on="/".join(goes_on) if goes_on else "",
    )


def _tasks(lesson: Lesson, standing: dict[Key, Standing]) -> list[TaskLine]:
    made = []
    for task in lesson.tasks:
        found = standing.get((lesson.name, task.name), Standing(0.0, 0))
        title = in_language(task.title, language())
        made.append(TaskLine(name=task.name, title=title, score=found.score, largest=task.largest, tries=found.tries))
    return made


@room.page("/training", "courses.html")
def shelf(
    visit: Here, role: Annotated[str, Query(max_length=40)] = "", level: Annotated[int, Query(ge=0, le=3)] = 0
) -> Shelf:
    """The courses, for a role or level if one is given."""
    known = courses.all_courses(service.home_of(visit.node))
    fits = [each for each in known if (not role or role in each.roles) and (not level or each.level == level)]
    lines = [_line(each, service.standing_of(visit.node, visit.actor, each.name)) for each in fits]
    return Shelf(role=role, level=level, courses=lines)


@room.page("/training/me", "mine.html")
def mine(visit: Here) -> Mine:
    """Where one stands: courses that were begun, badges, skills."""
    if not visit.actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))
    known = courses.all_courses(service.home_of(visit.node))
    stands = {each.name: service.standing_of(visit.node, visit.actor, each.name) for each in known}
    badges = giving.of_person(visit.node, visit.actor)
    held = {each.course for each in badges if each.state == "valid"}
    skills = [
        (skill, each.name, in_language(each.title, language()), _state_of(each, stands[each.name], held))
        for each in known
        for skill in each.skills
    ]
    titles = {each.name: in_language(each.title, language()) for each in known}
    return Mine(
        courses=[_line(each, stands[each.name]) for each in known if stands[each.name]],
        badges=[
            BadgeLine(
                uid=each.uid,
                course=each.course,
                title=titles.get(each.course, each.course),
                issued=each.issued,
                until=each.until,
                state=each.state,
            )
            for each in badges
        ],
        skills=skills,
    )


def _state_of(course: Course, standing: dict[Key, Standing], held: set[str]) -> str:
    if course.name in held:
        return "proven"
    return "begun" if standing else "open"


@room.page("/training/courses/{course}", "course.html")
def course_page(visit: Here, course: Name) -> CourseView:
    """A course: its lessons and tasks, how one stands, where one goes on."""
    found = courses.find_course(_name(course), service.home_of(visit.node))
    standing = service.standing_of(visit.node, visit.actor, found.name)
    line = _line(found, standing)
    badge = next((b for b in giving.of_person(visit.node, visit.actor) if b.course == found.name), None)
    return CourseView(
        **line.model_dump(exclude={"lessons"}),
        skills=list(found.skills),
        version=found.version,
        needed=found.pass_share,
        lessons=[
            LessonLine(name=each.name, title=in_language(each.title, language()), tasks=_tasks(each, standing))
            for each in found.lessons
        ],
        rules=_rules(visit, found.name),
        badge=badge.uid if badge is not None and badge.state == "valid" else "",
        space=_space(visit, found.name),
        signed_in=visit.actor.is_signed_in,
    )


def _space(visit: Here, course: str) -> int:
    from madang.services.workspace import find_course

    return (find_course(visit.node, visit.actor, course) or 0) if visit.actor.person_id is not None else 0


def _rules(visit: Here, course: str) -> list[tuple[str, str]]:
    return [(each.title, each.assistants) for each in service.my_classes(visit.node, visit.actor, course)]


@room.act("/training/courses/{course}/badge", at=course_page)
def ask_badge(visit: Here, course: Name, given: Nothing) -> Done:
    """Get the badge of a course that was passed."""
    uid = giving.give(visit.node, visit.actor, _name(course), visit.origin)
    return Done(see=f"/badges/{uid}", message=_("The badge is yours."))


@room.page("/training/courses/{course}/{lesson}", "lesson.html")
def lesson_page(visit: Here, course: Name, lesson: Name) -> LessonView:
    """A lesson to read."""
    found = courses.find_course(_name(course), service.home_of(visit.node))
    part = found.lesson(lesson)
    standing = service.standing_of(visit.node, visit.actor, found.name)
    after = found.lessons[found.lessons.index(part) + 1 :]
    return LessonView(
        course=found.name,
        course_title=in_language(found.title, language()),
        name=part.name,
        title=in_language(part.title, language()),
        text=without_heading(in_language(part.text, language())),
        data=sorted(each.name for each in part.data.iterdir()) if part.data else [],
        dataset=part.dataset,
        tasks=_tasks(part, standing),
        next=after[0].name if after else "",
    )


@room.bytes("/training/courses/{course}/{lesson}/data/{name}", "text/plain")
def data_file(visit: Here, course: Name, lesson: Name, name: Annotated[str, Path(max_length=100)]) -> Response:
    """A file of a lesson's data."""
    from madang.science.grading.tasks import plain_file

    part = courses.find_course(_name(course), service.home_of(visit.node)).lesson(lesson)
    if part.data is None or name not in {each.name for each in part.data.iterdir()}:
        raise MadangError("lesson.none", _("There is no such file."))
    return PlainTextResponse(plain_file(part.data, name))


@room.page("/training/courses/{course}/{lesson}/{task}", "task.html")
def task_page(visit: Here, course: Name, lesson: Name, task: Name) -> TaskView:
    """A task, with the last answer and what was said of it."""
    found = courses.find_course(_name(course), service.home_of(visit.node))
    part = found.lesson(lesson)
    wanted = part.task(task)
    standing = service.standing_of(visit.node, visit.actor, found.name)
    mine = standing.get((lesson, task), Standing(0.0, 0))
    last = service.last_answer(visit.node, visit.actor, found.name, lesson, task)
    cases = feedback_of(last) if last is not None else []
    missing = service.missing_for(wanted)
    if visit.actor.is_signed_in and not missing:
        service.make_ready(wanted)
    return TaskView(
        course=found.name,
        lesson=part.name,
        lesson_title=in_language(part.title, language()),
        name=wanted.name,
        title=in_language(wanted.title, language()),
        kind=wanted.kind,
        text=in_language(wanted.text, language()),
        start=wanted.start,
        largest=wanted.largest,
        score=mine.score,
        tries=mine.tries,
        waiting=mine.waiting,
        last=last.text if last is not None else "",
        feedback=[Case(met=met, hidden=hidden, text=text) for met, hidden, text in cases],
        sent=last.created if last is not None else None,
        rules=_rules(visit, found.name),
        next=_after(part, wanted),
        space=_space(visit, found.name),
        signed_in=visit.actor.is_signed_in,
        missing=missing,
    )


def _after(lesson: Lesson, task: Task) -> str:
    after = lesson.tasks[lesson.tasks.index(task) + 1 :]
    return after[0].name if after else ""


@room.act("/training/courses/{course}/{lesson}/{task}", at=task_page)
def send(visit: Here, course: Name, lesson: Name, task: Name, given: Sent) -> Done:
    """Send an answer; it is graded at once."""
    found = service.send(visit.node, visit.actor, _name(course), lesson, task, given.answer)
    return Done(see=f"/training/courses/{course}/{lesson}/{task}#result", message=_said(found))


def _said(found: Grade) -> str:
    if found.waiting:
        return _("Your answer was kept. A teacher reads it.")
    return _("{score:g} of {largest:g} points.").format(score=found.score, largest=found.largest_score)


@room.act("/training/courses/{course}/space", at=course_page)
def open_space(visit: Here, course: Name) -> Done:
    """Open one's own workspace for a course, with a notebook of each lesson."""
    number = spaces.open_space(visit.node, visit.actor, _name(course))
    return Done(see=f"/workspaces/{number}", message=_("The workspace is open; each lesson is a notebook in it."))


@room.act("/training/courses/{course}/{lesson}/{task}/from-space", at=task_page)
def send_from_space(visit: Here, course: Name, lesson: Name, task: Name) -> Done:
    """Send the answer that stands in one's workspace."""
    found = spaces.send_from(visit.node, visit.actor, _name(course), lesson, task)
    return Done(see=f"/training/courses/{course}/{lesson}/{task}#result", message=_said(found))


@room.page("/badges/{uid}", "badge.html")
def badge(visit: Here, uid: Annotated[str, Path(max_length=40)]) -> BadgeView:
    """A badge: who has it, for what, whether it holds. For whoever has its address."""
    found, answer = giving.see(visit.node, uid)
    keys = signing.public_keys(visit.node.home)
    return BadgeView(
        uid=found.uid,
        title=answer.title,
        holder=answer.holder,
        issuer=answer.issuer,
        key=keys[0]["kid"] if keys else "",
        state=answer.state,
        sentence=answer.sentence,
        course=found.course,
        course_title=_title_of(visit, found.course) or answer.title,
        version=found.digest[:12],
        issued=found.issued,
        until=found.until,
        scores=list(answer.scores),
        token=found.token,
    )


def _title_of(visit: Here, course: str) -> str:
    try:
        return in_language(courses.find_course(course, service.home_of(visit.node)).title, language())
    except MadangError:
        return ""


@room.bytes("/badges/{uid}/badge.jwt", "application/jwt")
def badge_file(visit: Here, uid: Annotated[str, Path(max_length=40)]) -> Response:
    """The badge as a file: a signed credential (VC-JOSE-COSE)."""
    found, _answer = giving.see(visit.node, uid)
    return PlainTextResponse(found.token, media_type="application/jwt")


def _name(course: str) -> str:
    """A course of the node is named, never a path. Errors: `course.none`."""
    from madang.science.grading.tasks import is_name

    if not is_name(course):
        raise MadangError("course.none", _("There is no course {name}.").format(name=course))
    return course


def role_of(name: str) -> str:
    """A role for which there are courses, in the reader's language."""
    return {
        "data-engineer": _("data engineer"),
        "clinical-researcher": _("clinical researcher"),
        "bioprocess-engineer": _("bioprocess engineer"),
        "medicinal-chemist": _("medicinal chemist"),
        "bioinformatician": _("bioinformatician"),
        "data-steward": _("data steward", "role of a learner"),
    }.get(name, name)


def rule_of(name: str) -> str:
    """A rule about assistants, as a sentence."""
    return {
        "allowed": _("AI assistants may be used."),
        "say": _("AI assistants may be used; say so in the answer, in a comment."),
        "none": _("AI assistants may not be used."),
    }.get(name, name)


def state_named(name: str) -> str:
    """The state of a badge or skill, in the reader's language."""
    return {
        "valid": _("valid", "badge"),
        "revoked": _("revoked", "badge"),
        "expired": _("expired", "badge"),
        "proven": _("proven by a badge"),
        "begun": _("begun"),
        "open": _("not begun"),
    }.get(name, name)


def percent(value: float) -> str:
    """A share as a percentage."""
    return f"{value:.0%}"


def qr_of(address: str) -> str:
    """The QR code of an address as SVG in a data address."""
    import segno

    return str(segno.make(address, error="m").svg_data_uri(scale=4))


_HELPERS: dict[str, Any] = {
    "as_html": as_html,
    "learner_role": role_of,
    "assistants_rule": rule_of,
    "training_state": state_named,
    "percent": percent,
    "qr_of": qr_of,
    "roles_of_learners": lambda: [("", _("all roles")), *((each, role_of(each)) for each in courses.ROLES)],
}
room.helpers |= _HELPERS | {"skills_named": skills_named}
