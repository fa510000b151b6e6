-- Districts where people live: state and county, nothing finer.
select
    unused_when(patients.STATE is null and patients.COUNTY is null, 'no residence is told'),
    STATE as state,
    COUNTY as county,
    concat_ws(', ', STATE, COUNTY) as location_source_value,
    'US' as country_source_value
from patients
group by STATE, COUNTY
