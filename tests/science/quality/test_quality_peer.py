"""The answers on a real common data model are those of DataQualityDashboard's own SQL, for all 2,374 checks."""

import csv
from datetime import date

import cdm_data
import twin

from madang.lake.engine import Engine
from madang.science.quality.checks import default_checks
from support import shared_data

DIFFERENT: dict[str, str] = {}
"""Checks whose answer is not the peer's under `compatible`, each with the reason why ours is right: none."""


def test_the_twin_answers_every_check_as_the_peer_did() -> None:
    checks = default_checks(compatible=True)
    with shared_data("dqd-answers-synthea27nj.csv").open(encoding="utf-8") as file:
        peer = {
            check.id: (float(row["violated"]), float(row["denominator"]))
            for check, row in zip(checks, csv.DictReader(file), strict=True)
        }
    with Engine() as engine:
        cdm_data.load_csv_folder(engine, shared_data("omop-synthea27nj"))
        counts = twin.count(engine, checks, today=date(2026, 11, 23), compatible=True)
    ours = {check: (count.violated, count.denominator) for check, count in counts.items()}
    assert {check for check in peer if ours.get(check) != peer[check]} == set(DIFFERENT)
