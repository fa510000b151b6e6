-- Lines of kind 3 are drugs given at once, the others fees, services and devices of the fee list.
select
    reject_when(visit_detail.visit_detail_id is null, 'no claim header'),
    visit_detail.person_id,
    coalesce(gy30.RECU_FR_DT, visit_detail.visit_detail_start_date) as start_date,
    case when DIV_TYPE_CD = '3' then 'KDC' else 'EDI' end as vocabulary_id,
    DIV_CD as code,
    case DIV_TYPE_CD when '3' then 'Drug' when '8' then 'Device' else 'Procedure' end as domain,
    DD_MQTY_FREQ * DD_MQTY_EXEC_FREQ * MDCN_EXEC_FREQ as quantity,
    case when DIV_TYPE_CD = '3' then MDCN_EXEC_FREQ::integer end as days_supply,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id
from gy30 left join visit_detail on visit_detail.KEY_SEQ = gy30.KEY_SEQ
