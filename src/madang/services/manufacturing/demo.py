"""This room's part of the demo: a campaign half way and ten past runs, one of them wrong; all synthetic."""

import csv
import io

from sqlalchemy import select

from madang.base.progress import Progress
from madang.node.node import Node
from madang.node.people import Actor, Project
from madang.services.manufacturing.models import Campaign

PROJECT, NAME = "demo-kidney", "demo-feed"
DESCRIPTION = """\
name = "feed"
batch = 2
experiments = 30
seed = 1

[start]
experiments = 8

[[factor]]
name = "feed_rate"
low = 0.0002
high = 0.003
unit = "L/h"

[[factor]]
name = "feed_from"
low = 24
high = 96
unit = "h"

[[factor]]
name = "temperature"
low = 32
high = 37
unit = "°C"

[[objective]]
name = "titer"
unit = "g/L"

[[limit]]
name = "ammonia"
most = 9.0
unit = "mmol/L"
"""


def make(node: Node, progress: Progress) -> None:
    """Begin the campaign and add the runs, if the demo's project is there and they are not."""
    with node.read() as session:
        project = session.scalar(select(Project).where(Project.name == PROJECT))
        there = session.scalar(select(Campaign.id).where(Campaign.name == NAME))
    if project is None or there is not None:
        return
    from madang.science.bioprocess.needs import needs
    from madang.services.manufacturing import cultivations, service

    needs("scipy")
    owner = Actor.owner()
    made = service.begin_campaign(
        node, owner, PROJECT, NAME, "급액 최적화 (합성) / Feed campaign (synthetic)", DESCRIPTION
    )
    for _round in range(3):
        found = service.see_campaign(node, owner, made.id)
        service.add_to_campaign(node, owner, made.id, _experiments(found.answer, 8 if not found.results else 2))
        progress.check()
    for name, table in _runs().items():
        cultivations.add_run(node, owner, PROJECT, name, table)
    plant = service.register_equipment(
        node, owner, PROJECT, "simulated-plant", "opc.tcp://127.0.0.1:4840/madang/plant", simulated=True
    )
    _studies(node, owner, plant.id)


def _studies(node: Node, owner: Actor, plant: int) -> None:
    """A twin, a loop of the foundry, good runs (jobs compute them), and a run of the simulated plant with a fault on
    the way, which begins when the portal opens."""
    from madang.services.manufacturing import cultivations, recording, studies
    from madang.services.manufacturing.samples import LOOP, RECIPE

    studies.compute_twin(node, owner, PROJECT, "급액과 온도 (합성) / Feed and temperature (synthetic)", RECIPE)
    studies.run_foundry(node, owner, PROJECT, "프로모터 (합성) / Promoters (synthetic)", LOOP)
    good = [f"run-{number:02d}" for number in range(1, 11) if number != 8]
    studies.learn_good_runs(node, owner, PROJECT, "정상 배양 (합성) / Good cultivations (synthetic)", good)
    plants = plant_runs()
    for name, table in plants.items():
        cultivations.add_run(node, owner, PROJECT, name, table)
    learned = studies.learn_good_runs(
        node, owner, PROJECT, "정상 플랜트 운전 (합성) / Good runs of the plant (synthetic)", list(plants)
    )
    recording.begin_recording(
        node,
        owner,
        plant,
        "진행 중인 배양 (모의) / A run going on (simulated)",
        unit="Production",
        golden=learned.id,
        faults=("cooling@60",),
        seconds=2_000.0,
        at_once=False,
    )


def plant_runs(count: int = 6) -> dict[str, str]:
    """Runs of the simulated plant's production reactor that went well, a reading each two hours."""
    from madang.science.bioprocess.plant.process import LONGEST, TAGS, Reactor

    out = {}
    for number in range(1, count + 1):
        reactor = Reactor("Production", 100.0, 100 + number)
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["hours", *TAGS])
        hour = 0.25
        while hour <= LONGEST - 1:
            values = reactor.advance(hour - reactor.hours)
            writer.writerow([f"{hour:g}", *(f"{values[tag]:.5g}" for tag in TAGS)])
            hour += 2.0
        out[f"plant-{number}"] = table.getvalue()
    return out


def _experiments(answer: str, count: int) -> str:
    """What the twin says of the experiments that the campaign asks for, with 2 percent noise."""
    import json
    from pathlib import Path
    from tempfile import TemporaryDirectory

    import numpy as np

    from madang.science.bioprocess.campaign import next_experiments, read_campaign
    from madang.science.bioprocess.twin.kinetics import STATES, kinetics
    from madang.science.bioprocess.twin.recipe import Change, Recipe
    from madang.science.bioprocess.twin.solve import solve

    told = [each["factors"] for each in json.loads(answer)["suggestions"]]
    if count > len(told):
        with TemporaryDirectory(prefix="madang-demo-") as folder:
            path = Path(folder) / "campaign.toml"
            path.write_text(DESCRIPTION)
            told = [each.point for each in next_experiments(read_campaign(path), count=count).experiments]
    random = np.random.default_rng(len(answer))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*told[0], "titer", "ammonia"])
    for point in told:
        changes = (
            Change(point["feed_from"], point["feed_rate"], 300.0, 15.0),
            Change(140.0, temperature=point["temperature"]),
        )
        recipe = Recipe(kinetics("cho"), 336.0, changes=changes)
        end = solve(recipe.batches(), recipe.times())[0, -1]
        titer, ammonia = (end[STATES.index(n)] * (1 + 0.02 * random.standard_normal()) for n in ("product", "ammonia"))
        writer.writerow([*point.values(), f"{titer:.4f}", f"{ammonia:.4f}"])
    return out.getvalue()


def _runs() -> dict[str, str]:
    """Ten runs of the twin with a little of chance; the eighth loses its feed for a day and a half."""
    import numpy as np

    from madang.science.bioprocess.twin.kinetics import STATES, kinetics
    from madang.science.bioprocess.twin.recipe import Change, Recipe
    from madang.science.bioprocess.twin.solve import solve

    random = np.random.default_rng(7)
    names = ("biomass", "substrate", "lactate", "product")
    out = {}
    for number in range(1, 11):
        stop = (Change(100.0, 0.0), Change(136.0, 0.0009)) if number == 8 else ()
        recipe = Recipe(
            kinetics("cho"),
            336.0,
            4.0,
            start={"biomass": 0.4 * random.lognormal(0, 0.04)},
            changes=(Change(48.0, 0.0009 * random.lognormal(0, 0.03), 300.0, 20.0), *stop),
        )
        states = solve(recipe.batches(), recipe.times())[0]
        table = io.StringIO()
        writer = csv.writer(table)
        writer.writerow(["hours", *names])
        for hour, row in zip(recipe.times(), states, strict=True):
            values = [row[STATES.index(n)] * (1 + 0.01 * random.standard_normal()) for n in names]
            writer.writerow([f"{hour:g}", *(f"{value:.4f}" for value in values)])
        out[f"run-{number:02d}"] = table.getvalue()
    return out
