"""The clinic of this chapter: what an example does not give is as here."""

TOML = """
name = "clinic"
version = "1"
license = "CC0-1.0"
[cdm_source]
cdm_source_name = "Clinic"
[sources.patients]
files = ["patients.csv"]
[sources.patients.columns]
PT = { type = "text", required = true, identifier = "none" }
BORN = { type = "date" }
[sources.diagnoses]
files = ["diagnoses.csv"]
[sources.diagnoses.columns]
PT = { type = "text", identifier = "none" }
DAY = { type = "date" }
CODES = { type = "text" }
[entities.person]
key = ["PT"]
[events.dx]
domain = "Condition"
type_concept_id = 32817
vocabulary = "Local"
items = 9
"""
PERSON = """
select PT, min(year(BORN)) as year_of_birth,
    0 as gender_concept_id, 0 as race_concept_id, 0 as ethnicity_concept_id, count(*) as deliveries
from patients group by PT
"""
DX = """
select person.person_id, DAY as start_date, CODES as code
from diagnoses left join person on person.PT = diagnoses.PT
"""
PATIENTS = "PT,BORN\n1,1970-01-02\n"
DIAGNOSES = "PT,DAY,CODES\n1,2020-03-01,A\n"
