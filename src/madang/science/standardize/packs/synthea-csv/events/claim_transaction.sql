-- Charges, payments and transfers of claims, line by line: their sums are taken from encounters and medications.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(true, 'its money is taken from encounters and medications'),
    person.person_id,
    FROMDATE::date as start_date,
    null as source_value
from claims_transactions left join person on person.Id = claims_transactions.PATIENTID
