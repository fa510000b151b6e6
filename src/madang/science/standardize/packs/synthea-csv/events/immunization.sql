-- A vaccine given: one dose on one day. Its cost is within that of the encounter.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    DATE::date as start_date,
    DATE as start_datetime,
    CODE as code,
    DESCRIPTION as code_name,
    1 as quantity,
    visit.visit_occurrence_id,
    visit.provider_id
from immunizations
left join person on person.Id = immunizations.PATIENT
left join visit on visit.Id = immunizations.ENCOUNTER
