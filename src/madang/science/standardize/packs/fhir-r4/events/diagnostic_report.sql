-- A report binds results that are observations of their own. What else it says is text, which stays at the source.
select
    unused_when(result is not null, 'its results are taken from Observation'),
    unused_when(true, 'its text stays at the source'),
    person.person_id,
    try_cast(case length(coalesce(effective, issued)) when 4 then coalesce(effective, issued) || '-01-01' when 7 then coalesce(effective, issued) || '-01' else left(coalesce(effective, issued), 10) end as date) as start_date,
    null as source_value
from diagnostic_report left join person on person.id = diagnostic_report.patient
