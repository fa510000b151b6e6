-- What a claim cost, in won: asked for, and as the insurer decided it.
select
    reject_when(visit_detail.visit_occurrence_id is null, 'person is unknown'),
    visit_detail.visit_occurrence_id as cost_event_id,
    'Visit' as cost_domain_id,
    44818598 as currency_concept_id,
    DMD_TRAMT as total_charge,
    EDEC_TRAMT as total_cost,
    coalesce(EDEC_JBRDN_AMT, 0) + coalesce(EDEC_SBRDN_AMT, 0) as total_paid,
    EDEC_JBRDN_AMT as paid_by_payer,
    EDEC_SBRDN_AMT as paid_by_patient,
    DMD_DRG_NO as drg_source_value
from gy20 left join visit_detail on visit_detail.KEY_SEQ = gy20.KEY_SEQ
