-- The cause stands among the observations (LOINC 69453-9), as text.
select
    unused_when(DEATHDATE is null, 'is alive'),
    person.person_id,
    DEATHDATE as death_date
from patients left join person on person.Id = patients.Id
