-- An identifier that two organizations have tells neither from the other.
select
    organization.id,
    case when count(*) over (partition by coalesce(identifier_system, ''), identifier) = 1
        then coalesce(identifier_system, '') || '|' || identifier end as identifier,
    case when count(*) over (partition by identifier) = 1 then identifier end as identifier_value,
    name as care_site_name,
    0 as place_of_service_concept_id,
    organization_address.location_id,
    organization.id as care_site_source_value,
    coalesce(kind_code, kind) as place_of_service_source_value
from organization left join organization_address on organization_address.id = organization.id
