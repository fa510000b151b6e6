-- Insurance. Synthea renews it every year; years with the same payers that follow each other are one period. The day
-- of a change belongs to the new payer. To be uninsured (payer NO_INSURANCE) is no enrollment, and neither
-- is what lies beyond the extract: Synthea writes the current year to its end.
with dated as (
    select *,
        case when length(START_YEAR) = 4 then make_date(START_YEAR::integer, 1, 1) else try_cast(START_YEAR[:10] as date) end as begins,
        case when length(END_YEAR) = 4 then make_date(END_YEAR::integer + 1, 1, 1) else try_cast(END_YEAR[:10] as date) end as next
    from payer_transitions
),
marked as (
    select *,
        case when begins = lag(next) over (partition by PATIENT, PAYER, SECONDARY_PAYER order by begins, next) then 0 else 1 end as new
    from dated
),
joined as (
    select *, sum(new) over (partition by PATIENT, PAYER, SECONDARY_PAYER order by begins, next, _row) as island from marked
)
select
    person.person_id,
    PAYER,
    SECONDARY_PAYER,
    island,
    reject_when(person.person_id is null, 'patient is unknown'),
    reject_when(begins is null or next is null, 'dates are no dates'),
    unused_when(begins > getvariable('extract_date')::date, 'begins after the extract'),
    unused_when(payers.NAME = 'NO_INSURANCE', 'no insurance'),
    min(begins) as payer_plan_period_start_date,
    greatest(min(begins), least(max(next) - 1, min(person.died), getvariable('extract_date')::date)) as payer_plan_period_end_date,
    -- Source of Payment Typology
    'SOPT' as payer_vocabulary_id,
    case min(payers.NAME) when 'Medicare' then '1' when 'Medicaid' then '2' when 'Dual Eligible' then '14' else '5' end as payer_code,
    min(payers.NAME) as payer_source_value
from joined
left join person on person.Id = joined.PATIENT
left join payers on payers.Id = joined.PAYER
group by person.person_id, PAYER, SECONDARY_PAYER, island
