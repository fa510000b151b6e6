-- Institutions. Synthea does not tell their kind.
select
    organizations.Id,
    NAME as care_site_name,
    0 as place_of_service_concept_id,
    site.location_id,
    organizations.Id as care_site_source_value
from organizations left join site on site.Id = organizations.Id
