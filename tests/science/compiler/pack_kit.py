"""Small packs for tests of the compiler: two sources, a person, stays and diagnoses."""

from collections.abc import Mapping
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.standardize.compile import Program, compile_pack
from madang.science.standardize.pack import Pack, load_pack

TOML = """\
name = "clinic"
version = "1"
license = "CC0-1.0"

[parameters]
extract_date = 2023-12-31
prefix = "K"

[cdm_source]
cdm_source_name = "Clinic"

[sources.patient]
files = ["patient.csv"]
key = ["PT"]
[sources.patient.columns]
PT = { type = "text", identifier = "pseudonym" }
SEX = { type = "text" }
BORN = { type = "date" }
PT_NAME = { type = "text", identifier = "direct" }

[sources.visit]
files = ["visit.csv"]
key = ["VISIT"]
[sources.visit.columns]
VISIT = { type = "text" }
PT = { type = "text", identifier = "pseudonym" }
DAY = { type = "date" }
LAST = { type = "date", identifier = "none" }

[sources.dx]
files = ["dx_{month}.csv"]
[sources.dx.columns]
VISIT = { type = "text" }
CODES = { type = "text" }
AMT = { type = "integer" }

[entities.person]
key = ["PT"]
[entities.stay]
table = "visit_occurrence"
key = ["VISIT"]
type_concept_id = 32817

[events.dx]
domain = "Condition"
type_concept_id = 32817
vocabulary = "KCD7"
items = 5
"""

PERSON = """\
select
    reject_when(BORN is null, 'no birth date'),
    PT,
    case SEX when 'M' then 8507 when 'F' then 8532 else 0 end as gender_concept_id,
    year(BORN) as year_of_birth,
    0 as race_concept_id,
    0 as ethnicity_concept_id
from patient
"""
STAY = """\
select
    reject_when(person.person_id is null, 'no patient'),
    VISIT,
    person.person_id,
    9201 as visit_concept_id,
    min(DAY) as visit_start_date,
    max(LAST) as visit_end_date
from visit
left join person on person.PT = visit.PT
group by VISIT, person.person_id
"""
DX = """\
select
    stay.person_id,
    stay.visit_start_date as start_date,
    CODES as code
from dx
left join stay on stay.VISIT = dx.VISIT
"""
SQL = {"entities/person.sql": PERSON, "entities/stay.sql": STAY, "events/dx.sql": DX}


def write_pack(folder: Path, toml: str = TOML, sql: Mapping[str, str] = SQL) -> Path:
    """The folder `clinic` in `folder` with these files."""
    pack = folder / "clinic"
    for name, text in {"pack.toml": toml, **sql}.items():
        path = pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return pack


def make_pack(folder: Path, toml: str = TOML, **changed: str) -> Pack:
    """The clinic's pack, with other text of `dx`, `stay` or `person`."""
    kinds = {"dx": "events"}
    sql = {f"{kinds.get(name, 'entities')}/{name}.sql": text for name, text in changed.items()}
    return load_pack(write_pack(folder, toml, {**SQL, **sql}))


def compiled(folder: Path, toml: str = TOML, **changed: str) -> Program:
    """The clinic's pack, compiled."""
    with Engine() as engine:
        return compile_pack(make_pack(folder, toml, **changed), engine)


def refusal(folder: Path, toml: str = TOML, **changed: str) -> MadangError:
    """The error with which the compiler, or the loading, refuses a pack."""
    try:
        compiled(folder, toml, **changed)
    except MadangError as error:
        return error
    raise AssertionError("The pack was accepted.")
