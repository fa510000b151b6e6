-- Addresses of places without the street.
select
    id,
    unused_when(city is null and place.state is null and postalCode is null, 'no address is told'),
    city,
    case when length(place.state) = 2 then place.state end as state,
    postalCode as zip,
    latitude,
    longitude,
    id as location_source_value,
    country as country_source_value
from place
