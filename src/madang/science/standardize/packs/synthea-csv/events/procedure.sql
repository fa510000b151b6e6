-- Its cost is within that of the encounter.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    START::date as start_date,
    START as start_datetime,
    STOP::date as end_date,
    STOP as end_datetime,
    CODE as code,
    DESCRIPTION as code_name,
    visit.visit_occurrence_id,
    visit.provider_id
from procedures
left join person on person.Id = procedures.PATIENT
left join visit on visit.Id = procedures.ENCOUNTER
