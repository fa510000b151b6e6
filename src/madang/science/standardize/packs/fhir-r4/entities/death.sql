-- A death without a day (deceasedBoolean, or words) cannot be a row of DEATH.
select
    unused_when(deceasedDateTime is null and coalesce(deceased, 'false') = 'false', 'is alive'),
    unused_when(deceasedDateTime is null, 'day of death is not told'),
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    try_cast(case length(deceasedDateTime) when 4 then deceasedDateTime || '-01-01' when 7 then deceasedDateTime || '-01' else left(deceasedDateTime, 10) end as date) as death_date,
    case when length(deceasedDateTime) > 10 then try_cast(left(deceasedDateTime, 19) as timestamp) end as death_datetime
from patient left join person on person.id = patient.id
