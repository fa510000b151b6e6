-- Stays and emergencies. Claims of one admission are split by month and are one visit: same person, institution and
-- first day. An emergency claim that leads to an admission in the same institution (begun the same or the next day)
-- belongs to that visit (262); otherwise it is a visit of its own (9203).
with typed as (
    select *,
        FORM_CD in ('02', '04', '06', '07', '10', '12') as inpatient,
        IN_PAT_CORS_TYPE in ('11', '21', '31') as emergency,
        coalesce(FST_IN_PAT_DT, RECU_FR_DT) as began,
        RECU_FR_DT + greatest(coalesce(VSCN, 1), 1)::integer - 1 as ended
    from gy20
),
linked as (
    select *,
        case when inpatient then began
             else coalesce(
                 min(case when inpatient then began end) over (
                     partition by PERSON_ID, YKIHO_ID order by began
                     range between current row and interval 1 day following),
                 began) end as first_day
    from typed
)
select
    person.person_id,
    linked.YKIHO_ID as institution,
    first_day,
    reject_when(person.person_id is null, 'person is unknown'),
    unused_when(not coalesce(inpatient or emergency, false), 'outpatient claim'),
    case when not bool_or(inpatient) then 9203 when bool_or(emergency) then 262 else 9201 end as visit_concept_id,
    min(least(RECU_FR_DT, began)) as visit_start_date,
    max(ended) as visit_end_date,
    min(care_site.care_site_id) as care_site_id,
    min(KEY_SEQ)::varchar as visit_source_value
from linked
left join person on person.insured = linked.PERSON_ID
left join care_site on care_site.YKIHO_ID = linked.YKIHO_ID
group by person.person_id, institution, first_day
