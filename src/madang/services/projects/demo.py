"""A project of the demo's researcher."""

from datetime import timedelta

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor, Person, Project
from madang.node.people.projects import make_project, note_approval

NAME = "demo-kidney"


def make(node: Node, progress: Progress) -> None:
    """Begin it, if it is not there; nothing if the demo's people are not there."""
    with node.read() as session:
        there = session.scalar(select(Project.id).where(Project.name == NAME))
        researcher = session.scalar(select(Person.id).where(Person.login == "demo-researcher"))
    if there is not None or researcher is None:
        return
    owner = Actor.owner()
    make_project(
        node,
        owner,
        NAME,
        "당뇨병 환자의 신장 합병증 (합성 데이터 데모) / Kidney disease in diabetes (synthetic demo)",
        purpose="데모용 과제입니다. 모든 데이터는 합성입니다. A project of the demo; all data are synthetic.",
        leader="demo-researcher",
    )
    given = now()
    note_approval(node, owner, NAME, "ethics", "데모 IRB (가상)", "DEMO-2026-001", given, given + timedelta(days=365))
