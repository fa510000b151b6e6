-- Vaccines given.
with listed as (
    select *,
        from_json(try_cast(codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]') as listed_codings,
        getvariable('code_systems')::json::map(varchar, varchar) as systems
    from immunization
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
    unused_when(status in ('not-done', 'entered-in-error') or negated = 'true', 'was not given'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    try_cast(case length(occurred) when 4 then occurred || '-01-01' when 7 then occurred || '-01' else left(occurred, 10) end as date) as start_date,
    case when length(occurred) > 10 then try_cast(left(occurred, 19) as timestamp) end as start_datetime,
    coalesce(systems[coding.system], coding.system) as vocabulary_id,
    coding.code as code,
    coalesce(coding.code, said, listed_codings[1].display) as source_value,
    coalesce(coding.display, said, listed_codings[1].display) as code_name,
    coalesce(quantity, 1) as quantity,
    route,
    lot as lot_number,
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
