"""The truth about the insurer's files: what every line should become, and the events in terms of the CDM.

Written from the lives and from what the dirt layer decided; the text of the files is never read. The rules are those
of `docs/synthesis.md`.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from madang.science.synthesis.calendar import first_of_months, months_of, numbers_of
from madang.science.synthesis.care import IN_HOUSE, drug_codes, service_codes
from madang.science.synthesis.catalog import rows
from madang.science.synthesis.encounters import EMERGENCY, INPATIENT
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.nhis.claims import INSTITUTION_BASE, PERSON_BASE, Book, Lines, condition_codes
from madang.science.synthesis.nhis.damage import UNKNOWN_CODES, Damage, fate
from madang.science.synthesis.nhis.rows import age_groups, checkup_values, member_people

TABLE_OF_DOMAIN = {
    "Condition": "condition_occurrence",
    "Drug": "drug_exposure",
    "Procedure": "procedure_occurrence",
    "Measurement": "measurement",
    "Observation": "observation",
    "Device": "device_exposure",
}
EVENT_TABLES = tuple(TABLE_OF_DOMAIN.values())

EVENTS = pa.schema(
    [
        ("person_source_value", pa.int64()),
        ("concept_id", pa.int64()),
        ("start_date", pa.date32()),
        ("end_date", pa.date32()),
        ("source_value", pa.string()),
        ("source_table", pa.string()),
        ("key_seq", pa.int64()),
        ("seq_no", pa.int32()),
        ("visit_key", pa.int64()),
        ("quantity", pa.float64()),
        ("days_supply", pa.int32()),
        ("value_as_number", pa.float64()),
        ("value_as_concept_id", pa.int64()),
        ("unit_concept_id", pa.int64()),
        ("status_concept_id", pa.int64()),
    ]
)
"""The columns of each file of events; NULL where the table or the source has no such thing."""


@dataclass(frozen=True)
class Damages:
    """What happens to the rows of each table of one chunk."""

    members: Damage
    headers: Damage
    fees: Damage
    diagnoses: Damage
    prescriptions: Damage
    checkups: Damage


@dataclass(frozen=True)
class Fates:
    """The fate of every row of each table (positions in `damage.FATES`)."""

    members: NDArray[np.int8]
    headers: NDArray[np.int8]
    fees: NDArray[np.int8]
    diagnoses: NDArray[np.int8]
    prescriptions: NDArray[np.int8]
    checkups: NDArray[np.int8]


def fates_of(lives: Lives, book: Book, damages: Damages) -> Fates:
    """What becomes of every row, by the rules."""
    claims = book.claims
    members = damages.members.fates()
    known = np.zeros(len(lives.people), dtype=bool)
    known[member_people(lives)[0][members == 0]] = True
    headers = damages.headers.fates()
    headers[(headers == 0) & ~known[claims.person]] = fate("unknown person")
    accepted = headers == 0
    headers[accepted & (claims.type == 3)] = fate("pharmacy claim is no visit")
    below = []
    for lines, damage in (
        (book.fees, damages.fees),
        (book.diagnoses, damages.diagnoses),
        (book.prescriptions, damages.prescriptions),
    ):
        own = damage.fates()
        own[(own == 0) & ~accepted[lines.claim]] = fate("no claim header")
        below.append(own)
    outside = (below[2] == 0) & (book.prescriptions.given != IN_HOUSE)
    below[2][outside] = fate("prescription, its dispensing is taken")
    checkups = damages.checkups.fates()
    checkups[(checkups == 0) & ~known[lives.checkups.person]] = fate("unknown person")
    return Fates(members, headers, below[0], below[1], below[2], checkups)


@dataclass(frozen=True)
class _Targets:
    """Where codes lead: rows of a code table -> targets, one row per target."""

    code: NDArray[np.int32]
    concept: NDArray[np.int64]
    value: NDArray[np.int64]
    """0 for none."""
    domain: NDArray[np.object_]


@cache
def _domains() -> dict[str, str]:
    return {row["concept_id"]: row["domain"] for row in rows("concepts")}


@cache
def _targets(name: str) -> _Targets:
    found: list[tuple[int, int, int, str]] = []
    concepts = {row["key"]: row["concept_id"] for row in (*rows("conditions"), *rows("drugs"))}
    services: dict[str, list[tuple[str, str]]] = {}
    for row in rows("service_targets"):
        services.setdefault(row["service"], []).append((row["relationship"], row["concept_id"]))
    devices = {row["key"] for row in rows("services") if row["kind"] == "device"}
    for n, row in enumerate(rows(name)):
        if name == "service_codes":
            mine = services.get(row["service"], [])
            value = next((int(concept) for relationship, concept in mine if relationship == "Maps to value"), 0)
            targets = [concept for relationship, concept in mine if relationship == "Maps to"]
            fallback = "Device" if row["service"] in devices else "Procedure"
        else:
            key = row["condition"] if name == "condition_codes" else row["drug"]
            targets = [] if row["level"] == "none" or concepts[key] == "0" else [concepts[key]]
            fallback, value = ("Condition" if name == "condition_codes" else "Drug"), 0
        for concept in targets or ["0"]:
            domain = _domains().get(concept, fallback)
            found.append((n, int(concept), value if domain in ("Measurement", "Observation") else 0, domain))
    return _Targets(
        np.array([item[0] for item in found], dtype=np.int32),
        np.array([item[1] for item in found]),
        np.array([item[2] for item in found]),
        np.array([item[3] for item in found], dtype=object),
    )


def _fan_out(codes: NDArray[np.integer], targets: _Targets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(line, target) for every target of every line's code."""
    size = int(targets.code.max()) + 1
    count = np.bincount(targets.code, minlength=size)
    first = np.cumsum(count) - count
    repeats = count[codes]
    line = np.repeat(np.arange(len(codes)), repeats)
    nth = np.arange(len(line)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return line, first[codes][line] + nth


def truth_of(lives: Lives, book: Book, damages: Damages, fates: Fates) -> dict[str, pa.Table]:
    """All tables of truth of one chunk but the fates: by the name of the file."""
    visits, visit_key = _visits(lives, book, fates)
    events: dict[str, list[pa.Table]] = {table: [] for table in EVENT_TABLES}
    _add_lines(events, lives, book, book.diagnoses, damages.diagnoses, fates.diagnoses, "condition_codes", visit_key)
    for lines, damage, own in (
        (book.fees, damages.fees, fates.fees),
        (book.prescriptions, damages.prescriptions, fates.prescriptions),
    ):
        for name in ("service_codes", "drug_codes"):
            _add_lines(events, lives, book, lines, damage, own, name, visit_key)
    _add_checkups(events, lives, damages.checkups, fates.checkups)
    tables = {name: pa.concat_tables(parts) if parts else EVENTS.empty_table() for name, parts in events.items()}
    return tables | visits | _people(lives, fates)


def _visits(lives: Lives, book: Book, fates: Fates) -> tuple[dict[str, pa.Table], NDArray[np.int64]]:
    """Visits, their claims, and for each claim the key of its visit (0 where it has none)."""
    claims, encounters = book.claims, lives.encounters
    mine = np.flatnonzero(fates.headers == 0)
    merged = np.where(encounters.leads_to >= 0, encounters.leads_to, np.arange(len(encounters), dtype=np.int32))
    visit = merged[claims.encounter[mine]]
    order = np.lexsort((claims.key[mine], visit))
    mine, visit = mine[order], visit[order]
    begin = np.flatnonzero(np.diff(visit, prepend=-1))
    of_visit = np.repeat(np.arange(len(begin)), np.diff(np.append(begin, len(visit))))
    key = claims.key[mine[begin]]
    visit_key = np.zeros(len(claims), dtype=np.int64)
    visit_key[mine] = key[of_visit]
    kind = encounters.kind[claims.encounter[mine]]
    urgent = (claims.route[mine] >= 1) & (claims.route[mine] <= 3)
    inpatient = np.bitwise_or.reduceat(kind == INPATIENT, begin) if len(begin) else np.zeros(0, dtype=bool)
    emergency = np.bitwise_or.reduceat(urgent | (kind == EMERGENCY), begin) if len(begin) else inpatient
    concept = np.where(inpatient, np.where(emergency, 262, 9201), np.where(emergency, 9203, 9202))
    last = claims.start[mine] + claims.days[mine] - 1
    person = lives.people.number[claims.person[mine[begin]]] + PERSON_BASE
    # A claim of a stay tells its first day, even where the claim of that month was lost.
    known = np.minimum(claims.start[mine], claims.first_day[mine])
    start = np.minimum.reduceat(known, begin) if len(begin) else last
    end = np.maximum.reduceat(last, begin) if len(begin) else last
    visits = pa.table(
        {
            "visit_key": key,
            "person_source_value": person,
            "visit_concept_id": concept.astype(np.int64),
            "start_date": _dates(start),
            "end_date": _dates(end),
            "care_site_source_value": claims.institution[mine[begin]].astype(np.int64) + INSTITUTION_BASE,
        }
    )
    details = pa.table(
        {
            "key_seq": claims.key[mine],
            "visit_key": key[of_visit],
            "person_source_value": lives.people.number[claims.person[mine]] + PERSON_BASE,
            "start_date": _dates(claims.start[mine]),
            "end_date": _dates(last),
            "total_paid": claims.total[mine],
            "paid_by_patient": claims.by_patient[mine],
        }
    )
    return {"visit_occurrence": visits, "visit_detail": details}, visit_key


def _dates(days: NDArray[np.integer], known: NDArray[np.bool_] | None = None) -> pa.Array:
    values = np.ascontiguousarray(days, dtype=np.int32)
    return pa.array(values, pa.int32(), mask=None if known is None else ~known).cast(pa.date32())


def _events(count: int, **columns: pa.Array | NDArray[np.generic]) -> pa.Table:
    """A table of events; columns that are not given are NULL."""
    arrays = []
    for field in EVENTS:
        given = columns.get(field.name)
        array = pa.nulls(count, field.type) if given is None else pa.array(given)
        arrays.append(array.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=EVENTS)


def _add_lines(
    events: dict[str, list[pa.Table]],
    lives: Lives,
    book: Book,
    lines: Lines,
    damage: Damage,
    fates: NDArray[np.int8],
    codes: str,
    visit_key: NDArray[np.int64],
) -> None:
    """Events of the lines that carry codes of one code table."""
    wanted = (fates == 0) & (lines.drug == (codes == "drug_codes"))
    mine = np.flatnonzero(wanted)
    targets = _targets(codes)
    line, target = _fan_out(lines.code[mine], targets)
    row = mine[line]
    unknown = damage.happens("unknown code")
    first = np.diff(row, prepend=-1) != 0
    keep = first | ~unknown[row]
    row, target = row[keep], target[keep]
    fallback = {"condition_codes": "Condition", "drug_codes": "Drug"}.get(codes, "Procedure")
    domain = np.where(unknown[row], np.where(lines.device[row], "Device", fallback), targets.domain[target])
    concept = np.where(unknown[row], 0, targets.concept[target])
    value = np.where(unknown[row], 0, targets.value[target])
    source = condition_codes().codes[lines.code[row]] if codes == "condition_codes" else _codes(lines, row)
    source = np.where(unknown[row], UNKNOWN_CODES[damage.table], source)
    claims = book.claims
    claim = lines.claim[row]
    start = claims.start[claim]
    drug = codes == "drug_codes"
    lost = damage.happens("broken optional")[row]
    amount = lines.per_time[row].astype(np.float64) * lines.times[row] * lines.days[row]
    visit = visit_key[claim]
    for of_domain, table in TABLE_OF_DOMAIN.items():
        here = domain == of_domain
        if not here.any():
            continue
        claim_here, counted = claim[here], codes != "condition_codes"
        events[table].append(
            _events(
                int(here.sum()),
                person_source_value=lives.people.number[claims.person[claim_here]] + PERSON_BASE,
                concept_id=concept[here],
                start_date=_dates(start[here]),
                end_date=_dates(np.where(lost, start, start + lines.days[row] - 1)[here]) if drug else None,
                source_value=pa.array(source[here].astype(object), pa.string()),
                source_table=pa.array(np.char.add(f"{damage.table}_T", claims.type[claim_here].astype(str))),
                key_seq=claims.key[claim_here],
                seq_no=lines.sequence[row][here],
                visit_key=pa.array(visit[here], mask=visit[here] == 0),
                quantity=pa.array(amount[here], mask=lost[here]) if counted else None,
                days_supply=pa.array(lines.days[row][here], mask=lost[here]) if drug else None,
                value_as_concept_id=pa.array(value[here], mask=value[here] == 0),
                status_concept_id=None if counted else np.where(lines.sequence[row][here] == 1, 32902, 32908),
            )
        )


def _codes(lines: Lines, row: NDArray[np.integer]) -> NDArray[np.object_]:
    codes = np.concatenate([service_codes().codes, drug_codes().codes])
    return codes[np.where(lines.drug[row], lines.code[row] + len(service_codes().codes), lines.code[row])]


def _add_checkups(events: dict[str, list[pa.Table]], lives: Lives, damage: Damage, fates: NDArray[np.int8]) -> None:
    """Events of the check-ups: on the first of January, for the file has only the year; they are no visits."""
    checkups = lives.checkups
    used = fates == 0
    year = numbers_of(checkups.day) // 10000
    day = first_of_months((year - 1970) * 12)
    person = lives.people.number[checkups.person] + PERSON_BASE
    lost = damage.happens("broken optional")
    facts = {row["column"]: row for row in rows("checkup")}
    for column, values in checkup_values(lives).items():
        here = used & ~np.isnan(values) & ~(lost & (column == "BLDS"))
        count = int(here.sum())
        events["measurement"].append(
            _events(
                count,
                person_source_value=person[here],
                concept_id=np.full(count, int(facts[column]["concept_id"])),
                start_date=_dates(day[here]),
                source_value=pa.array([column] * count, pa.string()),
                source_table=pa.array(["GJ"] * count, pa.string()),
                value_as_number=values[here],
                unit_concept_id=np.full(count, int(facts[column]["unit_concept_id"])),
            )
        )
    for column, answers in (("OLIG_PROTE_CD", checkups.urine_protein), ("SMK_STAT_TYPE_RSPS_CD", checkups.smoking)):
        for row in (row for row in rows("checkup_answers") if row["column"] == column):
            here = used & (answers == int(row["answer"]))
            count, value = int(here.sum()), row["value_as_concept_id"]
            events[TABLE_OF_DOMAIN[row["domain"]]].append(
                _events(
                    count,
                    person_source_value=person[here],
                    concept_id=np.full(count, int(row["concept_id"])),
                    start_date=_dates(day[here]),
                    source_value=pa.array([column] * count, pa.string()),
                    source_table=pa.array(["GJ"] * count, pa.string()),
                    value_as_concept_id=np.full(count, int(value)) if value else None,
                )
            )


_LEAST_AGE = np.array([0, 1, *range(5, 90, 5)])
_MOST_AGE = np.array([0, 4, *range(9, 85, 5), 200])


def _people(lives: Lives, fates: Fates) -> dict[str, pa.Table]:
    """Persons, observation periods, deaths and plan years, from the accepted rows of JK."""
    people, health = lives.people, lives.health
    person, year = member_people(lives)
    used = fates.members == 0
    person, year = person[used], year[used]
    order = np.lexsort((year, person))
    person, year = person[order], year[order]
    birth_year = numbers_of(people.birth) // 10000
    group = age_groups(year - birth_year[person])
    begin = np.flatnonzero(np.diff(person, prepend=-1))
    one = person[begin]
    low = np.maximum.reduceat(year - _MOST_AGE[group], begin) if len(begin) else one
    high = np.minimum.reduceat(year - _LEAST_AGE[group], begin) if len(begin) else one
    persons = pa.table(
        {
            "person_source_value": people.number[one] + PERSON_BASE,
            "gender_concept_id": np.where(people.sex[one] == 1, 8507, 8532).astype(np.int64),
            "year_of_birth": birth_year[one].astype(np.int32),
            "year_of_birth_low": low.astype(np.int32),
            "year_of_birth_high": high.astype(np.int32),
            "race_concept_id": np.full(len(one), 38003585),
        }
    )
    first_day = first_of_months((year - 1970) * 12)
    last_day = first_of_months((year - 1969) * 12) - 1
    dies = (health.death[person] >= first_day) & (health.death[person] <= last_day)
    end_of_month = first_of_months(months_of(np.where(dies, health.death[person], 0)) + 1) - 1
    end = np.where(dies, end_of_month, last_day)
    gap = (np.diff(person, prepend=-1) != 0) | (np.diff(year, prepend=-9) != 1)
    run = np.flatnonzero(gap)
    final = np.append(run[1:], len(person)) - 1 if len(run) else run
    periods = pa.table(
        {
            "person_source_value": people.number[person[run]] + PERSON_BASE,
            "start_date": _dates(first_day[run]),
            "end_date": _dates(end[final]),
        }
    )
    died = np.flatnonzero(dies)
    code = condition_codes().at(health.cause[person[died]], health.death[person[died]])
    concepts = np.array([0 if r["level"] == "none" else 1 for r in rows("condition_codes")])
    of_condition = np.array([int(row["concept_id"]) for row in rows("conditions")])
    deaths = pa.table(
        {
            "person_source_value": people.number[person[died]] + PERSON_BASE,
            "death_date": _dates(end_of_month[died]),
            "cause_concept_id": of_condition[health.cause[person[died]]] * concepts[code],
            "cause_source_value": pa.array(list(condition_codes().codes[code]), pa.string()),
        }
    )
    column = year - people.first_year
    plans = pa.table(
        {
            "person_source_value": people.number[person] + PERSON_BASE,
            "year": year,
            "income_decile": people.income_by_year[person, column],
            "start_date": _dates(first_day),
            "end_date": _dates(end),
        }
    )
    return {"person": persons, "observation_period": periods, "death": deaths, "payer_plan_period": plans}
