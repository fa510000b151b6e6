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
from madang.science.standardize.intake.references import Named, as_text, named
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
        ("rejected", "subject is no readable identifier", 1)
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


IDENTIFIED = """
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
id = { type = "text", required = true }
known = { type = "text", path = "identifier", identifiers = true, identifier = "none" }
[sources.note]
files = ["note.ndjson"]
format = "ndjson"
[sources.note.columns]
who = { type = "text" }
[entities.person]
key = ["id"]
names = ["known"]
[events.note]
domain = "Observation"
type_concept_id = 32817
"""


def test_a_row_is_found_by_any_name_that_it_alone_has(tmp_path: Path) -> None:
    person = """select id, from_json(known, '["VARCHAR"]') as known, 0 as gender_concept_id, 1970 as year_of_birth,
        0 as race_concept_id, 0 as ethnicity_concept_id, id as person_source_value from patient"""
    note = """select reject_when(named.id is null, 'nobody'), named.id as person_id, date '2020-01-01' as start_date,
        who as source_value from note left join person_known as named on named.name = note.who"""
    folder = write(tmp_path, IDENTIFIED, note=note)
    (folder / "entities" / "person.sql").write_text(person, encoding="utf-8")
    source = tmp_path / "in"
    source.mkdir()
    names = {"a": ["s|1", "t|2"], "b": ["s|3", "t|2", "s|3"], "c": [], "d": "no list", "e": [{"value": 5}]}
    for name, lines in (
        ("patient", [
            {"id": one, "identifier": [
                {"system": n.split("|")[0], "value": n.split("|")[1]} if isinstance(n, str) else n for n in known
            ] if isinstance(known, list) else known}
            for one, known in names.items()
        ]),
        ("note", [{"who": who} for who in ("s|1", "t|2", "s|3", "t|1", "|5")]),
    ):  # fmt: skip
        (source / f"{name}.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    result = standardize(folder, source, starter_path())
    found = (
        "SELECT person_source_value AS p, observation_source_value AS o FROM observation JOIN person USING (person_id)"
    )
    assert sorted(tuple(row.values()) for row in result.sql(found).to_pylist()) == [("a", "s|1"), ("b", "s|3")]
    assert result.report.sources["note"][3] == 3
    assert dict(result.report.repairs) == {"patient.known": 1}


def test_names_are_lists_of_texts(tmp_path: Path) -> None:
    folder = write(tmp_path, PACK.replace('alternate_key = ["mrn"]', 'names = ["mrn"]'))
    with Engine() as engine, pytest.raises(MadangError, match="a list of texts is needed"):
        compile_pack(load_pack(folder), engine)


WORD = st.from_regex(r"[A-Za-z0-9.-]{1,20}", fullmatch=True)
SYSTEM = st.sampled_from(["http://hl7.org/fhir/sid/us-npi", "urn:oid:1.2.410", "https://example.org/a/b"])
BASE = st.sampled_from(["https://x.kr/fhir", "http://h:8080/a_1"])
TYPES, BESIDES = ("Patient",), ("Group",)


@given(WORD, BASE)
def test_a_resource_of_the_type_and_of_this_export_is_found_by_id(word: str, base: str) -> None:
    for text in (f"Patient/{word}", f"Patient/{word}/_history/3", f"{base}/Patient/{word}", f"urn:uuid:{word}"):
        assert named(text, TYPES, BESIDES, base) == Named(id=word)


@given(WORD, SYSTEM, BASE)
def test_only_an_identifier_finds_by_identifier(word: str, system: str, base: str) -> None:
    logical = as_text({"identifier": {"system": system, "value": word}, "display": "somebody"})
    for text in (f"Patient?identifier={system}|{word}", f"{base}/Patient?identifier={system}%7C{word}", logical):
        assert named(str(text), TYPES, BESIDES, base) == Named(system=system, value=word)
    assert named(f"Patient?identifier={word}", TYPES, BESIDES, base) == Named(value=word)
    both = as_text({"reference": f"https://other.org/Patient/{word}", "identifier": {"value": word}})
    assert named(str(both), TYPES, BESIDES, base) == Named(value=word)


@given(WORD, BASE)
def test_what_is_of_another_type_or_server_names_nothing(word: str, base: str) -> None:
    for text in (
        f"Practitioner/{word}", f"https://other.org/fhir/Patient/{word}", word, "Patient/", "a|b",
        f"Practitioner?identifier=s|{word}", "Patient?identifier=s|", f"Patient/{word}/extra", f"/Patient/{word}",
    ):  # fmt: skip
        assert named(text, TYPES, BESIDES, base) is None
    assert named(f"Group/{word}", TYPES, BESIDES, base) == named(f"#{word}", TYPES, BESIDES, base) == Named()


def subject(**reference: Any) -> dict[str, Any]:
    return {"subject": reference, "code": {"text": "x"}, "valueString": "y", "effectiveDateTime": "2020-01-01"}


def observe(folder: Path, observations: Sequence[dict[str, Any]], **parameters: str) -> Standardized:
    """Two patients whose ids and numbers are each other's, and observations of them that say who is meant."""
    source = folder / "in"
    source.mkdir()
    patients = [
        {"id": "100", "identifier": [{"system": "urn:mrn", "value": "200"}], "birthDate": "1970"},
        {"id": "200", "identifier": [{"system": "urn:mrn", "value": "100"}], "birthDate": "1980"},
        {
            "id": "a",
            "identifier": [{"system": "urn:other", "value": "100"}, {"system": "urn:third", "value": "7"}],
            "birthDate": "1990",
        },
    ]
    for name, lines in (("Patient", patients), ("Observation", observations)):
        text = "".join(json.dumps({"id": str(i), **line}) + "\n" for i, line in enumerate(lines))
        (source / f"{name}.ndjson").write_text(text, encoding="utf-8")
    return standardize("fhir-r4", source, starter_path(), key=b"sixteen bytes or more", parameters=parameters)


def who(result: Standardized) -> list[int]:
    sql = "SELECT year_of_birth AS y FROM observation JOIN person USING (person_id) ORDER BY observation_id"
    return [row["y"] for row in result.sql(sql).to_pylist()]


def test_ids_and_identifiers_that_collide_stay_apart(tmp_path: Path) -> None:
    logical = {"system": "urn:other", "value": "100"}
    told = [
        (subject(reference="Patient/100"), 1970),
        (subject(reference="Patient?identifier=urn:mrn|100"), 1980),
        (subject(identifier=logical, type="Patient"), 1990),
        (subject(reference="https://elsewhere.org/Patient/9", identifier=logical), 1990),
        (subject(reference="Patient?identifier=200"), 1970),
        (subject(reference="Patient?identifier=urn:third|7"), 1990),  # not the first of its identifiers
        (subject(identifier={"value": "7"}), 1990),
        (subject(reference="Patient?identifier=urn:other|7"), None),
        (subject(reference="Patient/300"), None),
        (subject(reference="Patient?identifier=100"), None),  # two persons have that number
        (subject(reference="Practitioner/100"), None),
        (subject(reference="https://elsewhere.org/Patient/100"), None),
        (subject(identifier=logical, type="Practitioner"), None),
        (subject(reference="Group/100"), None),
    ]
    result = observe(tmp_path, [observation for observation, _ in told])
    assert who(result) == [year for _, year in told if year]
    assert set(result.sql("SELECT DISTINCT length(person_source_value) AS n FROM person")["n"].to_pylist()) == {32}
    assert result.report.sources["observation"][3] == sum(year is None for _, year in told)


def test_the_base_of_the_export_is_told_or_the_only_one(tmp_path: Path) -> None:
    own = [subject(reference="https://here.org/r4/Patient/100/_history/1")]
    other = [*own, subject(reference="https://there.org/r4/Patient/200")]
    for name, observations, parameters, years in (
        ("only", own, {}, [1970]),
        ("two", other, {}, []),
        ("told", other, {"base": "https://there.org/r4/"}, [1980]),
    ):
        (tmp_path / name).mkdir()
        result = observe(tmp_path / name, observations, **parameters)
        assert who(result) == years
        assert result.report.warnings


def test_an_encounter_of_another_type_is_no_visit_and_counted(tmp_path: Path) -> None:
    told = subject(reference="Patient/100") | {"encounter": {"reference": "Patient/100"}}
    result = observe(tmp_path, [told])
    assert result.table("observation")["visit_occurrence_id"].to_pylist() == [None]
    assert dict(result.report.repairs) == {"observation.encounter": 1}
