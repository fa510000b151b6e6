"""The files of the synthetic hospital: nobody's numbers, monthly deliveries in order, the same bytes again."""

import csv
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.synthesis import synthesize
from madang.science.synthesis.hospital import identity
from madang.science.synthesis.hospital.layout import SNAPSHOTS, layout

KEYS = {"PATIENT": ["환자번호"], "DRUGCODE": ["약품코드"], "DIAG": ["내원번호", "순번"], "DEATH": ["환자번호"]}
KEYS |= {"VISIT": ["내원번호"], "ORDER": ["처방번호"], "EXEC": ["실시번호"], "LAB": ["결과번호"]}
KEYS |= {"VITAL": ["측정번호"], "PROC": ["처치번호"]}


def make(folder: Path, dirt: int = 0, seed: int = 4, persons: int = 150) -> Path:
    synthesize("hospital", folder, persons=persons, seed=seed, start_year=2012, end_year=2013, dirt=dirt)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="cp949", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("export") / "hospital")


def test_the_same_arguments_give_the_same_bytes(clean: Path, tmp_path: Path) -> None:
    again, other = make(tmp_path / "again"), make(tmp_path / "other", seed=5)
    files = sorted(path.relative_to(clean) for path in clean.rglob("*") if path.is_file())
    assert [(again / name).read_bytes() for name in files] == [(clean / name).read_bytes() for name in files]
    assert (other / "VISIT_201301.csv").read_bytes() != (clean / "VISIT_201301.csv").read_bytes()


def test_there_is_a_file_for_every_table_and_month_and_it_says_that_it_is_synthetic(clean: Path) -> None:
    expected = {f"{table}.csv" for table in SNAPSHOTS}
    expected |= {
        f"{table}_{year}{month:02d}.csv"
        for table in set(layout()) - set(SNAPSHOTS)
        for year in (2012, 2013)
        for month in range(1, 13)
    }
    assert {path.name for path in clean.glob("*.csv")} == expected
    assert "no person in them exists" in (clean / "SYNTHETIC.txt").read_text(encoding="utf-8")
    for path in clean.glob("*.csv"):
        header = path.read_bytes().split(b"\r\n")[0].decode("cp949")
        assert header.split(",") == [column.header for column in layout()[path.stem.split("_")[0]]]


def test_corrections_and_withdrawals_come_after_what_they_change(clean: Path) -> None:
    operations: Counter[str] = Counter()
    for table, key in KEYS.items():
        known: dict[tuple[str, ...], str] = {}
        for path in sorted(clean.glob(f"{table}_*.csv")):
            seen = [(tuple(row[column] for column in key), row["변경구분"]) for row in rows_of(path)]
            for number, operation in seen:
                assert (operation == "I") == (number not in known), (path.name, number)
                assert known.get(number) != "D"
            assert len(seen) == len(dict(seen)), "a key comes once in a delivery"
            known |= dict(seen)
            operations.update(operation for _, operation in seen)
    assert set(operations) == {"I", "U", "D"}


def test_no_number_of_a_person_can_be_real(clean: Path) -> None:
    people = [row for path in clean.glob("PATIENT_*.csv") for row in rows_of(path)]
    assert people
    for row in people:
        found = re.fullmatch(r"\d\d(\d\d)\d\d-[1-4]\d{6}", row["주민등록번호"])
        assert found and 21 <= int(found[1]) <= 32
        assert re.fullmatch(r"010-[01]\d{3}-\d{4}", row["전화번호"])
        assert re.fullmatch(r"\d{7}-\d", row["환자번호"])


@given(st.integers(0, 2**32), st.dates(), st.booleans())
def test_a_resident_number_never_has_a_month(seed: int, birth: object, female: bool) -> None:
    number = identity.resident_number(np.random.default_rng(seed), f"{birth:%Y%m%d}".rjust(8, "0"), female)
    assert len(number) == 14
    assert int(number[2:4]) > 12


@given(st.sets(st.integers(0, 9_999_990), min_size=2))
def test_no_two_patients_have_one_number(numbers: set[int]) -> None:
    assert len({identity.patient_number(number) for number in numbers}) == len(numbers)


def test_what_the_laboratory_types_is_awkward(tmp_path: Path) -> None:
    folder = make(tmp_path / "hospital", persons=800)
    results = {row["검사결과"] for path in folder.glob("LAB_*.csv") for row in rows_of(path)}
    for pattern in (r"<0\.5", r"\d{1,3},\d{3}", r"\d+\.\d", "음성", "양성", r"\(-\)", r"1\+", "검체부족", ""):
        assert any(re.fullmatch(pattern, result) for result in results), pattern


@pytest.mark.parametrize("dirt", [0, 2])
def test_the_truth_has_a_fate_for_every_line(clean: Path, tmp_path: Path, dirt: int) -> None:
    folder = make(tmp_path / "dirty", dirt=dirt) if dirt else clean
    fates = pq.read_table(folder / "truth" / "fates.parquet").to_pylist()
    lines = {(row["file"], row["line"]) for row in fates}
    assert len(lines) == len(fates)
    assert lines == {
        (path.name, number + 1)
        for path in folder.glob("*.csv")
        for number, _ in enumerate(path.read_bytes().split(b"\n")[:-1])
        if number
    }
    assert {row["fate"] for row in fates} == {"used", "unused", "rejected"}


def test_an_unknown_kind_of_source_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match="no synthetic source 'clinic'"):
        synthesize("clinic", tmp_path / "x", persons=10)


def test_more_people_than_a_hospital_has_are_one_sentence_and_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(MadangError, match="too many for one hospital"):
        make(tmp_path / "x", persons=60_000)
    assert not list(tmp_path.iterdir())
