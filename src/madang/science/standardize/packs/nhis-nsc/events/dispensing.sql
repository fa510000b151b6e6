-- What pharmacies dispensed (kind 3), and their fees.
select
    reject_when(gy20_t3.KEY_SEQ is null, 'no claim header'),
    reject_when(person.person_id is null, 'person is unknown'),
    person.person_id,
    coalesce(gy30_t3.RECU_FR_DT, gy20_t3.RECU_FR_DT) as start_date,
    case when DIV_TYPE_CD = '3' then 'KDC' else 'EDI' end as vocabulary_id,
    DIV_CD as code,
    case DIV_TYPE_CD when '3' then 'Drug' else 'Procedure' end as domain,
    DD_MQTY_FREQ * DD_MQTY_EXEC_FREQ * MDCN_EXEC_FREQ as quantity,
    case when DIV_TYPE_CD = '3' then MDCN_EXEC_FREQ::integer end as days_supply
from gy30_t3
left join gy20_t3 on gy20_t3.KEY_SEQ = gy30_t3.KEY_SEQ
left join person on person.insured = gy20_t3.PERSON_ID
