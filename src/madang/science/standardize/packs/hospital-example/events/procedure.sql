-- Procedures and devices that were carried out; ordered ones that were not are no events.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(STATUS is distinct from '실시', 'was not performed'),
    person.person_id,
    coalesce(DONE_DT, ORD_DT) as start_date,
    DONE_DT + try_cast(DONE_TM as time) as start_datetime,
    EDI_CD as code,
    PROC_NM as code_name,
    QTY as quantity,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id,
    visit_detail.provider_id
from proc
left join person on person.PT_NO = proc.PT_NO
left join visit_detail on visit_detail.VISIT_NO = proc.VISIT_NO
