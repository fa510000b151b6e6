-- Institutions, as last described.
select
    YKIHO_ID,
    'Institution ' || YKIHO_ID as care_site_name,
    8717 as place_of_service_concept_id,
    YKIHO_ID::varchar as care_site_source_value,
    arg_max(YKIHO_GUBUN_CD, STND_Y) as place_of_service_source_value
from yk
group by YKIHO_ID
