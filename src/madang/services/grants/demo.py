"""Awards of a made-up funder for the demo: one promise kept, one late, one excused."""

from datetime import timedelta

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.node.database import now
from madang.node.node import Node
from madang.node.people import Actor, Project
from madang.services.grants import linking, service
from madang.services.grants.models import Award
from madang.services.grants.plans import AwardRow, Promised, Read

NUMBER = "DEMO-2026-0001"


def make(node: Node, progress: Progress) -> None:
    """Import them, if they are not there; link the demo's hospital record to what was promised."""
    owner = Actor.owner()
    with node.read() as session:
        if session.scalar(select(Award.id).where(Award.number == NUMBER)) is not None:
            return
        project = session.scalar(select(Project.name).where(Project.name == "demo-kidney"))
    today = now().date()
    promises = (
        Promised("ehr", "합성 병원 기록 / Synthetic hospital records", today + timedelta(days=20), "open", "CC0-1.0"),
        Promised("images", "합성 신장 영상 / Synthetic kidney images", today - timedelta(days=12), "controlled"),
        Promised("omics", "합성 전사체 / Synthetic transcriptomes", today + timedelta(days=200), "open"),
    )
    award = AwardRow(
        NUMBER,
        "데모 과제: 합성 데이터 공개 / Demo award: opening synthetic data",
        program="데모 사업 / Demo program",
        institution="데모용 병원(합성)",
        leader="demo-researcher",
        begins=today - timedelta(days=400),
        ends=today + timedelta(days=300),
        rule="publication-or-end",
        promises=promises,
    )
    service.import_awards(node, owner, Read((award,)), "demo", project=project or "")
    first = next(each for each in service.lines(node, owner, award=NUMBER) if each.promise.key == "ehr")
    try:
        linking.link(node, owner, first.promise.id, "demo-hospital")
    except MadangError:  # the demo's record is not there
        return
