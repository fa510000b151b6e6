select
    VISIT_NO,
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(STATUS = '취소', 'visit was canceled'),
    person.person_id,
    visit_occurrence_members.id as visit_occurrence_id,
    case KIND when '입원' then 9201 when '응급' then 9203 else 9202 end as visit_detail_concept_id,
    IN_DT as visit_detail_start_date,
    IN_DT + try_cast(IN_TM as time) as visit_detail_start_datetime,
    coalesce(OUT_DT, case when KIND = '입원' then getvariable('extract_date')::date else IN_DT end)
        as visit_detail_end_date,
    OUT_DT + try_cast(OUT_TM as time) as visit_detail_end_datetime,
    care_site.care_site_id,
    provider.provider_id,
    VISIT_NO as visit_detail_source_value
from visit
left join person on person.PT_NO = visit.PT_NO
left join care_site on care_site.DEPT_CD = visit.DEPT_CD
left join provider on provider.DR_NO = visit.DR_NO
left join visit_occurrence_members on visit_occurrence_members._row = visit._row
