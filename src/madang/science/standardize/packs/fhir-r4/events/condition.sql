-- Diagnoses, problems and complaints. What was refuted is no condition.
with listed as (
    select *,
        from_json(try_cast(codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]') as listed_codings,
        coalesce(onset, onset_start, recorded) as told,
        coalesce(abatement, abatement_end) as ended,
        getvariable('code_systems')::json::map(varchar, varchar) as systems
    from condition
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
    unused_when(verification in ('refuted', 'entered-in-error'), 'refuted or an error'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    -- Without a day of its own it is of the day of its encounter.
    case when told is null then coalesce(visit.visit_start_date, known_visit.visit_start_date)
         else try_cast(case length(told) when 4 then told || '-01-01' when 7 then told || '-01' else left(told, 10) end as date) end as start_date,
    case when length(told) > 10 then try_cast(left(told, 19) as timestamp) end as start_datetime,
    try_cast(case length(ended) when 4 then ended || '-01-01' when 7 then ended || '-01' else left(ended, 10) end as date) as end_date,
    case when length(ended) > 10 then try_cast(left(ended, 19) as timestamp) end as end_datetime,
    coalesce(systems[coding.system], coding.system) as vocabulary_id,
    coding.code as code,
    coalesce(coding.code, said, listed_codings[1].display) as source_value,
    coalesce(coding.display, said, listed_codings[1].display) as code_name,
    case category when 'problem-list-item' then 32840 else 32817 end as type_concept_id,  -- problem list, EHR
    case verification when 'confirmed' then 'confirmed' when 'unconfirmed' then 'preliminary'
        when 'provisional' then 'preliminary' when 'differential' then 'preliminary' end as status,
    coalesce(visit.visit_occurrence_id, known_visit.visit_occurrence_id) as visit_occurrence_id,
    coalesce(visit.provider_id, known_visit.provider_id) as provider_id
from coded
left join person on person.id = coded.patient
left join person_identifiers as named on named.name = coded.patient_identifier
left join person_identifier_values as valued on valued.name = coded.patient_value
left join visit on visit.id = coded.encounter
left join visit_identifiers as visit_named on visit_named.name = coded.encounter_identifier
left join visit as known_visit on known_visit.visit_occurrence_id = visit_named.id
