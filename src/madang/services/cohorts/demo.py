"""The room's part of `madang demo`: a workbook's diabetes cohort on the shelf, counted on the insurer's data."""

from madang.base.progress import Progress
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.science.cohorts.load import of_file
from madang.science.omop.release import mapped_with
from madang.services.cohorts import service

DATASET = "demo-insurer"
FORM = """
name = "새로 진단된 제2형 당뇨병 (가상 자료)"
description = "Synthetic data: nobody in it exists."

[sets.diabetes]
codes = ["KCD:E11*"]
[sets.metformin]
codes = ["ATC:A10BA02"]

[entry]
events = [{ condition = "diabetes", first = true }]
take = "first"

[[require]]
name = "metformin within a year"
drug = "metformin"
days = [0, 365]
"""


def make(node: Node, progress: Progress) -> None:
    """Put the cohort on the shelf and have it counted, once."""
    lake = node.home.lake()
    if not lake.dataset(DATASET).exists:
        return
    version = lake.find(DATASET)
    words = mapped_with(lake, version)
    if words is None:
        return
    with progress.step(_("count a cohort")):
        from dataclasses import asdict

        loaded = of_file(FORM.encode(), ".toml", "diabetes", words)
        book = asdict(loaded.book) if loaded.book else None
        kept = service.keep(node, Actor.owner(), loaded.definition, name="new-diabetes", codes=book)
        cohort = service.see(node, Actor.owner(), kept.cohort.name)
        if not any(each.counts for each in cohort.versions):
            service.count(node, Actor.owner(), cohort.name, version.name)
