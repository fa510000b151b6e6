-- Deaths in the hospital; it does not know of others.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    DTH_DT as death_date,
    DTH_DT + try_cast(DTH_TM as time) as death_datetime,
    'KCD7' as cause_vocabulary_id,
    replace(KCD, '.', '') as cause_code,
    KCD as cause_source_value
from died left join person on person.PT_NO = died.PT_NO
