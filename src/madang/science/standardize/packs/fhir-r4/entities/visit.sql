-- Encounters that took place. An open one ends, as far as is known, on the day it began. Its provider is the first
-- participant, its care site the institution, or else the ward.
with dated as (
    select *,
        try_cast(case length(starts) when 4 then starts || '-01-01' when 7 then starts || '-01' else left(starts, 10) end as date) as began,
        case when length(starts) > 10 then try_cast(left(starts, 19) as timestamp) end as began_at,
        try_cast(case length(ends) when 4 then ends || '-01-01' when 7 then ends || '-01' else left(ends, 10) end as date) as ended,
        case when length(ends) > 10 then try_cast(left(ends, 19) as timestamp) end as ended_at
    from encounter
)
select
    dated.id,
    from_json(try_cast(dated.identifiers as json), '["VARCHAR"]') as identifiers,
    reject_when(coalesce(dated.patient, dated.patient_identifier, dated.patient_value) is null, 'patient is no reference to a Patient of this export'),
    reject_when(coalesce(person.person_id, named.id, valued.id) is null, 'patient is unknown'),
    reject_when(dated.modified is not null, 'an extension that changes its meaning is not known'),
    reject_when(starts is null and actual_period is not null, 'is a resource of FHIR R5, not of R4'),
    unused_when(status in ('planned', 'cancelled', 'entered-in-error'), 'did not take place'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    case coalesce(class, class_of_r5)
        when 'IMP' then 9201
        when 'ACUTE' then 9201
        when 'NONAC' then 9201
        when 'SS' then 9201       -- short stay
        when 'AMB' then 9202
        when 'EMER' then 9203
        when 'OBSENC' then 581385 -- observation
        when 'HH' then 581476     -- at home
        when 'VR' then 5083       -- telehealth
        else 0
    end as visit_concept_id,
    began as visit_start_date,
    began_at as visit_start_datetime,
    greatest(began, coalesce(ended, began)) as visit_end_date,
    case when ended >= began then ended_at else began_at end as visit_end_datetime,
    coalesce(role.provider_id, unassigned.provider_id,
        case when role_named.name is null then unassigned_named.id when unassigned_named.name is null then role_named.id end,
        case when role_valued.name is null then unassigned_valued.id when unassigned_valued.name is null then role_valued.id end) as provider_id,
    coalesce(institution.care_site_id, known.id, valued_institution.id,
        ward.care_site_id, known_ward.id, valued_ward.id) as care_site_id,
    coalesce(class, class_of_r5) as visit_source_value,
    admit_source as admitted_from_source_value,
    discharged_to as discharged_to_source_value
from dated
left join person on person.id = dated.patient
left join person_identifiers as named on named.name = dated.patient_identifier
left join person_identifier_values as valued on valued.name = dated.patient_value
left join practitioner on practitioner.id = dated.practitioner
left join role on role.who = coalesce(practitioner.identifier_system || '|' || practitioner.identifier, '|' || practitioner.identifier, dated.practitioner)
left join role_identifiers as role_named on role_named.name = dated.practitioner_identifier
left join role_identifier_values as role_valued on role_valued.name = dated.practitioner_value
left join unassigned on unassigned.who = coalesce(practitioner.identifier_system || '|' || practitioner.identifier, '|' || practitioner.identifier, dated.practitioner)
left join unassigned_identifiers as unassigned_named on unassigned_named.name = dated.practitioner_identifier
left join unassigned_identifier_values as unassigned_valued on unassigned_valued.name = dated.practitioner_value
left join institution on institution.id = dated.organization
left join institution_identifiers as known on known.name = dated.organization_identifier
left join institution_identifier_values as valued_institution on valued_institution.name = dated.organization_value
left join ward on ward.id = dated.place
left join ward_identifiers as known_ward on known_ward.name = dated.place_identifier
left join ward_identifier_values as valued_ward on valued_ward.name = dated.place_value
