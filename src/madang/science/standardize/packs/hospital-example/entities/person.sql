-- Patients, by pseudonym. Korean hospitals record neither race nor ethnicity: Korean is assumed for race.
select
    PT_NO,
    case SEX when '남' then 8507 when '여' then 8532 else 0 end as gender_concept_id,
    year(BIRTH_DT) as year_of_birth,
    month(BIRTH_DT) as month_of_birth,
    day(BIRTH_DT) as day_of_birth,
    38003585 as race_concept_id,
    0 as ethnicity_concept_id,
    PT_NO as person_source_value,
    SEX as gender_source_value
from patient
