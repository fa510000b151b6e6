"""Simulated hospitals for the demo: a study that was tried on them, and one that waits for a decision here."""

import csv
import io
import random
import secrets

import pyarrow as pa
import pyarrow.csv
from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.node import Node
from madang.node.people import Actor
from madang.science.federated.study import read_study
from madang.services.alliance import answering, coordinate, shares, simulated
from madang.services.alliance.models import Partner, Share

ROWS = 400
DATA = "demo-survival"
HOSPITALS = ("simulated-hangang", "simulated-geumgang", "simulated-nakdong")
STUDY = """title = "성별과 생존 / Sex and survival (demo)"
purpose = "나이를 고려해도 성별에 따라 생존이 다른가 / Whether survival differs by sex once age is accounted for"

[cohort]
dataset = "demo-survival"
where = ["age >= 40"]

[estimator]
kind = "cox"
time = "time"
event = "status"
terms = ["age", "sex"]
bin = 30
per_site = true
"""
CURVES = """title = "성별 생존곡선 / Survival curves by sex (demo)"

[cohort]
dataset = "demo-survival"

[estimator]
kind = "kaplan-meier"
time = "time"
event = "status"
by = "sex"
bin = 30
"""
ASKED_OF_US = """title = "결정 연습용 연구: 실행하지 않음 / A study to decide on, which nobody will run (demo)"
purpose = "승인과 거절을 연습합니다 / To practise approving and refusing"

[cohort]
dataset = "demo-survival"

[estimator]
kind = "moments"
columns = ["age", "time"]
"""


def people(seed: int, shift: float = 0.0) -> pa.Table:
    """Made-up people who live longer if they are women, and shorter the older they are."""
    chance = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["time", "status", "age", "sex"])
    for _row in range(ROWS):
        age, sex = chance.randrange(40, 85), chance.randrange(1, 3)
        time = chance.expovariate(0.001 * 1.03 ** (age - 60) * (0.6 + shift if sex == 2 else 1.0))
        writer.writerow([min(int(time) + 1, 1500), int(time < 1500), age, sex])
    return pyarrow.csv.read_csv(io.BytesIO(text.getvalue().encode()))


def make(node: Node, progress: Progress) -> None:
    """Three simulated hospitals, made-up people here as well, two answers and a question; nothing if they are there."""
    owner = Actor.owner()
    about = {"units": {"time": "d"}, "country": "KR", "vocabulary": "synthetic"}
    with node.read() as session:
        shared = session.scalar(select(Share.id).where(Share.name == DATA)) is not None
        there = session.scalar(select(Partner.id).where(Partner.name == HOSPITALS[0])) is not None
    if not shared:
        path = node.home.folder("alliance") / f"{DATA}.csv"
        pyarrow.csv.write_csv(people(30), path)
        shares.share(node, owner, DATA, file=path, **about)  # type: ignore[arg-type]  # by name
        path.unlink()
    if there:
        return
    for place, name in enumerate(HOSPITALS):
        simulated.simulate(node, owner, name, DATA, people(31 + place, 0.1 * place), **about)
    for text in (STUDY, CURVES):
        asked = coordinate.ask(node, owner, read_study(text), simulated=True)
        coordinate.decided_and_run(node, owner, asked.id, 60.0, progress=progress)
    question = read_study(ASKED_OF_US)
    with node.read() as session:
        asker = session.scalars(select(Partner).where(Partner.name == HOSPITALS[0])).one()
    told = {"uid": secrets.token_hex(12), "digest": question.digest, "document": dict(question.document)}
    answering.receive(node, owner, asker.id, told)


__all__ = ["make"]
