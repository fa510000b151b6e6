-- The fact is "allergic to", the substance is its value: an allergy to aspirin is no exposure to aspirin. The codes are
-- the general concepts of SNOMED for allergy and intolerance by category.
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    START as start_date,
    case
        when TYPE = 'intolerance' then case CATEGORY when 'medication' then '59037007' when 'food' then '235719002' else '782197009' end
        else case CATEGORY when 'medication' then '416098002' when 'food' then '414285001' when 'environment' then '426232007' else '419199007' end
    end as code,
    CODE as source_value,
    case when SYSTEM ilike 'RxNorm' then 'RxNorm' else 'SNOMED' end as value_vocabulary_id,
    CODE as value_code,
    DESCRIPTION as value,
    visit.visit_occurrence_id,
    visit.provider_id
from allergies
left join person on person.Id = allergies.PATIENT
left join visit on visit.Id = allergies.ENCOUNTER
