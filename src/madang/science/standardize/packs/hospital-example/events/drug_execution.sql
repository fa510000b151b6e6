-- What was dispensed (불출), given at once (투약) or handed out as a prescription for a pharmacy (원외). What came back
-- (반납) is taken off the execution that it names; what came back whole was no exposure.
-- Drugs go by the code of the drug list where the code table has one, else by the hospital's own (maps/drug.csv).
with netted as (
    select *,
        coalesce(sum(case when KIND = '반납' then QTY end) over (partition by coalesce(FROM_NO, EXEC_NO)), 0) as returned
    from execution
)
select
    reject_when(person.person_id is null, 'patient is unknown'),
    reject_when(orders.ORD_NO is null, 'order is unknown'),
    unused_when(KIND = '반납', 'return, taken off what was executed'),
    unused_when(orders.STATUS = '취소', 'order was canceled'),
    unused_when(QTY - returned <= 0, 'returned in full'),
    person.person_id,
    EXEC_DT as start_date,
    EXEC_DT + try_cast(EXEC_TM as time) as start_datetime,
    case when KDC_CD is null then 'HOSP-DRUG' else 'KDC' end as vocabulary_id,
    coalesce(KDC_CD, orders.DRUG_CD) as code,
    orders.DRUG_CD as source_value,
    DRUG_NM as code_name,
    case KIND when '원외' then 32838 when '불출' then 32825 when '투약' then 32818 else 32817 end as type_concept_id,
    QTY - returned as quantity,
    case when returned = 0 then DAYS::integer
         else greatest(round((QTY - returned) / nullif(DOSE * FREQ, 0)), 1)::integer end as days_supply,
    drugcode.ROUTE as route,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id,
    visit_detail.provider_id
from netted
left join person on person.PT_NO = netted.PT_NO
left join orders on orders.ORD_NO = netted.ORD_NO
left join drugcode on drugcode.DRUG_CD = orders.DRUG_CD
left join visit_detail on visit_detail.VISIT_NO = orders.VISIT_NO
