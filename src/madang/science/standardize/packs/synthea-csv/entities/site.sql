-- Addresses of institutions; the street is not needed.
select
    Id,
    CITY as city,
    STATE as state,
    ZIP as zip,
    Id as location_source_value,
    'US' as country_source_value,
    LAT as latitude,
    LON as longitude
from organizations
