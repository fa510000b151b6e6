-- Every encounter is a visit. Urgent care is its own kind (8782), a walk-in clinic and no emergency room.
select
    encounters.Id,
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    case ENCOUNTERCLASS
        when 'inpatient' then 9201
        when 'ambulatory' then 9202
        when 'outpatient' then 9202
        when 'wellness' then 9202
        when 'emergency' then 9203
        when 'urgentcare' then 8782
        when 'snf' then 8863        -- skilled nursing facility
        when 'hospice' then 8546
        when 'home' then 581476
        when 'virtual' then 5083    -- telehealth
        else 0
    end as visit_concept_id,
    START::date as visit_start_date,
    START as visit_start_datetime,
    greatest(START, coalesce(STOP, START))::date as visit_end_date,
    greatest(START, coalesce(STOP, START)) as visit_end_datetime,
    provider.provider_id,
    care_site.care_site_id,
    ENCOUNTERCLASS as visit_source_value
from encounters
left join person on person.Id = encounters.PATIENT
left join provider on provider.Id = encounters.PROVIDER
left join care_site on care_site.Id = encounters.ORGANIZATION
