"""What the CDM has no place for, what is less exact than it looks, and what another vocabulary moves."""

from pathlib import Path

import pytest
from small_clinic import PACK, SQL, run, write_files, write_pack

from madang.base.errors import MadangError
from madang.lake import Lake
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.report import Report

JANUARY = {
    "patients": ["p1,1980-02-03,M", "p2,1990-05-06,F"],
    "visits_201301": ["1,p1,20130104,", "2,p2,20130128,s1"],
    "sv_201301": ["1,1,C3711,,10", "2,1,C3750,,10", "2,2,650000100,30,10"],
}
DECLARED = """
[[imputed]]
of = "person"
column = "year_of_birth"
precision = "year"
rule = "as the patient said"

[[imputed]]
of = "services"
column = "start_date"
precision = "day"
rule = "the day of the visit"
"""


def made(folder: Path, toml: str) -> Standardized:
    return standardize(write_pack(folder, toml), write_files(folder / "in", JANUARY), starter_path())


def test_extra_columns_are_written_beside_the_entity(tmp_path: Path) -> None:
    done = made(
        tmp_path, PACK.replace('key = ["PT"]\n[entities.stay]', 'key = ["PT"]\nextra = ["PT"]\n[entities.stay]')
    )
    assert done.table("person_extra").to_pylist() == [
        {"person_id": person, "PT": name}
        for person, name in zip(done.table("person")["person_id"].to_pylist(), ("p1", "p2"), strict=True)
    ]


def test_extra_columns_of_others_tell_the_person_so_that_removal_finds_them(tmp_path: Path) -> None:
    done = made(tmp_path, PACK.replace('table = "visit_occurrence"', 'table = "visit_occurrence"\nextra = ["STAY"]'))
    assert done.table("stay_extra").column_names == ["visit_occurrence_id", "person_id", "STAY"]


def test_what_is_imputed_is_told_with_its_rule(tmp_path: Path) -> None:
    done = made(tmp_path, PACK + DECLARED)
    assert done.table("imputed").to_pylist() == [
        {
            "select": "person",
            "table": "person",
            "column": "year_of_birth",
            "precision": "year",
            "rule": "as the patient said",
        },
        {
            "select": "services",
            "table": None,
            "column": "start_date",
            "precision": "day",
            "rule": "the day of the visit",
        },
    ]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('of = "person"', 'of = "persons"', "pack.unknown_value"),
        ('precision = "year"', 'precision = "years"', "pack.unknown_value"),
        ('column = "start_date"', 'column = "start"', "pack.column_missing"),
        ('rule = "the day of the visit"', "", "pack.missing_key"),
        ('cdm_source_name = "Small', 'cdm_source_nam = "Small', "pack.unknown_key"),
        ('[cdm_source]', '[cdm_source]\nvocabulary_version = "1"', "pack.contradiction"),
        ('key = ["PT"]\n[entities.stay]', 'key = ["PT"]\nextra = ["P"]\n[entities.stay]', "pack.column_missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_at_its_line(tmp_path: Path, old: str, new: str, code: str) -> None:
    toml = (PACK + DECLARED).replace(old, new)
    assert toml != PACK + DECLARED
    with pytest.raises(MadangError, match=r"pack\.toml:\d+") as caught:
        made(tmp_path, toml)
    assert caught.value.code == code


def test_an_extra_column_that_parquet_readers_do_not_know_is_refused(tmp_path: Path) -> None:
    sql = SQL["entities/person.sql"].replace("select\n", "select [1] as listed,\n", 1)
    write_pack(
        tmp_path,
        PACK.replace('key = ["PT"]\n[entities.stay]', 'key = ["PT"]\nextra = ["listed"]\n[entities.stay]'),
        {"entities/person.sql": sql},
    )
    with pytest.raises(MadangError, match="listed is INTEGER") as caught:
        standardize(tmp_path / "pack", write_files(tmp_path / "in", JANUARY), starter_path())
    assert caught.value.code == "pack.column_type"


def other_vocabulary(folder: Path) -> Path:
    """The starter vocabulary in a later release, in which glucose (C3711) became an observation."""
    folder.mkdir()
    for path in Path(starter_path()).glob("*.csv"):
        lines = path.read_text().splitlines()
        if path.name == "CONCEPT.csv":
            codes = [line.split("\t") for line in lines]
            lines = [
                "\t".join([*cells[:2], "Observation", *cells[3:]]) if cells[0] == "3004501" else "\t".join(cells)
                for cells in codes
            ]
        (folder / path.name).write_text("\n".join(lines) + "\n")
    return folder


def test_another_vocabulary_makes_it_anew_and_tells_which_codes_moved(tmp_path: Path) -> None:
    first = run(tmp_path, JANUARY)
    assert first.report.tables["measurement"] == 2
    glucose = first.sql("select measurement_concept_id c from measurement where measurement_source_value = 'C3711'")
    assert glucose["c"].to_pylist() == [3004501]
    dataset = Lake(tmp_path / "lake", tmp_path / "restricted").dataset("clinic")
    again = standardize(tmp_path / "pack", tmp_path / "in", other_vocabulary(tmp_path / "later"), dataset)
    assert again.version.number == 2
    assert again.report.moved == (("EDI", "C3711", "measurement", "observation", 1),)
    assert (again.report.newly_mapped, again.report.newly_unmapped) == (0, 0)
    assert (again.report.tables["measurement"], again.report.tables["observation"]) == (1, 1)
    assert dataset.version(1).digest == first.version.digest


def test_codes_that_gain_or_lose_their_target_have_not_moved(tmp_path: Path) -> None:
    files = JANUARY | {"dx_201301": ["1,1,I109", "1,2,OWN1"]}
    first = run(tmp_path, files).report
    assert (first.newly_mapped, first.newly_unmapped) == (0, 0)
    maps = tmp_path / "pack/maps/own.csv"
    maps.parent.mkdir()
    maps.write_text("source_code,source_vocabulary_id,target_concept_id\nOWN1,KCD7,3004501\n")
    mapped = run(tmp_path, files).report
    assert (mapped.moved, mapped.newly_mapped, mapped.newly_unmapped) == ((), 1, 0)
    maps.unlink()
    unmapped = run(tmp_path, files).report
    assert (unmapped.moved, unmapped.newly_mapped, unmapped.newly_unmapped) == ((), 0, 1)
    assert Report.from_json(unmapped.as_json()).newly_unmapped == 1
