"""Two requests of the demo's researcher: one that a rule refuses, and one that waits for its checkers."""

from sqlalchemy import func, select

from madang.base.progress import Progress
from madang.node.node import Node
from madang.node.people import Actor, Person
from madang.node.people.demo import demo_person
from madang.node.people.models import HOUSE, Project
from madang.services.release.acts import CHECKER
from madang.services.release.examine import Upload
from madang.services.release.models import Release
from madang.services.release.service import ask

PROJECT = "demo-kidney"
CHECKERS = ("demo-checker-1", "demo-checker-2")
SMALL = "stage,count\nI,120\nII,64\nIII,31\nIV,4\n"
GOOD = "stage,count\nI,120\nII,64\nIII or IV,35\n"


def make(node: Node, progress: Progress) -> None:
    """Ask, if nothing was asked yet; nothing if the demo's project is not there. Two people can judge it."""
    with node.read() as session:
        there = session.scalar(select(func.count()).select_from(Release))
        project = session.scalar(select(Project.id).where(Project.name == PROJECT))
        person = session.scalar(select(Person.id).where(Person.login == "demo-researcher"))
        if project is None or person is None:
            return
        actor = Actor.person(session, person)
    for login in CHECKERS:
        demo_person(node, login, CHECKER, HOUSE)
    if there:
        return
    says = "합성 데이터로 만든 병기별 인원. People by stage, of synthetic data."
    for content in (SMALL, GOOD):
        ask(node, actor, [Upload("stages.csv", content.encode(), says)], project=PROJECT, purpose="데모 / demo")
