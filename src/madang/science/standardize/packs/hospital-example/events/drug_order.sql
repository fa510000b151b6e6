-- An order is no exposure: what counts is that it was carried out (drug_execution.sql). The account of the rows says so.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(STATUS = '취소', 'order was canceled'),
    unused_when(true, 'order, its execution is taken'),
    person.person_id,
    ORD_DT as start_date,
    null as vocabulary_id,
    null as code
from orders left join person on person.PT_NO = orders.PT_NO
