-- Vital signs, laboratory results, questionnaires. QALY, DALY and QOLS are sums that the simulator keeps over a life and
-- no record of care. The answer to LOINC 56799-0 is a street: it never leaves the source, only that it was asked does.
with seen as (
    select *,
        case when CODE <> '56799-0' then VALUE end as answer,
        case when TYPE = 'numeric' and CODE <> '56799-0' then try_cast(VALUE as double) end as number
    from observations
)
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(CODE in ('QALY', 'DALY', 'QOLS'), 'sum over a life, kept by the simulator'),
    person.person_id,
    DATE::date as start_date,
    DATE as start_datetime,
    CODE as code,
    DESCRIPTION as code_name,
    -- 32856 laboratory, 32883 survey, 32817 EHR
    case CATEGORY when 'laboratory' then 32856 when 'survey' then 32883 else 32817 end as type_concept_id,
    case when CATEGORY in ('laboratory', 'vital-signs') then 'Measurement' else 'Observation' end as domain,
    answer as value,
    number as value_number,
    nullif(UNITS, 'null') as unit,
    visit.visit_occurrence_id,
    visit.provider_id
from seen
left join person on person.Id = seen.PATIENT
left join visit on visit.Id = seen.ENCOUNTER
