"""A value that a SELECT cannot convert is named with SELECT, file and line; patterns are tried before any run."""

from pathlib import Path

import pytest
from small_clinic import SQL, run, write_pack

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.omop.maps import validate_maps
from madang.science.omop.starter import starter_path
from madang.science.omop.vocabulary import Vocabulary
from madang.science.standardize.compile import problems
from madang.science.standardize.mapping.model import SourceCode
from madang.science.standardize.mapping.suggest import names_of
from madang.science.standardize.pack import load_pack

FILES = {
    "patients": ["p,1980-01-01,M", "q,1970-01-01,F"],
    "visits_201301": ["1,p,20130105,", "2,q,20130106,"],
    "dx_201301": [f"1,{no},{100 + no}" for no in range(1, 40)] + ["2,1,I109"] + [f"2,{no},{no}" for no in range(2, 9)],
}


def test_a_cast_that_fails_names_select_file_and_line(tmp_path: Path) -> None:
    sql = SQL["events/diagnoses.sql"].replace("CODE as code", "cast(CODE as integer)::varchar as code")
    with pytest.raises(MadangError, match=r"pack/events/diagnoses\.sql, at dx_201301\.csv:41: .*I109"):
        run(tmp_path, FILES, {"events/diagnoses.sql": sql})


STAY = "'patient is unknown'), reject_when(cast(visits.PT as integer) = 1, 'x'),"


@pytest.mark.parametrize("entity", ["person", "stay"])
def test_and_in_an_entity_with_or_without_groups(tmp_path: Path, entity: str) -> None:
    name, old, new, line = {
        "person": ("entities/person.sql", "year(BORN) as", "cast(PT as integer) as", "patients.csv:2"),
        "stay": ("entities/stay.sql", "'patient is unknown'),", STAY, "visits_201301.csv:2"),
    }[entity]
    with pytest.raises(MadangError, match=line):
        run(tmp_path, FILES, {name: SQL[name].replace(old, new)})


def test_a_pattern_that_the_engine_does_not_know_is_found_by_the_check(tmp_path: Path) -> None:
    sql = SQL["events/diagnoses.sql"].replace("CODE as code", "regexp_extract(CODE, '(?<=a)b') as code")
    with Engine() as engine:
        (problem,) = problems(load_pack(write_pack(tmp_path, sql={"events/diagnoses.sql": sql})), engine)
    assert "is no regular expression of the engine" in problem.message
    assert problem.message.startswith("pack/events/diagnoses.sql:")


def test_a_misspelt_table_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    result = run(tmp_path, {**FILES, "dx_201301": []})
    assert result.table("measurement").num_rows == 0
    with pytest.raises(MadangError, match='Did you mean "measurement"'):
        result.table("mesurement")


def test_a_long_code_of_a_map_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"source_code,source_vocabulary_id,target_concept_id\n{'x' * 62},LOCAL,0\n", encoding="utf-8")
    with Engine() as engine:
        assert validate_maps([path], Vocabulary.from_folder(engine, starter_path())) == []


@pytest.mark.parametrize(
    ("code", "names", "searched"),
    [
        ("sodium", (), ("sodium",)),
        ("blood_gas|pH level", (), ("blood gas pH level",)),
        ("E11.9", (), ()),
        ("sodium", ("Na+",), ("Na+",)),
    ],
)
def test_a_code_that_is_a_word_is_searched_as_its_name(
    code: str, names: tuple[str, ...], searched: tuple[str, ...]
) -> None:
    assert names_of(SourceCode(vocabulary_id="L", code=code, names=names)) == searched
