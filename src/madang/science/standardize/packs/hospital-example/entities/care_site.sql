-- A department is a care site.
select
    DEPT_CD,
    DEPT_NM as care_site_name,
    8717 as place_of_service_concept_id,
    DEPT_CD as care_site_source_value
from dept
