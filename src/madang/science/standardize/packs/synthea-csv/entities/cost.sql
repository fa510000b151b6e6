-- What an encounter cost with everything done in it (procedures, immunizations, tests), in US dollars. Medications have
-- claims of their own: see events/medication.sql. So each dollar is there once.
select
    reject_when(visit.visit_occurrence_id is null, 'patient is unknown'),
    unused_when(TOTAL_CLAIM_COST is null and PAYER_COVERAGE is null, 'no cost'),
    visit.visit_occurrence_id as cost_event_id,
    'Visit' as cost_domain_id,
    44818668 as currency_concept_id,
    TOTAL_CLAIM_COST as total_charge,
    PAYER_COVERAGE as paid_by_payer,
    TOTAL_CLAIM_COST - PAYER_COVERAGE as paid_by_patient
from encounters left join visit on visit.Id = encounters.Id
