-- Years of eligibility, joined where no year is missing between, from birth and cut at death.
with joined as (
    select *, STND_Y - row_number() over (partition by PERSON_ID order by STND_Y) as island from jk
)
select
    person.person_id,
    island,
    reject_when(person.person_id is null, 'person is unknown'),
    make_date(min(STND_Y)::integer, 1, 1) as observation_period_start_date,
    greatest(make_date(min(STND_Y)::integer, 1, 1),
             least(make_date(max(STND_Y)::integer, 12, 31), min(death.death_date))) as observation_period_end_date
from joined
left join person on person.insured = joined.PERSON_ID
left join death on death.person_id = person.person_id
group by person.person_id, island
