"""What a learner does: courses, answers, progress."""

import json
import os
import threading
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.science.grading.answers import LARGEST
from madang.science.grading.tasks import Task, in_language
from madang.services.training import courses
from madang.services.training.acts import SEND
from madang.services.training.boxes import Program, Session, pool
from madang.services.training.courses import Course, Lesson
from madang.services.training.grader import Grade, check_ready, check_there, grade
from madang.services.training.models import Answer, ChangedGrade, ClassMember, TrainingClass

MOST = 30  # answers to one task
_turns = threading.BoundedSemaphore(2 * (os.cpu_count() or 1))  # boxes at work at once; others wait for their turn
WITHIN = timedelta(minutes=10)


class Standing(NamedTuple):
    """How somebody stands in a task: the best score, how often they tried, the last answer."""

    score: float
    tries: int
    waiting: float = 0.0
    changed: bool = False


Key = tuple[str, str]  # lesson, task


def home_of(node: Node) -> Path:
    """Where the installation's own courses are."""
    return node.home.path


def send(node: Node, actor: Actor, course: str, lesson: str, task: str, text: str) -> Grade:
    """Grade an answer and keep it. Errors: those of the grader, `answer.too_often`, `class.none` out of its dates."""
    known = courses.find_course(course, home_of(node))
    place = known.lesson(lesson)
    wanted = place.task(task)
    check(actor, SEND, Answer(owner_id=actor.person_id))
    if actor.person_id is None:
        raise MadangError(
            "answer.account", _("Answers are kept for people with an account."), _("Sign in with an account.")
        )
    from madang.services.training.passing import pass_back

    _check_pace(node, actor.person_id, course, task)
    check_ready(wanted)
    if len(text.encode("utf-8", "replace")) > LARGEST:
        raise MadangError("answer.large", _("The answer is larger than 1 MB."))
    data = text.replace("\r\n", "\n").encode("utf-8", "replace")
    with _turns:
        found = grade(wanted, data, take=_take, extra=_data(node, wanted, place))
    told = json.dumps([[each.met, each.hidden, each.text] for each in found.feedback])
    made = Answer(
        owner_id=actor.person_id,
        course=course,
        lesson=lesson,
        task=task,
        digest=known.digest,
        text=text.replace("\0", ""),
        score=found.score,
        largest=found.largest_score,
        waiting=found.waiting,
        feedback=told,
    )
    with doing(node, actor, SEND, lambda session: made) as done:
        done.tell(course=course, lesson=lesson, task=task, score=found.score, largest=found.largest_score)
        pass_back(done.session, node, actor.person_id, course)
    return found


def _take(program: Program) -> Session:
    """A box that waits."""
    return pool(program).take()


def missing_for(task: Task) -> str:
    """Why answers to a task cannot be judged on this machine, in a sentence; empty where they can."""
    try:
        check_there(task)
    except MadangError as error:
        return f"{error.message} {error.hint}"
    return ""


def make_ready(task: Task) -> None:
    """Have a box started for whoever reads the task, where that takes seconds."""
    if task.kind == "pipeline":
        pool("pipeline").make_ready()


def _data(node: Node, task: Task, lesson: Lesson) -> Mapping[str, Path]:
    """The lesson's data, where answers of the task read them; a box without is one that waits already."""
    from madang.services.training.data import for_learners

    return for_learners(node, lesson) if "/data" in in_language(task.text, "en") else {}


def course_data(node: Node, course: str) -> dict[str, Path]:
    """What the workspace of a course shows: path inside, path here. Errors: `course.none`, `lesson.data`."""
    from madang.services.training.data import of_course

    return of_course(node, courses.find_course(course, home_of(node)))


def _check_pace(node: Node, person: int, course: str, task: str) -> None:
    """Errors: `answer.too_often`, since who may try for ever learns hidden cases from scores."""
    with node.read() as session:
        since = now() - WITHIN
        count = session.scalar(
            select(func.count(Answer.id)).where(
                Answer.owner_id == person, Answer.course == course, Answer.task == task, Answer.created > since
            )
        )
    if (count or 0) >= MOST:
        raise MadangError(
            "answer.too_often",
            _("{count} answers to this task were sent within ten minutes.").format(count=MOST),
            _("Think about it, and come back in a while."),
        )


def last_answer(node: Node, actor: Actor, course: str, lesson: str, task: str) -> Answer | None:
    """The answer that somebody sent last."""
    if actor.person_id is None:
        return None
    with node.read() as session:
        return session.scalars(
            select(Answer)
            .where(Answer.owner_id == actor.person_id, Answer.course == course)
            .where(Answer.lesson == lesson, Answer.task == task)
            .order_by(Answer.id.desc())
            .limit(1)
        ).first()


def standings(node: Node, course: str, people: Iterable[int]) -> dict[int, dict[Key, Standing]]:
    """Of each person the standing in each task of a course that they tried; a teacher's change counts last."""
    wanted = list(people)
    made: dict[int, dict[Key, Standing]] = {person: {} for person in wanted}
    if not wanted:
        return made
    with node.read() as session:
        asked = session.connection().execute(
            select(
                Answer.owner_id,
                Answer.lesson,
                Answer.task,
                func.max(Answer.score),
                func.count(Answer.id),
                func.max(Answer.waiting),
            )
            .where(Answer.course == course, Answer.owner_id.in_(wanted))
            .group_by(Answer.owner_id, Answer.lesson, Answer.task)
        )
        # Of a large class there are tens of thousands: the driver's own tuples, of which no other objects are made.
        rows = asked.cursor.fetchall() if asked.cursor is not None else []
        asked.close()
        changed = session.execute(
            select(ChangedGrade.person_id, ChangedGrade.lesson, ChangedGrade.task, ChangedGrade.score)
            .where(ChangedGrade.course == course, ChangedGrade.person_id.in_(wanted))
            .order_by(ChangedGrade.id)
        ).all()
    alike: dict[tuple[float, int, float], Standing] = {}
    for person, lesson, task, score, tries, waiting in rows:
        key = (score, tries, waiting)
        if key not in alike:
            alike[key] = Standing(*key)
        made[person][lesson, task] = alike[key]
    for person, lesson, task, score in changed:
        before = made[person].get((lesson, task))
        made[person][lesson, task] = Standing(score, before.tries if before else 0, 0.0, changed=True)
    return made


def standing_of(node: Node, actor: Actor, course: str) -> dict[Key, Standing]:
    """One's own standing."""
    if actor.person_id is None:
        return {}
    return standings(node, course, [actor.person_id])[actor.person_id]


def share(course: Course, standing: dict[Key, Standing]) -> float:
    """The share of all points of a course, of the tasks that it has now."""
    got = sum(
        min(standing[lesson.name, task.name].score, task.largest)
        for lesson, task in course.tasks()
        if (lesson.name, task.name) in standing
    )
    return got / course.largest if course.largest else 0.0


def next_task(course: Course, standing: dict[Key, Standing]) -> tuple[str, str] | None:
    """Where somebody goes on: the first task without all points."""
    for lesson, task in course.tasks():
        found = standing.get((lesson.name, task.name))
        if found is None or found.score + found.waiting < task.largest:
            return lesson.name, task.name
    return None


def begun(node: Node, actor: Actor) -> set[str]:
    """The courses in which somebody sent an answer."""
    with node.read() as session:
        return set(session.scalars(select(Answer.course).where(Answer.owner_id == actor.person_id).distinct()))


def classes_of(node: Node, actor: Actor) -> list[TrainingClass]:
    """The open classes that somebody is in."""
    with node.read() as session:
        mine = select(TrainingClass).join(ClassMember).where(ClassMember.person_id == actor.person_id)
        return list(session.scalars(mine.where(TrainingClass.state == "open").distinct()))


def my_classes(node: Node, actor: Actor, course: str) -> list[TrainingClass]:
    """The open classes in which somebody takes a course."""
    if actor.person_id is None:
        return []
    with node.read() as session:
        return list(
            session.scalars(
                select(TrainingClass)
                .join(ClassMember)
                .where(ClassMember.person_id == actor.person_id, TrainingClass.course == course)
                .where(TrainingClass.state == "open")
                .distinct()
            )
        )


def titled(course: Course) -> str:
    """A course's title in the reader's language."""
    return in_language(course.title, language())
