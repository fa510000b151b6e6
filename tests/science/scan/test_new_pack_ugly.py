"""Drafts from exports as they come: repeated rows, other names for one number, feeds of corrections."""

import random
from pathlib import Path

import pytest

from madang.app import cli
from madang.science.omop.starter import starter_path
from madang.science.standardize import standardize
from madang.science.standardize.check import check_pack
from madang.science.standardize.new_pack import new_pack
from madang.science.standardize.pack import load_pack
from madang.science.standardize.scan import scan


def put(folder: Path, name: str, header: str, rows: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def clinic(folder: Path, people: int = 100) -> Path:
    """Patients with one row twice and one changed, named otherwise than in visits, diagnoses and drugs."""
    rng = random.Random(5)
    numbers = [7_000_000 + 37 * number for number in range(people)]
    patients = [f"{n},{rng.choice('MF')},19{rng.randint(30, 99)}0203,{rng.choice('ABO')}" for n in numbers]
    put(folder, "patients.csv", "환자번호,SEX,BIRTH_DT,BLOOD", [*patients, patients[3]])

    def day(month: int) -> str:
        return f"2023{month:02}{rng.randint(1, 28):02}"

    visits = [f"V{i:05},{rng.choice(numbers)},{day(3)},0930,{day(4)},1715" for i in range(300)]
    put(folder, "visit.csv", "VISIT_NO,PT_NO,IN_DT,IN_TM,OUT_DT,OUT_TM", visits)
    codes = [f"{rng.choice(numbers)},{day(3)},{rng.choice(['I10', 'E11', 'J00'])}" for _ in range(300)]
    put(folder, "diag.csv", "PT_NO,DX_DT,DX_CD", codes)
    drugs = [f"{rng.choice(numbers)},{day(3)},D{rng.randint(1, 9)},{rng.randint(1, 30)},0.5" for _ in range(300)]
    put(folder, "drug.csv", "PT_NO,RX_DT,DRUG_CD,DAYS,QTY", drugs)
    return folder


def test_a_repeated_row_and_other_names_do_not_keep_a_draft_from_being_made(tmp_path: Path) -> None:
    folder = new_pack("clinic", scan(clinic(tmp_path / "in")), tmp_path)
    pack = load_pack(folder)
    assert check_pack(pack) == []
    assert set(pack.entities) == {"person", "visit_occurrence"}
    assert set(pack.events) == {"diag", "drug"}
    assert "# 1 rows repeat (1 exactly); DECIDE" in (folder / "pack.toml").read_text()
    drug, visit = pack.events["drug"].sql, pack.entities["visit_occurrence"].sql
    assert "try_cast(drug.DAYS as integer) as days_supply" in drug
    assert "drug.QTY::double as quantity" in drug
    assert "coalesce(OUT_DT, IN_DT) as visit_end_date" in visit
    assert "OUT_DT + try_cast(OUT_TM as time) as visit_end_datetime" in visit
    assert 'person."환자번호" = drug.PT_NO' in drug


def test_a_column_that_repeats_more_than_now_and_then_is_no_key(tmp_path: Path) -> None:
    rows = [f"{number},1" for number in range(95)]
    put(tmp_path / "in", "a.csv", "PT_NO,X", [*rows, *(f"{number},2" for number in range(5))])
    put(tmp_path / "in", "few.csv", "PT_NO,X", [*rows[:18], rows[0]])
    found = {source.name: source for source in scan(tmp_path / "in").sources}
    assert ("PT_NO",) not in found["a"].likely_keys
    assert not found["few"].likely_keys
    assert found["few"].repeated == 1


def test_a_feed_of_corrections_is_drafted_as_one(tmp_path: Path) -> None:
    for month in ("202301", "202302"):
        rows = [f"I,{month}{number:03},M,19800102" for number in range(40)]
        late = [f"U,202301{number:03},F,19800102" for number in range(9)] if month == "202302" else []
        put(tmp_path / "in", f"patient_{month}.csv", "변경구분,환자번호,성별,생년월일", [*rows, *late])
    pack = load_pack(new_pack("feed", scan(tmp_path / "in"), tmp_path))
    assert check_pack(pack) == []
    source = pack.sources["patient"]
    assert (source.kind, source.key, source.operation, source.withdraw, source.period) == (
        "delta", ("환자번호",), "변경구분", ("D",), "month",
    )  # fmt: skip


def test_files_without_a_draft_are_named_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADANG_LANG", "en")
    clinic(tmp_path / "in")
    put(tmp_path / "in", "codes.csv", "DRUG_CD,TITLE", ["D1,one", "D2,two"])
    put(tmp_path / "in", "notes.csv", "PT_NO,SEEN", [f"{7_000_000 + 37 * n % 3700},x{n}" for n in range(60)])
    assert cli.run(["pack", "new", "clinic", "--from", str(tmp_path / "in"), "--to", str(tmp_path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "codes.csv: no draft, because no column leads to a person." in shown
    assert "notes.csv: no draft, because no column is a date." in shown
    assert "# No draft, because no column is a date." in (tmp_path / "clinic/pack.toml").read_text()
    assert "`codes`: no draft, because no column leads to a person" in (tmp_path / "clinic/README.md").read_text()


def test_scan_shows_one_line_for_files_that_share_a_layout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MADANG_LANG", "en")
    monkeypatch.setenv("COLUMNS", "120")
    for month in range(1, 13):
        put(tmp_path / "in", f"lab_2023{month:02}.csv", "A,B", ["1,x", "2,y"])
    assert cli.run(["scan", str(tmp_path / "in")]) == 0
    table = capsys.readouterr().out.partition("lab  lab_")[0]
    assert [line.split()[:3] for line in table.splitlines() if "lab_" in line] == [["lab_{month}.csv", "12", "24"]]


@pytest.mark.parametrize("sign", ["", "-"])
def test_days_of_which_some_lack_the_day_and_records_of_one_visit(tmp_path: Path, sign: str) -> None:
    folder = tmp_path / "in"
    born = [f"{1950 + n}{sign}07{sign}{'00' if n % 20 == 0 else '15'}" for n in range(60)]
    born[7] = f"1957{sign}00{sign}00"
    put(folder, "환자.csv", "환자번호,생년월일,성별", [f"P{n:03},{day},{'남여'[n % 2]}" for n, day in enumerate(born)])
    visits = [f"V{n:04},P{n % 60:03},{'외래' if n % 3 else '입원'},2023{n % 12 + 1:02}11" for n in range(120)]
    put(folder, "내원내역.csv", "진료번호,환자번호,진료구분,진료일자", visits)
    codes = [f"V{n:04},P{n % 60:03},{['I10', 'E11'][n % 2]}" for n in range(120)]  # one of each visit, in these files
    put(folder, "상병.csv", "진료번호,환자번호,상병코드", codes)
    seen = [f"P{n % 60:03},2023{sign}{n % 12 + 1:02}{sign}{'00' if n % 30 == 0 else '05'},L{n % 3}" for n in range(120)]
    put(folder, "검사.csv", "환자번호,검사일자,검사코드", seen)
    pack = new_pack("days", scan(folder), tmp_path)
    assert check_pack(load_pack(pack)) == []
    text = (pack / "pack.toml").read_text(encoding="utf-8")
    assert (
        text.count('key = ["진료번호"]') == 2
    )  # of the visits, as source and as entity: a visit may have two diagnoses
    done = standardize(pack, folder, starter_path(), key=b"sixteen bytes or more")
    assert all(rows == used for _, rows, used, _, _ in done.report.sources.values())
    births = "SELECT month_of_birth AS m, day_of_birth AS d, count(*) AS n FROM person GROUP BY ALL ORDER BY ALL"
    assert [tuple(row.values()) for row in done.sql(births).to_pylist()] == [(7, 15, 56), (7, None, 3), (None, None, 1)]
    kinds = "SELECT visit_concept_id AS c, count(*) AS n FROM visit_occurrence GROUP BY ALL ORDER BY ALL"
    assert [tuple(row.values()) for row in done.sql(kinds).to_pylist()] == [(9201, 40), (9202, 80)]
    assert (
        done.sql("SELECT count(*) AS n FROM condition_occurrence WHERE visit_occurrence_id > 0")["n"][0].as_py() == 120
    )
    first = "SELECT count(*) AS n FROM measurement WHERE day(measurement_date) = 1"
    assert done.sql(first)["n"][0].as_py() == 4


@pytest.mark.parametrize(
    ("codes", "system"),
    [
        (["2339-0", "8302-2", "718-7", "4548-4"], "LOINC"),
        (["2339-1", "8302-3", "718-8", "4548-5"], ""),  # no check digits of it
        (["195662009", "444814009", "840539006", "124171000119105"], "SNOMED"),
        (["195662008", "444814008", "840539005"], ""),
        (["J45.9", "E119", "I10", "S72001A"], "ICD10"),
        (["0002-1433-80", "00093-7146-56", "50580-0488-10"], ""),  # ten digits among eleven
        (["642100270", "645302132", "643502690"], ""),
        (["2339-0", "8302-2"], ""),  # too few to tell
    ],
)
def test_what_system_codes_are_of_is_seen_by_their_check_digits(tmp_path: Path, codes: list[str], system: str) -> None:
    put(tmp_path / "in", "a.csv", "NO,CODE", [f"{n},{codes[n % len(codes)]}" for n in range(40)])
    [source] = scan(tmp_path / "in").sources
    assert next(column.system for column in source.columns if column.name == "CODE") == system


def test_a_file_with_few_persons_finds_them_by_the_name_that_others_use(tmp_path: Path) -> None:
    folder = clinic(tmp_path / "in")
    person = (folder / "visit.csv").read_text().splitlines()[1].split(",")[1]
    put(folder, "device.csv", "PT_NO,DV_DT,DV_CD", [f"{person},20230305,X{n}" for n in range(30)])
    pack = load_pack(new_pack("few", scan(folder), tmp_path))
    assert "device" in pack.events
    assert check_pack(pack) == []
    icd = (tmp_path / "few" / "events" / "diag.sql").read_text(encoding="utf-8")
    assert "'KCD8' as vocabulary_id,  -- DECIDE" in icd or "'ICD10' as vocabulary_id,  -- DECIDE" in icd
