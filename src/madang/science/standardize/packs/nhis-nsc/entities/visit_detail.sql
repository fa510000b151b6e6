-- Every claim, below its visit.
select
    gy20.KEY_SEQ,
    reject_when(person.person_id is null, 'person is unknown'),
    person.person_id,
    coalesce(stay_members.id, outpatient.visit_occurrence_id) as visit_occurrence_id,
    case when FORM_CD in ('02', '04', '06', '07', '10', '12') then 9201
         when IN_PAT_CORS_TYPE in ('11', '21', '31') then 9203 else 9202 end as visit_detail_concept_id,
    coalesce(FORM_CD in ('02', '04', '06', '07', '10', '12'), false) as inpatient,
    RECU_FR_DT as visit_detail_start_date,
    RECU_FR_DT + greatest(coalesce(VSCN, 1), 1)::integer - 1 as visit_detail_end_date,
    care_site.care_site_id,
    gy20.KEY_SEQ::varchar as visit_detail_source_value
from gy20
left join person on person.insured = gy20.PERSON_ID
left join care_site on care_site.YKIHO_ID = gy20.YKIHO_ID
left join stay_members on stay_members._row = gy20._row
left join outpatient on outpatient.KEY_SEQ = gy20.KEY_SEQ
