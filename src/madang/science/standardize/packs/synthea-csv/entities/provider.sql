-- Synthea writes the names of Medicare's specialties in capitals; here are the codes of those that it uses.
select
    providers.Id,
    'Medicare Specialty' as specialty_vocabulary_id,
    case SPECIALITY
        when 'GENERAL PRACTICE' then '01'
        when 'FAMILY PRACTICE' then '08'
        when 'INTERNAL MEDICINE' then '11'
        when 'PSYCHIATRY' then '26'
        when 'CHIROPRACTIC' then '35'
        when 'OPTOMETRY' then '41'
        when 'NURSE PRACTITIONER' then '50'
        when 'AUDIOLOGIST' then '64'
        when 'PHYSICAL THERAPY' then '65'
        when 'CLINICAL PSYCHOLOGIST' then '68'
        when 'CLINICAL SOCIAL WORKER' then '80'
        when 'EMERGENCY MEDICINE' then '93'
        when 'PHYSICIAN ASSISTANT' then '97'
    end as specialty_code,
    SPECIALITY as specialty_source_value,
    care_site.care_site_id,
    case GENDER when 'M' then 8507 when 'F' then 8532 else 0 end as gender_concept_id,
    GENDER as gender_source_value,
    providers.Id as provider_source_value
from providers left join care_site on care_site.Id = providers.ORGANIZATION
