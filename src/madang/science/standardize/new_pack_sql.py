"""The SELECTs of a draft pack."""

import re

from madang.science.standardize.new_pack_roles import EventRoles, Roles
from madang.science.standardize.scan.model import ColumnScan

_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "all and any array as asc both case cast check collate column constraint create default desc describe distinct "
        "do else end except false fetch for foreign from group having in intersect into lateral leading limit not null "
        "offset on only or order pivot primary qualify references returning select show some table then to trailing "
        "true union unique using when where window with",
    )
)


def sql_name(name: str) -> str:
    """A name for SQL, in quotes where it needs them."""
    plain = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _RESERVED
    return name if plain else '"' + name.replace('"', '""') + '"'


def sql_text(text: str) -> str:
    """A text literal."""
    return "'" + text.replace("'", "''") + "'"


def person_sql(roles: Roles) -> str:
    """entities/person.sql."""
    assert roles.person is not None
    key = sql_name(roles.person_key)
    lines = [f"    {key},"]
    if roles.birth:
        birth = sql_name(roles.birth.name)
        lines += [
            f"    reject_when({birth} is null, 'year of birth is unknown'),",
            f"    year({birth})::integer as year_of_birth,",
            f"    month({birth})::integer as month_of_birth,  -- DECIDE: may month and day be told?",
            f"    day({birth})::integer as day_of_birth,",
        ]
    else:
        lines += [
            "    -- DECIDE: no column with a date of birth was found; the model needs at least the year.",
            "    reject_when(true, 'year of birth is unknown'),",
            "    null::integer as year_of_birth,",
        ]
    if roles.sex:
        sex = sql_name(roles.sex.name)
        cases = " ".join(f"when {sql_text(value)} then {concept}" for value, concept in roles.sexes)
        column = f"{sex}::varchar" if roles.sex.type != "text" else sex
        lines += [
            f"    case {column} {cases} else 0 end as gender_concept_id,  -- DECIDE: 8507 is male, 8532 female",
            f"    {column} as gender_source_value,",
        ]
    else:
        lines.append("    0 as gender_concept_id,  -- DECIDE: no column with the sex was found")
    lines += [
        "    0 as race_concept_id,  -- DECIDE: 38003585 is Korean",
        "    0 as ethnicity_concept_id,",
        f"    {key} as person_source_value",
    ]
    return (
        "-- One row of this source is taken for one person. DECIDE: is that so?\n"
        "select\n" + "\n".join(lines) + f"\nfrom {sql_name(roles.person.name)}\n"
    )


def visit_sql(roles: Roles) -> str:
    """entities/visit_occurrence.sql."""
    assert roles.visit is not None
    assert roles.visit_date is not None
    table = sql_name(roles.visit.name)
    start = _day(roles.visit_date)
    end = f"coalesce({_day(roles.visit_end)}, {start})" if roles.visit_end else start
    return (
        "-- One row of this source is taken for one visit. DECIDE: are rows of one stay to be joined?\n"
        "select\n"
        f"    {table}.{sql_name(roles.visit_key)},\n"
        "    reject_when(person.person_id is null, 'person is unknown'),\n"
        "    person.person_id,\n"
        "    9202 as visit_concept_id,  -- DECIDE: 9202 outpatient, 9201 inpatient, 9203 emergency\n"
        f"    {start} as visit_start_date,\n"
        f"    {end} as visit_end_date,\n"
        + _moment(roles.visit_date, roles.visit_times[0], "visit_start_datetime")
        + (_moment(roles.visit_end, roles.visit_times[1], "visit_end_datetime") if roles.visit_end else "")
        + f"    {table}.{sql_name(roles.visit_key)}::varchar as visit_source_value\n"
        f"from {table}\n" + _join_person(roles, roles.visit.name)
    )


def event_sql(event: EventRoles, roles: Roles, pack: str) -> str:
    """events/NAME.sql."""
    table = sql_name(event.source.name)

    def column(name: str) -> str:
        return f"{table}.{sql_name(name)}"

    lines = [
        "    reject_when(person.person_id is null, 'person is unknown'),",
        "    -- DECIDE: which rows are no events (cancelled, planned)? unused_when(condition, 'rule')",
        "    person.person_id,",
        f"    {table}.{_day(event.date)} as start_date,",
    ]
    if event.date.type == "datetime":
        lines.append(f"    {column(event.date.name)} as start_datetime,")
    if event.end:
        lines.append(f"    {table}.{_day(event.end)} as end_date,")
    lines += [
        f"    {sql_text(f'{pack} {event.code}'[:20])} as vocabulary_id,"
        "  -- DECIDE: a standard's name (KCD7, EDI, LOINC, ...), or your own codes, mapped in maps/*.csv",
        f"    {column(event.code)}::varchar as code,",
    ]
    if event.title:
        lines.append(f"    {column(event.title)} as code_name,")
    if event.result:
        result = column(event.result.name)
        lines.append(f"    {result}::varchar as value,")
        if event.result.type in ("integer", "number"):
            lines.append(f"    {result}::double as value_number,")
        elif "number" in event.result.shape:
            lines += [
                f"    try_cast(regexp_replace({result}, '^[<>=]+', '') as double) as value_number,",
                f"    nullif(regexp_extract({result}, '^(<=|>=|<|>|=)', 1), '') as value_operator,",
            ]
    if event.unit:
        lines.append(f"    {column(event.unit)} as unit,")
    if event.days:
        lines.append(f"    try_cast({column(event.days)} as integer) as days_supply,")
    if event.quantity:
        lines.append(f"    {column(event.quantity)}::double as quantity,  -- DECIDE: of the whole, not of one dose?")
    if event.visit:
        lines.append("    visit_occurrence.visit_occurrence_id,")
    lines[-1] = re.sub(r",(?=\s*(--.*)?$)", "", lines[-1], count=1)
    joins = _join_person(roles, event.source.name)
    if event.visit:
        joins += f"left join visit_occurrence on visit_occurrence.{sql_name(roles.visit_key)} = {column(event.visit)}\n"
    return (
        f"-- One row of this source is taken for one event of the domain {event.domain}.\n"
        "select\n" + "\n".join(lines) + f"\nfrom {table}\n{joins}"
    )


def _moment(date: ColumnScan, time: ColumnScan | None, name: str) -> str:
    """The line of a date and time, where the source has one."""
    if date.type == "datetime":
        return f"    {sql_name(date.name)} as {name},\n"
    return f"    {sql_name(date.name)} + try_cast({sql_name(time.name)} as time) as {name},\n" if time else ""


def _day(column: ColumnScan) -> str:
    return f"{sql_name(column.name)}::date" if column.type == "datetime" else sql_name(column.name)


def _join_person(roles: Roles, source: str) -> str:
    mine = f"{sql_name(source)}.{sql_name(roles.persons[source])}"
    return f"left join person on person.{sql_name(roles.person_key)} = {mine}\n"
