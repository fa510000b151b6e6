"""The default checks are those of DataQualityDashboard 2.8, by identifier and in its order."""

import csv
from collections import Counter

import pytest

from madang.science.omop import cdm
from madang.science.quality.checks import KINDS, default_checks, fingerprint
from madang.science.quality.model import Severity
from support import shared_data


def peer_ids() -> list[str]:
    """The identifiers of the peer's answers, put together as its getCheckId does."""
    with shared_data("dqd-answers-synthea27nj.csv").open(encoding="utf-8") as file:
        return [
            "_".join(
                part
                for part in (
                    KINDS[row["check"]].level,
                    row["check"],
                    row["table"],
                    row["field"],
                    row["concept"].replace(" ", ""),
                )
                if part
            ).lower()
            for row in csv.DictReader(file)
        ]


def test_the_default_checks_are_the_peers_in_its_order() -> None:
    assert [check.id for check in default_checks()] == peer_ids()


@pytest.mark.parametrize(("vocabulary", "count"), [(False, 2374), (True, 2533)])
def test_identifiers_are_unique_and_every_field_is_of_the_model(vocabulary: bool, count: int) -> None:
    checks = default_checks(vocabulary)
    assert len({check.id for check in checks}) == len(checks) == count
    assert {check.name for check in checks} == set(KINDS)
    for check in checks:
        assert not check.field or check.field in cdm.TABLES[check.table]
        other = cdm.TABLES[check.parameters.get("table", check.table)]
        for key in ("field", "standard", "source_value"):
            assert key not in check.parameters or check.parameters[key] in other


def test_severities_are_counted_as_the_peer_counts_them() -> None:
    assert Counter(check.severity for check in default_checks()) == {
        Severity.FATAL: 951,
        Severity.CONVENTION: 220,
        Severity.CHARACTERIZATION: 1203,
    }
    assert sum(KINDS[check.name].deprecated for check in default_checks()) == 372


def test_the_fingerprint_changes_with_a_threshold_only() -> None:
    checks = default_checks()
    assert fingerprint(checks) == fingerprint(reversed(checks))
    assert fingerprint(checks) != fingerprint(checks[1:])
    assert fingerprint(checks) != fingerprint(default_checks(compatible=True))
