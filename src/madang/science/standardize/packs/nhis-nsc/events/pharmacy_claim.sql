-- The header of a pharmacy's claim says who and when for its lines (dispensing.sql); by itself it is no event.
select
    reject_when(person.person_id is null, 'person is unknown'),
    unused_when(true, 'pharmacy claim is no visit'),
    person.person_id,
    RECU_FR_DT as start_date,
    null as vocabulary_id,
    null as code
from gy20_t3 left join person on person.insured = gy20_t3.PERSON_ID
