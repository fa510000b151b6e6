-- An observation is item 0 if it has a value of its own (or nothing else to tell), and each of its components an item:
-- a blood pressure without a value of its own gives systolic and diastolic. A panel that only names its members gives
-- nothing. Quantities keep their unit by its UCUM code, concepts are coded values, all else is text. The answer to
-- LOINC 56799-0 is a street: it never leaves the source, only that it was asked does.
with parsed as (
    select *,
        coalesce(effective, effective_start, instant, timing, issued) as told,
        case when contains(categories, '"laboratory"') then 'laboratory' when contains(categories, '"vital-signs"') then 'vital-signs'
             when contains(categories, '"survey"') then 'survey' end as category,
        getvariable('code_systems')::json::map(varchar, varchar) as systems,
        list_concat(
            [{
                'code': from_json(try_cast(observation.code as json), '{"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"}'),
                'valueQuantity': from_json(try_cast(quantity as json), '{"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR", "code": "VARCHAR"}'),
                'valueCodeableConcept': from_json(try_cast(concept as json), '{"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"}'),
                'valueString': coalesce(string, moment),
                'valueInteger': integer,
                'valueBoolean': boolean,
                'valueRange': from_json(try_cast("range" as json), '{"low": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}, "high": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}}'),
                'valueRatio': from_json(try_cast(ratio as json), '{"numerator": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}, "denominator": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}}'),
                'valueTime': time,
                'valuePeriod': from_json(try_cast(period as json), '{"start": "VARCHAR", "end": "VARCHAR"}'),
                'valueDateTime': null::varchar,
                'dataAbsentReason': from_json(try_cast(absent as json), '{"coding": [{"code": "VARCHAR"}], "text": "VARCHAR"}'),
                'interpretation': [from_json(try_cast(interpretation as json), '{"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"}')],
                'valueSampledData': {'data': sampled},
                'referenceRange': [{'low': {'value': low::varchar}, 'high': {'value': high::varchar}}]
            }],
            from_json(try_cast(component as json), '[{
                "code": {"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"},
                "valueQuantity": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR", "code": "VARCHAR"},
                "valueCodeableConcept": {"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"},
                "valueString": "VARCHAR",
                "valueInteger": "VARCHAR",
                "valueBoolean": "VARCHAR",
                "valueRange": {"low": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}, "high": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}},
                "valueRatio": {"numerator": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}, "denominator": {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR"}},
                "valueTime": "VARCHAR",
                "valuePeriod": {"start": "VARCHAR", "end": "VARCHAR"},
                "valueDateTime": "VARCHAR",
                "dataAbsentReason": {"coding": [{"code": "VARCHAR"}], "text": "VARCHAR"},
                "interpretation": [{"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"}],
                "valueSampledData": {"data": "VARCHAR"},
                "referenceRange": [{"low": {"value": "VARCHAR"}, "high": {"value": "VARCHAR"}}]
            }]')
        ) as told_items
    from observation
),
numbered as (
    select *,
        list_transform(told_items, lambda x, i: {
            'item': i - 1,
            'main': i = 1,
            'coding': list_sort(list_transform(list_filter(x.code.coding, lambda c: c.code is not null), lambda c: {
                'rank': coalesce(list_position(map_keys(systems), c.system), 1000),
                'system': c.system, 'code': c.code, 'display': c.display}))[1],
            'said': coalesce(x.code.text, x.code.coding[1].display),
            'quantity': x.valueQuantity,
            'answer': list_sort(list_transform(list_filter(x.valueCodeableConcept.coding, lambda c: c.code is not null), lambda c: {
                'rank': coalesce(list_position(map_keys(systems), c.system), 1000),
                'system': c.system, 'code': c.code, 'display': c.display}))[1],
            -- What is neither a quantity nor a concept is text: 10 - 20, 1:128, 07:30:00, 2021-01-01/2021-01-03.
            'text': coalesce(
                x.valueCodeableConcept.text, x.valueCodeableConcept.coding[1].display, x.valueString, x.valueInteger, x.valueBoolean, x.valueTime, x.valueDateTime, x.valueSampledData.data,
                case when x.valueRange.low.value is null then '<= ' || x.valueRange.high.value || coalesce(' ' || x.valueRange.high.unit, '')
                     when x.valueRange.high.value is null then '>= ' || x.valueRange.low.value || coalesce(' ' || x.valueRange.low.unit, '')
                     else concat(x.valueRange.low.value, ' - ', x.valueRange.high.value, ' ' || coalesce(x.valueRange.high.unit, x.valueRange.low.unit)) end,
                case when x.valueRatio is not null then concat(x.valueRatio.numerator.comparator, x.valueRatio.numerator.value, ' ' || x.valueRatio.numerator.unit,
                    ':', x.valueRatio.denominator.comparator, x.valueRatio.denominator.value, ' ' || x.valueRatio.denominator.unit) end,
                case when x.valuePeriod is not null then concat(x.valuePeriod.start, '/', x.valuePeriod.end) end),
            'absent': coalesce(x.dataAbsentReason.coding[1].code, x.dataAbsentReason.text),
            'seen': coalesce(x.interpretation[1].text, x.interpretation[1].coding[1].display, x.interpretation[1].coding[1].code),
            'written': concat(x.valueQuantity.comparator, x.valueQuantity.value),
            -- A whole number beyond 2^53 would be another one as a double.
            'number': coalesce(case when isfinite(try_cast(x.valueQuantity.value as double)) and (regexp_matches(x.valueQuantity.value, '[.eE]') or abs(try_cast(x.valueQuantity.value as double)) < 9007199254740992)
                then try_cast(x.valueQuantity.value as double) end, 
                case when abs(try_cast(x.valueInteger as double)) < 9007199254740992 then try_cast(x.valueInteger as double) end),
            'low': try_cast(x.referenceRange[1].low.value as double),
            'high': try_cast(x.referenceRange[1].high.value as double)
        }) as every
    from parsed
),
found as (
    select *,
        case when length(every) = 1 then every
             else list_filter(every, lambda x: not x.main or x.number is not null or x.text is not null or x.answer is not null or x.written <> '')
        end as found
    from numbered
)
select
    reject_when(coalesce(found.patient, found.patient_identifier, found.patient_value) is null, 'patient is no reference to a Patient of this export'),
    reject_when(coalesce(person.person_id, named.id, valued.id) is null, 'patient is unknown'),
    reject_when(found.modified is not null, 'an extension that changes its meaning is not known'),
    unused_when(status in ('registered', 'cancelled', 'entered-in-error'), 'has no result'),
    unused_when(member is not null and length(every) = 1 and every[1].number is null and every[1].text is null and every[1].answer is null and every[1].written = '',
                'only names its members'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    try_cast(case length(told) when 4 then told || '-01-01' when 7 then told || '-01' else left(told, 10) end as date) as start_date,
    case when length(told) > 10 then try_cast(left(told, 19) as timestamp) end as start_datetime,
    unnest(found).item as item,
    coalesce(systems[unnest(found).coding.system], unnest(found).coding.system) as vocabulary_id,
    unnest(found).coding.code as code,
    coalesce(unnest(found).coding.code, unnest(found).said) as source_value,
    coalesce(unnest(found).coding.display, unnest(found).said) as code_name,
    -- 32856 laboratory, 32883 survey, 32817 EHR
    case category when 'laboratory' then 32856 when 'survey' then 32883 else 32817 end as type_concept_id,
    case when category in ('laboratory', 'vital-signs') then 'Measurement' else 'Observation' end as domain,
    case when unnest(found).coding.code = '56799-0' then null else unnest(found).number end as value_number,
    case when unnest(found).coding.code = '56799-0' then null
         else coalesce(unnest(found).answer.display, unnest(found).text, unnest(found).answer.code, nullif(unnest(found).written, ''),
                       'absent: ' || unnest(found).absent, 'interpretation: ' || unnest(found).seen) end as value,
    unnest(found).quantity.comparator as value_operator,
    case when unnest(found).coding.code is distinct from '56799-0' then coalesce(systems[unnest(found).answer.system], unnest(found).answer.system) end as value_vocabulary_id,
    case when unnest(found).coding.code is distinct from '56799-0' then unnest(found).answer.code end as value_code,
    coalesce(unnest(found).quantity.code, unnest(found).quantity.unit) as unit,
    unnest(found).low as range_low,
    unnest(found).high as range_high,
    coalesce(visit.visit_occurrence_id, known_visit.visit_occurrence_id) as visit_occurrence_id,
    coalesce(visit.provider_id, known_visit.provider_id) as provider_id
from found
left join person on person.id = found.patient
left join person_identifiers as named on named.name = found.patient_identifier
left join person_identifier_values as valued on valued.name = found.patient_value
left join visit on visit.id = found.encounter
left join visit_identifiers as visit_named on visit_named.name = found.encounter_identifier
left join visit as known_visit on known_visit.visit_occurrence_id = visit_named.id
