-- Findings, disorders and social circumstances: the domain of the standard concept says which table.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    START as start_date,
    STOP as end_date,
    CODE as code,
    DESCRIPTION as code_name,
    visit.visit_occurrence_id,
    visit.provider_id
from conditions
left join person on person.Id = conditions.PATIENT
left join visit on visit.Id = conditions.ENCOUNTER
