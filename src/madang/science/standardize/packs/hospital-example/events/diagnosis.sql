-- The hospital writes diagnosis codes with a dot, the vocabulary has them without. A suspected diagnosis (R/O) is no
-- diagnosis; once it is confirmed, a later delivery says so.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(RO = 'R/O', 'diagnosis is to be ruled out'),
    person.person_id,
    DX_DT as start_date,
    replace(KCD, '.', '') as code,
    KCD as source_value,
    KCD_NM as code_name,
    case DX_KIND when '주' then 'primary' else 'secondary' end as status,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id,
    visit_detail.provider_id
from diag
left join person on person.PT_NO = diag.PT_NO
left join visit_detail on visit_detail.VISIT_NO = diag.VISIT_NO
