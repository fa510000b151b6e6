-- Deaths come with the month only: the last day of it is taken; with no month but a cause, the last day of the year.
with dated as (
    select *, coalesce(last_day(try_strptime(DTH_YM || '01', '%Y%m%d')::date), make_date(STND_Y, 12, 31)) as day from jk
)
select
    person.person_id,
    reject_when(person.person_id is null, 'person is unknown'),
    unused_when(DTH_YM is null and DTH_CODE1 is null, 'no death in this year'),
    min(day) as death_date,
    'KCD7' as cause_vocabulary_id,
    arg_min(DTH_CODE1, day) as cause_code,
    arg_min(DTH_CODE1, day) as cause_source_value
from dated left join person on person.insured = dated.PERSON_ID
group by person.person_id
