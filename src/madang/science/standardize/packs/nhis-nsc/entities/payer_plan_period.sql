-- Years with the same kind of insurance and income decile.
with joined as (
    select *, STND_Y - row_number() over (
        partition by PERSON_ID, IPSN_TYPE_CD, CTRB_PT_TYPE_CD order by STND_Y) as island
    from jk
)
select
    person.person_id,
    IPSN_TYPE_CD,
    CTRB_PT_TYPE_CD,
    island,
    reject_when(person.person_id is null, 'person is unknown'),
    make_date(min(STND_Y)::integer, 1, 1) as payer_plan_period_start_date,
    greatest(make_date(min(STND_Y)::integer, 1, 1),
             least(make_date(max(STND_Y)::integer, 12, 31), min(death.death_date))) as payer_plan_period_end_date,
    0 as payer_concept_id,
    IPSN_TYPE_CD as payer_source_value,
    CTRB_PT_TYPE_CD as plan_source_value
from joined
left join person on person.insured = joined.PERSON_ID
left join death on death.person_id = person.person_id
group by person.person_id, IPSN_TYPE_CD, CTRB_PT_TYPE_CD, island
