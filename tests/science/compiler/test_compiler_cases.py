"""Cases: written as files, run through the whole of standardize, and compared."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pack_kit import DX, SQL, TOML, write_pack

from madang.base.errors import MadangError
from madang.science.standardize.cases import load_case, same_value, unmatched, write_sources
from madang.science.standardize.check import check_pack
from madang.science.standardize.pack import load_pack

CASE = """\
title = "A diagnosis without its visit is rejected"
[[given.patient]]
PT = "1"
SEX = "M"
BORN = "1970-01-02"
PT_NAME = "홍길동"
[[given.patient]]
PT = "2"
[[given.visit]]
VISIT = "a"
PT = "1"
DAY = 2020-03-01
LAST = 2020-03-05
[[given.visit]]
VISIT = "b"
PT = "2"
DAY = 2020-03-01
[[given.dx]]
VISIT = "a"
CODES = "E11"
month = "2020-03"
[[given.dx]]
VISIT = "b"
CODES = "E12"
month = "2020-04"
[[expect.person]]
gender_concept_id = 8507
year_of_birth = 1970
[[expect.visit_occurrence]]
visit_start_date = 2020-03-01
visit_end_date = "2020-03-05"
provider_id = ""
[[expect.condition_occurrence]]
condition_source_value = "E11"
[expect]
death = []
[fates]
patient = ["used", "rejected: no birth date"]
visit = ["used", "rejected: no patient"]
dx = ["used", "rejected: no visit"]
"""
RULE = DX.replace("select", "select reject_when(stay.person_id is null, 'no visit'),")


def folder_with(tmp_path: Path, case: str, toml: str = TOML, dx: str = RULE) -> Path:
    return write_pack(tmp_path, toml, {**SQL, "events/dx.sql": dx, "cases/one.toml": case})


def test_a_case_that_is_right_has_no_problems(tmp_path: Path) -> None:
    assert check_pack(load_pack(folder_with(tmp_path, CASE))) == []


def test_a_case_that_is_wrong_says_what_came_instead(tmp_path: Path) -> None:
    wrong = CASE.replace("year_of_birth = 1970", "year_of_birth = 1971").replace('"rejected: no visit"', '"used"')
    wrong = wrong.replace("death = []", "visit_detail = []\ncondition_era = []")
    wrong += "\n[[expect.drug_exposure]]\nquantity = 1\n"
    problems = [str(problem) for problem in check_pack(load_pack(folder_with(tmp_path, wrong)))]
    assert problems == [
        "clinic/cases/one.toml:26: no row of PERSON has gender_concept_id = 8507, year_of_birth = 1971. "
        "The nearest has gender_concept_id = 8507, year_of_birth = 1970.",
        "clinic/cases/one.toml:43: no row of DRUG_EXPOSURE has quantity = 1. No other row came.",
        'clinic/cases/one.toml:41: row 2 of dx should be "used" and is "rejected: no visit".',
    ]


def test_rows_that_nobody_expects_are_a_problem(tmp_path: Path) -> None:
    bare = CASE.replace('[[expect.condition_occurrence]]\ncondition_source_value = "E11"\n', "")
    problems = check_pack(load_pack(folder_with(tmp_path, bare.replace("death = []", "condition_occurrence = []"))))
    assert len(problems) == 1
    assert problems[0].message.startswith("CONDITION_OCCURRENCE has a row that is not expected:")


def test_what_the_compiler_refuses_is_the_only_problem(tmp_path: Path) -> None:
    (problem,) = check_pack(load_pack(folder_with(tmp_path, CASE, dx=f"{DX} where AMT > 1")))
    assert str(problem).startswith("clinic/events/dx.sql:7:8: WHERE drops rows.")


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("[[given.patient]]\nPT", "[[given.patients]]\nPT", "2: given has no patients.", 'Did you mean "patient"?'),
        ('SEX = "M"', 'GENDER = "M"', "4: given.patient has no GENDER.",
         "Known here: PT, SEX, BORN, PT_NAME and _file."),
        ("year_of_birth = 1970", "year_of_brith = 1970", "28: expect.person has no year_of_brith.",
         'Did you mean "year_of_birth"?'),
        ('"used", "rejected: no visit"', '"used"', "40: fates need one text for each given row, in order.", ""),
        ('"rejected: no visit"', '"lost"',
         '40: a fate is "used", "rejected: reason" or "unused: rule", not \'lost\'.', ""),
        ("[expect]\n", 'vocabulary = "athena"\n[expect]\n', None, ""),
    ],
)  # fmt: skip
def test_a_mistake_in_a_case_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, message: str | None, hint: str
) -> None:
    pack = load_pack(folder_with(tmp_path, CASE.replace(old, new, 1)))
    with pytest.raises(MadangError) as refused:
        load_case(pack, pack.cases[0])
    assert refused.value.code == "pack.bad_case"
    if message:
        assert (refused.value.message, refused.value.hint) == (f"clinic/cases/one.toml:{message}", hint)


def test_files_of_a_case_are_those_of_the_holder(tmp_path: Path) -> None:
    toml = TOML.replace('files = ["visit.csv"]', 'files = ["visit_{year}.tsv"]\nformat = "tsv"\nencoding = "cp949"')
    toml = toml.replace('LAST = { type = "date",', 'LAST = { type = "date", header = "종료일",')
    pack = load_pack(folder_with(tmp_path, CASE, toml))
    out = tmp_path / "out"
    written = write_sources(pack, load_case(pack, pack.cases[0]), out)
    assert (out / "visit_1.tsv").read_bytes().decode("cp949") == (
        "VISIT\tPT\tDAY\t종료일\na\t1\t2020-03-01\t2020-03-05\nb\t2\t2020-03-01\t\n"
    )
    assert written.places["dx"] == [("dx_2020-03.csv", 2), ("dx_2020-04.csv", 2)]
    assert written.places["patient"] == [("patient.csv", 2), ("patient.csv", 3)]


def test_ndjson_values_stand_where_their_path_leads(tmp_path: Path) -> None:
    toml = TOML.replace('files = ["patient.csv"]', 'files = ["patient.ndjson"]\nformat = "ndjson"')
    toml = toml.replace('SEX = { type = "text" }', 'SEX = { type = "text", path = "a[1].b[0].c" }')
    pack = load_pack(folder_with(tmp_path, CASE, toml))
    written = write_sources(pack, load_case(pack, pack.cases[0]), tmp_path / "out")
    first, second = (tmp_path / "out" / "patient.ndjson").read_text("utf-8").splitlines()
    assert json.loads(first) == {
        "PT": "1", "BORN": "1970-01-02", "PT_NAME": "홍길동", "a": [None, {"b": [{"c": "M"}]}],
    }  # fmt: skip
    assert json.loads(second) == {"PT": "2"}
    assert written.places["patient"] == [("patient.ndjson", 1), ("patient.ndjson", 2)]


ROWS = st.lists(st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, 2, ""]), min_size=0), max_size=4)
CAME = st.fixed_dictionaries({"a": st.sampled_from([1, 2, None]), "b": st.sampled_from([1, None])})


@given(ROWS, st.lists(CAME, max_size=4))
def test_the_matching_is_the_best_of_all(expected: list[dict[str, Any]], actual: list[dict[str, Any]]) -> None:
    lonely, others = unmatched(expected, actual)

    def fits(wanted: dict[str, Any], row: dict[str, Any] | None) -> bool:
        return row is not None and all(same_value(value, row[name]) for name, value in wanted.items())

    places = [*range(len(actual)), *[None] * len(expected)]
    best = max(
        sum(fits(wanted, None if j is None else actual[j]) for wanted, j in zip(expected, chosen, strict=False))
        for chosen in permutations(places, len(expected))
    )
    assert len(expected) - len(lonely) == best == len(actual) - len(others)
