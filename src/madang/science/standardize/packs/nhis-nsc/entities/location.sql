-- Districts where insured people lived.
select
    SGG as district,
    unused_when(SGG is null, 'district is not told'),
    min(SIDO) as state,
    SGG as location_source_value,
    'KR' as country_source_value
from jk
group by district
