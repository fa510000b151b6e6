"""A column that takes its value out of a text (`extract`), and entities with an alternate key: what references need."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.compile import compile_pack
from madang.science.standardize.intake.exact import Bad, value_of
from madang.science.standardize.intake.fields import Field, plan
from madang.science.standardize.pack import load_pack

PACK = """
name = "tiny"
version = "1"
license = "CC0-1.0"
[cdm_source]
cdm_source_name = "Tiny (synthetic)"
[sources.patient]
files = ["patient.ndjson"]
format = "ndjson"
key = ["id"]
[sources.patient.columns]
id = { type = "text", required = true, identifier = "pseudonym" }
mrn = { type = "text", identifier = "pseudonym" }
[sources.note]
files = ["note.ndjson"]
format = "ndjson"
[sources.note.columns]
subject = { type = "text", identifier = "pseudonym", extract = '/(\\w+)$', EXTRA }
said = { type = "text" }
[entities.person]
key = ["id"]
alternate_key = ["mrn"]
[events.note]
domain = "Observation"
type_concept_id = 32817
"""
PERSON = """
    select id, mrn, 0 as gender_concept_id, 1980 as year_of_birth, 0 as race_concept_id, 0 as ethnicity_concept_id,
        id as person_source_value
    from patient
"""
NOTE = """
    select reject_when(person.person_id is null and named.person_id is null, 'patient is unknown'),
        coalesce(person.person_id, named.person_id) as person_id, date '2020-01-01' as start_date,
        said as source_value, 5.0 as total_charge, 44818668 as currency_concept_id
    from note left join person on person.id = note.subject left join person as named on named.mrn = note.subject
"""


def write(folder: Path, toml: str = PACK, extra: str = "required = true", note: str = NOTE) -> Path:
    for name, text in {
        "pack.toml": toml.replace("EXTRA", extra),
        "entities/person.sql": PERSON,
        "events/note.sql": note,
    }.items():
        path = folder / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "tiny"


def run(
    folder: Path, patients: Sequence[Mapping[str, Any]], notes: Sequence[Mapping[str, Any]], **more: str
) -> Standardized:
    source = folder / "in"
    source.mkdir()
    for name, lines in (("patient", patients), ("note", notes)):
        (source / f"{name}.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return standardize(write(folder, **more), source, starter_path(), key=b"sixteen bytes or more")


def test_the_extracted_part_is_what_becomes_a_pseudonym(tmp_path: Path) -> None:
    people = [{"id": "a", "mrn": "1"}, {"id": "b"}, {"id": "c"}]
    notes = [
        {"subject": "Patient/a", "said": "x"},
        {"subject": "Patient/1", "said": "y"},
        {"subject": "Patient/c", "said": "z"},
    ]
    result = run(tmp_path, people, notes)
    found = result.sql(
        "SELECT o.observation_source_value AS said, person_id FROM observation o ORDER BY said"
    ).to_pylist()
    first, second, third = (row["person_id"] for row in found)
    assert first == second != third


def test_what_the_pattern_does_not_find_is_a_bad_value(tmp_path: Path) -> None:
    result = run(tmp_path, [{"id": "a"}], [{"subject": "nobody", "said": "x"}, {"subject": "Patient/a", "said": "y"}])
    assert [(r.fate, r.reason, r.lines) for r in result.report.reasons] == [
        ("rejected", "subject is no readable text", 1)
    ]


def test_an_optional_column_is_nulled_and_noted(tmp_path: Path) -> None:
    result = run(tmp_path, [{"id": "a"}], [{"subject": "nobody", "said": "x"}], extra="required = false")
    assert dict(result.report.repairs) == {"note.subject": 1}
    assert [r.reason for r in result.report.reasons] == ["patient is unknown"]


def test_two_rows_with_one_alternate_key_stop_the_run(tmp_path: Path) -> None:
    with pytest.raises(MadangError) as error:
        run(tmp_path, [{"id": "a", "mrn": "1"}, {"id": "b", "mrn": "1"}], [{"subject": "Patient/1", "said": "x"}])
    assert (error.value.code, "mrn" in error.value.message) == ("standardize.entity_key", True)


def test_they_stop_it_where_lines_are_lists_too(tmp_path: Path) -> None:
    note = """
        with listed as (select *, [{'item': 0, 'code': 'a'}, {'item': 1, 'code': 'b'}] as found from note)
        select reject_when(named.person_id is null, 'patient is unknown'), named.person_id as person_id,
            date '2020-01-01' as start_date, 'X' as vocabulary_id, unnest(found).code as code,
            unnest(found).item as item
        from listed left join person as named on named.mrn = listed.subject
    """
    toml = PACK.replace('domain = "Observation"', 'domain = "Observation"\nitems = 2')
    with pytest.raises(MadangError) as error:
        people = [{"id": "a", "mrn": "1"}, {"id": "b", "mrn": "1"}]
        run(tmp_path, people, [{"subject": "Patient/1", "said": "x"}], toml=toml, note=note)
    assert error.value.code == "standardize.entity_key"


def test_costs_may_name_their_currency(tmp_path: Path) -> None:
    result = run(tmp_path, [{"id": "a"}], [{"subject": "Patient/a", "said": "x"}])
    assert result.table("cost")["currency_concept_id"].to_pylist() == [44818668]


@pytest.mark.parametrize(
    ("extract", "said"),
    [("'('", "is no regular expression"), ("'a'", "needs exactly one group"), ("'(a)(b)'", "needs exactly one group")],
)
def test_a_pattern_without_one_group_is_refused(tmp_path: Path, extract: str, said: str) -> None:
    with pytest.raises(MadangError, match=said):
        load_pack(write(tmp_path, PACK.replace(r"'/(\w+)$'", extract)))


def test_only_text_is_extracted(tmp_path: Path) -> None:
    toml = PACK.replace('said = { type = "text" }', "said = { type = \"integer\", extract = '(.)' }")
    with pytest.raises(MadangError, match="only text has it"):
        load_pack(write(tmp_path, toml))


def test_an_alternate_key_is_a_column_of_the_select(tmp_path: Path) -> None:
    pack = load_pack(write(tmp_path, PACK.replace('alternate_key = ["mrn"]', 'alternate_key = ["mnr"]')))
    with Engine() as engine, pytest.raises(MadangError, match=r"entities\.person\.alternate_key: mnr is no column"):
        compile_pack(pack, engine)


WORD = st.from_regex(r"[A-Za-z0-9.-]{1,20}", fullmatch=True)
SYSTEM = st.sampled_from(["http://hl7.org/fhir/sid/us-npi", "urn:oid:1.2.410", "https://example.org/a/b"])


def reference_field() -> Field:
    (field,) = (one for one in plan(load_pack("fhir-r4").sources["encounter"]) if one.name == "patient")
    return field


@given(
    WORD,
    SYSTEM,
    st.sampled_from(["Patient", "Practitioner"]),
    st.sampled_from(["https://x.kr/fhir/", "http://h:8080/a_1/", ""]),
)
def test_every_form_of_a_reference_gives_its_last_part(word: str, system: str, kind: str, base: str) -> None:
    field = reference_field()
    forms = [
        f"{base}{kind}/{word}",
        f"{base}{kind}/{word}/_history/3",
        f"urn:uuid:{word}",
        f"{kind}?identifier={system}|{word}",
    ]
    assert [value_of(field, form) for form in forms] == [word] * 4


def test_what_is_no_reference_is_bad() -> None:
    for text in ("Patient/", "Patient?identifier=http://a|", "a|b"):
        with pytest.raises(Bad):
            value_of(reference_field(), text)
