"""When people see whom, and for what: visits, emergencies, stays in hospital, with their diagnoses."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.calendar import first_of
from madang.science.synthesis.catalog import floats, keys, position, rows
from madang.science.synthesis.chance import choose, stream
from madang.science.synthesis.health import Health, ages_on
from madang.science.synthesis.people import FEMALE, People
from madang.science.synthesis.places import KINDS, Institutions

OUTPATIENT, EMERGENCY, INPATIENT, DENTAL, KOREAN = range(5)
"""Kinds of encounters."""

VISITS_BY_AGE = np.interp(
    np.arange(121),
    [0, 1, 4, 8, 13, 19, 30, 40, 50, 60, 70, 80, 90],
    [26, 31, 30, 18, 11, 10, 12, 13, 16.5, 23, 30, 29, 22],
)
"""Mean outpatient visits a year by age, dental and Korean medicine included: 17 on average over Korea's people (about
what OECD health statistics publish for Korea); the shape is a model."""

MOST_DIAGNOSES = 4


@dataclass(frozen=True)
class Encounters:
    """One row per encounter, ordered by person and day."""

    person: NDArray[np.int32]
    """Position in the chunk."""
    kind: NDArray[np.int8]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    """Last day, `start` unless it is a stay."""
    institution: NDArray[np.int32]
    diagnoses: NDArray[np.int16]
    """Encounter x `MOST_DIAGNOSES`: conditions (positions in `conditions`), the main one first, -1 for none."""
    through_emergency: NDArray[np.bool_]
    """A stay that began in the emergency department."""
    leads_to: NDArray[np.int32]
    """For an emergency encounter the stay that it led to (its row), else -1."""

    def __len__(self) -> int:
        return len(self.person)

    def take(self, order: NDArray[np.integer]) -> "Encounters":
        """The rows of `order`; `leads_to` follows them."""
        place = np.full(len(self) + 1, -1, dtype=np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        values = {field.name: getattr(self, field.name)[order] for field in fields(self)}
        values["leads_to"] = np.where(values["leads_to"] >= 0, place[values["leads_to"]], -1).astype(np.int32)
        return Encounters(**values)


@dataclass
class _Draft:
    """Encounters while they are drawn; `leads_to` points into `stays`."""

    person: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    kind: NDArray[np.int8]
    diagnoses: NDArray[np.int16]

    @staticmethod
    def of(person: NDArray[np.integer], start: NDArray[np.integer], kind: int, main: NDArray[np.integer]) -> "_Draft":
        diagnoses = np.full((len(person), MOST_DIAGNOSES), -1, dtype=np.int16)
        diagnoses[:, 0] = main
        day = start.astype(np.int32)
        return _Draft(person.astype(np.int32), day, day.copy(), np.full(len(day), kind, dtype=np.int8), diagnoses)

    def where(self, mask: NDArray[np.bool_] | NDArray[np.integer]) -> "_Draft":
        return _Draft(self.person[mask], self.start[mask], self.end[mask], self.kind[mask], self.diagnoses[mask])

    @staticmethod
    def joined(drafts: list["_Draft"]) -> "_Draft":
        names = ("person", "start", "end", "kind", "diagnoses")
        return _Draft(*(np.concatenate([getattr(draft, name) for draft in drafts]) for name in names))


def draw_encounters(
    seed: int, chunk: int, people: People, health: Health, end_year: int, places: Institutions
) -> Encounters:
    """Draw the encounters of one chunk of people from their first year to the end of `end_year`."""
    visits: list[_Draft] = []
    stays: list[_Draft] = []
    for year in range(people.first_year, end_year + 1):
        rng = stream(seed, chunk, f"encounters {year}")
        chronic, planned = _chronic_visits(rng, people, health, year)
        acute, urgent = _acute_visits(rng, people, health, year, planned)
        visits += [chronic, acute]
        stays += [urgent, _chronic_stays(rng, people, health, year)]
    rng = stream(seed, chunk, "stays")
    prenatal, births = _births(rng, people, health, end_year)
    visits.append(prenatal)
    stays.append(births)
    return _settle(stream(seed, chunk, "settle"), people, health, places, _Draft.joined(visits), _Draft.joined(stays))


def _alive_days(people: People, health: Health, year: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First and last day of the year on which each person lives; first > last for those who do not."""
    first = np.maximum(people.birth, first_of(year))
    last = np.minimum(health.death, first_of(year + 1) - 1)
    return first.astype(np.int32), last.astype(np.int32)


def _days(rng: np.random.Generator, first: NDArray[np.int32], last: NDArray[np.int32]) -> NDArray[np.int32]:
    """A day between first and last, not a Sunday where that can be helped."""
    day = first + (rng.random(len(first)) * (last - first + 1)).astype(np.int32)
    sunday = (day + 3) % 7 == 6
    return np.where(sunday, np.where(day < last, day + 1, np.maximum(day - 1, first)), day).astype(np.int32)


def _chronic_visits(
    rng: np.random.Generator, people: People, health: Health, year: int
) -> tuple[_Draft, NDArray[np.float64]]:
    """Follow-ups: one visit serves up to four diseases. Also returns how many visits each person was to have."""
    first, last = _alive_days(people, health, year)
    share = np.clip((last - first + 1) / 365, 0, 1)
    ill = health.onset < first_of(year + 1)
    rate = floats("chronic", "visits_per_year")
    seen = np.where(health.treated < first_of(year + 1), rate, rate * 0.15) * ill
    most = seen.max(axis=1)
    planned = np.minimum(0.8 * most + 0.2 * seen.sum(axis=1), 22) * share
    person = np.repeat(np.arange(len(people)), rng.poisson(planned))
    day = _days(rng, first[person], last[person])
    with np.errstate(divide="ignore"):
        score = np.log(seen).astype(np.float32)[person]
    score += rng.gumbel(size=score.shape).astype(np.float32)
    score[health.onset[person] > day[:, None]] = -np.inf
    best = np.argpartition(-score, MOST_DIAGNOSES, axis=1)[:, :MOST_DIAGNOSES]
    value = np.take_along_axis(score, best, axis=1)
    order = np.argsort(-value, axis=1, kind="stable")
    best, value = np.take_along_axis(best, order, axis=1), np.take_along_axis(value, order, axis=1)
    conditions = np.array([position("conditions", key) for key in keys("chronic")], dtype=np.int16)
    wanted = rng.random(value.shape) < np.array([1.0, 0.75, 0.5, 0.3])
    diagnoses = np.where(np.isfinite(value) & np.cumprod(wanted, axis=1).astype(bool), conditions[best], -1)
    draft = _Draft.of(person, day, OUTPATIENT, diagnoses[:, 0])
    draft.diagnoses[:] = diagnoses
    return draft.where(diagnoses[:, 0] >= 0), planned


def _acute_tables() -> tuple[NDArray[np.float64], NDArray[np.int16]]:
    """Cumulative weights by (age band, sex) over the acute conditions, and their positions."""
    table = []
    for band in ("child", "adult", "elder"):
        for sex in ("m", "f"):
            weights = [float(row[band]) * (row["sex"] in ("a", sex)) for row in rows("acute")]
            table.append(np.cumsum(weights) / np.sum(weights))
    return np.array(table), np.array([position("conditions", key) for key in keys("acute")], dtype=np.int16)


def _acute_visits(
    rng: np.random.Generator, people: People, health: Health, year: int, planned: NDArray[np.float64]
) -> tuple[_Draft, _Draft]:
    """Visits for acute illness, and the stays that some of them turn into."""
    first, last = _alive_days(people, health, year)
    share = np.clip((last - first + 1) / 365, 0, 1)
    age = np.clip(year - (1970 + people.birth // 365.25), 0, 120).astype(int)
    curve = VISITS_BY_AGE[age] * np.where(people.sex == FEMALE, 1.08, 0.92)
    mean = np.maximum(curve * share - planned, 0.4 * curve * share) * people.frailty
    person = np.repeat(np.arange(len(people)), rng.poisson(mean))
    day = _days(rng, first[person], last[person])
    band = np.where(age < 15, 0, np.where(age < 60, 1, 2))
    cumulative, conditions = _acute_tables()
    picked = choose(rng, cumulative, (band * 2 + people.sex - 1)[person])
    stands = rng.random(len(person)) < _relative_risk(health, person, day, picked)
    person, day, picked = person[stands], day[stands], picked[stands]
    department = np.array([row["department"] for row in rows("conditions")], dtype=object)[conditions[picked]]
    kind = np.where(department == "dental", DENTAL, np.where(department == "korean", KOREAN, OUTPATIENT))
    u = rng.random(len(person))
    admitted = (u < floats("acute", "admission")[picked] * 0.8) & (kind == OUTPATIENT)
    urgent = (rng.random(len(person)) < floats("acute", "emergency")[picked]) & (kind == OUTPATIENT) & ~admitted
    draft = _Draft.of(person, day, OUTPATIENT, conditions[picked])
    draft.kind[:] = np.where(urgent, EMERGENCY, kind)
    second = choose(rng, cumulative, (band * 2 + people.sex - 1)[person])
    has_second = (rng.random(len(person)) < 0.30) & (second != picked) & (kind == OUTPATIENT)
    draft.diagnoses[:, 1] = np.where(has_second & _medical()[second], conditions[second], -1)
    stay = draft.where(admitted)
    length = 1 + rng.gamma(1.5, floats("acute", "stay_days")[picked[admitted]] / 1.5)
    stay.kind[:] = INPATIENT
    stay.end[:] = stay.start + length.astype(np.int32)
    return draft.where(~admitted), stay


def _relative_risk(
    health: Health, person: NDArray[np.integer], day: NDArray[np.int32], picked: NDArray[np.int16]
) -> NDArray[np.float64]:
    """The risk of the acute condition picked, against those at the highest risk: what diseases and drugs do to it."""
    risk = np.ones(len(person))
    for row in rows("effects"):
        if row["kind"] != "hazard" or row["target"] not in keys("acute"):
            continue
        here = np.flatnonzero(picked == position("acute", row["target"]))
        since = health.treated if row["cause"].startswith("treated_") else health.onset
        column = position("chronic", row["cause"].removeprefix("treated_"))
        ratio = np.where(since[person[here], column] <= day[here], float(row["value"]), 1.0)
        risk[here] *= ratio / max(float(row["value"]), 1.0)
    return risk


def _medical() -> NDArray[np.bool_]:
    """Which acute conditions are for a physician."""
    department = {row["key"]: row["department"] for row in rows("conditions")}
    return np.array([department[key] == "medical" for key in keys("acute")])


LONG_STAYS = {"dementia": 120.0, "schizophrenia": 150.0, "stroke": 35.0, "parkinson": 40.0}
"""Mean days of a stay for diseases that keep people long; 9 for all others."""


def _chronic_stays(rng: np.random.Generator, people: People, health: Health, year: int) -> _Draft:
    """Stays for chronic diseases, and the heart attacks with which some ischemic heart disease begins."""
    first, last = _alive_days(people, health, year)
    rate = floats("chronic", "admissions_per_year")
    count = rng.poisson(np.where(health.onset < first_of(year + 1), rate, 0) * np.minimum(people.frailty, 3)[:, None])
    count[first > last] = 0
    person, column = np.nonzero(count)
    day = first[person] + (rng.random(len(person)) * (last - first + 1)[person]).astype(np.int32)
    started = health.onset[person, column] <= day
    person, column, day = person[started], column[started], day[started]
    conditions = np.array([position("conditions", key) for key in keys("chronic")], dtype=np.int16)
    draft = _Draft.of(person, day, INPATIENT, conditions[column])
    mean = np.array([LONG_STAYS.get(key, 9.0) for key in keys("chronic")])[column]
    draft.end[:] = draft.start + np.minimum(1 + rng.gamma(0.8, mean / 0.8), 900).astype(np.int32)
    heart = health.onset[:, position("chronic", "ischemic_heart_disease")]
    attacked = np.flatnonzero((heart >= first) & (heart <= last) & (rng.random(len(people)) < 0.3))
    attack = _Draft.of(
        attacked, heart[attacked], INPATIENT, np.full(len(attacked), position("conditions", "myocardial_infarction"))
    )
    attack.end[:] = attack.start + rng.integers(4, 12, len(attacked), dtype=np.int32)
    attack.diagnoses[:, 1] = position("conditions", "ischemic_heart_disease")
    return _Draft.joined([draft, attack])


def _births(rng: np.random.Generator, people: People, health: Health, end_year: int) -> tuple[_Draft, _Draft]:
    """Deliveries and the prenatal visits before them; about 1.2 children per woman."""
    prenatal, stays = [], []
    for year in range(people.first_year, end_year + 1):
        first, last = _alive_days(people, health, year)
        age = ages_on(people, np.arange(len(people)), np.full(len(people), first_of(year)))
        rate = np.interp(age, [19, 24, 28, 31, 35, 42], [0, 0.03, 0.11, 0.12, 0.04, 0]) * (people.sex == FEMALE)
        person = np.flatnonzero((rng.random(len(people)) < rate) & (first == first_of(year)) & (first <= last))
        day = first[person] + (rng.random(len(person)) * (last - first + 1)[person]).astype(np.int32)
        section = rng.random(len(person)) < 0.37
        main = np.where(section, position("conditions", "cesarean_delivery"), position("conditions", "delivery"))
        stay = _Draft.of(person, day, INPATIENT, main)
        stay.end[:] = day + np.where(section, 6, 2)
        stays.append(stay)
        before = np.array([250, 215, 180, 150, 120, 90, 60, 30, 14, 7])
        visit_day = (day[:, None] - before).ravel()
        visitor = np.repeat(person, len(before))
        visits = _Draft.of(visitor, visit_day, OUTPATIENT, np.full(len(visitor), position("conditions", "pregnancy")))
        prenatal.append(visits.where(visit_day >= first_of(people.first_year)))
    return _Draft.joined(prenatal), _Draft.joined(stays)


def _settle(
    rng: np.random.Generator, people: People, health: Health, places: Institutions, visits: _Draft, stays: _Draft
) -> Encounters:
    """Make one consistent course per person: no stays that overlap, no visits during a stay, nothing after death."""
    stays.end = np.minimum(stays.end, health.death[stays.person]).astype(np.int32)
    stays = stays.where(_apart(stays))
    stays = stays.where(np.lexsort((stays.start, stays.person)))
    emergency = dict(zip(keys("acute"), floats("acute", "emergency"), strict=True))
    of_condition = np.array([min(3 * emergency.get(key, 0.08) + 0.08, 0.85) for key in keys("conditions")])
    of_condition[[position("conditions", key) for key in ("delivery", "cesarean_delivery")]] = 0.02
    of_condition[position("conditions", "myocardial_infarction")] = 0.9
    through = rng.random(len(stays.person)) < of_condition[stays.diagnoses[:, 0]]
    visits = visits.where(~_during(visits, stays))
    billed_alone = through & (rng.random(len(through)) < 0.5)
    day_before = (rng.random(len(through)) < 0.3) & (stays.start - 1 >= first_of(people.first_year))
    day_before &= stays.start - 1 >= people.birth[stays.person]
    arrivals = stays.where(billed_alone)
    arrivals.kind[:] = EMERGENCY
    arrivals.start = arrivals.start - day_before[billed_alone].astype(np.int32)
    arrivals.end = arrivals.start.copy()
    every = _Draft.joined([visits, arrivals, stays])
    leads_to = np.full(len(every.person), -1, dtype=np.int32)
    offset = len(visits.person) + len(arrivals.person)
    leads_to[len(visits.person) : offset] = offset + np.flatnonzero(billed_alone)
    stay_place = _institutions(rng, people, places, stays)
    institution = np.concatenate(
        [_institutions(rng, people, places, visits), stay_place[billed_alone], stay_place]
    ).astype(np.int32)
    through_all = np.zeros(len(every.person), dtype=bool)
    through_all[offset:] = through
    encounters = Encounters(
        every.person, every.kind, every.start, every.end, institution, every.diagnoses, through_all, leads_to
    )
    return encounters.take(np.lexsort((every.kind, every.start, every.person)))


def _apart(stays: _Draft) -> NDArray[np.bool_]:
    """Which stays to keep so that at least three days lie between any two of a person."""
    order = np.lexsort((stays.start, stays.person))
    keep = np.zeros(len(order), dtype=bool)
    person, busy_until = -1, 0
    for n in order.tolist():
        if stays.person[n] != person:
            person, busy_until = int(stays.person[n]), -1_000_000
        if stays.start[n] > busy_until + 3:
            keep[n] = True
            busy_until = int(stays.end[n])
    return keep


def _during(visits: _Draft, stays: _Draft) -> NDArray[np.bool_]:
    """Which visits fall into a stay of the same person, or on the two days before it."""
    far = 1 << 20
    starts = stays.person.astype(np.int64) * far + stays.start - 2
    at = visits.person.astype(np.int64) * far + visits.start
    n = np.searchsorted(starts, at, side="right") - 1
    known = n >= 0
    n = np.maximum(n, 0)
    if not len(stays.person):
        return np.zeros(len(visits.person), dtype=bool)
    return known & (stays.person[n] == visits.person) & (visits.start <= stays.end[n])


_OUTPATIENT_PLACES = ("clinic", "hospital", "general", "tertiary", "health_center")
_INPATIENT_PLACES = ("hospital", "general", "tertiary", "clinic")


def _institutions(rng: np.random.Generator, people: People, places: Institutions, draft: _Draft) -> NDArray[np.int32]:
    """Where each encounter takes place: near home, mostly where the person always goes."""
    year = np.clip((1970 + draft.start / 365.25).astype(int) - people.first_year, 0, None)
    year = np.minimum(year, people.province_by_year.shape[1] - 1)
    province = people.province_by_year[draft.person, year]
    size = len(draft.person)
    outpatient = np.array([KINDS.index(name) for name in _OUTPATIENT_PLACES])
    inpatient = np.array([KINDS.index(name) for name in _INPATIENT_PLACES])
    kind = outpatient[np.searchsorted(np.cumsum([0.80, 0.08, 0.07, 0.04]), rng.random(size))]
    for_stay = inpatient[np.searchsorted(np.cumsum([0.38, 0.36, 0.16]), rng.random(size))]
    main = draft.diagnoses[:, 0]
    for_stay[main == position("conditions", "dementia")] = KINDS.index("nursing_hospital")
    for_stay[main == position("conditions", "schizophrenia")] = KINDS.index("psychiatric_hospital")
    kind = np.where(draft.kind == INPATIENT, for_stay, kind)
    general = np.where(rng.random(size) < 0.7, KINDS.index("general"), KINDS.index("tertiary"))
    kind = np.where(draft.kind == EMERGENCY, general, kind)
    kind = np.where(draft.kind == DENTAL, KINDS.index("dental_clinic"), kind)
    kind = np.where(draft.kind == KOREAN, KINDS.index("korean_clinic"), kind)
    salt = kind * 8 + np.where(rng.random(size) < 0.6, 0, rng.integers(1, 5, size))
    answer = np.empty(size, dtype=np.int32)
    for value in np.unique(salt):
        mine = salt == value
        answer[mine] = places.near(kind[mine], province[mine], people.number[draft.person[mine]], int(value))
    return answer
