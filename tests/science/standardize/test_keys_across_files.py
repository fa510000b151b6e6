"""A key holds across all files and runs of a source, and of versions of a resource the last one counts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.lake import Dataset, Lake
from madang.lake.engine import Engine
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, passing, standardize
from madang.science.standardize.trace import Tracer

PACK = """
name = "keyed"
version = "1"
license = "CC0-1.0"
[cdm_source]
cdm_source_name = "Keyed (synthetic)"
[sources.people]
files = ["people.csv"]
key = ["PT"]
[sources.people.columns]
PT = { type = "text", required = true, identifier = "none" }
[sources.dx]
files = ["dx_{part}.csv"]
key = ["NO"]
[sources.dx.columns]
NO = { type = "TYPE", required = true }
PT = { type = "text", required = true, identifier = "none" }
CODE = { type = "text" }
[entities.person]
key = ["PT"]
[events.dx]
domain = "Condition"
type_concept_id = 32817
vocabulary = "KCD7"
"""
PERSON = """select PT, 0 as gender_concept_id, 1980 as year_of_birth, 0 as race_concept_id, 0 as ethnicity_concept_id
from people"""
DX = """select reject_when(person.person_id is null, 'patient is unknown'), person.person_id,
    date '2020-01-01' as start_date, CODE as code from dx left join person on person.PT = dx.PT"""


def pack(folder: Path, kind: str = "integer") -> Path:
    for name, text in {
        "pack.toml": PACK.replace("TYPE", kind), "entities/person.sql": PERSON, "events/dx.sql": DX,
    }.items():  # fmt: skip
        path = folder / "keyed" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "keyed"


def put(folder: Path, files: Mapping[str, Sequence[tuple[Any, str]]]) -> Path:
    source = folder / "in"
    source.mkdir(exist_ok=True)
    (source / "people.csv").write_text("PT\nA\n", encoding="utf-8")
    for part, rows in files.items():
        text = "".join(f"{no},A,{code}\n" for no, code in rows)
        (source / f"dx_{part}.csv").write_text("NO,PT,CODE\n" + text, encoding="utf-8")
    return source


def codes(result: Standardized) -> list[str]:
    table = result.table("condition_occurrence")
    return sorted(table["condition_source_value"].to_pylist()) if table.num_rows else []


def reasons(result: Standardized) -> dict[str, int]:
    return {reason.reason: reason.lines for reason in result.report.reasons}


CODE_AND_NOTE = 'CODE = { type = "text" }\nNOTE = { type = "text" }'
SAME, OTHER = "same as an earlier row in all that is read", "key of an earlier row with other content"


@pytest.mark.parametrize("kind", ["integer", "text"])
def test_a_key_that_comes_again_in_another_file_is_rejected(tmp_path: Path, kind: str) -> None:
    source = put(tmp_path, {"1": [(1, "a"), (2, "b")], "2": [(2, "x"), (3, "c")], "3": [(5, "e"), (1, "a")]})
    result = standardize(pack(tmp_path, kind), source, starter_path())
    assert codes(result) == ["a", "b", "c", "e"]
    assert reasons(result) == {OTHER: 1, SAME: 1}


def test_a_row_whose_key_has_a_gap_is_known_by_all_that_it_says(tmp_path: Path) -> None:
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("keyed")
    spec = pack(tmp_path)
    toml = (spec / "pack.toml").read_text(encoding="utf-8").replace('key = ["NO"]', 'key = ["NO", "CODE"]')
    (spec / "pack.toml").write_text(toml.replace('CODE = { type = "text" }', CODE_AND_NOTE), encoding="utf-8")
    (spec / "events" / "dx.sql").write_text(DX.replace("CODE as code", "NOTE as code"), encoding="utf-8")

    def run(part: str, *lines: str) -> Standardized:
        source = put(tmp_path, {})
        (source / f"dx_{part}.csv").write_text("NO,PT,CODE,NOTE\n" + "\n".join(lines) + "\n", encoding="utf-8")
        return standardize(spec, source, starter_path(), into)

    assert codes(run("1", "1,A,,n1", "2,A,,n2", "1,A,,n3")) == ["n1", "n2", "n3"]
    result = run("2", "1,A,,n1", "1,A,,n4", "1,A,,n4", "1,A,x,n5")
    assert (codes(result), reasons(result)) == (["n1", "n2", "n3", "n4", "n5"], {SAME: 2})


def test_and_in_a_file_of_a_later_run(tmp_path: Path) -> None:
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("keyed")
    spec = pack(tmp_path)
    source = put(tmp_path, {"1": [(1, "a"), (2, "b")], "2": [(9, "i"), (4, "d")]})
    standardize(spec, source, starter_path(), into)
    (source / "dx_1.csv").unlink()  # what was read need not be there any more
    put(tmp_path, {"3": [(2, "x"), (4, "d"), (3, "c")]})
    result = standardize(spec, source, starter_path(), into)
    assert codes(result) == ["a", "b", "c", "d", "i"]
    assert reasons(result) == {OTHER: 1, SAME: 1}
    put(tmp_path, {"4": [(3, "y"), (10, "k")]})
    assert codes(standardize(spec, source, starter_path(), into)) == ["a", "b", "c", "d", "i", "k"]


def test_a_copy_of_a_file_is_not_read_and_named(tmp_path: Path) -> None:
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("keyed")
    spec, rows = pack(tmp_path), [(1, "a"), (2, "b")]
    result = standardize(spec, put(tmp_path, {"1": rows, "1 - copy": rows}), starter_path(), into)
    assert (codes(result), reasons(result)) == (["a", "b"], {})
    assert "dx_1 - copy.csv is byte for byte dx_1.csv, so it is not read." in result.report.warnings
    again = standardize(spec, put(tmp_path, {"renamed": rows}), starter_path(), into)
    assert not again.new
    assert "dx_renamed.csv is byte for byte dx_1.csv, so it is not read." in again.report.warnings


@settings(deadline=None, max_examples=8, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 12), st.sampled_from("ab")), min_size=1, max_size=6), min_size=1, max_size=4
    ),
    st.data(),
)
def test_generated_deliveries_leave_the_first_row_of_each_key(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[tuple[int, str]]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    into = Lake(folder / "lake", folder / "restricted").dataset("keyed")
    files = [[*rows, (100 + i, "a")] for i, rows in enumerate(files)]  # so that no file is another one
    run_at = data.draw(st.lists(st.booleans(), min_size=len(files), max_size=len(files)))
    run_at[-1] = True
    together = data.draw(st.sampled_from([0, passing.GROUP_BYTES]))
    first: dict[int, str] = {}
    result = None
    for i, rows in enumerate(files):
        put(folder, {str(i): rows})
        for no, code in rows:
            first.setdefault(no, code)
        if run_at[i]:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(passing, "GROUP_BYTES", together)  # 0: keys of the run's own files are kept, too
                result = standardize(pack(folder), folder / "in", starter_path(), into)
    assert result is not None
    assert codes(result) == sorted(first.values())


# Versions of FHIR resources


def resource(kind: str, identity: str, version: str | None = None, **more: Any) -> dict[str, Any]:
    meta = {"meta": {"lastUpdated": version}} if version else {}
    return {"resourceType": kind, "id": identity, **meta, **more}


def condition(said: str, version: str | None, identity: str = "c1") -> dict[str, Any]:
    more = {"subject": {"reference": "Patient/p"}, "onsetDateTime": "2020-01-01", "code": {"text": said}}
    return resource("Condition", identity, version, **more)


def deliver(folder: Path, into: Dataset | None, files: Mapping[str, Sequence[dict[str, Any]]]) -> Standardized:
    source = folder / "in"
    source.mkdir(exist_ok=True)
    patient = resource("Patient", "p", birthDate="1970-01-01")
    for name, lines in {"Patient": [patient], **files}.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (source / f"{name}.ndjson").write_text(text, encoding="utf-8")
    return standardize("fhir-r4", source, starter_path(), into, key=b"sixteen bytes or more")


def test_of_one_resource_the_last_version_counts_wherever_it_lies(tmp_path: Path) -> None:
    files = {
        "Condition.0": [condition("old", "2021-01-01T00:00:00Z"), condition("other", None, "c2")],
        "Condition.1": [condition("new", "2021-03-01T00:30:00+09:00")],
        "Condition.2": [condition("between", "2021-02-28T12:00:00Z"), condition("old", "2021-01-01T00:00:00Z")],
    }
    result = deliver(tmp_path, None, files)
    assert codes(result) == ["new", "other"]
    assert reasons(result) == {"replaced by a later version": 2, SAME: 1}
    assert any("Condition.0.ndjson:1" in w and "Condition.1.ndjson:1" in w for w in result.report.warnings)
    with Engine() as engine:
        rows = result.table("condition_occurrence").to_pylist()
        row = next(r["condition_occurrence_id"] for r in rows if r["condition_source_value"] == "new")
        lines = Tracer(result.version, engine).row("condition_occurrence", row).lines
    assert [(line.file.name, line.role) for line in lines] == [
        ("Condition.0.ndjson", "source"), ("Condition.1.ndjson", "correction"),
    ]  # fmt: skip


def test_a_later_version_in_a_later_run(tmp_path: Path) -> None:
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("fhir")
    deliver(tmp_path, into, {"Condition.0": [condition("old", "2021-01-01T00:00:00Z")]})
    result = deliver(tmp_path, into, {"Condition.1": [condition("new", "2021-02-01T00:00:00Z")]})
    assert codes(result) == ["new"]
    assert codes(deliver(tmp_path, into, {"Condition.2": [condition("x", "2020-01-01T00:00:00Z")]})) == ["new"]
    assert codes(deliver(tmp_path, into, {"Condition.3": [condition("y", "2022-01-01T00:00:00Z")]})) == ["y"]


def test_and_one_whose_earlier_files_are_gone_stops_with_a_sentence(tmp_path: Path) -> None:
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("fhir")
    deliver(tmp_path, into, {"Condition.0": [condition("old", "2021-01-01T00:00:00Z")]})
    (tmp_path / "in" / "Condition.0.ndjson").unlink()
    with pytest.raises(MadangError, match=r"Condition\.0\.ndjson is not in"):
        deliver(tmp_path, into, {"Condition.1": [condition("new", "2021-02-01T00:00:00Z")]})


def test_what_earlier_records_named_in_vain_is_theirs_when_it_comes(tmp_path: Path) -> None:
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("fhir")
    subject, drug = {"subject": {"reference": "Patient/p"}}, {"medicationCodeableConcept": {"text": "drug"}}
    given: dict[str, Any] = subject | drug | {"id": "d", "whenHandedOver": "2020-01-02", "status": "completed"}
    given["authorizingPrescription"] = [{"reference": "MedicationRequest/r"}]
    late = condition("late", None) | {"id": "l", "subject": {"identifier": {"system": "urn:mrn", "value": "7"}}}
    first = deliver(tmp_path, into, {"MedicationDispense.1": [given], "Condition.1": [late]})
    assert first.table("drug_exposure")["drug_exposure_start_date"].to_pylist()[0].day == 2
    assert reasons(first) == {"patient is unknown": 1}
    (tmp_path / "in" / "Patient.2.ndjson").write_text(
        '{"id": "q", "birthDate": "1980", "identifier": [{"system": "urn:mrn", "value": "7"}]}\n', encoding="utf-8"
    )
    order = subject | drug | {"id": "r", "authoredOn": "2020-01-01", "status": "active", "intent": "order"}
    then = deliver(tmp_path, into, {"MedicationRequest.1": [order]})
    assert [day.day for day in then.table("drug_exposure")["drug_exposure_start_date"].to_pylist()] == [1]
    assert (codes(then), reasons(then)) == (["late"], {"its order is taken": 1})


def test_or_it_is_said_that_earlier_files_are_gone(tmp_path: Path) -> None:
    into = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("fhir")
    late = condition("late", None) | {"subject": {"reference": "Patient/q"}}
    deliver(tmp_path, into, {"Condition.1": [late]})
    (tmp_path / "in" / "Condition.1.ndjson").unlink()
    (tmp_path / "in" / "Patient.2.ndjson").write_text('{"id": "q", "birthDate": "1980"}\n', encoding="utf-8")
    then = deliver(tmp_path, into, {"Condition.2": [condition("new", None, "c2")]})
    assert codes(then) == ["new"]
    assert any("Rows of patient came that records of earlier files name" in told for told in then.report.warnings)
