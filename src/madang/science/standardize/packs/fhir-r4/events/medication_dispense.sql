-- Drugs handed over. An order and what follows from it are one exposure: this one counts if its order is not in the export,
-- or if the parameter drugs says that only what was dispensed or given does.
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
    from medication_dispense
),
listed as (
    select own.*,
        coalesce(drug.coding, from_json(try_cast(medication.codings as json), '[{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]')) as listed_codings,
        coalesce(drug.text, medication.said, drug_display) as named_drug,
        coalesce(handed_over, prepared) as told,
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
    unused_when(coded.status in ('preparation', 'cancelled', 'stopped', 'declined', 'on-hold', 'entered-in-error') or coded.negated = 'true', 'was not dispensed'),
    unused_when(getvariable('drugs') <> 'executed' and medication_request.id is not null
        -- An order that is none itself, or nobody's, is not taken: see medication_request.sql.
        and coalesce(medication_request.status, '') not in ('cancelled', 'draft', 'entered-in-error')
        and coalesce(medication_request.intent, '') not in ('proposal', 'plan', 'option')
        and coalesce(medication_request.prohibits, '') <> 'true'
        and medication_request.modified is null
        and medication_request.authored >= '0001'
        and coalesce(ordered.person_id, ordered_named.id, ordered_valued.id) is not null, 'its order is taken'),
    coalesce(person.person_id, named.id, valued.id) as person_id,
    try_cast(case length(told) when 4 then told || '-01-01' when 7 then told || '-01' else left(told, 10) end as date) as start_date,
    case when length(told) > 10 then try_cast(left(told, 19) as timestamp) end as start_datetime,
    coalesce(systems[coding.system], coding.system) as vocabulary_id,
    coding.code as code,
    coalesce(coding.code, named_drug, listed_codings[1].display) as source_value,
    coalesce(coding.display, named_drug, listed_codings[1].display) as code_name,
    coded.quantity,
    try_cast(ceil(coded.supply * supply_days) as integer) as days_supply,
    coded.sig,
    coded.route,
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
left join medication_request on medication_request.id = coded.request
left join person as ordered on ordered.id = medication_request.patient
left join person_identifiers as ordered_named on ordered_named.name = medication_request.patient_identifier
left join person_identifier_values as ordered_valued on ordered_valued.name = medication_request.patient_value
left join practitioner on practitioner.id = coded.practitioner
left join role on role.who = coalesce(practitioner.identifier_system || '|' || practitioner.identifier, '|' || practitioner.identifier, coded.practitioner)
left join role_identifiers as role_named on role_named.name = coded.practitioner_identifier
left join role_identifier_values as role_valued on role_valued.name = coded.practitioner_value
left join unassigned on unassigned.who = coalesce(practitioner.identifier_system || '|' || practitioner.identifier, '|' || practitioner.identifier, coded.practitioner)
left join unassigned_identifiers as unassigned_named on unassigned_named.name = coded.practitioner_identifier
left join unassigned_identifier_values as unassigned_valued on unassigned_valued.name = coded.practitioner_value
