"""A draft pack from a scan loads, compiles and passes its own first case; nothing in it is of a patient."""

import re
from pathlib import Path

import pytest
from scan_kit import hospital

from madang.base.errors import MadangError
from madang.science.standardize.check import check_pack
from madang.science.standardize.intake import check_files
from madang.science.standardize.new_pack import new_pack
from madang.science.standardize.pack import load_pack
from madang.science.standardize.scan import scan


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    folder = tmp_path_factory.mktemp("export")
    return folder, hospital(folder)


def test_the_draft_compiles_and_its_case_passes(export: tuple[Path, dict], tmp_path: Path) -> None:
    files, planted = export
    folder = new_pack("my-hospital", scan(files), tmp_path)
    pack = load_pack(folder)
    assert check_pack(pack) == []
    assert len(pack.cases) == 1
    assert check_files(files, list(pack.sources.values())) == []
    patient = pack.sources["patient"]
    marks = {column.name: column.identifier for column in patient.columns.values()}
    assert marks == {
        "등록번호": "pseudonym", "환자명": "direct", "주민등록번호": "direct", "휴대전화": "direct", "주소": "direct",
        "이메일": "direct", "성별": None, "생년월일": None,
    }  # fmt: skip
    assert patient.encoding == "cp949"
    assert pack.sources["lab"].period == "month"
    assert set(pack.entities) == {"person", "visit_occurrence"}
    assert pack.events["lab"].domain == "Measurement"
    text = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert text.count("DECIDE") > 10
    assert not [value for values in planted.values() for value in values if value in text]


def test_a_folder_without_persons_gives_sources_to_go_on_with(tmp_path: Path) -> None:
    (tmp_path / "codes.csv").write_text("code,title\nA,x\nB,y\n")
    folder = new_pack("codes", scan(tmp_path), tmp_path)
    pack = load_pack(folder)
    assert list(pack.sources) == []
    assert "# [sources.codes]\n" in (folder / "pack.toml").read_text(encoding="utf-8")
    assert not pack.entities
    assert "`codes`" in (folder / "README.md").read_text()


def test_odd_headers_become_names_and_keep_their_header(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('1st "value",a b,A-B\n1,2,3\n'.replace('"value"', "value"))
    folder = new_pack("x", scan(tmp_path), tmp_path)
    text = (folder / "pack.toml").read_text(encoding="utf-8").replace("[sources]\n", "")
    (folder / "pack.toml").write_text(re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE), encoding="utf-8")
    pack = load_pack(folder)
    assert [(c.name, c.header) for c in pack.sources["x"].columns.values()] == [
        ("c_1st_value", "1st value"),
        ("a_b", "a b"),
        ("A_B_2", "A-B"),
    ]


def test_bad_names_and_existing_folders_are_refused(export: tuple[Path, dict], tmp_path: Path) -> None:
    found = scan(export[0], rows=5)
    for name in ("My Hospital", "../x", ""):
        with pytest.raises(MadangError):
            new_pack(name, found, tmp_path)
    new_pack("twice", found, tmp_path)
    with pytest.raises(MadangError, match="exists"):
        new_pack("twice", found, tmp_path)
