-- The fact is "allergic to", the substance is its value: an allergy to aspirin is no exposure to aspirin. The codes are
-- the general concepts of SNOMED for allergy and intolerance by category. "No known allergy" is a fact by itself.
with listed as (
    select *,
        from_json(try_cast(codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]') as listed_codings,
        coalesce(onset, recorded) as told,
        getvariable('code_systems')::json::map(varchar, varchar) as systems
    from allergy
),
coded as (
    select *,
        list_sort(list_transform(list_filter(listed_codings, lambda c: c.code is not null), lambda c: {
            'rank': coalesce(list_position(map_keys(systems), c.system), 1000),
            'system': c.system, 'code': c.code, 'display': c.display}))[1] as coding
    from listed
),
negated as (
    select *, coding.code in ('716186003', '409137002', '429625007', '428607008', '1003774007') as none from coded
)
select
    reject_when(coalesce(negated.patient, negated.patient_identifier, negated.patient_value) is null, 'patient is no reference to a Patient of this export'),
    reject_when(coalesce(person.person_id, named.id, valued.id) is null, 'patient is unknown'),
    reject_when(negated.modified is not null, 'an extension that changes its meaning is not known'),
    unused_when(regexp_matches(verification, '(?i)\b(refuted|entered[- ]in[- ]error)\b'), 'refuted or an error'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    try_cast(case length(told) when 4 then told || '-01-01' when 7 then told || '-01' else left(told, 10) end as date) as start_date,
    case when length(told) > 10 then try_cast(left(told, 19) as timestamp) end as start_datetime,
    'SNOMED' as vocabulary_id,
    case when none then coding.code
        when kind = 'intolerance' then case category when 'medication' then '59037007' when 'food' then '235719002' else '782197009' end
        else case category when 'medication' then '416098002' when 'food' then '414285001' when 'environment' then '426232007' else '419199007' end
    end as code,
    coalesce(coding.code, said, listed_codings[1].display) as source_value,
    case when not coalesce(none, false) then coalesce(systems[coding.system], coding.system) end as value_vocabulary_id,
    case when not coalesce(none, false) then coding.code end as value_code,
    coalesce(coding.display, said, listed_codings[1].display) as value,
    coalesce(visit.visit_occurrence_id, known_visit.visit_occurrence_id) as visit_occurrence_id,
    coalesce(visit.provider_id, known_visit.provider_id) as provider_id
from negated
left join person on person.id = negated.patient
left join person_identifiers as named on named.name = negated.patient_identifier
left join person_identifier_values as valued on valued.name = negated.patient_value
left join visit on visit.id = negated.encounter
left join visit_identifiers as visit_named on visit_named.name = negated.encounter_identifier
left join visit as known_visit on known_visit.visit_occurrence_id = visit_named.id
