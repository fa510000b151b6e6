-- The text of a document stays at the source, and a note without its text is no NOTE.
select
    unused_when(true, 'its text stays at the source'),
    person.person_id,
    try_cast(case length(written) when 4 then written || '-01-01' when 7 then written || '-01' else left(written, 10) end as date) as start_date,
    null as source_value
from document_reference left join person on person.id = document_reference.patient
