"""A made hospital's export over three years: twelve tables (cp949 CSV, a spreadsheet, two files of SAS, deliveries that
correct and withdraw), and four questions.

All persons and records are made up. The answers are counted in plain Python from what was written.
"""

import datetime
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize
from statistics_files import write_sas7bdat

DAY, YEARS = datetime.date, (2023, 2024, 2025)
PACK = """
name = "made-hospital"
version = "1"
license = "CC0-1.0"
[parameters]
extract_date = "2025-12-31"
[cdm_source]
cdm_source_name = "Made hospital (synthetic)"
[sources.patients]
files = ["환자.xlsx"]
format = "xlsx"
key = ["번호"]
[sources.patients.columns]
"번호" = { type = "text", required = true, identifier = "pseudonym" }
"성명" = { type = "text", identifier = "direct" }
"생년월일" = { type = "date" }
"성별" = { type = "text" }
[sources.visits]
files = ["내원_{month}.csv"]
encoding = "cp949"
kind = "delta"
key = ["내원번호"]
operation = "구분"
withdraw = ["삭제"]
period = "month"
missing = ["NULL"]
[sources.visits.columns]
"내원번호" = { type = "text", required = true }
"구분" = { type = "text" }
"번호" = { type = "text", required = true, identifier = "pseudonym" }
"입원일" = { type = "date", required = true, format = "%Y%m%d" }
"퇴원일" = { type = "date", format = "%Y%m%d", missing = ["99991231"] }
"종류" = { type = "text" }
[sources.results]
files = ["검사_{month}.csv"]
encoding = "cp949"
delimiter = ";"
key = ["검사번호"]
period = "month"
[sources.results.columns]
"검사번호" = { type = "integer", required = true }
"번호" = { type = "text", required = true, identifier = "pseudonym" }
"검사일시" = { type = "datetime", format = "%Y-%m-%d %p %-I:%M:%S" }
"코드" = { type = "text" }
"결과" = { type = "text" }
[sources.orders]
files = ["처방_{month}.csv"]
encoding = "each"
key = ["처방번호"]
period = "month"
[sources.orders.columns]
"처방번호" = { type = "text", required = true }
"번호" = { type = "text", required = true, identifier = "pseudonym" }
"처방일" = { type = "date", format = "%d-%b-%y", first_year = 1990 }
"약품코드" = { type = "text" }
"일수" = { type = "integer" }
[sources.diagnoses]
files = ["진단_{month}.csv"]
encoding = "cp949"
kind = "delta"
key = ["진단번호"]
operation = "구분"
withdraw = ["삭제"]
period = "month"
[sources.diagnoses.columns]
"진단번호" = { type = "text", required = true }
"구분" = { type = "text" }
"내원번호" = { type = "text", required = true }
"상병코드" = { type = "text" }
"상병명" = { type = "text" }
[sources.operations]
files = ["수술_{year}.csv"]
encoding = "cp949"
key = ["수술번호"]
[sources.operations.columns]
"수술번호" = { type = "text", required = true }
"번호" = { type = "text", required = true, identifier = "pseudonym" }
"수술일" = { type = "date", format = "%Y년 %-m월 %-d일" }
"수술코드" = { type = "text" }
"의사번호" = { type = "text", identifier = "none" }
[sources.vitals]
files = ["활력_{month}.csv"]
encoding = "cp949"
missing = ["-"]
[sources.vitals.columns]
"번호" = { type = "text", required = true, identifier = "pseudonym" }
"측정일시" = { type = "datetime", format = "%Y%m%d%H%M" }
"수축기" = { type = "number" }
"이완기" = { type = "number" }
"체중" = { type = "number", decimal = "," }
[sources.doctors]
files = ["DOCTOR.sas7bdat"]
key = ["NO"]
[sources.doctors.columns]
NO = { type = "text", required = true, identifier = "none" }
DEPT = { type = "text" }
BORN = { type = "integer" }
[sources.departments]
files = ["진료과.csv"]
encoding = "cp949"
key = ["코드"]
[sources.departments.columns]
"코드" = { type = "text", required = true }
"과명" = { type = "text" }
[sources.deaths]
files = ["DEATH.sas7bdat"]
key = ["PT"]
[sources.deaths.columns]
PT = { type = "text", required = true, identifier = "pseudonym" }
DAY = { type = "date" }
CAUSE = { type = "text" }
[sources.allergies]
files = ["알레르기.csv"]
encoding = "cp949"
[sources.allergies.columns]
"번호" = { type = "text", required = true, identifier = "pseudonym" }
"등록일" = { type = "text" }
"물질" = { type = "text" }
[sources.drugs]
files = ["약품.csv"]
encoding = "cp949"
key = ["약품코드"]
[sources.drugs.columns]
"약품코드" = { type = "text", required = true }
"약품명" = { type = "text" }
[entities.department]
table = "care_site"
key = ["코드"]
[entities.doctor]
table = "provider"
key = ["NO"]
[entities.person]
key = ["번호"]
[entities.death]
key = ["person_id"]
type_concept_id = 32817
[entities.visit_occurrence]
key = ["내원번호"]
type_concept_id = 32817
[events.results]
domain = "Measurement"
type_concept_id = 32817
vocabulary = "LOCAL"
[events.orders]
domain = "Drug"
type_concept_id = 32817
vocabulary = "LOCAL"
[events.diagnoses]
domain = "Condition"
type_concept_id = 32817
vocabulary = "KCD8"
[events.operations]
domain = "Procedure"
type_concept_id = 32817
vocabulary = "EDI"
[events.vitals]
domain = "Measurement"
type_concept_id = 32817
vocabulary = "LOCAL"
items = 3
[events.allergies]
domain = "Observation"
type_concept_id = 32817
vocabulary = "LOCAL"
"""
JOIN = 'left join person on person."번호" = {0}."번호"'
SQL = {
    "entities/person.sql": """select "번호", reject_when("생년월일" is null, 'no birth'),
        year("생년월일") as year_of_birth, case "성별" when '남' then 8507 when '여' then 8532 else 0 end
        as gender_concept_id, 38003585 as race_concept_id, 0 as ethnicity_concept_id,
        "번호" as person_source_value from patients""",
    "entities/visit_occurrence.sql": f"""select visits."내원번호", reject_when(person.person_id is null, 'unknown'),
        person.person_id, case "종류" when '입원' then 9201 else 9202 end as visit_concept_id,
        "입원일" as visit_start_date, coalesce("퇴원일", getvariable('extract_date')::date) as visit_end_date
        from visits {JOIN.format("visits")}""",
    "events/results.sql": f"""select reject_when(person.person_id is null, 'unknown'), person.person_id,
        "검사일시"::date as start_date, "검사일시" as start_datetime, "코드" as code, "결과" as value,
        try_cast(regexp_replace("결과", '^[<>]', '') as double) as value_number,
        nullif(regexp_extract("결과", '^([<>])', 1), '') as value_operator from results {JOIN.format("results")}""",
    "events/orders.sql": f"""select reject_when(person.person_id is null, 'unknown'), person.person_id,
        "처방일" as start_date, orders."약품코드" as code, drugs."약품명" as code_name, "일수"::integer as days_supply
        from orders {JOIN.format("orders")} left join drugs on drugs."약품코드" = orders."약품코드\"""",
    "entities/department.sql": """select "코드", "과명" as care_site_name, 0 as place_of_service_concept_id,
        "코드" as care_site_source_value from departments""",
    "entities/doctor.sql": """select doctors.NO, doctors.BORN::integer as year_of_birth, doctors.NO as
        provider_source_value, department.care_site_id from doctors left join department
        on department."코드" = doctors.DEPT""",
    "entities/death.sql": """select reject_when(person.person_id is null, 'unknown'), person.person_id,
        DAY as death_date, CAUSE as cause_source_value
        from deaths left join person on person."번호" = deaths.PT""",
    "events/diagnoses.sql": """select reject_when(visit_occurrence.person_id is null, 'visit is unknown'),
        visit_occurrence.person_id, visit_occurrence.visit_start_date as start_date, "상병코드" as code,
        "상병명" as code_name, visit_occurrence.visit_occurrence_id
        from diagnoses left join visit_occurrence on visit_occurrence."내원번호" = diagnoses."내원번호\"""",
    "events/operations.sql": f"""select reject_when(person.person_id is null, 'unknown'), person.person_id,
        "수술일" as start_date, "수술코드" as code, doctor.provider_id
        from operations {JOIN.format("operations")} left join doctor on doctor.NO = operations."의사번호\"""",
    "events/vitals.sql": f"""with listed as (select *, list_filter([
            {{'item': 0, 'code': 'SBP', 'value': "수축기"}}, {{'item': 1, 'code': 'DBP', 'value': "이완기"}},
            {{'item': 2, 'code': 'WEIGHT', 'value': "체중"}}], lambda x: x.value is not null) as found from vitals)
        select reject_when(person.person_id is null, 'unknown'), person.person_id, "측정일시"::date as start_date,
        "측정일시" as start_datetime, unnest(found).code as code, unnest(found).value as value_number,
        unnest(found).item as item from listed {JOIN.format("listed")}""",
    "events/allergies.sql": f"""select reject_when(person.person_id is null, 'unknown'), person.person_id,
        coalesce(try_strptime("등록일", '%Y%m%d'), try_strptime(left("등록일", 6) || '01', '%Y%m%d'))::date
        as start_date, 'ALLERGY' as code, "물질" as value from allergies {JOIN.format("allergies")}""",
}


def clock(moment: datetime.datetime) -> str:
    half = "오전" if moment.hour < 12 else "오후"
    return f"{moment:%Y-%m-%d} {half} {(moment.hour + 11) % 12 + 1}:{moment:%M:%S}"


def put(folder: Path, name: str, header: str, lines: list[str], encoding: str = "cp949") -> None:
    (folder / f"{name}.csv").write_text("\n".join((header, *lines)) + "\n", encoding=encoding)


def make(folder: Path) -> dict[str, Any]:
    """Write the export; gives what is true of it."""
    xlsxwriter = pytest.importorskip("xlsxwriter")
    rng, truth = random.Random(7), {"visits": {}, "hba1c": {}, "users": set()}
    people = [f"{n:05}" for n in range(1, 41)]
    book = xlsxwriter.Workbook(folder / "환자.xlsx")
    sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
    for at, name in enumerate(("번호", "성명", "생년월일", "성별")):
        sheet.write(0, at, name)
    for row, number in enumerate(people, 1):
        sheet.write_row(row, 0, [number, "가명", None, rng.choice("남여")])
        sheet.write_datetime(row, 2, datetime.datetime(1940 + row, 1, 2), day)
    book.close()
    serial = 0
    doctors = [(f"D{n}", f"{n % 3:02}", 1960.0 + n) for n in range(8)]
    write_sas7bdat(folder / "DOCTOR.sas7bdat", ("NO", "DEPT", "BORN"), doctors)
    dead = [(number, DAY(2025, 12, 31), "심부전") for number in people[:3]]
    write_sas7bdat(folder / "DEATH.sas7bdat", ("PT", "DAY", "CAUSE"), dead, "cp949")
    put(folder, "진료과", "코드,과명", ["00,내과", "01,정형외과", "02,소아과"])
    put(folder, "약품", "약품코드,약품명", ["D-MET,메트포르민", "D-ASP,아스피린", "D-STA,스타틴", "D-OLD,단종"])
    put(
        folder,
        "알레르기",
        "번호,등록일,물질",
        [f"{number},202301{n % 3:02},땅콩" for n, number in enumerate(people[:9])],
    )
    truth |= {"diagnoses": {}, "operations": Counter(), "vitals": 0, "names": dict([("D-MET", "메트포르민")])}
    for year in YEARS:
        cuts = []
        for month in range(1, 13):
            tag, visits, results, orders, diagnoses, vitals = f"{year}{month:02}", [], [], [], [], []
            for _ in range(6):
                serial += 1
                who, start = rng.choice(people), DAY(year, month, rng.randint(1, 26))
                end = None if serial % 50 == 0 else start + datetime.timedelta(rng.randint(0, 2))
                kind, shown = rng.choice(["입원", "외래"]), f"{end:%Y%m%d}" if end else "99991231"
                visits.append(f"V{serial},등록,{who},{start:%Y%m%d},{shown},{kind}")
                truth["visits"][f"V{serial}"] = (who, start, end or DAY(2025, 12, 31), kind)
                value = round(rng.uniform(4, 12), 1)
                at = datetime.datetime(year, month, start.day, rng.randint(0, 23), 5, 6)
                results.append(f"{serial};{who};{clock(at)};HBA1C;{value}")
                truth["hba1c"][serial] = value
                drug = rng.choice(["D-MET", "D-ASP", "D-STA"])
                orders.append(
                    f"O{serial},{who},{start:%d-%b-%y},{drug},30".replace(f"{start:%b}", f"{start:%b}".upper())
                )
                truth["users"] |= {who} if drug == "D-MET" else set()
                illness = rng.choice(["E11.9", "I10", "J45"])
                diagnoses.append(f"G{serial},등록,V{serial},{illness},상병")
                truth["diagnoses"][f"G{serial}"] = (f"V{serial}", illness)
                low = rng.choice(["-", "71", "80"])
                vitals.append(f'{who},{at:%Y%m%d%H%M},{rng.randint(100, 160)},{low},"{rng.randint(40, 90)},5"')
                truth["vitals"] += 2 if low == "-" else 3
                if serial % 9 == 0:
                    doctor = rng.choice(doctors)
                    cuts.append(f"S{serial},{who},{year}년 {month}월 {start.day}일,N2072,{doctor[0]}")
                    truth["operations"][doctor[1]] += 1
            old = rng.choice(sorted(truth["visits"]))  # a correction of an earlier stay, and a withdrawal
            who, start, _, kind = truth["visits"][old]
            end = start + datetime.timedelta(1)
            visits.append(f"{old},수정,{who},{start:%Y%m%d},{end:%Y%m%d},{kind}")
            truth["visits"][old] = (who, start, end, kind)
            changed = rng.choice(sorted(truth["diagnoses"]))  # a diagnosis is another one now, and one is none
            truth["diagnoses"][changed] = (truth["diagnoses"][changed][0], "R73")
            diagnoses.append(f"{changed},수정,{truth['diagnoses'][changed][0]},R73,상병")
            if month == 9:
                none = rng.choice(sorted(truth["diagnoses"]))
                diagnoses.append(f"{none},삭제,{truth['diagnoses'].pop(none)[0]},,")
            if month == 6:
                gone = rng.choice(sorted(truth["visits"]))
                who, start, _, kind = truth["visits"].pop(gone)
                visits.append(f"{gone},삭제,{who},{start:%Y%m%d},NULL,{kind}")
            results.append(results[0])  # the month's export came out with a line twice
            for name, header, lines, encoding in (
                ("내원", "내원번호,구분,번호,입원일,퇴원일,종류", visits, "cp949"),
                ("검사", "검사번호;번호;검사일시;코드;결과", results, "cp949"),
                ("처방", "처방번호,번호,처방일,약품코드,일수", orders, "utf-8" if month % 2 else "cp949"),
                ("진단", "진단번호,구분,내원번호,상병코드,상병명", diagnoses, "cp949"),
                ("활력", "번호,측정일시,수축기,이완기,체중", vitals, "cp949"),
            ):
                put(folder, f"{name}_{tag}", header, lines, encoding)
        put(folder, f"수술_{year}", "수술번호,번호,수술일,수술코드,의사번호", cuts)
    return truth


def answer(result: Standardized, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in result.sql(sql).to_pylist()]


def test_four_questions_have_the_answers_that_are_counted_by_hand(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    truth = make(source)
    for name, text in {"pack.toml": PACK, **SQL}.items():
        path = tmp_path / "made-hospital" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    result = standardize(tmp_path / "made-hospital", source, starter_path(), key=b"sixteen bytes or more")
    stays = list(truth["visits"].values())
    per_year = {(year, len({who for who, start, *_ in stays if start.year == year})) for year in YEARS}
    sql = "SELECT year(visit_start_date), count(DISTINCT person_id) FROM visit_occurrence GROUP BY ALL"
    assert set(answer(result, sql)) == per_year
    mean = sum(truth["hba1c"].values()) / len(truth["hba1c"])
    sql = "SELECT avg(value_as_number) FROM measurement WHERE measurement_source_value = 'HBA1C'"
    assert answer(result, sql)[0][0] == pytest.approx(mean)
    inpatient = defaultdict(list)
    for who, start, end, kind in stays:
        if kind == "입원":
            inpatient[who].append((start, end))
    again = sum(
        any(0 < (later - end).days <= 30 for later, _ in of if later > end)
        for of in inpatient.values()
        for _, end in of
    )
    sql = (
        "SELECT count(*) FROM visit_occurrence v WHERE visit_concept_id = 9201 "
        "AND EXISTS (SELECT 1 FROM visit_occurrence w WHERE w.visit_concept_id = 9201 AND w.person_id = v.person_id "
        "AND w.visit_start_date - v.visit_end_date BETWEEN 1 AND 30)"
    )
    assert answer(result, sql) == [(again,)]
    sql = "SELECT count(DISTINCT person_id) FROM drug_exposure WHERE drug_source_value = 'D-MET'"
    assert answer(result, sql) == [(len(truth["users"]),)]
    assert dict(result.report.repairs) == {}
    check_the_other_tables(result, truth)
    for _, lines, used, rejected, unused in result.report.sources.values():
        assert lines == used + rejected + unused


def check_the_other_tables(result: Standardized, truth: dict[str, Any]) -> None:
    """Diagnoses with their corrections, of visits that still are; operations by department; the dead; the rest."""
    left = Counter(code for visit, code in truth["diagnoses"].values() if visit in truth["visits"])
    sql = "SELECT condition_source_value, count(*) FROM condition_occurrence GROUP BY ALL"
    assert dict(answer(result, sql)) == left
    sql = (
        "SELECT care_site_source_value, count(*) FROM procedure_occurrence JOIN provider USING (provider_id) "
        "JOIN care_site USING (care_site_id) GROUP BY ALL"
    )
    assert dict(answer(result, sql)) == truth["operations"]
    assert answer(result, "SELECT care_site_name FROM care_site ORDER BY care_site_source_value LIMIT 1") == [("내과",)]
    vitals = "SELECT count(*) FROM measurement WHERE measurement_source_value IN ('SBP', 'DBP', 'WEIGHT')"
    assert answer(result, vitals) == [(truth["vitals"],)]
    weights = "SELECT count(*) FROM measurement WHERE measurement_source_value = 'WEIGHT' AND value_as_number % 1 = 0.5"
    assert answer(result, weights) == [(len(truth["hba1c"]),)]
    assert answer(result, "SELECT count(*), min(death_date)::VARCHAR FROM death") == [(3, "2025-12-31")]
    assert answer(result, "SELECT DISTINCT cause_source_value FROM death") == [("심부전",)]
    assert answer(result, "SELECT DISTINCT day(observation_date) FROM observation ORDER BY 1") == [(1,), (2,)]
    assert answer(result, "SELECT code_name FROM source_codes WHERE code = 'D-MET'") == [("메트포르민",)]
    assert result.report.sources["drugs"][2:] == (3, 0, 1)  # nobody was given what is sold no more
    assert len(result.report.sources) == 12
