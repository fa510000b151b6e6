"""Outputs held against rules, declared queries computed again, and what a session's results may say."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from madang.base.errors import MadangError
from madang.research import open_study
from madang.science.privacy.outputs.compute import compute
from madang.science.privacy.outputs.judge import Finding, Status, judge, overall
from madang.science.privacy.outputs.queries import Kind, Query, query_of
from madang.science.privacy.outputs.recompute import Extract, Match, hold, told_counts
from madang.science.privacy.outputs.rules import Rules, read_rules, shipped
from support import shared_data

RULES = Rules()


def people(size: int = 300) -> pa.Table:
    """Synthetic people with an income that is mostly alike, and two rows each."""
    pick = random.Random(5)
    rows = []
    for i in range(size):
        person = {
            "person_id": i,
            "sex": pick.choice("FM"),
            "region": "island" if i < 4 else pick.choice(["north", "south"]),
            "age": pick.randint(20, 90),
            "income": 100.0 + pick.random(),
            "followed": pick.randint(1, 60),
            "died": pick.random() < 0.4,
        }
        rows += [person, {**person, "income": person["income"] + 1}]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def extract() -> Extract:
    once = people().filter(pa.array([i % 2 == 0 for i in range(600)]))
    return Extract.of({"person": once, "visits": people()})


def verdicts(extract: Extract, query: Query, rules: Rules | None = None) -> dict[str, Finding]:
    limits = rules or Rules()
    return {finding.criterion: finding for finding in judge(compute(extract.engine, query, limits), limits)}


def failed(extract: Extract, query: Query) -> set[str]:
    return {name for name, finding in verdicts(extract, query).items() if finding.status is Status.FAIL}


# -- a known checker's verdicts ---------------------------------------------------------------------------------------

CASES = {
    "count education x race": ("count", ["education", "race"], ""),
    "count education x sex": ("count", ["education", "sex"], ""),
    "count workclass x salary_class": ("count", ["workclass", "salary-class"], ""),
    "count native_country x sex": ("count", ["native-country", "sex"], ""),
    "mean age by race x sex": ("mean", ["race", "sex"], "age"),
    "mean age by native_country x salary_class": ("mean", ["native-country", "salary-class"], "age"),
    "pivot mean age by occupation": ("mean", ["occupation"], "age"),
    "pivot std age by workclass": ("standard deviation", ["workclass"], "age"),
    "count education x race with margins": ("count", ["education", "race"], ""),
}
CHECKS = {
    "MinimumThresholdCheck": "minimum_count",
    "PresenceOfZeroCheck": "zeros",
    "NKCheck": "dominance",
    "PPercentCheck": "p_percent",
}


def test_verdicts_are_those_of_the_known_checker() -> None:
    known = json.loads((shared_data("acro") / "cases_no_suppression.json").read_text())["cases"]
    options = pyarrow.csv.ParseOptions(delimiter=";")
    adult = Extract.of(
        {"adult": pyarrow.csv.read_csv(shared_data("arx_adult") / "adult.csv.gz", parse_options=options)}
    )
    rules = read_rules("zeros-disclosive-1")  # what that checker takes empty cells for
    assert {case["case"] for case in known} == set(CASES)
    for case in known:
        kind, by, variable = CASES[case["case"]]
        query = query_of({"kind": kind, "source": "adult", "by": by, "variable": variable})
        found = verdicts(adult, query, rules)
        assert overall(list(found.values())).value == case["status"], case["case"]
        for line in case["summary"].splitlines():
            name, _colon, said = line.strip().partition(": fail - ")
            if name in CHECKS:
                assert len(found[CHECKS[name]].cells) == int(said.split()[0]), (case["case"], name)


# -- attacks on numbers -----------------------------------------------------------------------------------------------


def test_a_column_of_zeros_with_a_single_one_times_the_data(extract: Extract) -> None:
    single = "SELECT *, CASE WHEN person_id = 7 THEN income ELSE 0 END AS probe FROM person"
    assert {"dominance", "p_percent", "contributors"} <= failed(extract, Query(Kind.MEAN, single, variable="probe"))


def test_a_value_copied_five_times_is_still_one_person(extract: Extract) -> None:
    copied = "SELECT p.*, CASE WHEN person_id = 7 THEN income ELSE 0 END AS probe FROM person p, range(5)"
    query = Query(Kind.SUM, copied, person="person_id", variable="probe")
    assert {"dominance", "contributors"} <= failed(extract, query)


def test_people_are_counted_not_rows(extract: Extract) -> None:
    query = Query(Kind.COUNT, "visits", by=("region",))
    assert (
        failed(extract, query) == {"minimum_count"} or verdicts(extract, query)["minimum_count"].status is Status.FAIL
    )
    by_person = compute(extract.engine, replace(query, person="person_id"), Rules())
    assert {group.key: group.people for group in by_person.groups}[("island",)] == 4


def test_minimum_and_maximum_are_people(extract: Extract) -> None:
    assert "extremes" in failed(extract, Query(Kind.QUANTILES, "person", variable="age", quantiles=(0.0, 0.5, 1.0)))
    assert "positions" in failed(extract, Query(Kind.QUANTILES, "person", variable="age", quantiles=(0.01,)))
    assert not failed(extract, Query(Kind.QUANTILES, "person", variable="age", quantiles=(0.25, 0.5, 0.75)))


def test_a_group_of_one_value(extract: Extract) -> None:
    assert failed(extract, Query(Kind.MEAN, "SELECT *, 1 AS one FROM person", variable="one")) == {"same_value"}


def test_a_coefficient_of_one_person(extract: Extract) -> None:
    marked = "SELECT *, (person_id = 7)::INT AS probe FROM person"
    query = Query(Kind.LINEAR, marked, outcome="income", terms=("age", "probe"))
    assert failed(extract, query) == {"marked"}
    assert failed(extract, Query(Kind.LINEAR, "person", outcome="income", terms=("age", "sex"))) == set()


def test_a_model_with_as_many_terms_as_people(extract: Extract) -> None:
    few = "SELECT * FROM person WHERE person_id < 12"
    assert "degrees_of_freedom" in failed(
        extract, Query(Kind.LINEAR, few, outcome="income", terms=("age", "sex", "followed"))
    )


def test_no_step_of_a_curve_is_a_person(extract: Extract) -> None:
    rules = Rules()
    answer = compute(extract.engine, Query(Kind.SURVIVAL, "person", by=("sex",), time="followed", event="died"), rules)
    assert len(answer.rows) > 4
    assert all(row["events"] >= rules.survival_step for row in answer.rows if row["time"])
    assert all(row["at_risk"] % rules.rounding == 0 and row["at_risk"] >= rules.survival_step for row in answer.rows)


def test_a_curve_is_that_of_the_textbook(extract: Extract) -> None:
    answer = compute(extract.engine, Query(Kind.SURVIVAL, "person", time="followed", event="died"), Rules())
    rows = extract.engine.rows("SELECT followed, died FROM person")
    for row in answer.rows:
        share = 1.0
        for time in sorted({time for time, died in rows if died and time <= row["time"]}):
            share *= 1 - sum(d and t == time for t, d in rows) / sum(t >= time for t, _died in rows)
        assert row["survival"] == pytest.approx(share)


# -- evidence that is computed again ----------------------------------------------------------------------------------


def rows_of(extract: Extract, query: Query) -> list[dict[str, Any]]:
    return [{name: str(value) for name, value in row.items()} for row in compute(extract.engine, query, Rules()).rows]


def test_only_the_numbers_of_the_declared_query_are_verified(extract: Extract) -> None:
    query = Query(Kind.MEAN, "person", by=("sex",), variable="income")
    rows = rows_of(extract, query)
    held = hold(query.document(), rows, extract.engine, Rules())
    assert held.match is Match.SAME
    shorter = [{**row, "mean": f"{float(row['mean']):.1f}"} for row in rows]
    assert hold(query.document(), shorter, extract.engine, Rules()).match is Match.SAME
    left_out = [{**row, "mean": ""} for row in rows]
    assert hold(query.document(), left_out, extract.engine, Rules()).match is Match.SAME


@pytest.mark.parametrize("forged", ["number", "row", "column", "doubled", "query", "no query"])
def test_forged_evidence_is_found(extract: Extract, forged: str) -> None:
    query = Query(Kind.MEAN, "person", by=("sex",), variable="income")
    rows, document = rows_of(extract, query), query.document()
    if forged == "number":
        rows[0]["mean"] = str(float(rows[0]["mean"]) + 0.001)
    elif forged == "row":
        rows[0]["sex"] = "X"
    elif forged == "column":
        rows[0]["oldest"] = "99"
    elif forged == "doubled":
        rows.append(rows[0])
    elif forged == "query":
        document["variable"] = "age"
    else:
        document = {}
    assert hold(document, rows, extract.engine, Rules()).match is not Match.SAME


def test_what_is_left_out_is_not_told(extract: Extract) -> None:
    query = query_of({"kind": "count", "source": "person", "person": "person_id", "by": ["sex"]})
    answer = compute(extract.engine, query, RULES)
    shown = [dict(row) for row in answer.rows]
    assert told_counts(answer, shown, RULES) == answer.counts(RULES)
    first, *rest = shown
    for fewer in ([{**first, "count": ""}, *rest], rest):  # a number or a whole row
        told = told_counts(answer, fewer, RULES)
        assert [value for _key, value in told["cells"]] == [None, *(row["count"] for row in rest)]
        assert told["suppressed"] == [0, None]


def test_rounded_counts_are_verified_as_such(extract: Extract) -> None:
    document = {"kind": "count", "source": "person", "person": "person_id", "by": ["sex"]}
    exact = compute(extract.engine, query_of(document), RULES)
    answer = compute(extract.engine, query_of({**document, "rounding": 7}), RULES)
    assert [row["count"] for row in answer.rows] == [(row["count"] + 3) // 7 * 7 for row in exact.rows]
    counts = answer.counts(RULES)
    assert counts["rounding"] == 7 and all(value % 7 == 0 for _key, value in counts["cells"])
    rows = [dict(row) for row in answer.rows]
    assert hold({**document, "rounding": 7}, rows, extract.engine, RULES).match is Match.SAME
    assert hold(document, rows, extract.engine, RULES).match is Match.DIFFERENT


def test_a_query_reads_the_extract_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "extract"
    folder.mkdir()
    pyarrow.parquet.write_table(people(), folder / "person.parquet")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    extract = Extract.of(folder)
    source = f"SELECT * FROM read_csv('{tmp_path}/secret.csv')"
    with pytest.raises(MadangError):
        compute(extract.engine, Query(Kind.COUNT, source), Rules())
    with pytest.raises(MadangError):
        compute(extract.engine, Query(Kind.COUNT, "DROP VIEW person"), Rules())


# -- a session --------------------------------------------------------------------------------------------------------


def test_a_study_saves_results_with_their_query(tmp_path: Path) -> None:
    study = open_study({"person": people().filter(pa.array([i % 2 == 0 for i in range(600)]))})
    output = study.table("person", ["region", "sex"])
    assert not output.ready and "island" in output.csv()
    assert all(row["count"] is None or row["count"] >= 10 or row["count"] == 0 for row in output.rows)
    csv, query, _figure = output.save(tmp_path / "results" / "regions")
    shown = pyarrow.csv.read_csv(csv).to_pylist()
    held = hold(json.loads(query.read_text()), shown, study.extract.engine, study.rules)
    assert held.match is Match.SAME
    assert "<svg" in output.plot()
    assert study.regression("person", "income", ["age"]).figure() is None


# -- rules ------------------------------------------------------------------------------------------------------------


def test_every_shipped_rulebook_reads_and_says_its_name() -> None:
    assert {read_rules(name).identifier for name in shipped()} == set(shipped())
    assert read_rules("standard-1") == Rules()


@pytest.mark.parametrize(
    "text",
    [
        "minimum_count = 'ten'",
        "minimum_count = 1",
        "minimum = 5",
        "zeros = 'never'",
        "dominance_k = 2.0",
        "= 3",
        "a = -1",
    ],
)
def test_rules_that_cannot_be_used_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(MadangError) as refused:
        read_rules(tmp_path / "own.toml")
    assert refused.value.code == "outputs.rules"


@pytest.mark.parametrize(
    "document",
    [
        *(None, [], {}, {"kind": "count"}, {"kind": "mean", "source": "a"}, {"kind": "count", "source": 3}),
        *({"kind": "x", "source": "a"}, {"kind": "count", "source": "a", "limit": 3}),
        {"kind": "quantiles", "source": "a", "variable": "b", "quantiles": [2]},
        *({"kind": "count", "source": "a", "rounding": each} for each in (1, -5, True, "5", 5.0, 1001)),
        {"kind": "mean", "source": "a", "variable": "b", "rounding": 5},
    ],
)
def test_queries_that_cannot_be_asked_are_refused(document: Any) -> None:
    with pytest.raises(MadangError) as refused:
        query_of(document)
    assert refused.value.code == "outputs.query"
