-- Addresses of organizations without the street.
select
    id,
    unused_when(city is null and organization.state is null and postalCode is null, 'no address is told'),
    city,
    case when length(organization.state) = 2 then organization.state end as state,
    postalCode as zip,
    id as location_source_value,
    country as country_source_value
from organization
