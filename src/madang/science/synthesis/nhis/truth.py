"""The truth about the insurer's files: what every line should become, and the events in terms of the CDM.

Written from the lives and from what the dirt layer decided; the text of the files is never read. The rules are those
of `docs/synthesis.md`.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from madang.science.synthesis.calendar import first_of_months, months_of, numbers_of
from madang.science.synthesis.catalog import rows
from madang.science.synthesis.encounters import EMERGENCY, INPATIENT
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.nhis.claims import INSTITUTION_BASE, PERSON_BASE, Book, condition_codes
from madang.science.synthesis.nhis.events import dates, events_of
from madang.science.synthesis.nhis.fates import Damages, Fates
from madang.science.synthesis.nhis.rows import age_groups, member_people


def truth_of(lives: Lives, book: Book, damages: Damages, fates: Fates) -> dict[str, pa.Table]:
    """All tables of truth of one chunk but the fates: by the name of the file."""
    visits, visit_key = _visits(lives, book, fates)
    return events_of(lives, book, damages, fates, visit_key) | visits | _people(lives, fates)


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
            "start_date": dates(start),
            "end_date": dates(end),
            "care_site_source_value": claims.institution[mine[begin]].astype(np.int64) + INSTITUTION_BASE,
        }
    )
    details = pa.table(
        {
            "key_seq": claims.key[mine],
            "visit_key": key[of_visit],
            "person_source_value": lives.people.number[claims.person[mine]] + PERSON_BASE,
            "start_date": dates(claims.start[mine]),
            "end_date": dates(last),
            "total_paid": claims.total[mine],
            "paid_by_patient": claims.by_patient[mine],
        }
    )
    return {"visit_occurrence": visits, "visit_detail": details}, visit_key


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
            "start_date": dates(first_day[run]),
            "end_date": dates(end[final]),
        }
    )
    died = np.flatnonzero(dies)
    code = condition_codes().at(health.cause[person[died]], health.death[person[died]])
    concepts = np.array([0 if r["level"] == "none" else 1 for r in rows("condition_codes")])
    of_condition = np.array([int(row["concept_id"]) for row in rows("conditions")])
    deaths = pa.table(
        {
            "person_source_value": people.number[person[died]] + PERSON_BASE,
            "death_date": dates(end_of_month[died]),
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
            "start_date": dates(first_day),
            "end_date": dates(end),
        }
    )
    return {"person": persons, "observation_period": periods, "death": deaths, "payer_plan_period": plans}
