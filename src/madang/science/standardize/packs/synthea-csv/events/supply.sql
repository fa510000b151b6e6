-- Gloves, gowns and the like used for a patient.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    DATE as start_date,
    DATE as end_date,
    CODE as code,
    DESCRIPTION as code_name,
    QUANTITY as quantity,
    visit.visit_occurrence_id,
    visit.provider_id
from supplies
left join person on person.Id = supplies.PATIENT
left join visit on visit.Id = supplies.ENCOUNTER
