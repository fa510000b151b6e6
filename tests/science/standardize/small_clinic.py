"""A small made-up clinic: a pack, its files, and a way to run them. Tests say only what matters to them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from madang.lake import Lake
from madang.science.omop.starter import starter_path
from madang.science.standardize import Standardized, standardize

PACK = """
name = "small-clinic"
version = "1"
license = "CC0-1.0"
title = { en = "A small clinic", ko = "작은 의원" }

[parameters]
extract_date = "2013-12-31"

[cdm_source]
cdm_source_name = "Small clinic (synthetic)"

[sources.patients]
files = ["patients.csv"]
key = ["PT"]
[sources.patients.columns]
PT = { type = "text", required = true, identifier = "none" }
BORN = { type = "date", required = true }
SEX = { type = "text" }

[sources.visits]
files = ["visits_{month}.csv"]
key = ["VISIT"]
period = "month"
within = true
[sources.visits.columns]
VISIT = { type = "integer", required = true }
PT = { type = "text", required = true, identifier = "none" }
DAY = { type = "date", required = true, format = "%Y%m%d" }
STAY = { type = "text" }

[sources.diagnoses]
files = ["dx_{month}.csv"]
key = ["VISIT", "NO"]
period = "month"
within = true
[sources.diagnoses.columns]
VISIT = { type = "integer", required = true }
NO = { type = "integer", required = true }
CODE = { type = "text" }

[sources.services]
files = ["sv_{month}.csv"]
key = ["VISIT", "NO"]
period = "month"
within = true
[sources.services.columns]
VISIT = { type = "integer", required = true }
NO = { type = "integer", required = true }
CODE = { type = "text", required = true }
DAYS = { type = "integer" }
AMOUNT = { type = "number" }

[sources.results]
files = ["results.csv"]
kind = "delta"
key = ["RESULT"]
operation = "CHANGE"
withdraw = ["D"]
optional = true
[sources.results.columns]
RESULT = { type = "integer", required = true }
CHANGE = { type = "text" }
PT = { type = "text", required = true, identifier = "none" }
DAY = { type = "date", required = true }
GLUCOSE = { type = "number" }
CREATININE = { type = "number" }

[entities.person]
key = ["PT"]
[entities.stay]
table = "visit_occurrence"
[entities.detail]
table = "visit_detail"
key = ["VISIT"]

[events.diagnoses]
domain = "Condition"
type_concept_id = 32817
[events.services]
domain = "Procedure"
type_concept_id = 32817
[events.results]
domain = "Measurement"
type_concept_id = 32817
items = 2
"""

SQL = {
    "entities/person.sql": """
        select
            PT,
            reject_when(SEX = '?', 'sex is unknown'),
            case SEX when 'M' then 8507 when 'F' then 8532 else 0 end as gender_concept_id,
            year(BORN) as year_of_birth, month(BORN) as month_of_birth, day(BORN) as day_of_birth,
            38003585 as race_concept_id, 0 as ethnicity_concept_id,
            PT as person_source_value, SEX as gender_source_value
        from patients
    """,
    "entities/stay.sql": """
        select
            reject_when(person.person_id is null, 'patient is unknown'),
            person.person_id, STAY, case when STAY is null then VISIT end as single,
            case when STAY is null then 9202 else 9201 end as visit_concept_id,
            min(DAY) as visit_start_date,
            max(DAY) as visit_end_date,
            32817 as visit_type_concept_id
        from visits left join person on person.PT = visits.PT
        group by person.person_id, STAY, single
    """,
    "entities/detail.sql": """
        select
            VISIT,
            reject_when(person.person_id is null, 'patient is unknown'),
            person.person_id,
            stay_members.id as visit_occurrence_id,
            case when STAY is null then 9202 else 9201 end as visit_detail_concept_id,
            DAY as visit_detail_start_date, DAY as visit_detail_end_date,
            32817 as visit_detail_type_concept_id
        from visits
        left join person on person.PT = visits.PT
        left join stay_members on stay_members._row = visits._row
    """,
    "events/diagnoses.sql": """
        select
            reject_when(detail.person_id is null, 'no visit'),
            detail.person_id, detail.visit_detail_start_date as start_date,
            'KCD7' as vocabulary_id, CODE as code,
            case when NO = 1 then 'primary' else 'secondary' end as status,
            detail.visit_occurrence_id, detail.visit_detail_id
        from diagnoses left join detail on detail.VISIT = diagnoses.VISIT
    """,
    "events/services.sql": """
        select
            reject_when(detail.person_id is null, 'no visit'),
            unused_when(CODE like 'XX%', 'administrative'),
            detail.person_id, detail.visit_detail_start_date as start_date,
            case when length(CODE) = 9 then 'KDC' else 'EDI' end as vocabulary_id, CODE as code,
            DAYS::integer as days_supply, AMOUNT as total_charge,
            detail.visit_occurrence_id, detail.visit_detail_id
        from services left join detail on detail.VISIT = services.VISIT
    """,
    "events/results.sql": """
        with measured as (
            select *, list_filter([
                {'item': 0, 'code': 'C3711', 'number': GLUCOSE},
                {'item': 1, 'code': 'C3750', 'number': CREATININE}
            ], lambda x: x.number is not null) as found
            from results)
        select
            reject_when(person.person_id is null, 'patient is unknown'),
            person.person_id, DAY as start_date, 'EDI' as vocabulary_id,
            unnest(found).item as item, unnest(found).code as code, unnest(found).number as value_number,
            'mg/dL' as unit
        from measured left join person on person.PT = measured.PT
    """,
}

HEADERS = {
    "patients": "PT,BORN,SEX",
    "visits": "VISIT,PT,DAY,STAY",
    "dx": "VISIT,NO,CODE",
    "sv": "VISIT,NO,CODE,DAYS,AMOUNT",
    "results": "RESULT,CHANGE,PT,DAY,GLUCOSE,CREATININE",
}


def write_pack(folder: Path, toml: str = PACK, sql: Mapping[str, str] | None = None) -> Path:
    """The pack as a folder; `sql` replaces some of its SELECTs."""
    pack = folder / "pack"
    for name, text in (SQL | dict(sql or {})).items():
        path = pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (pack / "pack.toml").write_text(toml, encoding="utf-8")
    return pack


def write_files(folder: Path, files: Mapping[str, Sequence[str]]) -> Path:
    """Source files by name without ending, each with the header of its kind; the ones that nobody names are empty."""
    folder.mkdir(parents=True, exist_ok=True)
    needed = {"patients": [], "visits_201301": [], "dx_201301": [], "sv_201301": []}
    for name, lines in (needed | dict(files)).items():
        header = HEADERS[name.split("_")[0]]
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return folder


def run(folder: Path, files: Mapping[str, Sequence[str]], sql: Mapping[str, str] | None = None) -> Standardized:
    """Write the pack and the files, standardize them with the starter vocabulary into a lake in `folder`."""
    lake = Lake(folder / "lake", folder / "restricted")
    return standardize(
        write_pack(folder, sql=sql), write_files(folder / "in", files), starter_path(), lake.dataset("clinic")
    )
