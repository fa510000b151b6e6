"""What a teacher does: classes with rosters, the gradebook, who is stuck, changed grades, tables taken away."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.accounts import find_organization
from madang.node.people.actor import Actor
from madang.node.people.models import Person
from madang.node.permissions import check, visible
from madang.node.text import clean_line, clean_prose
from madang.science.grading.items import Item, items, similarity
from madang.science.grading.tasks import in_language
from madang.services.training import courses
from madang.services.training.acts import CLOSE, OPEN, OVERRIDE, ROSTER, SEE_CLASS
from madang.services.training.grader import needs_boxes
from madang.services.training.models import Answer, ChangedGrade, ClassMember, TrainingClass
from madang.services.training.passing import pass_back
from madang.services.training.service import Key, Standing, home_of, standings

MOST_PEOPLE = 1_000
LARGEST = 1 << 20
ASSISTANTS = ("allowed", "say", "none")
STUCK_TRIES = 3
ALIKE = 0.8


@dataclass(frozen=True)
class Row:
    """Somebody in the gradebook."""

    member: ClassMember
    standing: dict[Key, Standing]
    score: float


@dataclass(frozen=True)
class Gradebook:
    """All grades of a class: its tasks (lesson, task, title, largest score), a row for each on the roster."""

    tasks: list[tuple[str, str, str, float]]
    rows: list[Row]
    largest: float


@dataclass(frozen=True)
class Stuck:
    """Somebody who is stuck: at which task, after how many tries, since when."""

    name: str
    number: str
    lesson: str
    task: str
    tries: int
    since: datetime


def open_class(
    node: Node,
    actor: Actor,
    *,
    title: str,
    course: str,
    organization: str = "house",
    ends: datetime | None = None,
    assistants: str = "say",
) -> int:
    """Open a course for a class; its number. Errors: `course.none`, `class.assistants`."""
    known = courses.find_course(course, home_of(node))
    if assistants not in ASSISTANTS:
        raise MadangError("class.assistants", _("There is no such rule about assistants."), ", ".join(ASSISTANTS))
    cleaned = clean_line(title, _("Title"), required=True)

    def make(session: Session) -> TrainingClass:
        place = find_organization(session, organization)
        return TrainingClass(
            title=cleaned,
            course=known.name,
            organization_id=place.id,
            owner_id=actor.person_id,
            ends=ends,
            assistants=assistants,
        )

    with doing(node, actor, OPEN, make) as done:
        done.tell(course=known.name)
        found = done.thing
    return found.id


def find_class(session: Session, number: int) -> TrainingClass:
    """A class by its number. Errors: `class.none`."""
    found = session.scalars(
        select(TrainingClass).where(TrainingClass.id == number).options(selectinload(TrainingClass.members))
    ).first()
    if found is None:
        raise MadangError("class.none", _("There is no class {number}.").format(number=number))
    return found


def see_class(node: Node, actor: Actor, number: int) -> TrainingClass:
    """A class, for its teachers. Errors: `class.none`."""
    with node.read() as session:
        found = find_class(session, number)
        check(actor, SEE_CLASS, found)
        session.expunge_all()
    node.audit.read(actor, SEE_CLASS.name, f"class:{number}")
    return found


def list_classes(node: Node, actor: Actor) -> list[TrainingClass]:
    """The classes that somebody may see."""
    with node.read() as session:
        wanted = select(TrainingClass).where(visible(actor, SEE_CLASS, TrainingClass))
        return list(session.scalars(wanted.order_by(TrainingClass.id.desc()).limit(200)))


def set_roster(node: Node, actor: Actor, number: int, people: Sequence[tuple[str, str, str, str]]) -> int:
    """Who is in a class: (student number, name, account, team) each. Those who are there stay; how many there are.

    An account that does not exist yet is linked once the roster is given again. Errors: `class.roster`.
    """
    if not people or len(people) > MOST_PEOPLE:
        raise MadangError("class.roster", _("A roster has 1 to {most} people.").format(most=MOST_PEOPLE))
    if len({each[0] for each in people}) != len(people):
        raise MadangError("class.roster", _("A student number is there twice."))
    with doing(node, actor, ROSTER, lambda session: find_class(session, number)) as done:
        known = {member.number: member for member in done.thing.members}
        logins = {each[2] for each in people if each[2]}
        accounts = {
            person.login: person.id for person in done.session.scalars(select(Person).where(Person.login.in_(logins)))
        }
        for student, name, login, team in people:
            member = known.get(student)
            if member is None:
                member = ClassMember(number=clean_line(student, _("Student number"), 60, required=True))
                done.thing.members.append(member)
            member.name = clean_line(name, _("Name"), 120, required=True)
            member.team = clean_line(team, _("Team"), 60)
            member.person_id = accounts.get(login, member.person_id)
        done.tell(course=done.thing.course, people=len(done.thing.members))
        return len(done.thing.members)


def read_roster(data: bytes) -> list[tuple[str, str, str, str]]:
    """A roster of a workbook or CSV file with the columns number, name, account and team (the last two may lack).

    Korean headings (학번, 이름, 아이디, 조) are known as well. Errors: `class.roster`.
    """
    rows = _workbook(data) if data[:2] == b"PK" or data[:4] == b"\xd0\xcf\x11\xe0" else _csv(data)
    names = {"number": 0, "학번": 0, "name": 1, "이름": 1, "성명": 1, "account": 2, "아이디": 2, "team": 3, "조": 3}
    if not rows:
        raise MadangError("class.roster", _("The roster is empty."))
    at = {names[cell.strip().lower()]: n for n, cell in enumerate(rows[0]) if cell.strip().lower() in names}
    if 0 not in at or 1 not in at:
        raise MadangError(
            "class.roster", _("The roster has no columns number and name."), _("Name them in the first row.")
        )
    made = []
    for row in rows[1:]:
        cells = [row[at[n]].strip() if n in at and at[n] < len(row) else "" for n in range(4)]
        if any(cells):
            made.append((cells[0], cells[1], cells[2], cells[3]))
    if any(not each[0] or not each[1] for each in made):
        raise MadangError("class.roster", _("Somebody on the roster has no number or no name."))
    return made


def _csv(data: bytes) -> list[list[str]]:
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return [row for row in csv.reader(io.StringIO(data.decode(encoding))) if row][: MOST_PEOPLE + 2]
        except (UnicodeDecodeError, csv.Error):
            continue
    raise MadangError("class.roster", _("The roster cannot be read."), _("Save it as CSV in UTF-8, or as a workbook."))


def _workbook(data: bytes) -> list[list[str]]:
    try:
        from python_calamine import CalamineWorkbook
    except ImportError:
        raise MadangError("class.roster", _("Workbooks cannot be read here."), _("Save it as CSV.")) from None
    try:
        found = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    except Exception:  # whatever the reader raises of a broken file
        raise MadangError("class.roster", _("The roster cannot be read."), _("Save it again, or as CSV.")) from None
    cells = [[_cell(cell) for cell in row] for row in found[: MOST_PEOPLE + 2]]
    return [row for row in cells if any(row)]


def _cell(value: Any) -> str:
    """A cell as text; a student number that a workbook took for a number has no decimals."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def gradebook(node: Node, found: TrainingClass) -> Gradebook:
    """All grades of a class that `see_class` gave."""
    course = courses.find_course(found.course, home_of(node))
    columns = [
        (lesson.name, task.name, in_language(task.title, language()), task.largest) for lesson, task in course.tasks()
    ]
    people = [member.person_id for member in found.members if member.person_id is not None]
    stands = standings(node, course.name, people)
    rows = []
    for member in found.members:
        standing = stands.get(member.person_id, {}) if member.person_id is not None else {}
        rows.append(Row(member, standing, sum(each.score for each in standing.values())))
    return Gradebook(columns, rows, course.largest)


def items_of(book: Gradebook) -> list[Item]:
    """How hard each task was, and how well it tells learners apart."""
    largest = {f"{lesson}/{task}": most for lesson, task, _title, most in book.tasks}
    scores = {
        row.member.number: {
            f"{lesson}/{task}": standing.score / largest[f"{lesson}/{task}"]
            for (lesson, task), standing in row.standing.items()
            if f"{lesson}/{task}" in largest
        }
        for row in book.rows
        if row.standing
    }
    return items(scores, list(largest))


def stuck(node: Node, found: TrainingClass) -> list[Stuck]:
    """Who tried a task several times and has no full score, the longest first."""
    course = courses.find_course(found.course, home_of(node))
    largest = {(lesson.name, task.name): task.largest for lesson, task in course.tasks()}
    members = {member.person_id: member for member in found.members if member.person_id is not None}
    made = []
    for person, standing in standings(node, course.name, members).items():
        for (lesson, task), each in standing.items():
            most = largest.get((lesson, task), 0.0)
            if each.tries >= STUCK_TRIES and each.score + each.waiting < most and not each.changed:
                member = members[person]
                made.append(Stuck(member.name, member.number, lesson, task, each.tries, now()))
    return sorted(made, key=lambda each: (-each.tries, each.number))


def alike(node: Node, found: TrainingClass) -> list[tuple[str, str, str, float]]:
    """Pairs of last answers to tasks of programs that are very alike: both student numbers, the task, how alike."""
    members = {member.person_id: member.number for member in found.members if member.person_id is not None}
    course = courses.find_course(found.course, home_of(node))
    programs = {task.name for _lesson, task in course.tasks() if needs_boxes(task)}
    with node.read() as session:
        sent = session.execute(
            select(Answer.owner_id, Answer.task, Answer.text)
            .where(Answer.course == found.course, Answer.owner_id.in_(members), Answer.task.in_(programs))
            .order_by(Answer.id)
        ).all()
    last = {(task, owner): text for owner, task, text in sent}
    made = []
    for task in sorted(programs):
        mine = sorted((members[owner], text) for (name, owner), text in last.items() if name == task)[:80]
        for n, (one, first) in enumerate(mine):
            for two, second in mine[n + 1 :]:
                value = similarity(first, second)
                if value >= ALIKE and len(first) > 80:
                    made.append((one, two, task, value))
    return sorted(made, key=lambda each: -each[3])[:50]


def unread(node: Node, found: TrainingClass) -> list[tuple[str, str, str]]:
    """Texts without a grade that wait for a teacher: student number, lesson/task, the last text."""
    members = {member.person_id: member.number for member in found.members if member.person_id is not None}
    with node.read() as session:
        graded = set[Any](
            session.execute(
                select(ChangedGrade.person_id, ChangedGrade.lesson, ChangedGrade.task).where(
                    ChangedGrade.course == found.course, ChangedGrade.person_id.in_(members)
                )
            ).all()
        )
        sent = session.scalars(
            select(Answer)
            .where(Answer.course == found.course, Answer.owner_id.in_(members), Answer.waiting > 0)
            .order_by(Answer.id)
        ).all()
    last = {(each.owner_id, each.lesson, each.task): each.text for each in sent}
    return [(members[key[0]], f"{key[1]}/{key[2]}", text) for key, text in last.items() if key not in graded][:100]


def override(
    node: Node, actor: Actor, number: int, *, student: str, lesson: str, task: str, score: float, reason: str
) -> None:
    """Give a grade in place of the grader's. Errors: `class.member`, `class.score`."""
    told = clean_prose(reason, _("Reason"), 2_000, required=True)
    with doing(node, actor, OVERRIDE, lambda session: find_class(session, number)) as done:
        found = done.thing
        member = next((each for each in found.members if each.number == student), None)
        if member is None or member.person_id is None:
            raise MadangError(
                "class.member", _("Nobody with an account has the student number {number}.").format(number=student)
            )
        largest = courses.find_course(found.course, home_of(node)).lesson(lesson).task(task).largest
        if not 0 <= score <= largest:
            message = _("The score has to be from 0 to {largest:g}.").format(largest=largest)
            raise MadangError("class.score", message)
        changed = ChangedGrade(
            class_id=found.id, person_id=member.person_id, course=found.course, lesson=lesson, task=task, score=score
        )
        changed.reason, changed.by_id = told, actor.person_id
        done.session.add(changed)
        pass_back(done.session, node, member.person_id, found.course)
        done.tell(person=member.person_id, task=f"{found.course}/{lesson}/{task}", score=score, reason=told)


def close_class(node: Node, actor: Actor, number: int) -> None:
    """Close a class; its grades stay."""
    with doing(node, actor, CLOSE, lambda session: find_class(session, number)) as done:
        done.tell(course=done.thing.course, people=len(done.thing.members))


def csv_of(book: Gradebook) -> str:
    """The gradebook as CSV; cells that a spreadsheet would take for a formula begin with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    heads = [f"{lesson}/{task}" for lesson, task, _title, _most in book.tasks]
    writer.writerow(["number", "name", "team", *heads, "score", "largest_score"])
    for row in book.rows:
        scores = [row.standing.get((lesson, task)) for lesson, task, _title, _most in book.tasks]
        cells = [row.member.number, row.member.name, row.member.team]
        told = [f"{each.score:g}" if each else "" for each in scores]
        writer.writerow([*map(_harmless, cells), *told, f"{row.score:g}", f"{book.largest:g}"])
    return out.getvalue()


def _harmless(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def xapi_of(node: Node, found: TrainingClass, origin: str) -> list[dict[str, Any]]:
    """What the class sent, as xAPI 1.0.3 statements; people are accounts of this installation by student number."""
    members = {member.person_id: member for member in found.members if member.person_id is not None}
    with node.read() as session:
        sent = session.scalars(
            select(Answer).where(Answer.course == found.course, Answer.owner_id.in_(members)).order_by(Answer.id)
        ).all()
    return [
        {
            "actor": {
                "objectType": "Agent",
                "name": members[each.owner_id].name,
                "account": {"homePage": origin, "name": members[each.owner_id].number},
            },
            "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered", "ko": "답함"}},
            "object": {
                "objectType": "Activity",
                "id": f"{origin}/training/{each.course}/{each.lesson}/{each.task}",
                "definition": {"type": "http://adlnet.gov/expapi/activities/question"},
            },
            "result": {
                "score": {
                    "scaled": each.score / each.largest if each.largest else 0,
                    "raw": each.score,
                    "min": 0,
                    "max": each.largest,
                },
                "success": each.score >= each.largest,
                "completion": each.waiting == 0,
            },
            "timestamp": each.created.isoformat(),
        }
        for each in sent
    ]


def feedback_of(answer: Answer) -> list[tuple[bool, bool, str]]:
    """What was said of an answer: met, hidden, text."""
    return [(bool(met), bool(hidden), str(text)) for met, hidden, text in json.loads(answer.feedback)]
