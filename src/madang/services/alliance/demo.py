"""A tried study for the demo: two synthetic sites on this machine, and what each would be asked."""

import csv
import random

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.node import Node
from madang.node.people import Actor
from madang.services.alliance import shares
from madang.services.alliance.models import Share

ROWS = 400


def make(node: Node, progress: Progress) -> None:
    """Share synthetic people under the name demo-survival, if nothing is shared under it."""
    with node.read() as session:
        if session.scalar(select(Share.id).where(Share.name == "demo-survival")) is not None:
            return
    chance = random.Random(30)
    path = node.home.folder("alliance") / "demo-survival.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["time", "status", "age", "sex"])
        for _row in range(ROWS):
            age, sex = chance.randrange(40, 85), chance.randrange(1, 3)
            time = chance.expovariate(0.001 * 1.03 ** (age - 60) * (0.6 if sex == 2 else 1.0))
            writer.writerow([min(int(time) + 1, 1500), int(time < 1500), age, sex])
    shares.share(node, Actor.owner(), "demo-survival", file=path, units={"time": "d"}, country="KR",
                 vocabulary="synthetic")  # fmt: skip
    path.unlink()
