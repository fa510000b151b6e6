-- The insured. The cohort tells five-year age groups per year (0: age 0, 1: 1-4, 2: 5-9, ..., 18: from 85 on), so the
-- year of birth is an interval that every year of eligibility narrows; its middle is taken, and the interval is kept.
with aged as (
    select *,
        case when AGE_GROUP = 0 then 0 when AGE_GROUP = 1 then 1 else AGE_GROUP * 5 - 5 end as youngest,
        case when AGE_GROUP = 0 then 0 when AGE_GROUP = 1 then 4 when AGE_GROUP = 18 then 120 else AGE_GROUP * 5 - 1 end
            as oldest
    from jk
)
select
    PERSON_ID as insured,
    reject_when(AGE_GROUP not between 0 and 18, 'age group is none of 0 to 18'),
    max(STND_Y - oldest) as born_from,
    min(STND_Y - youngest) as born_to,
    -- From 85 on the interval is open: the youngest possible age is taken.
    case when min(STND_Y - youngest) - max(STND_Y - oldest) > 5 then min(STND_Y - youngest)
         else (max(STND_Y - oldest) + min(STND_Y - youngest)) // 2 end as year_of_birth,
    case arg_max(SEX, STND_Y) when '1' then 8507 when '2' then 8532 else 0 end as gender_concept_id,
    38003585 as race_concept_id,
    0 as ethnicity_concept_id,
    arg_max(location.location_id, STND_Y) as location_id,
    PERSON_ID::varchar as person_source_value,
    arg_max(SEX, STND_Y) as gender_source_value
from aged left join location on location.district = aged.SGG
group by insured
