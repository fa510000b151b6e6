select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    START::date as start_date,
    START as start_datetime,
    STOP::date as end_date,
    STOP as end_datetime,
    CODE as code,
    DESCRIPTION as code_name,
    UDI as unique_device_id,
    1 as quantity,
    visit.visit_occurrence_id,
    visit.provider_id
from devices
left join person on person.Id = devices.PATIENT
left join visit on visit.Id = devices.ENCOUNTER
