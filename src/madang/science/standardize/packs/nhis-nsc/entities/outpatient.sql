-- Every claim that is no stay and no emergency is one visit.
select
    gy20.KEY_SEQ,
    reject_when(person.person_id is null, 'person is unknown'),
    unused_when(coalesce(FORM_CD in ('02', '04', '06', '07', '10', '12') or IN_PAT_CORS_TYPE in ('11', '21', '31'), false),
                'claim of a stay'),
    person.person_id,
    9202 as visit_concept_id,
    RECU_FR_DT as visit_start_date,
    RECU_FR_DT + greatest(coalesce(VSCN, 1), 1)::integer - 1 as visit_end_date,
    care_site.care_site_id,
    gy20.KEY_SEQ::varchar as visit_source_value
from gy20
left join person on person.insured = gy20.PERSON_ID
left join care_site on care_site.YKIHO_ID = gy20.YKIHO_ID
