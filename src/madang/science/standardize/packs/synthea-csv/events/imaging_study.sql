-- Synthea writes the procedure of each study into procedures.csv, at the same time and encounter, and once for every
-- image here: to take both would count it twice.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(true, 'its procedure is in procedures.csv'),
    person.person_id,
    DATE::date as start_date,
    PROCEDURE_CODE as code
from imaging_studies left join person on person.Id = imaging_studies.PATIENT
