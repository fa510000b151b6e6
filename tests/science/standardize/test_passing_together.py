"""Files of a source that are read together give what each of them gives alone, whatever they hold."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.lake.engine import Engine, quote_paths
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, events, passing, sources, standardize
from madang.science.standardize.sources import Incoming

PACK = """
name = "yearly"
version = "1"
license = "CC0-1.0"
[cdm_source]
cdm_source_name = "Yearly (synthetic)"
[sources.people]
files = ["people.csv"]
key = ["PT"]
[sources.people.columns]
PT = { type = "text", required = true, identifier = "none" }
[sources.claims]
files = ["claims_{part}_{year}.csv"]
key = ["NO"]
period = "year"
within = WITHIN
[sources.claims.columns]
NO = { type = "integer", required = true }
PT = { type = "text", required = true, identifier = "none" }
DAY = { type = "date", format = "%Y%m%d" }
[sources.words]
files = ["words_{year}.csv"]
optional = true
key = ["NO"]
period = "year"
within = WITHIN
[sources.words.columns]
NO = { type = "integer", required = true }
WORD = { type = "text" }
[sources.lines]
files = ["lines_{part}_{year}.csv"]
key = ["ID"]
period = "year"
within = WITHIN
[sources.lines.columns]
ID = { type = "integer" }
NO = { type = "integer" }
CODE = { type = "text" }
[entities.person]
key = ["PT"]
[entities.visit_occurrence]
key = ["NO"]
type_concept_id = 32817
[events.dx]
domain = "Condition"
type_concept_id = 32817
vocabulary = "KCD7"
"""
PERSON = """select PT, 0 as gender_concept_id, 1980 as year_of_birth, 0 as race_concept_id, 0 as ethnicity_concept_id
from people"""
VISIT = """select reject_when(person.person_id is null, 'patient is unknown'), NO, person.person_id,
    9202 as visit_concept_id, DAY as visit_start_date, DAY as visit_end_date
from claims left join person on person.PT = claims.PT"""
BEGINNING = """select reject_when(v.person_id is null, 'no claim'), v.person_id, v.visit_start_date as start_date,
    v.visit_occurrence_id, v.NO::varchar as status, """
FORMS = {
    "by name": BEGINNING
    + """lines.CODE as code, w.WORD as code_name
from lines left join visit_occurrence v on v.NO = lines.NO left join words w on w.NO = lines.NO""",
    "in expressions": BEGINNING
    + """x.CODE as code, x.WORD as code_name
from (with named as (select w.*, p.PT from words w left join people p on p.PT = w.WORD)
      select l.*, n.WORD from lines l left join named n on l.NO = n.NO) x
left join visit_occurrence v on x.NO = v.NO and (v.NO > 1 or x.CODE is not null)""",
    "numbers hidden": BEGINNING
    + """lines.CODE as code, w.WORD as code_name
from lines left join visit_occurrence v on v.NO = lines.NO
left join (select NO, WORD from words) w on w.NO = lines.NO""",
    "using": BEGINNING
    + """lines.CODE as code, w.WORD as code_name
from lines left join visit_occurrence v using (NO) left join words w using (NO)""",
}
YEARS = ("2001", "2002", "2003")
FILES = [
    f"{name}_{part}_{year}.csv" if part else f"{name}_{year}.csv"
    for year in YEARS
    for name, parts in (("claims", "ab"), ("lines", "ab"), ("words", [""]))
    for part in parts
]
NUMBERS = st.integers(1, 6)
ROWS = {
    "claims": st.tuples(NUMBERS, st.sampled_from(["A", "B", "Z"]), st.sampled_from(["20010203", "20020203", ""])),
    "words": st.tuples(NUMBERS, st.sampled_from(["A", "one", ""])),
    "lines": st.tuples(
        st.one_of(st.integers(1, 8), st.just("")), st.one_of(NUMBERS, st.just("x")), st.sampled_from(["E11", "A00", ""])
    ),
}
EXPORTS = st.fixed_dictionaries({name: st.lists(ROWS[name.split("_")[0]], max_size=5) for name in FILES})


def pack(folder: Path, form: str, within: str) -> Path:
    for name, text in {
        "pack.toml": PACK.replace("WITHIN", within), "entities/person.sql": PERSON,
        "entities/visit_occurrence.sql": VISIT, "events/dx.sql": FORMS[form],
    }.items():  # fmt: skip
        path = folder / "yearly" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "yearly"


def put(folder: Path, files: Mapping[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "people.csv").write_text("PT\nA\nB\n")
    heads = {"claims": "NO,PT,DAY", "words": "NO,WORD", "lines": "ID,NO,CODE"}
    for name, rows in files.items():
        lines = [heads[name.split("_")[0]], *(",".join(map(str, row)) for row in rows)]
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def outcome(done: Standardized) -> tuple[Any, ...]:
    """All that a run says and keeps, files and their number aside."""
    fates = [path for name in ("fates", "repairs") for path in done.version.companion[name].paths]
    with Engine() as engine:
        told = engine.rows(f"SELECT * FROM read_parquet({quote_paths(fates)}, union_by_name = true) ORDER BY ALL")
    report = json.loads(json.dumps(done.report.as_json(), default=str))
    report.pop("seconds")
    return {name: table.content for name, table in done.version.tables.items()}, told, report


def run(folder: Path, form: str, within: str, source: Path, name: str) -> tuple[tuple[Any, ...], int]:
    dataset = Lake(folder / name / "lake", folder / name / "restricted").dataset("yearly")
    done = standardize(pack(folder, form, within), source, starter_path(), dataset)
    return outcome(done), len(done.version.info["parts"].get("dx", {}).get("condition_occurrence", ()))


@pytest.mark.parametrize("within", ["true", "false"])
@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(export=EXPORTS)
def test_together_and_alone(
    tmp_path_factory: pytest.TempPathFactory, form: str, within: str, export: Mapping[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("yearly")
    source = put(folder / "in", export)
    together, _ = run(folder, form, within, source, "together")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passing, "GROUP_BYTES", 0)
        patch.setattr(sources, "HELD_BYTES", 0)  # rows in the engine, not as they were read
        alone, _ = run(folder, form, within, source, "alone")
    assert together == alone


CLAIMS = [(1, "A", "20010203"), (2, "B", "20010203")]


@pytest.mark.parametrize(("form", "files"), [("by name", 1), ("in expressions", 1), ("numbers hidden", 2)])
def test_a_line_finds_no_claim_of_another_year(tmp_path: Path, form: str, files: int) -> None:
    source = put(
        tmp_path / "in",
        {
            "claims_a_2001.csv": CLAIMS,
            "claims_a_2002.csv": [(3, "A", "20020203")],
            "words_2001.csv": [(1, "one")],
            "lines_a_2001.csv": [(1, 1, "E11"), (2, 3, "E11")],
            "lines_a_2002.csv": [(3, 3, "E11"), (4, 1, "E11")],
            "lines_a_2003.csv": [(5, 1, "E11")],
        },
    )
    (_, fates, _), written = run(tmp_path, form, "true", source, "lake")
    assert [line for _, line, fate, reason, *_ in fates if reason == "no claim" and fate == "rejected"] == [3, 3, 2]
    assert written == files


def test_codes_that_share_a_number_stay_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = [(i, 1, code) for i, code in enumerate(["E11", "A00", "no such code", "", "E11"])]
    source = put(tmp_path / "in", {"claims_a_2001.csv": CLAIMS, "lines_a_2001.csv": lines})
    numbered, _ = run(tmp_path, "using", "false", source, "numbered")
    monkeypatch.setattr(events, "_number", lambda vocabulary, code: f"length({code})::UBIGINT")
    shared, _ = run(tmp_path, "using", "false", source, "shared")
    assert numbered == shared
    assert numbered[2]["tables"]["condition_occurrence"] == 5


def test_files_without_periods_that_keep_apart_go_together(tmp_path: Path) -> None:
    source = put(tmp_path / "in", {"claims_a_2001.csv": CLAIMS, "lines_a_2002.csv": [(1, 1, "E11")]})
    put(source, {"lines_a_2003.csv": [(2, 2, "E11")]})
    (_, fates, _), written = run(tmp_path, "using", "false", source, "lake")
    assert not fates
    assert written == 1


def test_an_error_names_its_file(tmp_path: Path) -> None:
    source = put(tmp_path / "in", {name: [] for name in FILES} | {"claims_a_2001.csv": CLAIMS})
    (source / "lines_b_2002.csv").write_text("NO,CODE\n1,E11\n")
    with pytest.raises(MadangError, match=r"lines_b_2002\.csv has no column ID") as error:
        standardize(pack(tmp_path, "by name", "true"), source, starter_path())
    assert error.value.code == "source.header"


def test_a_file_of_some_size_goes_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(passing, "GROUP_BYTES", 100)

    class File:
        def __init__(self, size: int, period: str) -> None:
            self.path, self.size = tmp_path / "a.csv", size
            self.file = self.registered = self
            self.period = period

    files: Any = [File(*one) for one in [(40, "1"), (40, "1"), (40, "2"), (120, "2"), (10, "2"), (20, "3")]]

    def sizes(by: bool) -> list[list[int]]:
        return [[one.size for one in group] for group in passing.groups(files, by_period=by)]

    assert sizes(False) == [[40, 40], [40], [120], [10, 20]]
    assert sizes(True) == [[40, 40], [40], [120], [10], [20]]
    assert not list(passing.groups(list[Incoming](), by_period=True))
