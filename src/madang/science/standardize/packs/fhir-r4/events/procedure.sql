-- What was done, in the table of its concept's domain.
with listed as (
    select *,
        from_json(try_cast(codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]') as listed_codings,
        coalesce(performed, performed_start) as told,
        getvariable('code_systems')::json::map(varchar, varchar) as systems
    from procedure
),
coded as (
    select *,
        list_sort(list_transform(list_filter(listed_codings, lambda c: c.code is not null), lambda c: {
            'rank': coalesce(list_position(map_keys(systems), c.system), 1000),
            'system': c.system, 'code': c.code, 'display': c.display}))[1] as coding
    from listed
)
select
    reject_when(coalesce(coded.patient, coded.patient_identifier, coded.patient_value) is null, 'patient is no reference to a Patient of this export'),
    reject_when(coalesce(person.person_id, named.id, valued.id) is null, 'patient is unknown'),
    reject_when(coded.modified is not null, 'an extension that changes its meaning is not known'),
    reject_when(told is null and (occurrence is not null or occurrence_period is not null), 'is a resource of FHIR R5, not of R4'),
    unused_when(status in ('preparation', 'not-done', 'entered-in-error') or negated = 'true', 'was not done'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    -- Without a day of its own it is of the day of its encounter.
    case when told is null then coalesce(visit.visit_start_date, known_visit.visit_start_date)
         else try_cast(case length(told) when 4 then told || '-01-01' when 7 then told || '-01' else left(told, 10) end as date) end as start_date,
    case when length(told) > 10 then try_cast(left(told, 19) as timestamp) end as start_datetime,
    try_cast(case length(performed_end) when 4 then performed_end || '-01-01' when 7 then performed_end || '-01' else left(performed_end, 10) end as date) as end_date,
    case when length(performed_end) > 10 then try_cast(left(performed_end, 19) as timestamp) end as end_datetime,
    coalesce(systems[coding.system], coding.system) as vocabulary_id,
    coding.code as code,
    coalesce(coding.code, said, listed_codings[1].display) as source_value,
    coalesce(coding.display, said, listed_codings[1].display) as code_name,
    coalesce(visit.visit_occurrence_id, known_visit.visit_occurrence_id) as visit_occurrence_id,
    coalesce(role.provider_id, unassigned.provider_id,
        case when role_named.name is null then unassigned_named.id when unassigned_named.name is null then role_named.id end,
        case when role_valued.name is null then unassigned_valued.id when unassigned_valued.name is null then role_valued.id end, visit.provider_id, known_visit.provider_id) as provider_id
from coded
left join person on person.id = coded.patient
left join person_identifiers as named on named.name = coded.patient_identifier
left join person_identifier_values as valued on valued.name = coded.patient_value
left join visit on visit.id = coded.encounter
left join visit_identifiers as visit_named on visit_named.name = coded.encounter_identifier
left join visit as known_visit on known_visit.visit_occurrence_id = visit_named.id
left join practitioner on practitioner.id = coded.practitioner
left join role on role.who = coalesce(practitioner.identifier_system || '|' || practitioner.identifier, '|' || practitioner.identifier, coded.practitioner)
left join role_identifiers as role_named on role_named.name = coded.practitioner_identifier
left join role_identifier_values as role_valued on role_valued.name = coded.practitioner_value
left join unassigned on unassigned.who = coalesce(practitioner.identifier_system || '|' || practitioner.identifier, '|' || practitioner.identifier, coded.practitioner)
left join unassigned_identifiers as unassigned_named on unassigned_named.name = coded.practitioner_identifier
left join unassigned_identifier_values as unassigned_valued on unassigned_valued.name = coded.practitioner_value
