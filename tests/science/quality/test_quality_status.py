"""Thresholds and when a check is not applicable: hand-made counts and what must come of them."""

import pytest

from madang.science.quality.checks import KINDS, default_checks
from madang.science.quality.columns import Columns
from madang.science.quality.model import Check, Count, Result, Status
from madang.science.quality.status import fails, judge
from madang.science.quality.wording import hint, percent, rule, sentence

CHECKS = {check.id: check for check in default_checks()}
PERSON: Columns = {"person": {"person_id": "BIGINT", "gender_concept_id": "BIGINT"}}
FILLED = "field_measurevaluecompleteness_person_{}"


def verdict(check: str, columns: Columns, **counts: tuple[int, int]) -> Result:
    (result,) = judge([CHECKS[check]], {name: Count(*count) for name, count in counts.items()}, columns)
    return result


@pytest.mark.parametrize(
    ("threshold", "violated", "denominator", "expected"),
    [
        (None, 0, 10, False),
        (None, 1, 10, True),
        (0.0, 1, 10**9, True),
        (5.0, 5, 100, False),
        (5.0, 6, 100, True),
        (100.0, 10, 10, False),
        (1.0, 0, 0, False),
    ],
)
def test_thresholds(threshold: float | None, violated: int, denominator: int, expected: bool) -> None:
    assert fails(threshold, violated, denominator) is expected


def test_a_missing_table_fails_its_own_check_and_makes_all_others_not_applicable() -> None:
    table = "table_cdmtable_person"
    assert verdict(table, {}, **{table: (1, 1)}).status is Status.FAILED
    for check in CHECKS.values():
        if check.table == "person" and check.name != "cdmTable":
            result = verdict(check.id, {})
            assert result.status is Status.NOT_APPLICABLE and "person" in result.reason


def test_a_missing_field_fails_its_own_check_and_makes_others_not_applicable() -> None:
    columns: Columns = {"person": {"person_id": "BIGINT"}}
    own = "field_cdmfield_person_gender_concept_id"
    assert verdict(own, columns, **{own: (1, 1)}).status is Status.FAILED
    result = verdict("field_isrequired_person_gender_concept_id", columns)
    assert result.status is Status.NOT_APPLICABLE and "gender_concept_id" in result.reason


def test_empty_tables_and_fields_are_not_applicable_but_their_completeness_is() -> None:
    required, filled = "field_isrequired_person_gender_concept_id", FILLED.format("gender_concept_id")
    empty_table = {required: (0, 0), filled: (0, 0)}
    assert verdict(required, PERSON, **empty_table).status is Status.NOT_APPLICABLE
    empty_field = {required: (7, 7), filled: (7, 7)}
    assert verdict(required, PERSON, **empty_field).status is Status.NOT_APPLICABLE
    assert verdict(filled, PERSON, **empty_field).status is Status.FAILED
    some = {required: (3, 7), filled: (3, 7)}
    assert verdict(required, PERSON, **some).status is Status.FAILED


def test_what_could_be_asked_and_was_not_counted_is_an_error_and_never_a_pass() -> None:
    rows = {FILLED.format("gender_concept_id"): (0, 7), FILLED.format("person_id"): (0, 7)}
    assert verdict("field_isprimarykey_person_person_id", PERSON, **rows).status is Status.ERROR
    result = verdict("field_isforeignkey_person_gender_concept_id", PERSON, **rows)
    assert result.status is Status.ERROR and "vocabulary" in result.reason
    wrong: Columns = {"person": {"gender_concept_id": "VARCHAR"}, "concept": {"concept_id": "BIGINT"}}
    result = verdict("field_isforeignkey_person_gender_concept_id", wrong, **rows)
    assert result.status is Status.ERROR and "BIGINT" in result.reason


def test_era_completeness_asks_for_conditions_and_person_completeness_for_empty_tables() -> None:
    era = "table_measureconditioneracompleteness_condition_era"
    columns: Columns = {"condition_era": {"person_id": "BIGINT"}}
    assert verdict(era, columns).status is Status.NOT_APPLICABLE
    period = "table_measurepersoncompleteness_observation_period"
    columns = {"observation_period": {"person_id": "BIGINT"}, "person": {"person_id": "BIGINT"}}
    assert verdict(period, columns, **{period: (9, 9)}).status is Status.FAILED


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_kind_has_a_rule_a_failure_and_a_hint(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_LANG", language)
    by_kind: dict[str, Check] = {}
    for check in CHECKS.values():
        by_kind.setdefault(check.name, check)
    assert set(by_kind) == set(KINDS)
    for check in by_kind.values():
        failed = sentence(Result(check, Status.FAILED, 1, 3))
        for text in (rule(check), failed, hint(check)):
            assert (text and "{" not in text and text[-1] in ".}") or check.table
        assert check.name in ("cdmTable", "cdmField") or "33.33%" in failed


def test_a_share_is_never_rounded_to_none_or_all() -> None:
    check = next(iter(CHECKS.values()))
    assert percent(Result(check, Status.FAILED, 1, 10**6)) == "<0.01%"
    assert percent(Result(check, Status.FAILED, 10**6 - 1, 10**6)) == ">99.99%"
    assert percent(Result(check, Status.FAILED, 1, 2)) == "50%"
