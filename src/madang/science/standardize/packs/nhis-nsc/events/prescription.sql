-- An outpatient's prescription is dispensed by a pharmacy, and the dispensing is the exposure. What inpatients are
-- prescribed is given in the ward.
select
    reject_when(visit_detail.visit_detail_id is null, 'no claim header'),
    unused_when(not visit_detail.inpatient, 'prescription, its dispensing is taken'),
    visit_detail.person_id,
    coalesce(gy60.RECU_FR_DT, visit_detail.visit_detail_start_date) as start_date,
    DIV_CD as code,
    DD_MQTY_FREQ * DD_EXEC_FREQ * MDCN_EXEC_FREQ as quantity,
    MDCN_EXEC_FREQ::integer as days_supply,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id
from gy60 left join visit_detail on visit_detail.KEY_SEQ = gy60.KEY_SEQ
