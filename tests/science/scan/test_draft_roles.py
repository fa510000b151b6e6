"""Who is who in a draft: visits by what they are, deaths in their own file, codes of a laboratory, names of people."""

import re
from pathlib import Path

from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from madang.science.standardize.check import check_pack
from madang.science.standardize.intake import check_files
from madang.science.standardize.new_pack import new_pack
from madang.science.standardize.pack import load_pack
from madang.science.standardize.scan import scan

PEOPLE = ["PT_NO,성별,생년월일", *(f"P{i:04},{'남여'[i % 2]},19{i % 60 + 30}0203" for i in range(120))]
KINDS = ("외래", "입원", "응급", "왕진")
STAYS = ["내원번호,PT_NO,내원구분,내원일시,퇴원일자"] + [
    f"V{i:05},P{i % 120:04},{KINDS[i % 4]},2023-0{i % 9 + 1}-11 10:20:00,2023-0{i % 9 + 1}-12" for i in range(240)
]
ONE_DRUG_EACH = ["내원번호,PT_NO,약품코드,처방일자"] + [
    f"V{i:05},P{i % 120:04},64530{i % 7}ATB,2023-0{i % 9 + 1}-11" for i in range(0, 240, 2)
]
LABS = ["내원번호,PT_NO,검사코드,검사명,결과값,단위,UNITS,검사일자,검사시각"] + [
    f"V{i % 240:05},P{i % 120:04},L30{i % 40 + 10},HbA1c,{i % 9}.5,%,{i % 3},2023-0{i % 9 + 1}-11,0930"
    for i in range(400)
]
DEATHS = ["PT_NO,사망일자,사인코드", *(f"P{i:04},2024-01-{i % 28 + 1:02},C16.{i % 9}" for i in range(17))]


def drafted(folder: Path, files: dict[str, list[str]]) -> tuple[Path, Standardized]:
    source = folder / "in"
    source.mkdir()
    for name, lines in files.items():
        (source / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = new_pack("fresh", scan(source), folder)
    pack = load_pack(made)
    assert check_pack(pack) == []
    assert check_files(source, list(pack.sources.values())) == []
    return made, standardize(pack, source, starter_path(), key=b"sixteen bytes or more")


def test_a_file_with_kinds_and_ends_is_of_visits_whatever_it_is_called(tmp_path: Path) -> None:
    files = {
        "환자마스터.csv": PEOPLE,
        "수진이력.csv": STAYS,
        "투약.csv": ONE_DRUG_EACH,
        "검사.csv": LABS,
        "사망.csv": DEATHS,
    }
    made, result = drafted(tmp_path, files)
    assert {table: result.report.tables[table] for table in ("person", "visit_occurrence", "death")} == {
        "person": 120, "visit_occurrence": 240, "death": 17,
    }  # fmt: skip
    sql = (made / "entities/visit_occurrence.sql").read_text(encoding="utf-8")
    assert "not known are 왕진" in sql
    assert any("60 of 240 rows of visit_occurrence have visit_concept_id 0" in one for one in result.report.warnings)
    toml = (made / "pack.toml").read_text(encoding="utf-8")
    assert len(re.findall(r'^"내원번호" = .*identifier = "pseudonym"', toml, re.MULTILINE)) == 3
    drugs = toml.partition('files = ["투약.csv"]')[2].partition("[sources.")[0]
    assert not re.search(r"^key = ", drugs, re.MULTILINE)
    labs = (made / "events/lab.sql").read_text(encoding="utf-8")
    assert "'KCD8'" not in labs
    assert '"단위"::varchar as unit' in labs
    assert "-- Not used: UNITS." in labs
    linked = "SELECT count(visit_occurrence_id) AS n FROM drug_exposure"
    assert result.sql(linked).to_pylist() == [{"n": 120}]
    first = "SELECT DISTINCT strftime(measurement_datetime, '%H:%M') AS at FROM measurement"
    assert result.sql(first).to_pylist() == [{"at": "09:30"}]
    raw = result.sql("SELECT count(*) AS n FROM visit_occurrence WHERE visit_source_value LIKE 'V0%'").to_pylist()
    assert raw == [{"n": 0}]


def test_a_file_called_person_or_death_is_no_name_of_an_entity(tmp_path: Path) -> None:
    _, result = drafted(tmp_path, {"person.csv": PEOPLE, "death.csv": DEATHS, "visit_occurrence.csv": STAYS})
    assert [result.report.tables[table] for table in ("person", "death", "visit_occurrence")] == [120, 17, 240]


def test_bills_are_asked_about(tmp_path: Path) -> None:
    bills = ["PT_NO,DX_CODE,SERVICE_DATE", *(f"P{i % 120:04},I1{i % 7},2023-01-11" for i in range(150))]
    made, _ = drafted(tmp_path, {"patients.csv": PEOPLE, "claims.csv": bills})
    assert "these are bills" in (made / "events/claims.sql").read_text(encoding="utf-8")


def test_names_of_people_under_other_headers_are_not_shown(tmp_path: Path) -> None:
    names = ["Caleb651 Pagac496", "Jeannine438 Jaskolski867", "Ana Lopez"]
    rows = ["OWNERNAME,BIRTHPLACE,CITY,DRUG_NAME"]
    rows += [f"{names[i % 3]},Boston US,Boston,Amoxicillin Clavulanate" for i in range(90)]
    (tmp_path / "x.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    columns = {c.header: c for c in scan(tmp_path).sources[0].columns}
    assert [columns[h].values for h in ("OWNERNAME", "BIRTHPLACE", "CITY")] == [(), (), ()]
    assert columns["DRUG_NAME"].values


FAERS = "primaryid$caseid$event_dt$fda_dt$age$age_cod$sex"


def test_reports_in_the_layout_of_faers(tmp_path: Path) -> None:
    """Ages in months and decades, days of which some lack the day, drugs and reactions dated by the report."""
    ages = [("40", "YR"), ("6", "MON"), ("8", "DEC"), ("300", "DY")]
    days = ["20230115", "202301", "20230115", "20230115", "2023"]
    demo = [FAERS] + [
        f"{i + 1000}1${i + 1000}${days[i % 5]}$20240102${ages[i % 4][0]}${ages[i % 4][1]}${'MF'[i % 2]}"
        for i in range(200)
    ]
    drug = [
        "primaryid$caseid$drug_seq$drugname",
        *(f"{i % 200 + 1000}1${i % 200 + 1000}$1$ASPIRIN" for i in range(300)),
    ]
    reac = [
        "primaryid$caseid$pt",
        *(f"{i % 200 + 1000}1${i % 200 + 1000}${('Rash', 'Nausea')[i % 2]}" for i in range(300)),
    ]
    _, result = drafted(tmp_path, {"DEMO24Q1.txt": demo, "DRUG24Q1.txt": drug, "REAC24Q1.txt": reac})
    assert [result.report.tables[t] for t in ("person", "drug_exposure", "condition_occurrence")] == [200, 300, 300]
    born = {row["person_source_value"]: row["year_of_birth"] for row in result.table("person").to_pylist()}
    assert sorted(born.values()) == [1943] * 50 + [1983] * 50 + [2023] * 100
    starts = result.sql("SELECT DISTINCT drug_exposure_start_date AS d FROM drug_exposure ORDER BY d").to_pylist()
    assert [str(row["d"]) for row in starts] == ["2023-01-01", "2023-01-15"]


def test_a_trial_in_the_layout_of_sdtm(tmp_path: Path) -> None:
    people = ["STUDYID,USUBJID,SUBJID,RFSTDTC,AGE,AGEU,SEX"] + [
        f"S1,S1-{i:03},{i:03},2014-01-0{i % 9 + 1},{50 + i % 20},YEARS,{'MF'[i % 2]}" for i in range(60)
    ]
    events = ["STUDYID,USUBJID,AESEQ,AETERM,AESTDTC"] + [
        f"S1,S1-{i % 60:03},{i},headache,{('2014-03-11', '2014-03', '2014')[i % 10 // 8]}" for i in range(120)
    ]
    labs = ["USUBJID,LBTESTCD,LBTEST,LBORRES,LBORRESU,LBSTRESN,LBSTRESU,LBDTC"] + [
        f"S1-{i % 60:03},ALB,Albumin,4.{i % 9},g/dL,4{i % 9},g/L,2014-03-11T08:30" for i in range(120)
    ]
    _, result = drafted(tmp_path, {"dm.csv": people, "ae.csv": events, "lb.csv": labs})
    assert [result.report.tables[t] for t in ("person", "condition_occurrence", "measurement")] == [60, 120, 120]
    assert result.report.reasons == ()
    lab = "SELECT DISTINCT unit_source_value AS u, value_as_number < 10 AS low FROM measurement"
    assert result.sql(lab).to_pylist() == [{"u": "g/dL", "low": True}]


def test_releases_of_icd_and_numbers_beside_texts(tmp_path: Path) -> None:
    people = ["subject_id,gender,anchor_age,anchor_year", *(f"{i + 100},{'MF'[i % 2]},40,2020" for i in range(60))]
    stays = ["subject_id,hadm_id,admittime,dischtime"] + [
        f"{i % 60 + 100},{i + 900},2020-0{i % 9 + 1}-11 10:00:00,2020-0{i % 9 + 1}-13 10:00:00" for i in range(90)
    ]
    codes = ["subject_id,hadm_id,seq_num,icd_code,icd_version"] + [
        f"{i % 90 % 60 + 100},{i % 90 + 900},1,{('4019', 'I10')[i % 2]},{(9, 10)[i % 2]}" for i in range(180)
    ]
    labs = ["subject_id,hadm_id,itemid,charttime,value,valuenum,valueuom"] + [
        f"{i % 90 % 60 + 100},{i % 90 + 900},5091{i % 3},2020-03-11 08:00:00,{('1.2,1.2', '___,')[i % 2]},mg/dL"
        for i in range(180)
    ]
    files = {"patients.csv": people, "admissions.csv": stays, "diagnoses_icd.csv": codes, "labevents.csv": labs}
    _, result = drafted(tmp_path, files)
    assert {(r["vocabulary_id"], r["code"]) for r in result.table("source_codes").to_pylist()} >= {
        ("ICD9CM", "4019"), ("ICD10CM", "I10"),
    }  # fmt: skip
    told = "count(value_as_number) AS n, count(visit_occurrence_id) AS v, min(unit_source_value) AS u"
    sql = f"SELECT {told} FROM measurement"
    assert result.sql(sql).to_pylist() == [{"n": 90, "v": 180, "u": "mg/dL"}]


def test_columns_that_are_called_as_those_of_the_model(tmp_path: Path) -> None:
    """PERSON_ID and VISIT_OCCURRENCE_ID of an export are numbers of its own."""
    people = [PEOPLE[0].replace("PT_NO", "PERSON_ID"), *PEOPLE[1:]]
    stays = [STAYS[0].replace("PT_NO", "PERSON_ID").replace("내원번호", "VISIT_OCCURRENCE_ID"), *STAYS[1:]]
    labs = [LABS[0].replace("PT_NO", "PERSON_ID").replace("내원번호", "VISIT_OCCURRENCE_ID"), *LABS[1:]]
    _, result = drafted(tmp_path, {"patients.csv": people, "visits.csv": stays, "labs.csv": labs})
    assert [result.report.tables[t] for t in ("person", "visit_occurrence", "measurement")] == [120, 240, 400]
    told = "SELECT count(visit_occurrence_id) AS n FROM measurement"
    assert result.sql(told).to_pylist() == [{"n": 400}]


def test_records_that_name_their_visit_alone(tmp_path: Path) -> None:
    labs = [",".join(field for at, field in enumerate(line.split(",")) if at != 1) for line in LABS]
    _, result = drafted(tmp_path, {"환자.csv": PEOPLE, "내원.csv": STAYS, "검사.csv": labs})
    assert result.report.tables["measurement"] == 400
    whose = "SELECT count(*) AS n FROM measurement m JOIN visit_occurrence v USING (visit_occurrence_id, person_id)"
    assert result.sql(whose).to_pylist() == [{"n": 400}]


def test_years_of_birth_since_1800_and_fields_of_a_biobank(tmp_path: Path) -> None:
    people = ["patid\tgender\tyob", *(f"{i + 1000}\t{i % 2 + 1}\t{150 + i % 50}" for i in range(60))]
    made, result = drafted(tmp_path, {"Patient.txt": people})
    assert set(result.table("person")["year_of_birth"].to_pylist()) == set(range(1950, 2000))
    assert "since 1800" in (made / "entities/person.sql").read_text(encoding="utf-8")
    (tmp_path / "biobank").mkdir()
    rows = ["eid,31-0.0,34-0.0", *(f"{i + 1000000},{i % 2},{1940 + i % 30}" for i in range(60))]
    (tmp_path / "biobank" / "ukb.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert [c.header for c in scan(tmp_path / "biobank").sources[0].columns] == ["eid", "31-0.0", "34-0.0"]


def test_an_allergy_to_a_drug_is_no_exposure_to_it(tmp_path: Path) -> None:
    allergies = [
        "PT_NO,ALLERGY_CD,ALLERGY_NM,확인일자",
        *(f"P{i:04},1191,Aspirin,2023-01-{i % 28 + 1:02}" for i in range(60)),
    ]
    made, result = drafted(tmp_path, {"환자마스터.csv": PEOPLE, "알레르기.csv": allergies})
    assert result.report.tables["observation"] == 60
    assert result.report.tables.get("drug_exposure", 0) == 0
    (sql,) = (path.read_text(encoding="utf-8") for path in (made / "events").iterdir())
    assert "::varchar as value_code," in sql and "ALLERGY_NM::varchar as value," in sql
