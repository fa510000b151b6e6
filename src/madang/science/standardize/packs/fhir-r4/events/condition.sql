-- Diagnoses, problems and complaints. What was refuted is no condition. An age at the beginning or the end is taken to
-- the day on which the person was so old (born in a year or month: on its first day).
with listed as (
    select *,
        from_json(try_cast(codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]') as listed_codings,
        coalesce(onset, onset_start, onset_words, onset_range) as told,
        coalesce(abatement, abatement_end, abatement_words, abatement_range) as ended,
        case onset_age->>'code' when 'a' then to_months((12 * (onset_age->>'value')::double)::integer)
            when 'mo' then to_months((onset_age->>'value')::double::integer)
            when 'wk' then to_days((7 * (onset_age->>'value')::double)::integer)
            when 'd' then to_days((onset_age->>'value')::double::integer)
            else case when onset_age is not null then to_days(0) end end as began_after,
        case abatement_age->>'code' when 'a' then to_months((12 * (abatement_age->>'value')::double)::integer)
            when 'mo' then to_months((abatement_age->>'value')::double::integer)
            when 'wk' then to_days((7 * (abatement_age->>'value')::double)::integer)
            when 'd' then to_days((abatement_age->>'value')::double::integer)
            else case when abatement_age is not null then to_days(0) end end as ended_after,
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
    reject_when(coded.modified is not null, 'an extension that changes its meaning is not known'),
    unused_when(regexp_matches(verification, '(?i)\b(refuted|entered[- ]in[- ]error)\b'), 'refuted or an error'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    -- Without a day of its own it is of the day of its encounter.
    case when told is not null then try_cast(case length(told) when 4 then told || '-01-01' when 7 then told || '-01' else left(told, 10) end as date)
         else coalesce(cast(coalesce(person.birth, also.birth) + began_after as date),
            try_cast(case length(recorded) when 4 then recorded || '-01-01' when 7 then recorded || '-01' else left(recorded, 10) end as date),
            visit.visit_start_date, known_visit.visit_start_date) end as start_date,
    case when told is null and began_after is null then case when length(recorded) > 10 then try_cast(left(recorded, 19) as timestamp) end
         when length(told) > 10 then try_cast(left(told, 19) as timestamp) end as start_datetime,
    case when ended is not null then try_cast(case length(ended) when 4 then ended || '-01-01' when 7 then ended || '-01' else left(ended, 10) end as date)
         when ended_after is not null then greatest(start_date, cast(coalesce(person.birth, also.birth) + ended_after as date)) end as end_date,
    case when length(ended) > 10 then try_cast(left(ended, 19) as timestamp) end as end_datetime,
    coalesce(systems[coding.system], coding.system) as vocabulary_id,
    coding.code as code,
    coalesce(coding.code, said, listed_codings[1].display) as source_value,
    coalesce(coding.display, said, listed_codings[1].display) as code_name,
    case when contains(category, 'problem-list-item') then 32840 else 32817 end as type_concept_id,  -- problem list, EHR
    case regexp_extract(lower(verification), '\b(confirmed|unconfirmed|provisional|differential)\b', 1)
        when 'confirmed' then 'confirmed' when 'unconfirmed' then 'preliminary'
        when 'provisional' then 'preliminary' when 'differential' then 'preliminary' end as status,
    coalesce(visit.visit_occurrence_id, known_visit.visit_occurrence_id) as visit_occurrence_id,
    coalesce(visit.provider_id, known_visit.provider_id) as provider_id
from coded
left join person on person.id = coded.patient
left join person_identifiers as named on named.name = coded.patient_identifier
left join person_identifier_values as valued on valued.name = coded.patient_value
left join person as also on also.person_id = coalesce(named.id, valued.id)
left join visit on visit.id = coded.encounter
left join visit_identifiers as visit_named on visit_named.name = coded.encounter_identifier
left join visit as known_visit on known_visit.visit_occurrence_id = visit_named.id
