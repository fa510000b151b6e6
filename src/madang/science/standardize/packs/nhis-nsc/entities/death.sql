-- Deaths come with the month only: the last day of it is taken; with no month but a cause, the last day of the year.
with told as (
    select *, last_day(try_strptime(DTH_YM || '01', '%Y%m%d')::date) as month_end from jk
),
dated as (
    select *, coalesce(month_end, make_date(STND_Y, 12, 31)) as day from told
)
select
    person.person_id,
    reject_when(person.person_id is null, 'person is unknown'),
    unused_when(DTH_YM is null and DTH_CODE1 is null, 'no death in this year'),
    min(day) as death_date,
    case when min(month_end) = min(day) then 'month' else 'year' end as precision,
    'KCD7' as cause_vocabulary_id,
    arg_min(DTH_CODE1, day) as cause_code,
    arg_min(DTH_CODE1, day) as cause_source_value
from dated left join person on person.insured = dated.PERSON_ID
group by person.person_id
