-- A check-up is one row with a column per finding; each finding that is told becomes an event. Answers are coded as
-- COLUMN=ANSWER in maps/checkup.csv: that of urine protein is a value, that of smoking a fact by itself. The day of the check-up is not told: 1 January stands for the year.
with listed as (
    select *,
        list_filter([
            {'item': 0, 'code': 'HEIGHT', 'number': HEIGHT, 'answer': null::varchar, 'unit': 'cm'},
            {'item': 1, 'code': 'WEIGHT', 'number': WEIGHT, 'answer': null::varchar, 'unit': 'kg'},
            {'item': 2, 'code': 'WAIST', 'number': WAIST, 'answer': null::varchar, 'unit': 'cm'},
            {'item': 3, 'code': 'BP_HIGH', 'number': BP_HIGH, 'answer': null::varchar, 'unit': 'mm[Hg]'},
            {'item': 4, 'code': 'BP_LWST', 'number': BP_LWST, 'answer': null::varchar, 'unit': 'mm[Hg]'},
            {'item': 5, 'code': 'BLDS', 'number': BLDS, 'answer': null::varchar, 'unit': 'mg/dL'},
            {'item': 6, 'code': 'TOT_CHOLE', 'number': TOT_CHOLE, 'answer': null::varchar, 'unit': 'mg/dL'},
            {'item': 7, 'code': 'TRIGLYCERIDE', 'number': TRIGLYCERIDE, 'answer': null::varchar, 'unit': 'mg/dL'},
            {'item': 8, 'code': 'HDL_CHOLE', 'number': HDL_CHOLE, 'answer': null::varchar, 'unit': 'mg/dL'},
            {'item': 9, 'code': 'LDL_CHOLE', 'number': LDL_CHOLE, 'answer': null::varchar, 'unit': 'mg/dL'},
            {'item': 10, 'code': 'HMG', 'number': HMG, 'answer': null::varchar, 'unit': 'g/dL'},
            {'item': 11, 'code': 'CREATININE', 'number': CREATININE, 'answer': null::varchar, 'unit': 'mg/dL'},
            {'item': 12, 'code': 'SGOT_AST', 'number': SGOT_AST, 'answer': null::varchar, 'unit': 'U/L'},
            {'item': 13, 'code': 'SGPT_ALT', 'number': SGPT_ALT, 'answer': null::varchar, 'unit': 'U/L'},
            {'item': 14, 'code': 'GAMMA_GTP', 'number': GAMMA_GTP, 'answer': null::varchar, 'unit': 'U/L'},
            {'item': 15, 'code': 'OLIG_PROTE_CD', 'number': null::double, 'answer': OLIG_PROTE_CD, 'unit': null::varchar},
            {'item': 16, 'code': 'SMK_STAT_TYPE_RSPS_CD=' || SMK_STAT_TYPE_RSPS_CD, 'number': null::double, 'answer': SMK_STAT_TYPE_RSPS_CD, 'unit': null::varchar}
        ], lambda found: found.number is not null or found.answer is not null) as found
    from gj
)
select
    reject_when(person.person_id is null, 'person is unknown'),
    person.person_id,
    make_date(HCHK_YEAR::integer, 1, 1) as start_date,
    'NHIS-GJ' as vocabulary_id,
    unnest(found).item as item,
    unnest(found).code as code,
    split_part(unnest(found).code, '=', 1) as source_value,
    unnest(found).number as value_number,
    coalesce(unnest(found).answer, unnest(found).number::varchar) as value,
    'NHIS-GJ' as value_vocabulary_id,
    case when unnest(found).item = 15 then 'OLIG_PROTE_CD=' || unnest(found).answer end as value_code,
    unnest(found).unit as unit
from listed left join person on person.insured = listed.PERSON_ID
