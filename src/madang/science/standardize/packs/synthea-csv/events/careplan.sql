-- The start of a plan of care, in the table of its concept's domain.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    START as start_date,
    STOP as end_date,
    CODE as code,
    DESCRIPTION as code_name,
    visit.visit_occurrence_id,
    visit.provider_id
from careplans
left join person on person.Id = careplans.PATIENT
left join visit on visit.Id = careplans.ENCOUNTER
