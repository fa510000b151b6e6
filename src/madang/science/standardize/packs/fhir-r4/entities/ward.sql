-- Wards, rooms and buildings of institutions. One of mode "kind" stands for many, as "the home of the patient".
select
    place.id,
    unused_when(mode = 'kind', 'a kind of place, no place'),
    case when count(*) over (partition by coalesce(identifier_system, ''), identifier) = 1
        then coalesce(identifier_system, '') || '|' || identifier end as identifier,
    case when count(*) over (partition by identifier) = 1 then identifier end as identifier_value,
    name as care_site_name,
    0 as place_of_service_concept_id,
    place_address.location_id,
    place.id as care_site_source_value,
    kind as place_of_service_source_value
from place left join place_address on place_address.id = place.id
