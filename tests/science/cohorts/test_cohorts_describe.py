"""Descriptions: numbers that can be worked out by hand, and none that tells of too few people."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.science.cohorts import of_document
from madang.science.cohorts.describe import Described, Rate, Share, Step, describe
from madang.science.cohorts.describe import of_document as read
from madang.science.cohorts.hide import enough, groups, hidden
from madang.science.cohorts.overlap import overlap
from madang.science.cohorts.report import page
from madang.science.cohorts.workbook import read_workbook
from science.cohorts.cohort_data import concept, expression, make_version


def _tables() -> dict[str, list[dict[str, Any]]]:
    """Four people, observed for the years 2019 and 2020; 1, 2, 3 have concept 1, 3 has concept 2 before it."""
    starts = {1: "2019-07-01", 2: "2020-03-01", 3: "2020-07-01"}
    return {
        "concept": [concept(1, "one"), concept(2, "two")],
        "concept_ancestor": [{"ancestor_concept_id": n, "descendant_concept_id": n} for n in (1, 2)],
        "person": [
            {"person_id": n, "year_of_birth": 1950 + 10 * n, "gender_concept_id": 8507 if n < 3 else 8532}
            for n in (1, 2, 3, 4)
        ],
        "observation_period": [
            {
                "observation_period_id": n,
                "person_id": n,
                "observation_period_start_date": "2019-01-01",
                "observation_period_end_date": "2020-12-31",
            }
            for n in (1, 2, 3, 4)
        ],
        "condition_occurrence": [
            {"condition_occurrence_id": n, "person_id": n, "condition_concept_id": 1, "condition_start_date": start}
            for n, start in starts.items()
        ]
        + [
            {
                "condition_occurrence_id": 9,
                "person_id": 3,
                "condition_concept_id": 2,
                "condition_start_date": "2020-06-01",
            }
        ],
        "measurement": [],
    }


def _women() -> dict[str, Any]:
    group = {
        "Type": "ALL",
        "CriteriaList": [],
        "DemographicCriteriaList": [{"Gender": [{"CONCEPT_ID": 8532}]}],
        "Groups": [],
    }
    return expression(InclusionRules=[{"name": "women", "expression": group}])


def test_a_description_is_what_one_counts_by_hand(tmp_path: Path) -> None:
    version = make_version(tmp_path, _tables())
    found = describe(version, of_document(expression(), "ones"), minimum=1)
    assert (found.persons, found.entries) == (3, 3)
    assert [(each.first, each.persons) for each in found.years] == [(2019, 1), (2020, 2)]
    assert {(each.first, each.sex): each.persons for each in found.ages} == {(50, 8507): 2, (40, 8532): 1}
    days = {2019: 3 * 365 + 182, 2020: 61 + 183 + 366}  # at risk until the day of entry, that day included
    assert [(rate.first, rate.persons) for rate in found.incidence] == [(2019, 1), (2020, 2)]
    assert [rate.person_years for rate in found.incidence] == [round(days[y] / 365.25, 1) for y in (2019, 2020)]
    assert [(each.year, each.persons, each.observed) for each in found.prevalence] == [(2019, 1, 4), (2020, 3, 4)]
    features = {(each.name, each.before, each.after) for each in found.features}
    assert features == {("one", 0, 3), ("two", 1, 0)}
    assert read(found.document() | {"incidence": [vars(rate) for rate in found.incidence]}) == found
    assert "<svg" in page(found, of_document(expression(), "<b>ones</b>")) and "<b>ones" not in page(
        found, of_document(expression(), "<b>ones</b>")
    )


def test_the_attrition_counts_who_is_left_after_each_rule(tmp_path: Path) -> None:
    found = describe(make_version(tmp_path, _tables()), of_document(_women()), minimum=1)
    assert [(step.name, step.persons) for step in found.attrition] == [
        ("with a qualifying event", 3),
        ("women", 1),
        ("in the cohort", 1),
    ]


def test_overlap_counts_who_is_in_both(tmp_path: Path) -> None:
    version = make_version(tmp_path, _tables())
    definitions = [of_document(expression()), of_document(_women())]
    assert overlap(version, definitions) == [[3, 1], [1, 1]]
    assert overlap(version, definitions, minimum=2) == [[3, None], [None, None]]


counts = st.lists(st.integers(0, 30), min_size=1, max_size=12)


@given(counts=counts, minimum=st.integers(2, 12))
def test_neighbors_are_joined_until_each_group_is_enough(counts: list[int], minimum: int) -> None:
    joined = groups([[count] for count in counts], minimum)
    assert [place for first, last in joined for place in range(first, last + 1)] == list(range(len(counts)))
    sums = [sum(counts[first : last + 1]) for first, last in joined]
    assert all(enough(each, minimum) for each in sums) or len(joined) == 1


@given(
    steps=st.lists(st.integers(0, 40), min_size=1, max_size=6).map(lambda found: sorted(found, reverse=True)),
    years=counts,
    minimum=st.integers(2, 12),
)
def test_nothing_hidden_tells_of_too_few(steps: list[int], years: list[int], minimum: int) -> None:
    raw = Described(
        *("data@1", "m", "v", "d", "s", 1, sum(years), sum(years)),
        attrition=tuple(Step(str(n), count) for n, count in enumerate(steps)),
        years=tuple(Share(2000 + n, 2000 + n, count) for n, count in enumerate(years)),
        incidence=tuple(Rate(2000 + n, 2000 + n, count, 10.0) for n, count in enumerate(years)),
    )
    found = hidden(raw, minimum)
    shown = [step.persons for step in found.attrition if step.persons is not None]
    assert all(enough(count, minimum) for count in shown)
    assert all(enough(a - b, minimum) for a, b in pairwise(shown))
    assert all(enough(each.persons or 0, minimum) for each in (*found.years, *found.incidence))
    if found.persons is not None and found.years:
        assert sum(each.persons or 0 for each in found.years) == found.persons
    assert enough(found.persons or 0, minimum)


WORKBOOK = "목록,코드체계,코드,역할,하위\n당뇨병,KCD,E11,진입,\n약,ATC,A10BA02,동반,예\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_workbook_of_codes_is_read_in_the_encodings_it_comes_in(encoding: str) -> None:
    lists = read_workbook(WORKBOOK.encode(encoding), "mine", xlsx=False)
    assert lists.roles == {"당뇨병": "entry", "약": "with"}
    assert [code.code for code in lists.all_codes()] == ["E11", "A10BA02"]


def test_a_workbook_of_the_demos_codes_becomes_a_cohort(tmp_path: Path) -> None:
    from madang.lake import Engine, Lake
    from madang.science.cohorts.load import of_file
    from madang.science.omop.starter import starter_path
    from madang.science.omop.vocabulary import load_vocabulary

    lake = Lake(tmp_path / "lake", tmp_path / "restricted")
    with Engine() as engine:
        words = load_vocabulary(starter_path(), lake.dataset("words"), engine)
    loaded = of_file(WORKBOOK.encode(), ".csv", "mine", words)
    assert loaded.book is not None and not loaded.book.unmapped
    levels = {each.code.code: each.level for each in loaded.book.resolved}
    assert levels == {"E11": "codes below", "A10BA02": "class"}
    criteria = loaded.definition.document["PrimaryCriteria"]["CriteriaList"]
    assert [list(each) for each in criteria] == [["ConditionOccurrence"]]
    assert loaded.definition.rules == ["with 약"]
