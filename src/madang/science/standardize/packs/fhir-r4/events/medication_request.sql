-- Orders of drugs. Proposals and plans are no orders. Where nothing tells how long the supply lasts, the exposure is the
-- day of the order.
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
    from medication_request
),
listed as (
    select own.*,
        coalesce(drug.coding, from_json(try_cast(medication.codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]')) as listed_codings,
        coalesce(drug.text, medication.said, drug_display) as named_drug,
        -- Days of a unit by its UCUM code, or else by its word. Without a unit they are days; another one is no value of
        -- its column, and counted.
        case when coalesce(supply_unit, supply_word) is null then case when not regexp_matches(supply_told, '"(unit|code)"') then 1.0 end
             when regexp_full_match(lower(coalesce(supply_unit, supply_word)), 'd|day.*|tag.*|jour.*|d[ií]a.*|일.*|日') then 1.0
             when regexp_full_match(lower(coalesce(supply_unit, supply_word)), 'w.*|sem.*|주.*|週') then 7.0
             when regexp_full_match(lower(coalesce(supply_unit, supply_word)), 'min.*') then 1.0 / 1440
             when regexp_full_match(lower(coalesce(supply_unit, supply_word)), 'h.*|시간') then 1.0 / 24
             when regexp_full_match(lower(coalesce(supply_unit, supply_word)), 'm.*|개월.*|달|月') then 30.0
             else 365.0
        end as supply_days,
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
    unused_when(status in ('cancelled', 'draft', 'entered-in-error'), 'was cancelled or never ordered'),
    unused_when(intent in ('proposal', 'plan', 'option') or prohibits = 'true', 'is no order'),
    unused_when(getvariable('drugs') = 'executed', 'what was dispensed or given is taken'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    try_cast(case length(authored) when 4 then authored || '-01-01' when 7 then authored || '-01' else left(authored, 10) end as date) as start_date,
    case when length(authored) > 10 then try_cast(left(authored, 19) as timestamp) end as start_datetime,
    coalesce(
        try_cast(case length(until) when 4 then until || '-01-01' when 7 then until || '-01' else left(until, 10) end as date),
        -- How long it is to be taken, where nothing tells how long the supply lasts.
        case when coded.supply is null and bound > 0 and bound_unit is not null
             then try_cast(case length(authored) when 4 then authored || '-01-01' when 7 then authored || '-01' else left(authored, 10) end as date)
                + greatest(0, least(36525, ceil(bound * case bound_unit when 'wk' then 7 when 'mo' then 30 when 'a' then 365 when 'h' then 1.0 / 24 when 'min' then 1.0 / 1440 else 1 end)) - 1)::integer
        end) as end_date,
    coalesce(systems[coding.system], coding.system) as vocabulary_id,
    coding.code as code,
    coalesce(coding.code, named_drug, listed_codings[1].display) as source_value,
    coalesce(coding.display, named_drug, listed_codings[1].display) as code_name,
    quantity,
    try_cast(ceil(coded.supply * supply_days) as integer) as days_supply,
    case when repeats between 0 and 1000 then repeats::integer end as refills,
    sig,
    route,
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
