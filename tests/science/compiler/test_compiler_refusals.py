"""Each refusal of the compiler: what is written, the sentence with file, line and column, and the hint."""

from pathlib import Path

import pytest
from pack_kit import DX, PERSON, STAY, TOML, compiled, refusal

LOSES = "Rows leave only through reject_when(condition, 'reason') and unused_when(condition, 'rule')."
JOIN = "Use LEFT JOIN on all columns of a key; for rows without a partner say reject_when or unused_when."
TABLES = "Tables here are patient, visit, dx, person, stay and stay_members."
FROM = "from dx\nleft join stay on stay.VISIT = dx.VISIT"
CODE = "CODES as code"

# (text of events/dx.sql to replace, by what, code, message after "clinic/events/dx.sql:", hint)
EVENTS = [
    (FROM, f"{FROM}\nwhere AMT > 1", "sql_loses_rows", "7:7: WHERE drops rows.", LOSES),
    (FROM, f"{FROM}\nqualify AMT > 1", "sql_loses_rows", "7:9: QUALIFY drops rows.", LOSES),
    (FROM, f"{FROM}\nlimit 3", "sql_loses_rows", "7:7: LIMIT and OFFSET drop rows.", LOSES),
    (FROM, f"{FROM}\noffset 3", "sql_loses_rows", "7:8: LIMIT and OFFSET drop rows.", LOSES),
    (FROM, f"{FROM}\nusing sample 3", "sql_loses_rows", "2:5: a sample drops rows.", LOSES),
    (FROM, f"{FROM}\norder by 1", "sql_order", "7:10: ORDER BY has no effect: tables have no order.", "Leave it out."),
    ("select", "select distinct", "sql_loses_rows", "2:5: DISTINCT drops rows.", LOSES),
    (DX, f"{DX} union all {DX}", "sql_loses_rows", "2:5: UNION, INTERSECT and EXCEPT mix rows of several queries.",
     "Write one SELECT per source."),
    (DX, f"with recursive r as (select 1 a union all select a from r) {DX}", "sql_loses_rows",
     "1:29: a recursive query multiplies rows.", ""),
    (DX, f"with d as (select * from dx where AMT > 1)\n{DX}", "sql_loses_rows", "1:35: WHERE drops rows.", LOSES),
    ("from dx", "from dx tablesample 3%", "sql_loses_rows", "5:6: a sample drops rows.", LOSES),
    ("left join", "join", "sql_join", "6:1: an inner join drops the rows that have no partner.", JOIN),
    ("left join", "right join", "sql_join",
     "6:1: a right join drops the rows of the left side that have no partner.", JOIN),
    ("left join", "full join", "sql_join", "6:1: a full join adds rows that are not of the first source.", JOIN),
    ("left join", "semi join", "sql_join", "6:1: a semi join drops the rows that have no partner.", JOIN),
    ("left join", "anti join", "sql_join", "6:1: an anti join drops the rows that have a partner.", JOIN),
    ("left join", "asof left join", "sql_join", "6:1: an asof join does not name the row that it takes.", JOIN),
    (FROM, "from dx\nnatural left join stay", "sql_join",
     "6:1: a natural join does not say on which columns it joins.", JOIN),
    (FROM, "from dx\ncross join stay", "sql_join", "6:1: a cross join multiplies rows.", JOIN),
    (FROM, "from dx\npositional join stay", "sql_join", "6:1: a positional join depends on the order of rows.", JOIN),
    (FROM, "from dx, stay", "sql_join", "5:1: a comma in FROM is a cross join, which multiplies rows.", JOIN),
    (FROM, "from dx left join (visit left join patient using (PT)) on visit.VISIT = dx.VISIT", "sql_join",
     "5:26: joins in brackets are not allowed.", "Join one by one."),
    ("stay.VISIT = dx.VISIT", "stay.VISIT = dx.VISIT or stay.VISIT is null", "sql_join",
     "6:1: the join to stay may find several rows for one.",
     "Compare with = all columns of a key of stay: VISIT, or visit_occurrence_id."),
    ("stay.VISIT = dx.VISIT", "stay.VISIT is not distinct from dx.VISIT", "sql_join",
     "6:1: the join to stay may find several rows for one.",
     "Compare with = all columns of a key of stay: VISIT, or visit_occurrence_id."),
    (FROM, f"{FROM} left join stay_members m on m.id = AMT", "sql_join",
     "6:41: the join to m may find several rows for one.", "Compare m._row with the _row of another table."),
    ("stay.VISIT = dx.VISIT", "stay.VISIT = dx.AMT", "sql_join",
     "6:32: a key that is VARCHAR is compared with BIGINT.",
     "Compare equal types: declare the columns alike in pack.toml, or cast the other side."),
    ("stay.VISIT = dx.VISIT", "stay.VISIT = dx.VISIT and max(AMT) > 1", "sql_join",
     "6:45: a join condition compares columns; no aggregate, window or UNNEST.", ""),
    (FROM, f"{FROM}\nleft join stay on stay.VISIT = dx.VISIT", "sql_join", "7:11: stay stands in FROM twice.",
     "Give one of them another name with AS."),
    ("from dx", "from read_csv('x.csv') dx", "sql_from",
     "5:15: a function in FROM reads what the pack does not declare.", TABLES),
    ("from dx", "from (values (1)) dx", "sql_from", "5:15: VALUES in FROM are rows of no source.", TABLES),
    (DX, "select 1 as code", "sql_from", "1:1: a SELECT needs a FROM.", TABLES),
    ("from dx", "from dxx dx", "unknown_table", '5:6: there is no table "dxx" here.', 'Did you mean "dx"?'),
    ("from dx", "from 'x.parquet' dx", "unknown_table", '5:6: there is no table "x.parquet" here.', TABLES),
    ("from dx", "from main.dx", "unknown_table", '5:6: there is no table "main.dx" here.', 'Did you mean "dx"?'),
    (FROM, f"{FROM} left join person_members m on m._row = dx._row", "unknown_table",
     "6:51: person has no members table: its SELECT has no GROUP BY.", ""),
    (FROM, "from stay", "sql_first_table",
     "5:6: stay is no source; the first table after FROM has to be one, whose rows are counted.",
     "LEFT JOIN it instead."),
    (CODE, "CODE as code", "unknown_column", '4:5: no table in FROM has a column "CODE".', 'Did you mean "CODES"?'),
    (CODE, "dx.CODE as code", "unknown_column", '4:5: dx has no column "CODE".', 'Did you mean "CODES"?'),
    (CODE, "'가나다' as unit, dx.CODE as code", "unknown_column", '4:20: dx has no column "CODE".',
     'Did you mean "CODES"?'),
    (CODE, "dz.CODES as code", "unknown_table", '4:5: "dz" is neither a table in FROM nor a column.',
     "Known here: dx and stay."),
    (CODE, "trimm(CODES) as code", "sql_types", "4:5: scalar Function with name trimm does not exist.",
     'Did you mean "trim"?'),
    (CODE, "AMT as code", "column_type", "4:5: code has to be VARCHAR, and this is BIGINT.",
     "Declare the source column as text, or say CAST(AMT AS VARCHAR) if that is meant."),
    (CODE, "CODES as code, VISIT as value_number", "sql_types", None, ""),
    (CODE, "CODES as code, dx.VISIT as value_number", "column_type",
     "4:20: value_number has to be DOUBLE, and this is VARCHAR.",
     "Declare the type of the source column, or say TRY_CAST(dx.VISIT AS DOUBLE)."),
    (CODE, "CODES as code, dx.VISIT as end_date", "column_type", "4:20: end_date has to be DATE, and this is VARCHAR.",
     "Declare the source column as a date, or say try_strptime(dx.VISIT, '%Y%m%d')::DATE."),
    (CODE, "CODES as code, '2020' as end_date", "column_type",
     "4:20: '2020' is no DATE, which end_date has to be.", ""),
    (CODE, "CODES as cod", "column_unknown", "4:5: an event has no column cod.", 'Did you mean "code"?'),
    (CODE, "CODES as code, 1 as Code", "column_twice", "4:20: the column Code is given twice.", ""),
    (CODE, "CODES as code, 1 as _x", "column_name",
     "4:20: the name _x is kept for the engine, as are all that begin with _.", ""),
    (CODE, "upper(CODES)", "sql_no_name", "4:5: this column has no name.", "Say AS name."),
    (CODE, "*", "sql_star", "4:5: * and COLUMNS(...) stand for columns only as select * in a common table expression.",
     "Name the columns."),
    ("stay.person_id,", "", "column_missing", "3:5: an event needs person_id.", ""),
    (CODE, "'x' as unit", "column_missing", "2:5: an event needs code.", ""),
    (CODE, "now() as start_datetime, CODES as code", "sql_not_repeatable",
     "4:5: now() does not give the same answer in every run.", "Use a parameter: getvariable('name')."),
    (CODE, "current_date as end_date, CODES as code", "sql_not_repeatable",
     "4:5: current_date does not give the same answer in every run.", "Use a parameter: getvariable('name')."),
    (CODE, "row_number() over (partition by CODES) as refills, CODES as code", "sql_not_repeatable",
     "4:5: row_number() over (...) needs an ORDER BY, otherwise each run numbers the rows differently.",
     "Order by the date, and last by _row."),
    (CODE, "getvariable('extract') as end_date, CODES as code", "unknown_parameter",
     '4:17: pack.toml declares no parameter "extract".', 'Did you mean "extract_date"?'),
    (CODE, "getvariable(CODES) as code", "unknown_parameter",
     "4:5: getvariable needs the name of a parameter in quotes.", ""),
    (CODE, "(select max(SEX) from patient) as code", "sql_subquery",
     "4:5: a subquery in an expression is not allowed: it reads other rows than those of this SELECT.",
     "Use LEFT JOIN on all columns of a key."),
    (CODE, "$1 as code", "sql_placeholder", "4:5: placeholders and positions such as ?, $1 and #1 are not allowed.",
     "Name the column, or use getvariable('name')."),
    (CODE, "max(CODES) as code", "sql_aggregate", "4:5: max(...) makes one row out of many.",
     "Use GROUP BY (entities only), or a window: over (...)."),
    (FROM, f"{FROM}\ngroup by all", "sql_group", "2:5: GROUP BY stands only in the outermost SELECT of an entity.", ""),
    (CODE, "unnest(string_split(CODES, ',')) as code", "sql_unnest",
     "4:5: a SELECT that unnests a list needs the column item.", "Say unnest(range(len(list))) AS item."),
    (CODE, "unnest(CODES) as code, 0 as item", "column_type", "4:12: UNNEST takes a list, and this is VARCHAR.", ""),
    (CODE, "generate_subscripts(string_split(CODES, ','), 1) as item, CODES as code", "sql_unnest",
     "4:5: generate_subscripts loses the rows whose list is empty.", "Use unnest(range(len(list)))."),
    (CODE, "coalesce(reject_when(true, 'x'), CODES) as code", "sql_rule_place",
     "4:14: reject_when stands only in the select list itself, not within an expression, a CTE or a subquery.", ""),
    (CODE, "reject_when(true), CODES as code", "sql_rule", "4:5: reject_when needs a condition and a reason in quotes.",
     "As in reject_when(code is null, 'no code')."),
    (CODE, "unused_when(true, CODES), CODES as code", "sql_rule",
     "4:5: unused_when needs a condition and a reason in quotes.", "As in unused_when(code is null, 'no code')."),
    (CODE, "reject_when(AMT, 'x'), CODES as code", "column_type",
     "4:17: the condition of a rule is true or false, and this one is BIGINT.", ""),
    (CODE, "reject_when(max(AMT) > 1, 'x'), CODES as code", "sql_rule",
     "4:17: the condition of reject_when is about one row: no aggregate, no UNNEST.", ""),
    (CODE, "CODES as code, reject_when(start_date is null, 'x')", "unknown_column",
     '4:32: no table in FROM has a column "start_date".',
     "Names given in the select list cannot be used in a rule; use the expression, or a CTE."),
    (DX, f"with d as (select VISIT, CODES from dx)\n{DX.replace('from dx', 'from d dx')}", "sql_no_row",
     "6:6: dx hides the column _row, by which rows are counted.", "Let it through: select *, ...."),
    (DX, f"with d as (select *, trim(CODES) as CODES from dx)\n{DX.replace('from dx', 'from d dx')}", "column_twice",
     "1:22: the column CODES is there already.", "Say * REPLACE (... AS CODES), or give it another name."),
    (DX, f"with d(a) as (select * from dx)\n{DX}", "sql_alias_list",
     "1:22: name the columns of d with AS in its select list, not in brackets.", ""),
    (DX, f"with d as (select VISIT, count(*) as n from dx group by VISIT)\n{DX}", "sql_group",
     "1:57: GROUP BY stands only in the outermost SELECT of an entity.", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "code", "message", "hint"), EVENTS, ids=[f"{e[2]}-{i}" for i, e in enumerate(EVENTS)]
)
def test_an_event_is_refused_with_file_line_and_hint(
    tmp_path: Path, old: str, new: str, code: str, message: str | None, hint: str
) -> None:
    assert old in DX
    error = refusal(tmp_path, dx=DX.replace(old, new))
    assert error.code == f"pack.{code}"
    if message is not None:
        assert (error.message, error.hint) == (f"clinic/events/dx.sql:{message}", hint)


PERSON_FIELDS = "0 as gender_concept_id, 1970 as year_of_birth, 0 as race_concept_id, 0 as ethnicity_concept_id"

# (name of the entity, its text, code, message, hint)
ENTITIES = [
    ("person", PERSON.replace("    PT,", "    PT as person_id,"), "column_engine",
     "clinic/entities/person.sql:3:5: person_id is given by the engine.",
     "Leave it out, or give it another name and make it the key of the entity."),
    ("person", PERSON.replace("0 as race_concept_id,", ""), "column_missing",
     "clinic/entities/person.sql:2:5: a row of PERSON needs race_concept_id.",
     "A concept that is not known is 0, as in 0 AS race_concept_id."),
    ("person", PERSON.replace("    PT,", "    trim(PT) as p,"), "column_missing",
     "clinic/pack.toml:38: entities.person.key: PT is no column of person.sql.", 'Did you mean "p"?'),
    ("person", PERSON.replace("    PT,", "    PT, PT_NAME,"), "direct_identifier",
     'clinic/entities/person.sql:3:9: the column "PT_NAME" is marked as a direct identifier, '
     "which never leaves the source.", "Leave it out, or mark it as a pseudonym."),
    ("person", f"select PT, {PERSON_FIELDS} from patient left join stay on stay.VISIT = patient.PT", "unknown_table",
     "clinic/entities/person.sql:1:130: stay is not made yet: an entity may read sources and the entities before it "
     "in pack.toml.", ""),
    ("person", f"select PT, unnest([1]) as x, {PERSON_FIELDS} from patient", "sql_unnest",
     "clinic/entities/person.sql:1:12: UNNEST stands only in the outermost select list of an event.", ""),
    ("person", f"select PT, max(BORN) as x, {PERSON_FIELDS} from patient", "sql_aggregate",
     "clinic/entities/person.sql:1:12: max(...) makes one row out of many.",
     "Use GROUP BY (entities only), or a window: over (...)."),
    ("stay", STAY.replace("group by VISIT", "group by trim(VISIT)"), "sql_group",
     "clinic/entities/stay.sql:10:10: what the SELECT groups by has to be one of its columns, "
     "so that members find their entity.", "Add it to the select list."),
    ("stay", STAY.replace("group by VISIT, person.person_id", "group by rollup (VISIT, person.person_id)"), "sql_group",
     "clinic/entities/stay.sql:10:18: ROLLUP, CUBE and GROUPING SETS use rows several times.", ""),
    ("stay", STAY.replace("    VISIT,", "    VISIT, row_number() over (order by VISIT) as n,"), "sql_group",
     "clinic/entities/stay.sql:3:12: a window beside GROUP BY is not allowed.", "Compute it in a CTE."),
    ("stay", STAY.replace("min(DAY)", "first(DAY)"), "sql_not_repeatable",
     "clinic/entities/stay.sql:6:5: first(...) depends on the order of rows, which is not the same in every run.",
     "Say first(column order by date, _row), or use min or max."),
    ("stay", STAY.replace("min(DAY)", "min(DAY + VISIT)"), "sql_types",
     "clinic/entities/stay.sql:6:5: no function matches the given name and argument types '+(DATE, VARCHAR)'. "
     "You might need to add explicit type casts.", ""),
    ("stay", "select count(*) as n from visit group by all", "sql_group",
     "clinic/entities/stay.sql:1:8: GROUP BY ALL finds no column to group by.", "Add the column to the select list."),
    ("stay", "selec 1", "sql_syntax",
     'clinic/entities/stay.sql:1: the SQL cannot be read: syntax error at or near "selec".', ""),
    ("stay", f"{STAY};\n{STAY}", "sql_not_select",
     "clinic/entities/stay.sql: the file has to hold one SELECT, and it holds 2 statements.", ""),
    ("stay", "-- nothing", "sql_not_select",
     "clinic/entities/stay.sql: the file has to hold one SELECT, and it holds 0 statements.", ""),
    ("stay", "drop table visit", "sql_not_select", "clinic/entities/stay.sql: the file has to hold one SELECT.", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sql", "code", "message", "hint"), ENTITIES, ids=[f"{e[0]}-{e[2]}-{i}" for i, e in enumerate(ENTITIES)]
)
def test_an_entity_is_refused_with_file_line_and_hint(
    tmp_path: Path, name: str, sql: str, code: str, message: str, hint: str
) -> None:
    error = refusal(tmp_path, **{name: sql})
    assert (error.code, error.message, error.hint) == (f"pack.{code}", message, hint)


def test_an_event_needs_its_vocabulary_and_record_type_somewhere(tmp_path: Path) -> None:
    bare = TOML.replace('vocabulary = "KCD7"\n', "").replace('Condition"\ntype_concept_id = 32817', 'Condition"')
    error = refusal(tmp_path, bare)
    assert error.message == "clinic/events/dx.sql:2:5: an event needs vocabulary_id and type_concept_id."
    assert error.hint == "vocabulary and type_concept_id can also stand in clinic/pack.toml:44."
    compiled(
        tmp_path, bare, dx=DX.replace("CODES as code", "CODES as code, 'KCD7' as vocabulary_id, 1 as type_concept_id")
    )


def test_a_list_needs_room_for_its_items(tmp_path: Path) -> None:
    dx = DX.replace("CODES as code", "unnest([CODES]) as code, unnest([0]) as item")
    compiled(tmp_path, dx=dx)
    error = refusal(tmp_path, TOML.replace("items = 5", ""), dx=dx)
    assert error.message == (
        "clinic/events/dx.sql:4:5: this SELECT makes several events of one row, but clinic/pack.toml:44 allows one."
    )


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ("주민등록번호", "a resident registration number"),
        ("환자_성명", "the name of a person"),
        ("휴대폰", "a telephone number"),
        ("자택주소", "an address"),
        ("이메일", "an e-mail address"),
        ("차트번호", "a patient number"),
        ("patientName", "the name of a person"),
        ("PT_NM", "the name of a person"),
        ("HOME_PHONE1", "a telephone number"),
        ("e_mail", "an e-mail address"),
        ("MRN", "a patient number"),
        ("passport_no", "a passport or driving license number"),
    ],
)
def test_a_column_that_looks_like_an_identifier_has_to_be_marked(tmp_path: Path, column: str, what: str) -> None:
    plain = TOML.replace('SEX = { type = "text" }', f'SEX = {{ type = "text", header = "{column}" }}')
    error = refusal(tmp_path, plain)
    assert error.code == "pack.unmarked_identifier"
    assert error.message == (
        f"clinic/pack.toml:17: the column SEX looks like {what}, and pack.toml does not say what to do with it."
    )
    assert 'identifier = "direct"' in error.hint
    compiled(tmp_path, plain.replace(f'"{column}" }}', f'"{column}", identifier = "none" }}'))


@pytest.mark.parametrize("column", ["DRUG_NAME", "약품명", "검사명", "nationality", "CITY", "line", "Id"])
def test_a_column_with_an_ordinary_name_needs_no_mark(tmp_path: Path, column: str) -> None:
    compiled(tmp_path, TOML.replace('SEX = { type = "text" }', f'SEX = {{ type = "text", header = "{column}" }}'))


def test_a_source_that_nothing_reads_is_refused(tmp_path: Path) -> None:
    more = '[sources.lost]\nfiles = ["lost.csv"]\n[sources.lost.columns]\nA = { type = "text" }\n\n[entities.person]'
    error = refusal(tmp_path, TOML.replace("[entities.person]", more))
    assert error.code == "pack.source_unread"
    assert error.message == (
        "clinic/pack.toml:37: no SELECT reads the source lost, so its rows would be lost in silence."
    )


def test_an_expression_without_end_is_refused_in_a_sentence(tmp_path: Path) -> None:
    error = refusal(tmp_path, dx=DX.replace("CODES as code", "||".join(["CODES"] * 900) + " as code"))
    assert (error.code, error.message) == (
        "pack.sql_too_deep",
        "clinic/events/dx.sql: the SELECT is nested too deeply.",
    )
