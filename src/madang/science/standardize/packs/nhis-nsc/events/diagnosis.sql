select
    reject_when(visit_detail.visit_detail_id is null, 'no claim header'),
    visit_detail.person_id,
    coalesce(gy40.RECU_FR_DT, visit_detail.visit_detail_start_date) as start_date,
    SICK_SYM as code,
    case when SEQ_NO = 1 then 'primary' else 'secondary' end as status,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id
from gy40 left join visit_detail on visit_detail.KEY_SEQ = gy40.KEY_SEQ
