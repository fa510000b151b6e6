-- One row per visit as the model counts them. The hospital numbers an emergency visit and the admission that follows
-- apart; an emergency visit whose patient is admitted the same or the next day belongs to that stay (262).
with linked as (
    select *,
        coalesce(STATUS = '취소', false) as canceled,
        case when KIND = '입원' then IN_DT
             when KIND = '응급' then min(case when KIND = '입원' and coalesce(STATUS, '') <> '취소' then IN_DT end) over (
                 partition by PT_NO order by IN_DT range between current row and interval 1 day following)
        end as admitted
    from visit
)
select
    person.person_id,
    admitted,
    case when admitted is null then VISIT_NO end as alone,
    reject_when(person.person_id is null, 'patient is unknown'),
    unused_when(canceled, 'visit was canceled'),
    case when bool_or(KIND = '입원') then
             case when bool_or(KIND = '응급' or coalesce(ROUTE = '응급', false)) then 262 else 9201 end
         when bool_or(KIND = '응급') then 9203
         else 9202 end as visit_concept_id,
    min(IN_DT) as visit_start_date,
    min(IN_DT + try_cast(IN_TM as time)) as visit_start_datetime,
    -- A stay without a discharge goes on at the day of the extract.
    max(coalesce(OUT_DT, case when KIND = '입원' then getvariable('extract_date')::date else IN_DT end))
        as visit_end_date,
    max(OUT_DT + try_cast(OUT_TM as time)) as visit_end_datetime,
    arg_max(care_site.care_site_id, VISIT_NO) as care_site_id,
    arg_max(provider.provider_id, VISIT_NO) as provider_id,
    min(VISIT_NO) as visit_source_value
from linked
left join person on person.PT_NO = linked.PT_NO
left join care_site on care_site.DEPT_CD = linked.DEPT_CD
left join provider on provider.DR_NO = linked.DR_NO
group by person.person_id, admitted, alone
