-- A claim repeats an encounter or a medication, whose files tell its money and diagnoses already.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(true, 'its money is taken from encounters and medications'),
    person.person_id,
    SERVICEDATE::date as start_date,
    null as source_value
from claims left join person on person.Id = claims.PATIENTID
