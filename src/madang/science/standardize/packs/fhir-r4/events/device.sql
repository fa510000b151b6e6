-- A Device tells what a device is, not when it was used: the procedure that put it in does.
select
    unused_when(true, 'tells no day of use'),
    person.person_id,
    null as start_date,
    null as source_value
from device left join person on person.id = device.patient
