"""What the sources of a scan may be about: persons, visits, events; by references and by words of headers."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from madang.science.standardize.scan.model import ColumnScan, Scan, SourceScan
from madang.science.standardize.scan.references import AGE as _AGE
from madang.science.standardize.scan.references import BIRTH as _BIRTH
from madang.science.standardize.scan.references import SEX as _SEX
from madang.science.standardize.scan.references import VISIT_NUMBER, VISITS
from madang.science.standardize.scan.shapes import SOME_WITHOUT_A_DAY


def is_day(column: ColumnScan) -> bool:
    """Whether a column tells days: as dates, or as text because some of them lack the day."""
    return column.type in ("date", "datetime") or column.shape.endswith(SOME_WITHOUT_A_DAY)


_PERSONS = re.compile(r"patient|person|환자|수진자|demog|인적", re.IGNORECASE)
_DATE = re.compile(r"date|일자|일시|start|_dt|dt$|일$", re.IGNORECASE)
_END = re.compile(r"end|stop|퇴원|종료|disch|dsch|(^|_)out(_|dt|tm|date|time|$)", re.IGNORECASE)
_CODE = re.compile(r"code|_?cd$|코드|상병|sick|concept|itemid|item_id|^ndc|prod_srvc|^loinc|^icd\d*$", re.IGNORECASE)
_WORD_CODE = re.compile(
    r"decod|term$|^dx|diag|drug|medic|item|test|analyt|label|proced|vaccin|event|^pt$|^llt|meddra|약품|약제|검사명|검사항목|처방명|진단명|수술명",
    re.IGNORECASE,
)
"""Columns of words, or of numbers of items, where nothing is called a code."""
_SYSTEM = re.compile(
    r"system|vocab|code_?type|codeset|code_?set|coding|terminology|체계|icd_?ver|(dx|px|diag|proc)_?type", re.IGNORECASE
)
_AGE_UNIT = re.compile(r"^age_?(cod|code|unit|units|u|uom)$|연령단위|나이단위", re.IGNORECASE)
_HAPPENED = re.compile(r"event|onset|index|^rfst|발생|내원|진료|admi|visit", re.IGNORECASE)
_OF_VISIT = re.compile(r"admi(t|s)|encounter|visit|입원|내원|접수", re.IGNORECASE)
_YEAR = re.compile(r"^yob$|stn?d_y|year|연도|년도|_yr$|yyyy", re.IGNORECASE)
AGE_GROUP = re.compile(r"연령대|age_?group|age_?grp", re.IGNORECASE)
_DEATH = re.compile(r"death|dod|deceased|died|사망", re.IGNORECASE)
_RACE = re.compile(r"^race|인종", re.IGNORECASE)
_ETHNICITY = re.compile(r"ethnic|민족", re.IGNORECASE)
_KEY_NAME = re.compile(r"id$|_?no$|num$|key$|seq|순번|번호|_sn$|^no$", re.IGNORECASE)
_TITLE = re.compile(r"name|_?nm$|명$|명칭|description|display", re.IGNORECASE)
_RESULT = re.compile(r"result|value|결과|수치|측정|orres$|stres[cn]$|[nt]val_|rslt", re.IGNORECASE)
_DAYS = re.compile(r"days|일수|(^|_)day_?(cnt|count|no|s)?$", re.IGNORECASE)
_QUANTITY = re.compile(r"qty|quantity|수량|총량", re.IGNORECASE)
_NUMBER = re.compile(r"(val(ue)?|result|res|rslt)_?num|numeric", re.IGNORECASE)
_UNIT = re.compile(r"unit|단위|uom$|resu$", re.IGNORECASE)
ALLERGY = re.compile(r"allerg|알레르기|알러지|과민", re.IGNORECASE)
_DOMAINS = (
    ("Observation", ALLERGY.pattern),
    ("Condition", r"diag|dx|dgns|sick|condition|상병|진단|adverse|reac|^ae$|^mh$"),
    ("Drug", r"drug|med|presc|rx|immuni|vaccin|약|처방|투약|조제"),
    ("Measurement", r"lab|obs|test|measure|vital|검사|검진|활력"),
    ("Procedure", r"proc|surg|oper|수술|처치|시술|imaging|영상"),
    ("Device", r"device|suppl|재료"),
)
SEXES = dict.fromkeys(("m", "male", "männlich", "homme", "남", "남자", "남성", "1"), 8507) | dict.fromkeys(
    ("f", "female", "w", "weiblich", "femme", "여", "여자", "여성", "2"), 8532
)


_VISIT_CLASS = re.compile(r"class|type|kind|구분|유형|형태|입외|io_?gb|patkind|in_?out", re.IGNORECASE)
VISIT_CLASSES = (
    dict.fromkeys(("외래", "o", "out", "outpatient", "op", "opd", "amb", "ambulatory", "ambulant", "av"), 9202)
    | dict.fromkeys(("입원", "i", "in", "inpatient", "ip", "imp", "ipd", "stationär"), 9201)
    | dict.fromkeys(("응급", "e", "er", "emergency", "emer", "ed", "notfall"), 9203)
)


@dataclass(frozen=True)
class EventRoles:
    """The columns of a source whose rows are events: those with a person, a date and a code."""

    source: SourceScan
    domain: str
    why: str
    person: str
    """Empty: the number of the visit leads to the person."""
    date: ColumnScan | None
    """None: it has no day of its own, and is dated by its visit."""
    end: ColumnScan | None
    code: str
    title: str | None
    result: ColumnScan | None
    unit: str | None
    visit: str | None
    days: str | None = None
    quantity: str | None = None
    system: str | None = None
    """The column with the vocabulary of the code."""
    number: str = ""
    """The result once more, as a number."""
    time: ColumnScan | None = None
    """The time of day beside a date."""
    worded: bool = False
    """The code is a word or the number of an item: no column is called a code."""


@dataclass(frozen=True)
class Roles:
    """Who is who among the sources."""

    person: SourceScan | None = None
    person_key: str = ""
    persons: dict[str, str] = field(default_factory=dict)
    """Per source the column that says whose row it is."""
    several: bool = False
    """A person has several rows in the source of persons, by year or by stay: they are grouped."""
    birth: ColumnScan | None = None
    age: ColumnScan | None = None
    """Where no birth is told: the age, and the year or day that it was of."""
    age_of: ColumnScan | None = None
    age_unit: ColumnScan | None = None
    """The column with the unit of an age."""
    record_day: ColumnScan | None = None
    """A day in the row of a person that events without a day of their own are dated by."""
    death: ColumnScan | None = None
    deaths: SourceScan | None = None
    """Where no column of the persons tells it: the file of deaths, and its column of the day."""
    deaths_day: ColumnScan | None = None
    race: ColumnScan | None = None
    ethnicity: ColumnScan | None = None
    sex: ColumnScan | None = None
    sexes: tuple[tuple[str, int], ...] = ()
    """Values of the sex column and their concepts, the most frequent first."""
    visit: SourceScan | None = None
    visit_key: str = ""
    visit_numbers: frozenset[tuple[str, str]] = frozenset()
    """Sources and columns that hold the number of a visit."""
    visit_date: ColumnScan | None = None
    visit_end: ColumnScan | None = None
    visit_times: tuple[ColumnScan | None, ColumnScan | None] = (None, None)
    """Where its dates have a column for the time of day beside them: of the beginning and of the end."""
    visit_class: ColumnScan | None = None
    visit_classes: tuple[tuple[str, int], ...] = ()
    """Values of the column with the kind of a visit and their concepts."""
    events: tuple[EventRoles, ...] = ()
    undrafted: dict[str, str] = field(default_factory=dict)
    """Why there is no SELECT for a source, by its name."""


def find_roles(scan: Scan) -> Roles:
    """The likeliest roles of the sources of a scan."""
    referred = {(r.source, r.column): (r.to_source, r.to_column) for r in scan.references}
    person, person_key = _person(scan, referred)
    several = False
    if person is None:
        person, person_key = _persons_in_rows(scan)
        several = person is not None
    if person is None:
        why = "no file was found of which one row is one person, by a patient number that hardly repeats"
        return Roles(undrafted={source.name: why for source in scan.sources})
    persons = {
        source.name: column
        for source in scan.sources
        if (column := _whose(source, person, person_key, referred)) is not None
    }
    birth = next((c for c in person.columns if _BIRTH.search(c.header) and is_day(c)), None)
    birth = birth or next(
        (c for c in person.columns if _BIRTH.search(c.header) and _YEAR.search(c.header) and c.type == "integer"), None
    )
    age, age_of = (None, None) if birth else _age(person)
    days = [c for c in person.columns if is_day(c) and c is not birth]
    death = next((c for c in days if _DEATH.search(c.header)), None)
    sex, sexes = _known(person, _SEX, SEXES)
    visit, visit_key, visit_date, visit_end = _visit(scan, persons, referred, person)
    # Only files that have neither day nor visit of their own are dated by it, as the drugs of a report are.
    day = _day_of_record(days, death)
    classed = _known(visit, _VISIT_CLASS, VISIT_CLASSES) if visit else (None, ())
    numbers = _visit_numbers(scan, visit, visit_key, referred)
    deaths, deaths_day = (None, None) if death else _deaths(scan, persons, (person, visit))
    events, undrafted = [], {}
    for source in scan.sources:
        if source in (person, visit, deaths):
            continue
        mine = [name for of, name in numbers if of == source.name]
        if source.name not in persons and not mine:
            undrafted[source.name] = "no column leads to a person"
            continue
        event = _event(source, persons.get(source.name, ""), mine, day is not None and source.name in persons)
        if isinstance(event, str):
            undrafted[source.name] = event
        else:
            events.append(event)
    return Roles(
        person=person,
        person_key=person_key,
        persons=persons,
        several=several,
        birth=birth,
        age=age,
        age_of=age_of,
        age_unit=_age_unit(person) if age else None,
        record_day=day if any(event.date is None and event.visit is None for event in events) else None,
        death=death,
        deaths=deaths,
        deaths_day=deaths_day,
        race=next((c for c in person.columns if _RACE.search(c.header) and c.filled), None),
        ethnicity=next((c for c in person.columns if _ETHNICITY.search(c.header) and c.filled), None),
        sex=sex,
        sexes=sexes,
        visit=visit,
        visit_key=visit_key,
        visit_numbers=frozenset(numbers),
        visit_date=visit_date,
        visit_end=visit_end,
        visit_times=_times(visit) if visit else (None, None),
        visit_class=classed[0],
        visit_classes=classed[1],
        events=tuple(events),
        undrafted=undrafted,
    )


_OF_THE_ENGINE = re.compile(
    r"person_id|visit_(occurrence|detail)_id|(person|visit)_source_value|(provider|care_site|location)_id",
    re.IGNORECASE,
)


def entity_key(name: str, entity: str) -> str:
    """What the key of an entity is called: as in the source, unless the model has a column of that name."""
    return f"{entity}_number" if _OF_THE_ENGINE.fullmatch(name) else name


Referred = dict[tuple[str, str], tuple[str, str]]


def _identifies(column: ColumnScan) -> bool:
    kinds = {flag.kind for flag in column.flags}
    return kinds == {"person identifier"}


def _person(scan: Scan, referred: Referred) -> tuple[SourceScan | None, str]:
    """The source of which one row is one person: by its key that others refer to, its name, and a birth date."""
    votes = Counter(referred.values())
    ranked = []
    for source in scan.sources:
        for column in source.columns:
            if not _identifies(column) or (column.name,) not in source.likely_keys:
                continue
            score = votes[source.name, column.name] + 5 * bool(_PERSONS.search(source.name))
            score += 5 * any(_BIRTH.search(other.header) for other in source.columns)
            ranked.append((score, source, column.name))
    if not ranked:
        return None, ""
    _, person, key = max(ranked, key=lambda one: one[0])
    return person, key


def _persons_in_rows(scan: Scan) -> tuple[SourceScan | None, str]:
    """A source with several rows of each person (yearly, or per stay) that tells sex and birth or age."""
    ranked = []
    for source in scan.sources:
        for column in source.columns:
            if not _identifies(column) or column.distinct < 2:
                continue
            birth = any(
                _BIRTH.search(c.header) or _AGE.search(c.header) or AGE_GROUP.search(c.header) for c in source.columns
            )
            sex = any(_SEX.search(c.header) for c in source.columns)
            if birth and sex:
                ranked.append((bool(_PERSONS.search(source.name)), column.distinct, source, column.name))
    if not ranked:
        return None, ""
    _, _, person, key = max(ranked, key=lambda one: one[:2])
    return person, key


def _age(person: SourceScan) -> tuple[ColumnScan | None, ColumnScan | None]:
    """The age of a person and the year or day it is of."""
    age = next((c for c in person.columns if _AGE.search(c.header) and c.filled), None)
    age = age or next((c for c in person.columns if AGE_GROUP.search(c.header) and c.filled), None)
    years = [c for c in person.columns if _YEAR.search(c.header) and c.type in ("integer", "number") and c is not age]
    days = [c for c in person.columns if is_day(c) and not _BIRTH.search(c.header) and not _DEATH.search(c.header)]
    days.sort(key=lambda c: not _HAPPENED.search(c.header))
    found = next(iter(years + days), None)
    return (age, found) if age and found else (None, None)


def _age_unit(person: SourceScan) -> ColumnScan | None:
    return next((c for c in person.columns if _AGE_UNIT.search(c.header) and c.filled), None)


def _day_of_record(days: Sequence[ColumnScan], death: ColumnScan | None) -> ColumnScan | None:
    """Of the days in the rows of persons the one of what happened to them, else the first."""
    usable = [c for c in days if c is not death and c.filled and not _DEATH.search(c.header)]
    return min(usable, key=lambda c: (not _HAPPENED.search(c.header), bool(_END.search(c.header))), default=None)


def _whose(source: SourceScan, person: SourceScan, key: str, referred: Referred) -> str | None:
    if source is person:
        return key
    for column in source.columns:
        if referred.get((source.name, column.name)) == (person.name, key):
            return column.name
    # Too few values to tell by: the column is called as the key, or as others call it that refer to it.
    called = {column.lower() for (_, column), to in referred.items() if to == (person.name, key)} | {key.lower()}
    same = [column.name for column in source.columns if column.name.lower() in called and _identifies(column)]
    return same[0] if same else None


def _known(
    source: SourceScan, header: re.Pattern[str], concepts: Mapping[str, int]
) -> tuple[ColumnScan | None, tuple[tuple[str, int], ...]]:
    """A column of this name with values whose concepts are known, and these; by their labels where there are such."""
    for column in source.columns:
        words = {value: value.lower() for value, _ in column.values}
        words |= {value: re.sub(r"^[\d.) ]+", "", label).strip().lower() for value, label in column.labels}
        known = tuple((value, concepts[word]) for value, word in words.items() if word in concepts)
        if known and (header.search(column.header) or header.search(column.label)):
            return column, known
    return None, ()


def _dates(source: SourceScan) -> list[ColumnScan]:
    usable = [c for c in source.columns if is_day(c) and c.filled and not _BIRTH.search(c.header)]
    return sorted(usable, key=lambda c: (bool(_END.search(c.header)), not _DATE.search(c.header), -c.filled))


def _end(source: SourceScan, start: ColumnScan) -> ColumnScan | None:
    return next((c for c in _dates(source) if _END.search(c.header) and c is not start), None)


def _times(source: SourceScan) -> tuple[ColumnScan | None, ColumnScan | None]:
    """The columns with the times of day of beginning and end."""
    times = [column for column in source.columns if column.type == "time" and column.filled]
    start = next((column for column in times if not _END.search(column.header)), None)
    return start, next((column for column in times if _END.search(column.header)), None)


def _visit(
    scan: Scan, persons: dict[str, str], referred: Referred, person: SourceScan
) -> tuple[SourceScan | None, str, ColumnScan | None, ColumnScan | None]:
    votes = Counter(referred.values())
    ranked = []
    for source in scan.sources:
        if source is person or source.name not in persons or not _dates(source):
            continue
        named = bool(VISITS.search(source.name) or VISITS.search(source.patterns[0]))
        classed = bool(_known(source, _VISIT_CLASS, VISIT_CLASSES)[1]) and _end(source, _dates(source)[0]) is not None
        headers = {column.name: column.header for column in source.columns}
        for key in source.likely_keys:
            if len(key) > 1 or key[0] == persons[source.name]:
                continue
            called = bool(VISIT_NUMBER.search(headers[key[0]]))
            score = votes[source.name, key[0]] + 3 * named + 3 * classed + called
            # A file is of visits by its name, or by its kinds of visits and their ends, whatever it is called.
            if named or (classed and (called or votes[source.name, key[0]])):
                ranked.append((score, source, key[0]))
    if not ranked:
        return None, "", None, None
    _, visit, key_column = max(ranked, key=lambda one: one[0])
    start = _dates(visit)[0]
    return visit, key_column, start, _end(visit, start)


def _visit_numbers(scan: Scan, visit: SourceScan | None, key: str, referred: Referred) -> list[tuple[str, str]]:
    """The sources and columns that hold the number of a visit: by their values, or called as the key of the visits."""
    if visit is None:
        return []
    headers = {
        (source.name, column.name): column.header.lower() for source in scan.sources for column in source.columns
    }
    called = {headers[at] for at, to in referred.items() if to == (visit.name, key)} | {headers[visit.name, key]}
    called = {header for header in called if VISIT_NUMBER.search(header)}
    numbers = [(visit.name, key)]
    for source in scan.sources:
        if source is visit:
            continue
        by_value = [c.name for c in source.columns if referred.get((source.name, c.name)) == (visit.name, key)]
        named = [c.name for c in source.columns if c.header.lower() in called and c.filled]
        numbers += [(source.name, name) for name in (by_value or named)[:1]]
    return numbers


def _deaths(
    scan: Scan, persons: Mapping[str, str], others: Sequence[SourceScan | None]
) -> tuple[SourceScan | None, ColumnScan | None]:
    """A file of deaths, by its name, and its day."""
    for source in scan.sources:
        if source in others or source.name not in persons:
            continue
        if not (_DEATH.search(source.name) or _DEATH.search(source.patterns[0])):
            continue
        days = sorted(_dates(source), key=lambda c: not _DEATH.search(c.header))
        if days:
            return source, days[0]
    return None, None


def _event(source: SourceScan, person: str, visits: Sequence[str], day: bool) -> EventRoles | str:
    """The columns of an event, or why the rows of a source are not taken for events."""
    dates = sorted(_dates(source), key=lambda c: bool(_OF_VISIT.search(c.header)))
    if not dates and not visits and not day:
        return "no column is a date"

    def first(pattern: re.Pattern[str], *, most: bool = False) -> ColumnScan | None:
        found = [c for c in source.columns if pattern.search(c.header) and not c.flags and c.filled and c not in dates]
        return max(found, key=lambda c: c.distinct, default=None) if most else next(iter(found), None)

    named = source.name + " " + " ".join(column.header for column in source.columns)
    words = [(domain, m.group(0)) for domain, p in _DOMAINS if (m := re.search(p, source.name, re.IGNORECASE))]
    words = words or [(domain, m.group(0)) for domain, p in _DOMAINS if (m := re.search(p, named, re.IGNORECASE))]
    domain, why = (words[0][0], f"the names say “{words[0][1]}”") if words else ("Observation", "nothing tells")
    system = first(_SYSTEM)
    code, worded = _code(source, dates, person, system, visits)
    if code is None:
        return "no column looks like a code by its name"
    title = next(
        (c for c in source.columns if _TITLE.search(c.header) and not c.flags and c.filled and c is not code), None
    )
    results = [c for c in source.columns if _RESULT.search(c.header) and not c.flags and c.filled and c not in dates]
    # Of several the fullest, and of those a number.
    result = max(results, key=lambda c: (c.filled, c.type in ("integer", "number")), default=None)
    unit = next((c for c in source.columns if _UNIT.search(c.header) and c.type == "text" and c.filled), None)
    amounts = [c for c in source.columns if c.type in ("integer", "number") and not c.flags and c.filled]
    days = next((c.name for c in amounts if domain == "Drug" and _DAYS.search(c.header)), None)
    counted = domain in ("Drug", "Procedure", "Device")
    quantity = next((c.name for c in amounts if counted and _QUANTITY.search(c.header)), None)
    return EventRoles(
        source=source,
        domain=domain,
        why=why,
        person=person,
        date=dates[0] if dates else None,
        end=_end(source, dates[0]) if dates else None,
        code=code.name,
        title=title.name if title else None,
        result=result if result is not code else None,
        number=next((c.name for c in results if _NUMBER.search(c.header) and c is not result and c.type != "text"), ""),
        unit=unit.name if unit else None,
        visit=visits[0] if visits else None,
        days=days,
        quantity=quantity,
        system=system.name if system and system is not code else None,
        time=_times(source)[0] if dates and dates[0].type == "date" else None,
        worded=worded,
    )


def _code(
    source: SourceScan, dates: Sequence[ColumnScan], person: str, system: ColumnScan | None, visits: Sequence[str]
) -> tuple[ColumnScan | None, bool]:
    """The column with the code: one that is called so, or else one of words or of numbers of items."""
    usable = [
        c for c in source.columns
        if not c.flags and c.filled and c not in dates and c.name != person and c is not system and c.name not in visits
    ]  # fmt: skip
    named = [c for c in usable if _CODE.search(c.header)]
    if named:
        return max(named, key=lambda c: c.distinct), False
    keys = {name for key in source.keys if len(key) == 1 for name in key}
    worded = [c for c in usable if _WORD_CODE.search(c.header) and c.type in ("text", "integer") and c.name not in keys]
    worded = [c for c in worded if not _RESULT.search(c.header)]
    return max(worded, key=lambda c: (c.type == "text", c.distinct), default=None), True
