-- Results are free text: a number, perhaps with a sign before it and commas between thousands (<0.5, >1,000), or words
-- (음성, 1+). Words become value concepts by maps/result.csv. The time of the specimen is that of the measurement.
with parsed as (
    select *,
        regexp_extract(
            RESULT, '^(<=|>=|<|>|≤|≥)?\s*(-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)$', ['sign', 'number']) as found,
        regexp_extract(REF, '^\s*(\d+(?:\.\d+)?)\s*[~-]\s*(\d+(?:\.\d+)?)\s*$', ['low', 'high']) as range
    from lab
)
select
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(RESULT is null, 'no result yet'),
    unused_when(RESULT in ('검체부족', '용혈'), 'specimen could not be examined'),
    person.person_id,
    SPC_DT as start_date,
    SPC_DT + try_cast(SPC_TM as time) as start_datetime,
    case when EDI_CD is null then 'HOSP-LAB' else 'EDI' end as vocabulary_id,
    coalesce(EDI_CD, parsed.LAB_CD) as code,
    parsed.LAB_CD as source_value,
    LAB_NM as code_name,
    RESULT as value,
    try_cast(replace(found.number, ',', '') as double) as value_number,
    case found.sign when '≤' then '<=' when '≥' then '>=' when '' then null else found.sign end as value_operator,
    'HOSP-RESULT' as value_vocabulary_id,
    case when found.number = '' then lower(RESULT) end as value_code,
    parsed.UNIT as unit,
    try_cast(range.low as double) as range_low,
    try_cast(range.high as double) as range_high,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id,
    visit_detail.provider_id
from parsed
left join person on person.PT_NO = parsed.PT_NO
left join labcode on labcode.LAB_CD = parsed.LAB_CD
left join visit_detail on visit_detail.VISIT_NO = parsed.VISIT_NO
