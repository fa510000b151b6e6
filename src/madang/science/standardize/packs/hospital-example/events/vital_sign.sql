-- One row has up to six vital signs; each that was measured becomes an event.
with listed as (
    select *,
        list_filter([
            {'item': 0, 'code': 'SBP', 'number': SBP, 'unit': 'mm[Hg]'},
            {'item': 1, 'code': 'DBP', 'number': DBP, 'unit': 'mm[Hg]'},
            {'item': 2, 'code': 'PULSE', 'number': PULSE, 'unit': '/min'},
            {'item': 3, 'code': 'TEMP', 'number': TEMP, 'unit': 'Cel'},
            {'item': 4, 'code': 'HEIGHT', 'number': HEIGHT, 'unit': 'cm'},
            {'item': 5, 'code': 'WEIGHT', 'number': WEIGHT, 'unit': 'kg'}
        ], lambda found: found.number is not null) as found
    from vital
)
select
    reject_when(person.person_id is null, 'patient is unknown'),
    person.person_id,
    VS_DT as start_date,
    VS_DT + try_cast(VS_TM as time) as start_datetime,
    unnest(found).item as item,
    unnest(found).code as code,
    unnest(found).number as value_number,
    unnest(found).number::varchar as value,
    unnest(found).unit as unit,
    visit_detail.visit_occurrence_id,
    visit_detail.visit_detail_id,
    visit_detail.provider_id
from listed
left join person on person.PT_NO = listed.PT_NO
left join visit_detail on visit_detail.VISIT_NO = listed.VISIT_NO
