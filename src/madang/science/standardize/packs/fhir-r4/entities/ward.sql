-- Wards, rooms and buildings of institutions. One of mode "kind" stands for many, as "the home of the patient".
select
    place.id,
    unused_when(mode = 'kind', 'a kind of place, no place'),
    from_json(try_cast(place.identifiers as json), '["VARCHAR"]') as identifiers,
    list_transform(from_json(try_cast(place.identifiers as json), '["VARCHAR"]'), lambda x: substr(x, instr(x, '|') + 1)) as identifier_values,
    name as care_site_name,
    0 as place_of_service_concept_id,
    place_address.location_id,
    place.id as care_site_source_value,
    kind as place_of_service_source_value
from place left join place_address on place_address.id = place.id
