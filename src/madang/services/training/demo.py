"""The room's part of `madang demo`: a class of made-up learners who sent some answers."""

import random

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.models import Person
from madang.services.training import courses, teaching
from madang.services.training.models import Answer, ClassMember, TrainingClass

TITLE = "Demo class"
COURSE = "data-foundations"
_FAMILY, _GIVEN = "김이박최정강조윤장임", ("가온", "나래", "다솜", "라온", "마루", "보미", "새롬", "아람")


def make(node: Node, progress: Progress) -> None:
    """A class of 12 people who do not exist, some of them stuck. Nothing runs: the grades are drawn."""
    with node.read() as session:
        if session.scalars(select(TrainingClass.id).where(TrainingClass.title == TITLE)).first() is not None:
            return
    number = teaching.open_class(node, Actor.owner(), title=TITLE, course=COURSE)
    course = courses.find_course(COURSE, node.home.path)
    chance = random.Random(27)
    with node.write() as session:
        for n in range(12):
            name = f"{chance.choice(_FAMILY)}{chance.choice(_GIVEN)}"
            person = Person(login=f"demo-learner-{n + 1:02}", name=name, disabled=now())
            session.add(person)
            session.flush()
            session.add(
                ClassMember(
                    class_id=number, number=f"2026{n + 1:04}", name=name, team=str(n % 4 + 1), person_id=person.id
                )
            )
            able = chance.random()
            for lesson, task in course.tasks():
                if chance.random() > 0.4 + able / 2:
                    continue
                for _try in range(1 + chance.randrange(4)):
                    score = task.largest if chance.random() < able else round(task.largest * chance.random())
                    session.add(
                        Answer(
                            owner_id=person.id,
                            course=course.name,
                            lesson=lesson.name,
                            task=task.name,
                            digest=course.digest,
                            text="",
                            score=float(score),
                            largest=task.largest,
                        )
                    )
