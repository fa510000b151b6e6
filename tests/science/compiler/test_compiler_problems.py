"""All problems of a pack at once: those that do not follow from one another, each once."""

from pathlib import Path

import pytest
from pack_kit import DX, PERSON, STAY, TOML, make_pack, write_pack

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.standardize.check import check_pack
from madang.science.standardize.compile import compile_pack, problems
from madang.science.standardize.pack import load_pack


def found(folder: Path, toml: str = TOML, **changed: str) -> list[str]:
    with Engine() as engine:
        pack = make_pack(folder, toml, **changed)
        all_of_them = problems(pack, engine)
        if all_of_them:
            with pytest.raises(MadangError) as first:
                compile_pack(pack, engine)
            assert str(first.value) == str(all_of_them[0])
    return [error.message for error in all_of_them]


def test_a_good_pack_has_none(tmp_path: Path) -> None:
    assert found(tmp_path) == []


def test_broken_selects_and_unmarked_columns_are_told_together(tmp_path: Path) -> None:
    toml = TOML.replace('SEX = { type = "text" }', 'SEX = { type = "text", header = "전화번호" }')
    toml = toml.replace('CODES = { type = "text" }', 'CODES = { type = "text", header = "환자명" }')
    messages = found(tmp_path, toml, stay=STAY.replace("DAY)", "DAZE)"), dx=DX.replace("CODES", "CODEZ").lower())
    assert [message.split(": ")[0] for message in messages] == [
        "clinic/pack.toml:17",
        "clinic/pack.toml:34",
        "clinic/entities/stay.sql:6:9",
        "clinic/events/dx.sql:6:11",
    ]


def test_a_select_that_needs_a_broken_entity_says_so(tmp_path: Path) -> None:
    first, *others = found(tmp_path, person=PERSON.replace("BORN", "BIRN", 1))
    assert first.startswith("clinic/entities/person.sql:2:")
    assert others == [
        "clinic/entities/stay.sql:9:11: the SELECT of person has a problem of its own; "
        "solve that first, then check again.",
        "clinic/events/dx.sql:6:11: the SELECT of stay has a problem of its own; solve that first, then check again.",
    ]


def test_a_source_that_a_broken_select_names_is_not_called_unread(tmp_path: Path) -> None:
    more = '[sources.lost]\nfiles = ["lost.csv"]\n[sources.lost.columns]\nA = { type = "text" }\n\n[entities.person]'
    broken = found(tmp_path, TOML.replace("[entities.person]", more), dx=DX.replace("CODES", "CODEZ"))
    assert len(broken) == 2
    assert broken[1].startswith("clinic/pack.toml:37: no SELECT reads the source lost")


def test_a_mistake_in_a_case_names_its_file_once(tmp_path: Path) -> None:
    write_pack(tmp_path)
    folder = write_pack(tmp_path, sql={"cases/one.toml": 'title = "x"\n[[given.nowhere]]\nPT = "1"\n'})
    (problem,) = check_pack(load_pack(folder))
    assert str(problem).count("clinic/cases/one.toml") == 1
