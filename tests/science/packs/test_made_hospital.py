"""A made hospital's export over three years (cp949 CSV, a spreadsheet, deliveries that correct), and four questions.

All persons and records are made up. The answers are counted in plain Python from what was written.
"""

import datetime
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize

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
[entities.person]
key = ["번호"]
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
        "처방일" as start_date, "약품코드" as code, "일수"::integer as days_supply
        from orders {JOIN.format("orders")}""",
}


def clock(moment: datetime.datetime) -> str:
    half = "오전" if moment.hour < 12 else "오후"
    return f"{moment:%Y-%m-%d} {half} {(moment.hour + 11) % 12 + 1}:{moment:%M:%S}"


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
    for year in YEARS:
        for month in range(1, 13):
            tag, visits, results, orders = f"{year}{month:02}", [], [], []
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
            old = rng.choice(sorted(truth["visits"]))  # a correction of an earlier stay, and a withdrawal
            who, start, _, kind = truth["visits"][old]
            end = start + datetime.timedelta(1)
            visits.append(f"{old},수정,{who},{start:%Y%m%d},{end:%Y%m%d},{kind}")
            truth["visits"][old] = (who, start, end, kind)
            if month == 6:
                gone = rng.choice(sorted(truth["visits"]))
                who, start, _, kind = truth["visits"].pop(gone)
                visits.append(f"{gone},삭제,{who},{start:%Y%m%d},NULL,{kind}")
            results.append(results[0])  # the month's export came out with a line twice
            for name, header, lines, encoding in (
                ("내원", "내원번호,구분,번호,입원일,퇴원일,종류", visits, "cp949"),
                ("검사", "검사번호;번호;검사일시;코드;결과", results, "cp949"),
                ("처방", "처방번호,번호,처방일,약품코드,일수", orders, "utf-8" if month % 2 else "cp949"),
            ):
                (folder / f"{name}_{tag}.csv").write_text("\n".join((header, *lines)) + "\n", encoding=encoding)
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
    for _, lines, used, rejected, unused in result.report.sources.values():
        assert lines == used + rejected + unused
