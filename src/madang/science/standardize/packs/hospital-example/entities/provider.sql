-- Doctors, by pseudonym. The specialty is coded by the pack's own map (maps/specialty.csv) from the department.
select
    DR_NO,
    care_site.care_site_id,
    'HOSP-DEPT' as specialty_vocabulary_id,
    doctor.DEPT_CD as specialty_code,
    doctor.DEPT_CD as specialty_source_value,
    DR_NO as provider_source_value
from doctor left join care_site on care_site.DEPT_CD = doctor.DEPT_CD
