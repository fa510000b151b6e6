-- Of identifiers see person.sql.
select
    organization.id,
    from_json(try_cast(organization.identifiers as json), '["VARCHAR"]') as identifiers,
    list_transform(from_json(try_cast(organization.identifiers as json), '["VARCHAR"]'), lambda x: substr(x, instr(x, '|') + 1)) as identifier_values,
    name as care_site_name,
    0 as place_of_service_concept_id,
    organization_address.location_id,
    organization.id as care_site_source_value,
    coalesce(kind_code, kind) as place_of_service_source_value
from organization left join organization_address on organization_address.id = organization.id
