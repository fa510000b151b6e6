-- Race and ethnicity by the categories of US Core; more than one race, or none of the categories, is 0.
with dated as (
    select *,
        nullif(concat_ws(', ', country, state, district), '') as residence,
        -- A day that does not exist still tells the month, a month that does not the year.
        try_cast(left(birthDate, 10) as date) as birth_day,
        try_cast(left(birthDate, 7) || '-01' as date) as birth_month,
        coalesce(birth_day, birth_month, try_cast(left(birthDate, 4) || '-01-01' as date)) as born,
        list_filter(['2106-3', '2054-5', '2028-9', '1002-5', '2076-8'], lambda c: contains(extended, '"' || c || '"')) as races
    from patient
)
select
    dated.id,
    from_json(try_cast(dated.identifiers as json), '["VARCHAR"]') as identifiers,
    list_transform(from_json(try_cast(dated.identifiers as json), '["VARCHAR"]'), lambda x: substr(x, instr(x, '|') + 1)) as identifier_values,
    reject_when(born is null, 'year of birth is missing'),
    reject_when(modified is not null, 'an extension that changes its meaning is not known'),
    replaced as other_links,  -- read so that those that another patient replaces are counted
    born as birth,  -- for ages that conditions tell; not written
    deceasedDateTime is not null or coalesce(deceased, 'false') <> 'false' as is_dead,
    case gender when 'male' then 8507 when 'female' then 8532 else 0 end as gender_concept_id,
    year(born) as year_of_birth,
    case when birth_day is not null or birth_month is not null then month(born) end as month_of_birth,
    day(birth_day) as day_of_birth,
    case when length(races) = 0 or extended is null then getvariable('race_concept_id')::bigint
         when length(races) > 1 then 0
         else case races[1]
            when '2106-3' then 8527  -- white
            when '2054-5' then 8516  -- black
            when '2028-9' then 8515  -- Asian
            when '1002-5' then 8657  -- American Indian or Alaska Native
            when '2076-8' then 8557  -- Native Hawaiian or other Pacific Islander
         end end as race_concept_id,
    case when contains(extended, '"2135-2"') then 38003563
         when contains(extended, '"2186-5"') then 38003564 else 0 end as ethnicity_concept_id,
    home.location_id,
    dated.id as person_source_value,
    gender as gender_source_value,
    nullif(array_to_string(races, ','), '') as race_source_value,
    case when contains(extended, '"2135-2"') then '2135-2' when contains(extended, '"2186-5"') then '2186-5' end as ethnicity_source_value
from dated
left join home on home.residence = dated.residence
