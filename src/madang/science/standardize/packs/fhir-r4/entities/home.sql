-- Districts where patients live, nothing finer. The field `state` has two letters: other names stand in the source value.
with known as (select *, nullif(concat_ws(', ', country, state, district), '') as residence from patient)
select
    residence,
    unused_when(residence is null, 'no residence is told'),
    min(case when length(known.state) = 2 then known.state end) as state,
    min(known.district) as county,
    residence as location_source_value,
    min(known.country) as country_source_value
from known
group by residence
