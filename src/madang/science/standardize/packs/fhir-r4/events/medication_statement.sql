-- Drugs that somebody is said to take. They mostly tell again what was ordered or given, so they are exposures only if the
-- parameter statements says so.
with own as (
    -- The drug as the resource says it: by code, by a Medication that it contains, or as R5 has it.
    select *,
        coalesce(
            case when codings is not null or said is not null then
                {'coding': from_json(try_cast(codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]'), 'text': said} end,
            list_filter(
                from_json(try_cast(contained as json), '[{"id": "VARCHAR", "code": {"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"}}]'),
                lambda c: '#' || c.id = drug_reference)[1].code,
            from_json(try_cast(concept as json), '{"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"}')
        ) as drug
    from medication_statement
),
listed as (
    select own.*,
        coalesce(drug.coding, from_json(try_cast(medication.codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]')) as listed_codings,
        coalesce(drug.text, medication.said, drug_display) as named_drug,
        coalesce(effective, effective_start, asserted) as told,
        getvariable('code_systems')::json::map(varchar, varchar) as systems
    from own left join medication on medication.id = own.medication
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
    unused_when(coded.status in ('not-taken', 'intended', 'entered-in-error') or coded.taken in ('n', 'na'), 'was not taken'),
    unused_when(getvariable('statements') <> 'taken', 'tells again what was ordered or given'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    try_cast(case length(told) when 4 then told || '-01-01' when 7 then told || '-01' else left(told, 10) end as date) as start_date,
    case when length(told) > 10 then try_cast(left(told, 19) as timestamp) end as start_datetime,
    coalesce(systems[coding.system], coding.system) as vocabulary_id,
    coding.code as code,
    coalesce(coding.code, named_drug, listed_codings[1].display) as source_value,
    coalesce(coding.display, named_drug, listed_codings[1].display) as code_name,
    try_cast(case length(effective_end) when 4 then effective_end || '-01-01' when 7 then effective_end || '-01' else left(effective_end, 10) end as date) as end_date,
    case when length(effective_end) > 10 then try_cast(left(effective_end, 19) as timestamp) end as end_datetime,
    coded.sig,
    coded.route,
    coalesce(visit.visit_occurrence_id, known_visit.visit_occurrence_id) as visit_occurrence_id,
    coalesce(visit.provider_id, known_visit.provider_id) as provider_id
from coded
left join person on person.id = coded.patient
left join person_identifiers as named on named.name = coded.patient_identifier
left join person_identifier_values as valued on valued.name = coded.patient_value
left join visit on visit.id = coded.encounter
left join visit_identifiers as visit_named on visit_named.name = coded.encounter_identifier
left join visit as known_visit on known_visit.visit_occurrence_id = visit_named.id
