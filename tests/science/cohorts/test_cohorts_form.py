"""Forms and workbooks: what they say is what a walk person by person finds, and every mistake is one sentence."""

import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.cohorts import check, explain, load, members
from madang.science.cohorts.codes import CONCEPT, Book, Code, Concept, Resolved
from madang.science.cohorts.form import ConceptSet, Days, Event, Exit, Form, Range, Requirement, build
from madang.science.cohorts.form_file import read_form
from science.cohorts import walk
from science.cohorts.cohort_data import concept, make_version

DAY = date(2020, 1, 1)
DAYS = st.integers(0, 60).map(lambda n: DAY + timedelta(n))
SETS = {
    "one": ConceptSet((Code(CONCEPT, "1"),)),
    "narrow": ConceptSet((Code(CONCEPT, "1", descendants=False), Code(CONCEPT, "3"))),
    "without": ConceptSet((Code(CONCEPT, "1"), Code(CONCEPT, "2", excluded=True)), ("narrow",)),
}
BOOK = Book(
    "test",
    tuple(
        Resolved(code, "concept", (), (Concept(int(code.code), "", "Condition", "Test", "", "S", code.code),))
        for each in SETS.values()
        for code in each.codes
    ),
)
VOCABULARY = {
    "concept": [concept(n) for n in (1, 2, 3, 4)],
    "concept_ancestor": [
        {"ancestor_concept_id": a, "descendant_concept_id": b, "min_levels_of_separation": 0}
        for a, below in walk.BELOW.items()
        for b in sorted(below)
    ],
}


def _record(table: str, prefix: str, start: str, end: str | None, more: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields: dict[str, Any] = {
        "person_id": st.integers(1, 2),
        f"{prefix}_concept_id": st.integers(1, 4),
        start: DAYS,
        **more,
    }
    if end:
        fields[end] = st.none() | DAYS
    rows = st.lists(st.fixed_dictionaries(fields), max_size=5)
    return rows.map(lambda found: [{**row, f"{table}_id": n} for n, row in enumerate(found, 1)])


@st.composite
def data(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    """Two people with one or two observation periods each, or none, and records within and outside of them."""
    people = [
        {
            "person_id": n,
            "year_of_birth": draw(st.sampled_from([1950, 2000, None])),
            "gender_concept_id": draw(st.sampled_from([8507, 8532, 0])),
        }
        for n in (1, 2)
    ]
    periods = []
    for person in (1, 2):
        cuts = sorted(draw(st.lists(st.integers(0, 60), min_size=0, max_size=4, unique=True)))
        for first, last in zip(cuts[::2], cuts[1::2], strict=False):
            days = DAY + timedelta(first), DAY + timedelta(last)
            periods.append(
                {
                    "observation_period_id": len(periods) + 1,
                    "person_id": person,
                    "observation_period_start_date": days[0],
                    "observation_period_end_date": days[1],
                }
            )
    values = {"value_as_number": st.none() | st.integers(0, 4)}
    supply = {"days_supply": st.none() | st.integers(0, 20)}
    return {
        "person": people,
        "observation_period": periods,
        "condition_occurrence": draw(
            _record("condition_occurrence", "condition", "condition_start_date", "condition_end_date", {})
        ),
        "drug_exposure": draw(
            _record("drug_exposure", "drug", "drug_exposure_start_date", "drug_exposure_end_date", supply)
        ),
        "measurement": draw(_record("measurement", "measurement", "measurement_date", None, values)),
        "visit_occurrence": draw(_record("visit_occurrence", "visit", "visit_start_date", "visit_end_date", {})),
    }


RANGES = st.sampled_from([None, Range(20, None), Range(None, 69), Range(20, 20), Range(18, 64)])
SEXES = st.sampled_from(["", "", "male", "female"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """An event of any kind, narrowed down in any way."""
    kind = draw(st.sampled_from(["condition", "drug", "measurement", "visit"]))
    days = draw(st.none() | st.sampled_from([Days(DAY + timedelta(20)), Days(None, DAY + timedelta(40))]))
    value = draw(st.sampled_from([None, Range(2, None), Range(1, 3)])) if kind == "measurement" else None
    concepts = draw(st.sampled_from(["one", "narrow", "without", ""]))
    return Event(kind, concepts, draw(st.booleans()), draw(RANGES), draw(SEXES), days, value)


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    """A rule about events in a window, or about age and sex."""
    if draw(st.booleans()) and draw(st.booleans()):
        return Requirement("rule", age=Range(20, None), sex=draw(SEXES))
    low = draw(st.none() | st.integers(-30, 10))
    high = draw(st.none() | st.integers(low if low is not None else -30, 30))
    count = draw(st.sampled_from([Range(0, 0), Range(1, None), Range(2, None), Range(0, 1), Range(1, 1), Range(1, 2)]))
    found = draw(st.lists(events(), min_size=1, max_size=2))
    return Requirement("rule", tuple(found), (low, high), count)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """A whole form."""
    exits = [
        Exit(),
        Exit(days=draw(st.integers(0, 30)), after=draw(st.sampled_from(["start", "end"]))),
        Exit(drug="one", gap=draw(st.integers(0, 10))),
    ]
    return Form(
        "form",
        SETS,
        tuple(draw(st.lists(events(), min_size=1, max_size=2))),
        observed=(draw(st.sampled_from([0, 0, 5])), draw(st.sampled_from([0, 0, 5]))),
        take=draw(st.sampled_from(["first", "last", "all"])),
        require=tuple(draw(st.lists(requirements(), max_size=2))),
        exit=draw(st.sampled_from(exits)),
        join=draw(st.sampled_from([0, 0, 7])),
    )


@given(form=forms(), tables=data())
def test_a_form_finds_whom_a_walk_finds(form: Form, tables: dict[str, list[dict[str, Any]]]) -> None:
    definition = build(form, BOOK)
    with tempfile.TemporaryDirectory() as folder:
        version = make_version(Path(folder), {**VOCABULARY, **tables})
        found = [tuple(row.values()) for row in members(version, definition).to_pylist()]
    assert found == walk.members(form, tables)
    assert explain(definition)
    assert not [finding for finding in check(definition) if finding.severity == "error"]


def test_generated_forms_reach_everything_that_a_form_can_say() -> None:
    seen: Counter[str] = Counter()

    @given(form=forms())
    def look(form: Form) -> None:
        seen.update(event.kind for event in form.entry)
        seen.update(["take " + form.take, f"exit {form.exit.days is not None} {bool(form.exit.drug)}"])
        for rule in form.require:
            seen.update([f"rule of {len(rule.events)}", f"count {rule.count}", f"open {rule.window[0] is None}"])

    look()
    wanted = {"condition", "drug", "measurement", "visit", "take first", "take last", "take all", "rule of 1"}
    assert wanted <= set(seen)


FORM = """
name = "새 환자"
[sets.diabetes]
codes = ["OMOP:1"]
[sets.drug]
concepts = [3]
[entry]
events = [{ condition = "diabetes", age = "18..", first = true, from = 2020-01-05 }]
observed_before = 3
[[require]]
drug = "drug"
days = [-10, "any"]
count = ">=1"
[[require]]
sex = "여"
[exit]
days = 30
"""


def test_a_form_is_read_as_it_stands() -> None:
    form = read_form(FORM.encode())
    assert form.entry == (Event("condition", "diabetes", True, Range(18, None), "", Days(date(2020, 1, 5))),)
    assert form.observed == (3, 0) and form.exit == Exit(days=30)
    assert [rule.events for rule in form.require] == [(Event("drug", "drug"),), ()]
    assert form.require[0].window == (-10, None) and form.require[1].sex == "female"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[entry]", "[entri]", "has no entry 'entri'"),
        ('condition = "diabetes"', 'condition = "diabetis"', "no concept set “diabetis”"),
        ('age = "18.."', 'age = "64..18"', "ends before it begins"),
        ('age = "18.."', 'age = "old"', "must be a range"),
        ("days = [-10", "days = [10, 5] # ", "two numbers|no TOML|ends before"),
        ('count = ">=1"', 'count = ">=0"', "no constraint"),
        ('"OMOP:1"', '"E11"', "names no vocabulary"),
        ("[sets.drug]\nconcepts = [3]", '[sets.drug]\ninclude = ["drug"]', "in a circle"),
        ("from = 2020-01-05", 'from = "2020-13-01"', "no date"),
        ("observed_before = 3", "observed_before = -3", "whole number of days"),
        ('name = "새 환자"', "name = ", "no TOML"),
    ],
)
def test_a_mistake_in_a_form_is_one_sentence(before: str, after: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    assert before in FORM
    path.write_text(FORM.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(MadangError, match=said):
        load(path)
