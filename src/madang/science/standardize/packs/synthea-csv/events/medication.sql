-- Prescriptions. One without an end lasts 30 days for each time it was dispensed, but not beyond death or the extract.
-- Its cost is what its claim charges: one dispensing (BASE_COST) and the payer's part of it, in US dollars. TOTALCOST
-- (all dispensings) is in no claim and is not taken.
with counted as (select *, greatest(coalesce(DISPENSES, 1), 1) as times from medications)
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    START::date as start_date,
    START as start_datetime,
    STOP::date as end_date,
    STOP as end_datetime,
    CODE as code,
    DESCRIPTION as code_name,
    case when STOP is null then
        (greatest(START::date, least(START::date + (30 * least(times, 1000) - 1)::integer, person.died, getvariable('extract_date')::date))
         - START::date + 1)::integer end as days_supply,
    (times - 1)::integer as refills,
    BASE_COST as total_charge,
    PAYER_COVERAGE as paid_by_payer,
    BASE_COST - PAYER_COVERAGE as paid_by_patient,
    44818668 as currency_concept_id,
    visit.visit_occurrence_id,
    visit.provider_id
from counted
left join person on person.Id = counted.PATIENT
left join visit on visit.Id = counted.ENCOUNTER
