"""The SELECTs of a draft pack."""

import re
from collections.abc import Callable, Mapping

from madang.science.standardize.new_pack_roles import (
    AGE_GROUP,
    ALLERGY,
    SEXES,
    VISIT_CLASSES,
    EventRoles,
    Roles,
    entity_key,
)
from madang.science.standardize.scan.model import ColumnScan
from madang.science.standardize.scan.shapes import SOME_WITHOUT_A_DAY

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

    def one(expression: str) -> str:
        """The value of a person: of one row, or of the first of several."""
        return f"first({expression} order by _row)" if roles.several else expression

    named = sql_name(entity_key(roles.person_key, "person"))
    lines = [f"    {key}," if named == key else f"    {key} as {named},", *_born(roles, one)]
    if roles.record_day:
        told = one(_day(roles.record_day, sql_name(roles.person.name)))
        lines.append(f"    {told} as day_of_record,  -- DECIDE: records without a day of their own are dated by it")
    if roles.sex:
        sex = sql_name(roles.sex.name)
        column = f"{sex}::varchar" if roles.sex.type != "text" else sex
        cases = " ".join(f"when {sql_text(value)} then {concept}" for value, concept in roles.sexes)
        told = one(f"case {column} {cases} else 0 end")
        lines += [
            f"    {told} as gender_concept_id,  -- DECIDE: 8507 is male, 8532 female{_others(roles.sex, SEXES)}",
            f"    {one(column)} as gender_source_value,",
        ]
    else:
        lines.append("    0 as gender_concept_id,  -- DECIDE: no column with the sex was found")
    for what, column_scan, known, hint in (
        ("race", roles.race, RACES, "38003585 is Korean; no column with the race was found"),
        ("ethnicity", roles.ethnicity, ETHNICITIES, "38003563 is Hispanic, 38003564 not; no column was found"),
    ):
        if column_scan is None:
            lines.append(f"    0 as {what}_concept_id,  -- DECIDE: {hint}")
            continue
        column = f"{sql_name(column_scan.name)}::varchar"
        found = [(value, known[value.lower()]) for value, _ in column_scan.values if value.lower() in known]
        cases = " ".join(f"when {sql_text(value)} then {concept}" for value, concept in found)
        told = one(f"case {column} {cases} else 0 end") if cases else "0"
        lines += [
            f"    {told} as {what}_concept_id,  -- DECIDE: are these the concepts of all values?"
            + _others(column_scan, known),
            f"    {one(column)} as {what}_source_value,",
        ]
    if roles.death is None and roles.deaths is None:
        lines.append(
            "    -- DECIDE: no column has the day of a death; if another file has it, write entities/death.sql"
        )
    lines.append(f"    {key} as person_source_value")
    rows = (
        "Several rows of this source are taken for one person, of whom the first tells"
        if roles.several
        else ("One row of this source is taken for one person")
    )
    return (
        f"-- {rows}. DECIDE: is that so?\n"
        "select\n"
        + "\n".join(lines)
        + f"\nfrom {sql_name(roles.person.name)}\n"
        + (f"group by {key}\n" if roles.several else "")
    )


def since_1800(birth: ColumnScan) -> bool:
    """Whether years of birth are counted from 1800, as in research data of general practices in Britain."""
    return birth.type == "integer" and birth.high is not None and float(birth.high) < 300


RACES = {
    "white": 8527, "w": 8527, "caucasian": 8527, "black": 8516, "b": 8516, "african american": 8516,
    "black or african american": 8516, "black/african american": 8516, "asian": 8515, "a": 8515, "korean": 38003585,
    "한국인": 38003585, "native": 8657, "american indian or alaska native": 8657, "hawaiian": 8557,
    "native hawaiian or other pacific islander": 8557,
}  # fmt: skip
ETHNICITIES = {
    "hispanic": 38003563, "hispanic or latino": 38003563, "nonhispanic": 38003564, "non-hispanic": 38003564,
    "not hispanic": 38003564, "not hispanic or latino": 38003564,
}  # fmt: skip


def _born(roles: Roles, one: Callable[[str], str]) -> list[str]:
    """The lines about the birth: by its day, its year, or an age and when it was."""
    if roles.birth and (mark := _partly(roles.birth)) is not None:
        birth = sql_name(roles.birth.name)
        month, day = (f"nullif(try_cast(substr({birth}, {at}, 2) as integer), 0)" for at in (5 + mark, 7 + 2 * mark))
        return [
            f"    reject_when(try_cast(left({birth}, 4) as integer) is null, 'year of birth is unknown'),",
            f"    {one(f'try_cast(left({birth}, 4) as integer)')} as year_of_birth,",
            f"    {one(month)} as month_of_birth,  -- DECIDE: may month and day be told? 00 is not known",
            f"    {one(day)} as day_of_birth,",
        ]
    if roles.birth and roles.birth.type in ("date", "datetime"):
        birth = sql_name(roles.birth.name)
        return [
            f"    reject_when({birth} is null, 'year of birth is unknown'),",
            f"    {one(f'year({birth})::integer')} as year_of_birth,",
            f"    {one(f'month({birth})::integer')} as month_of_birth,  -- DECIDE: may month and day be told?",
            f"    {one(f'day({birth})::integer')} as day_of_birth,",
        ]
    if roles.birth:
        year, why = f"{sql_name(roles.birth.name)}::integer", "is it the year of birth?"
        if since_1800(roles.birth):
            year, why = f"({year} + 1800)", "these are taken for years since 1800; are they?"
    elif roles.age and roles.age_of:
        age, of = sql_name(roles.age.name), sql_name(roles.age_of.name)
        if roles.age.type not in ("integer", "number"):
            age = f"try_cast(regexp_extract({age}, '[0-9]+') as integer)"
        why = "no birth is told, so it is the year less the age, which may be one year off"
        if AGE_GROUP.search(roles.age.header):
            age = f"({age} * 5 - 3)"
            why = "no birth is told, so it is the year less the middle of a group of five years of age, numbered from 1"
        if roles.age_unit:
            age = _in_years(age, roles.age_unit)
            why += "; the unit of the age is asked, which are all of them?"
        year_of = f"year({of})" if roles.age_of.type in ("date", "datetime") else of
        if _partly(roles.age_of) is not None:
            year_of = f"try_cast(left({of}, 4) as integer)"
        year = f"({year_of} - {age})::integer"
    else:
        return [
            "    -- DECIDE: no column with a date of birth was found; the model needs at least the year.",
            "    reject_when(true, 'year of birth is unknown'),",
            "    null::integer as year_of_birth,",
        ]
    return [
        f"    reject_when({year} is null, 'year of birth is unknown'),",
        f"    {one(year)} as year_of_birth,  -- DECIDE: {why}",
    ]


def _in_years(age: str, unit: ColumnScan) -> str:
    """An age in years by the column with its unit; null where the unit is not known."""
    column = f"lower({sql_name(unit.name)}::varchar)"
    cases = " ".join(
        f"when {column} in ({', '.join(map(sql_text, words))}) then {form.format(age)}"
        for words, form in (
            (("yr", "yrs", "year", "years", "y", "a", "년", "세"), "{0}"),
            (("mon", "month", "months", "mo", "m", "개월"), "floor({0} / 12)"),
            (("wk", "week", "weeks", "w", "주"), "floor({0} / 52)"),
            (("dy", "day", "days", "d", "일"), "floor({0} / 365)"),
            (("hr", "hour", "hours", "h"), "0"),
            (("dec", "decade", "decades"), "{0} * 10"),
        )
    )
    return f"case {cases} end"


def death_sql(roles: Roles) -> str:
    """entities/death.sql."""
    source, column = (roles.deaths, roles.deaths_day) if roles.deaths else (roles.person, roles.death)
    assert source is not None
    assert column is not None
    table = sql_name(source.name)
    day = _day(column, table)
    several = roles.several if source is roles.person else True
    without = (
        f"    unused_when({table}.{sql_name(column.name)} is null, 'no death is told'),\n"
        if source is roles.person
        else f"    reject_when({table}.{sql_name(column.name)} is null, 'the day of death is unknown'),\n"
    )
    return (
        "-- DECIDE: is this the day of death, and of all who died?\n"
        "select\n"
        f"{without}"
        "    reject_when(person.person_id is null, 'person is unknown'),\n"
        "    person.person_id,\n"
        f"    {f'min({day})' if several else day} as death_date\n"
        f"from {table}\n" + _join_person(roles, source.name) + ("group by person.person_id\n" if several else "")
    )


def _vocabulary(system: ColumnScan | None, column: str) -> str:
    """The vocabulary of each row by the column that names it."""
    values = [value for value, _ in system.values] if system else []
    releases = system is not None and re.search(r"icd|dx|diag|px|proc", system.header, re.IGNORECASE)
    names = SYSTEMS | (_RELEASES if releases else {})
    known = [(value, names[plain]) for value in values if (plain := re.sub(r"[^a-z0-9]", "", value.lower())) in names]
    cases = " ".join(f"when {sql_text(value)} then {sql_text(name)}" for value, name in known)
    return f"case {column} {cases} else {column} end" if cases else column


SYSTEMS = {
    "snomed": "SNOMED", "snomedct": "SNOMED", "httpsnomedinfosct": "SNOMED", "loinc": "LOINC", "httploincorg": "LOINC",
    "rxnorm": "RxNorm", "httpwwwnlmnihgovresearchumlsrxnorm": "RxNorm", "icd10": "ICD10", "icd10cm": "ICD10CM",
    "icd9": "ICD9CM", "icd9cm": "ICD9CM", "icd10pcs": "ICD10PCS", "cpt": "CPT4", "cpt4": "CPT4", "hcpcs": "HCPCS",
    "ndc": "NDC", "atc": "ATC", "cvx": "CVX", "kcd": "KCD7", "kcd7": "KCD7", "kcd8": "KCD8",
    "kcd9": "KCD9", "edi": "EDI",
}  # fmt: skip
"""Vocabularies of OMOP by what exports call them, signs aside."""
_RELEASES = {"9": "ICD9CM", "09": "ICD9CM", "10": "ICD10CM"}
"""Of a column that tells the release of ICD."""


def visit_sql(roles: Roles) -> str:
    """entities/visit_occurrence.sql."""
    assert roles.visit is not None
    assert roles.visit_date is not None
    table = sql_name(roles.visit.name)
    named = sql_name(entity_key(roles.visit_key, "visit"))
    start = _day(roles.visit_date)
    end = f"coalesce({_day(roles.visit_end)}, {start})" if roles.visit_end else start
    return (
        "-- One row of this source is taken for one visit. DECIDE: are rows of one stay to be joined?\n"
        "select\n"
        f"    {table}.{sql_name(roles.visit_key)}{'' if named == sql_name(roles.visit_key) else f' as {named}'},\n"
        "    reject_when(person.person_id is null, 'person is unknown'),\n"
        "    person.person_id,\n" + _visit_class(roles) + f"    {start} as visit_start_date,\n"
        f"    {end} as visit_end_date,\n"
        + _moment(roles.visit_date, roles.visit_times[0], "visit_start_datetime")
        + (_moment(roles.visit_end, roles.visit_times[1], "visit_end_datetime") if roles.visit_end else "")
        + f"    {table}.{sql_name(roles.visit_key)}::varchar as visit_source_value\n"
        f"from {table}\n" + _join_person(roles, roles.visit.name)
    )


def _visit_class(roles: Roles) -> str:
    """The line of the kind of a visit: by the values of a column that tells it, else for all the same."""
    if roles.visit_class is None:
        return "    9202 as visit_concept_id,  -- DECIDE: 9202 outpatient, 9201 inpatient, 9203 emergency\n"
    column = f"{sql_name(roles.visit_class.name)}::varchar"
    cases = " ".join(f"when {sql_text(value)} then {concept}" for value, concept in roles.visit_classes)
    return (
        f"    case {column} {cases} else 0 end as visit_concept_id,"
        "  -- DECIDE: 9202 outpatient, 9201 inpatient, 9203 emergency; are these all values?"
        f"{_others(roles.visit_class, VISIT_CLASSES)}\n"
    )


def _as_allergy(lines: list[str], code: str) -> list[str]:
    """The same with the fact "allergic to a substance", whose value is the substance: an allergy is no exposure."""
    renamed = {
        " as vocabulary_id,": " as value_vocabulary_id,",
        " as code,": " as value_code,",
        " as code_name,": " as value,",
    }
    kept = [line for line in lines if " as value" not in line and " as unit" not in line]
    for old, new in renamed.items():
        kept = [line.replace(old, new) for line in kept]
    fact = "    'SNOMED' as vocabulary_id, '419199007' as code,  -- allergic to a substance, which is the value"
    return [*kept, fact, f"    {code}::varchar as source_value,"]


def event_sql(event: EventRoles, roles: Roles, pack: str) -> str:
    """events/NAME.sql."""
    table = sql_name(event.source.name)

    def column(name: str) -> str:
        return f"{table}.{sql_name(name)}"

    lines = [
        "    reject_when(person.person_id is null, 'person is unknown'),",
        "    -- DECIDE: which rows are no events (cancelled, planned)? unused_when(condition, 'rule')",
        "    person.person_id,",
    ]
    if not event.person:
        lines[0] = "    reject_when(visit_occurrence.visit_occurrence_id is null, 'visit is unknown'),"
        lines[-1] = "    visit_occurrence.person_id,"
    if event.date is None and event.visit is None:
        lines.append(
            "    person.day_of_record as start_date,"
            "  -- DECIDE: these rows have no day of their own; that of the row of the person stands for it"
        )
    elif event.date is None:
        if event.person:
            lines.insert(1, "    reject_when(visit_occurrence.visit_occurrence_id is null, 'visit is unknown'),")
        lines.append(
            "    visit_occurrence.visit_start_date as start_date,"
            "  -- DECIDE: these rows have no day of their own; the first day of the visit stands for it"
        )
    else:
        asked = "" if _partly(event.date) is None else "  -- DECIDE: a day 00 stands for the first of its month"
        lines.append(f"    {_day(event.date, table)} as start_date,{asked}")
        if event.date.type == "datetime":
            lines.append(f"    {column(event.date.name)} as start_datetime,")
        elif event.time:
            moment = f"{column(event.date.name)} + try_cast({column(event.time.name)} as time)"
            lines.append(f"    {moment} as start_datetime,")
    if event.end:
        lines.append(f"    {_day(event.end, table)} as end_date,")
    if event.system:
        system = next(c for c in event.source.columns if c.name == event.system)
        vocabulary = _vocabulary(system, f"{column(event.system)}::varchar")
        lines.append(f"    {vocabulary} as vocabulary_id,  -- DECIDE: are these the vocabularies of all values?")
    elif guessed := _guessed(event):
        lines.append(f"    {sql_text(guessed[0])} as vocabulary_id,  -- DECIDE: {guessed[1]}")
    else:
        lines.append(
            f"    {sql_text(f'{pack} {event.code}'[:20])} as vocabulary_id,"
            "  -- DECIDE: a standard's name (EDI, LOINC, KCD8 and from 2026 on KCD9, ...), or own codes, mapped in maps"
        )
    lines.append(
        f"    {column(event.code)}::varchar as code,"
        + ("  -- DECIDE: no column is called a code; is this what tells the event?" if event.worded else "")
    )
    if event.worded and not event.title:
        lines.append(f"    {column(event.code)}::varchar as code_name,")
    if event.title:
        lines.append(f"    {column(event.title)}::varchar as code_name,")
    if event.result:
        result = column(event.result.name)
        lines.append(f"    {result}::varchar as value,")
        if event.number:
            lines.append(f"    {column(event.number)}::double as value_number,")
        elif event.result.type in ("integer", "number"):
            lines.append(f"    {result}::double as value_number,")
        elif "number" in event.result.shape:
            lines += [
                f"    try_cast(regexp_replace({result}, '^[<>=≤≥]+', '') as double) as value_number,",
                f"    nullif(regexp_extract(replace(replace({result}, '≤', '<='), '≥', '>='), '^(<=|>=|<|>|=)', 1), '')"
                " as value_operator,",
            ]
        elif event.result.type == "text":
            lines.append(
                "    -- DECIDE: are there numbers in this text (12 mg/dL, 1,5)? Then tell them as value_number"
            )
    if event.unit:
        lines.append(f"    {column(event.unit)}::varchar as unit,")
    if event.days:
        lines.append(f"    try_cast({column(event.days)} as integer) as days_supply,")
    if event.quantity:
        lines.append(f"    {column(event.quantity)}::double as quantity,  -- DECIDE: of the whole, not of one dose?")
    if event.visit:
        lines.append("    visit_occurrence.visit_occurrence_id,")
    if ALLERGY.search(event.source.name):
        lines = _as_allergy(lines, column(event.code))
    lines[-1] = re.sub(r",(?=\s*(--.*)?$)", "", lines[-1], count=1)
    joins = _join_person(roles, event.source.name) if event.person else ""
    if event.visit:
        key = sql_name(entity_key(roles.visit_key, "visit"))
        joins += f"left join visit_occurrence on visit_occurrence.{key} = {column(event.visit)}\n"
    bill = _BILL.search(event.source.name) or _BILL.search(event.source.patterns[0])
    told = "-- DECIDE: these are bills; if another file tells the same diagnoses, take this one out.\n" if bill else ""
    text = "select\n" + "\n".join(lines) + f"\nfrom {table}\n{joins}"
    left = [c.name for c in event.source.columns if c.filled and not is_hidden(c) and column(c.name) not in text]
    rest = f"-- Not used: {', '.join(left)}.\n" if left else ""
    return f"-- One row of this source is taken for one event of the domain {event.domain}.\n{told}{rest}{text}"


_BILL = re.compile(r"claim|bill|payment|invoice|charge|transaction|청구|수납|명세", re.IGNORECASE)


def is_hidden(column: ColumnScan) -> bool:
    """Whether a column may tell who somebody is and is no number of a person."""
    return any(flag.kind != "person identifier" for flag in column.flags)


def _others(column: ColumnScan, known: Mapping[str, object]) -> str:
    """What to ask of the frequent values that a CASE does not name: they become the concept 0."""
    left = [value for value, _ in column.values if value.lower() not in known]
    left = [value for value in left if value not in {text for text, _ in column.labels}]
    return f"; not known are {', '.join(left[:8])}{', ...' if len(left) > 8 else ''}" if left else ""


_OF = {
    "ICD10": ("Condition", "Observation"), "NDC": ("Drug", "Device"),
    "LOINC": ("Measurement", "Observation", "Procedure"),
    "SNOMED": ("Condition", "Observation", "Procedure", "Device", "Measurement"),
}  # fmt: skip
"""What codes of a system tell: the codes of a laboratory are no diagnoses, though they may be written like them."""


def _guessed(event: EventRoles) -> tuple[str, str] | None:
    """The vocabulary that the codes of an event look like, and why."""
    column = next(c for c in event.source.columns if c.name == event.code)
    if event.domain not in _OF.get(column.system, ()):
        return None
    if column.system == "ICD10":
        korean = any("가" <= sign <= "힣" for c in event.source.columns for sign in c.header)
        told = "they are written as in ICD-10; is it KCD8 (from 2026 on KCD9), ICD10 or ICD10CM?"
        return ("KCD8" if korean else "ICD10"), told
    if column.system in ("LOINC", "SNOMED"):
        return column.system, f"nearly all have the check digit of {column.system}; is it that?"
    return (column.system, f"they are written as in {column.system}; is it that?") if column.system else None


def _moment(date: ColumnScan, time: ColumnScan | None, name: str) -> str:
    """The line of a date and time, where the source has one."""
    if date.type == "datetime":
        return f"    {sql_name(date.name)} as {name},\n"
    return f"    {sql_name(date.name)} + try_cast({sql_name(time.name)} as time) as {name},\n" if time else ""


def _day(column: ColumnScan, table: str = "") -> str:
    """The day that a column tells."""
    name = f"{table}.{sql_name(column.name)}" if table else sql_name(column.name)
    mark = _partly(column)
    if mark is None:
        return f"{name}::date" if column.type == "datetime" else name
    sign = column.shape[4] if mark else ""
    format_ = sql_text(f"%Y{sign}%m{sign}%d")
    ways = (name, f"left({name}, {6 + mark}) || '{sign}01'", f"left({name}, 4) || '{sign}01{sign}01'")
    return f"coalesce({', '.join(f'try_strptime({way}, {format_})' for way in ways)})::date"


def _partly(column: ColumnScan) -> int | None:
    """Of a column of days some of which lack the day: how many signs stand between year and month; else None."""
    if not column.shape.endswith(SOME_WITHOUT_A_DAY):
        return None
    return 0 if column.shape.startswith("YYYYMM") else 1


def _join_person(roles: Roles, source: str) -> str:
    mine = f"{sql_name(source)}.{sql_name(roles.persons[source])}"
    return f"left join person on person.{sql_name(entity_key(roles.person_key, 'person'))} = {mine}\n"
