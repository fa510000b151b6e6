-- Districts where people live: state and county, nothing finer. The field `state` has two letters; Synthea writes names.
with known as (select *, nullif(concat_ws(', ', STATE, COUNTY), '') as residence from patients)
select
    residence,
    unused_when(residence is null, 'no residence is told'),
    min(case when length(known.STATE) = 2 then known.STATE end) as state,
    min(known.COUNTY) as county,
    residence as location_source_value,
    'US' as country_source_value
from known
group by residence
