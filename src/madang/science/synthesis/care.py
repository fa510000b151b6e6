"""What is done and given at each encounter: prescriptions and services.

A *contact* is the piece of an encounter within one calendar month: the encounter itself, or each month of a stay.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.calendar import NEVER, first_of_months, months_of
from madang.science.synthesis.catalog import DatedCodes, floats, keys, position, rows
from madang.science.synthesis.chance import scatter, stream
from madang.science.synthesis.encounters import DENTAL, EMERGENCY, INPATIENT, KOREAN, OUTPATIENT, Encounters
from madang.science.synthesis.health import Health
from madang.science.synthesis.people import People
from madang.science.synthesis.places import KINDS, Institutions


@dataclass(frozen=True)
class Prescriptions:
    """One row per drug prescribed, ordered by encounter."""

    contact: NDArray[np.int32]
    encounter: NDArray[np.int32]
    drug: NDArray[np.int16]
    """Position in the table `drugs`."""
    day: NDArray[np.int32]
    per_time: NDArray[np.float32]
    """Units (tablets, vials) at a time."""
    times_per_day: NDArray[np.int8]
    days: NDArray[np.int16]
    given: NDArray[np.int8]
    """`IN_HOUSE`, `OUTSIDE` or `INJECTED`."""
    pharmacy: NDArray[np.int32]
    """The institution that dispensed it; -1 where it was given in house or never fetched."""
    dispensed: NDArray[np.int32]
    """The day of dispensing; `NEVER` where it was never fetched."""


@dataclass(frozen=True)
class Services:
    """One row per service rendered: visit fees, tests, procedures, devices. Ordered by encounter."""

    contact: NDArray[np.int32]
    encounter: NDArray[np.int32]
    service: NDArray[np.int16]
    """Position in the table `services`."""
    day: NDArray[np.int32]
    quantity: NDArray[np.int16]


@dataclass(frozen=True)
class Contacts:
    """Pieces of encounters within one month, ordered by encounter."""

    encounter: NDArray[np.int32]
    start: NDArray[np.int32]
    days: NDArray[np.int32]


IN_HOUSE, OUTSIDE, INJECTED = range(3)
"""How a drug is given: in the ward, by a pharmacy on prescription, or at once by the institution."""


def contacts_of(encounters: Encounters) -> Contacts:
    """Cut encounters at the ends of months."""
    first, last = months_of(encounters.start), months_of(encounters.end)
    count = last - first + 1
    encounter = np.repeat(np.arange(len(encounters), dtype=np.int32), count)
    nth = np.arange(len(encounter)) - np.repeat(np.cumsum(count) - count, count)
    month = first[encounter] + nth
    start = np.maximum(encounters.start[encounter], first_of_months(month))
    end = np.minimum(encounters.end[encounter], first_of_months(month + 1) - 1)
    return Contacts(encounter, start.astype(np.int32), (end - start + 1).astype(np.int32))


@cache
def _treatments() -> tuple[NDArray[np.int16], NDArray[np.float64], NDArray[np.int16], NDArray[np.int16]]:
    """Conditions x slots: drug group (-1 for none), probability, fewest and most days."""
    groups = _groups()[0]
    by_condition: dict[str, list[dict[str, str]]] = {}
    for row in rows("treatments"):
        by_condition.setdefault(row["condition"], []).append(row)
    shape = (len(keys("conditions")), max(map(len, by_condition.values())))
    group = np.full(shape, -1, dtype=np.int16)
    probability = np.zeros(shape)
    low, high = np.ones(shape, dtype=np.int16), np.ones(shape, dtype=np.int16)
    for condition, mine in by_condition.items():
        n = position("conditions", condition)
        for slot, row in enumerate(mine):
            group[n, slot] = groups.index(row["group"])
            probability[n, slot] = float(row["probability"])
            low[n, slot], high[n, slot] = int(row["days_low"]), int(row["days_high"])
    return group, probability, low, high


@cache
def _groups() -> tuple[tuple[str, ...], NDArray[np.int16], NDArray[np.int64]]:
    """Names of drug groups, their drugs (groups x members), and how many each has."""
    members: dict[str, list[int]] = {}
    for n, row in enumerate(rows("drugs")):
        members.setdefault(row["group"], []).append(n)
    table = np.zeros((len(members), max(map(len, members.values()))), dtype=np.int16)
    for n, mine in enumerate(members.values()):
        table[n, : len(mine)] = mine
    return tuple(members), table, np.array([len(mine) for mine in members.values()])


@cache
def drug_codes() -> DatedCodes:
    """Drug codes by date."""
    return DatedCodes("drug_codes", "drug", "drugs")


@cache
def service_codes() -> DatedCodes:
    """Fee codes by date."""
    return DatedCodes("service_codes", "service", "services")


def _choose_drugs(person: NDArray[np.integer], group: NDArray[np.integer], day: NDArray[np.int32]) -> NDArray[np.int16]:
    """The drug of the group that a person always gets; another while it is not on the list; -1 for none."""
    _, table, count = _groups()
    habit = (scatter(person.astype(np.int64) * 1000 + group, 77) >> np.uint64(33)).astype(np.int64)
    drug = np.full(len(person), -1, dtype=np.int16)
    for attempt in range(int(count.max())):
        missing = drug < 0
        candidate = table[group[missing], (habit[missing] + attempt) % count[group[missing]]]
        listed = drug_codes().at(candidate, day[missing]) >= 0
        drug[np.flatnonzero(missing)[listed]] = candidate[listed]
    return drug


def draw_prescriptions(
    seed: int,
    chunk: int,
    people: People,
    health: Health,
    encounters: Encounters,
    contacts: Contacts,
    places: Institutions,
) -> Prescriptions:
    """Draw the drugs prescribed and given at each contact, and when and where they were dispensed."""
    rng = stream(seed, chunk, "prescriptions")
    group, probability, low, high = _treatments()
    is_chronic = np.array([row["kind"] == "chronic" for row in rows("conditions")])
    chronic_column = {position("conditions", key): n for n, key in enumerate(keys("chronic"))}
    columns = np.array([chronic_column.get(n, 0) for n in range(len(keys("conditions")))])
    kind = encounters.kind[contacts.encounter]
    person = encounters.person[contacts.encounter]
    found: list[tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.int16], int]] = []
    for rank in range(3):
        condition = encounters.diagnoses[contacts.encounter, rank]
        here = np.flatnonzero((condition >= 0) & (is_chronic[condition] | (rank == 0)) & (kind != KOREAN))
        condition = condition[here]
        treated = health.treated[person[here], columns[condition]] <= contacts.start[here]
        here, condition = here[treated | ~is_chronic[condition]], condition[treated | ~is_chronic[condition]]
        for slot in range(group.shape[1]):
            wanted = (rng.random(len(here)) < probability[condition, slot]) & (group[condition, slot] >= 0)
            mine, of = here[wanted], condition[wanted]
            drug = _choose_drugs(people.number[person[mine]], group[of, slot], contacts.start[mine])
            days = rng.integers(low[of, slot], high[of, slot] + 1).astype(np.int16)
            found.append((mine[drug >= 0], drug[drug >= 0], days[drug >= 0], OUTSIDE))
    found += _injections(rng, people, encounters, contacts)
    contact = np.concatenate([item[0] for item in found])
    drug = np.concatenate([item[1] for item in found])
    days = np.concatenate([item[2] for item in found])
    given = np.repeat(np.array([item[3] for item in found], dtype=np.int8), [len(item[0]) for item in found])
    once = np.unique(contact * 1000 + drug, return_index=True)[1]
    contact, drug, days, given = contact[once], drug[once], days[once], given[once]
    given[(kind[contact] == INPATIENT) & (given == OUTSIDE)] = IN_HOUSE
    given[(kind[contact] == EMERGENCY) & (given == OUTSIDE)] = INJECTED
    days = np.where(given == IN_HOUSE, np.minimum(days, contacts.days[contact]), days)
    days = np.where(given == INJECTED, 1, days).astype(np.int16)
    day = contacts.start[contact]
    pharmacy, dispensed = _dispense(rng, people, health, encounters, places, contacts.encounter[contact], day, given)
    return Prescriptions(
        contact=contact.astype(np.int32),
        encounter=contacts.encounter[contact],
        drug=drug,
        day=day,
        per_time=floats("drugs", "per_time")[drug].astype(np.float32),
        times_per_day=floats("drugs", "times_per_day")[drug].astype(np.int8),
        days=days,
        given=given,
        pharmacy=pharmacy,
        dispensed=dispensed,
    )


def _injections(
    rng: np.random.Generator, people: People, encounters: Encounters, contacts: Contacts
) -> list[tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.int16], int]]:
    """Drugs given on the spot for the main condition, and infusions in the ward."""
    found = []
    main = encounters.diagnoses[contacts.encounter, 0]
    kind = encounters.kind[contacts.encounter]
    groups = _groups()[0]
    wishes = [
        (main == position("conditions", row["condition"]), row["group"], float(row["probability"]))
        for row in rows("injections")
    ]
    wishes.append((kind == INPATIENT, "infusion", 0.7))
    wishes.append((kind == INPATIENT, "injected_antibiotic", 0.25))
    wishes.append((kind == EMERGENCY, "infusion", 0.5))
    for applies, name, probability in wishes:
        here = np.flatnonzero(applies & (kind != KOREAN))
        here = here[rng.random(len(here)) < probability]
        person = people.number[encounters.person[contacts.encounter[here]]]
        group = np.full(len(here), groups.index(name))
        drug = _choose_drugs(person, group, contacts.start[here])
        found.append((here[drug >= 0], drug[drug >= 0], np.ones((drug >= 0).sum(), dtype=np.int16), INJECTED))
    return found


def _dispense(
    rng: np.random.Generator,
    people: People,
    health: Health,
    encounters: Encounters,
    places: Institutions,
    encounter: NDArray[np.int32],
    day: NDArray[np.int32],
    given: NDArray[np.int8],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pharmacy and day: all drugs of an encounter together, mostly the same day, one in twenty never."""
    fetched = rng.random(len(encounters)) < 0.95
    later = np.where(rng.random(len(encounters)) < 0.9, 0, rng.integers(1, 4, len(encounters))).astype(np.int32)
    person = encounters.person[encounter]
    dispensed = day + later[encounter]
    outside = (given == OUTSIDE) & fetched[encounter] & (dispensed <= health.death[person])
    province = places.province[encounters.institution[encounter]]
    kinds = np.full(len(encounter), KINDS.index("pharmacy"))
    near = places.near(kinds, province, encounters.institution[encounter], 5)
    return np.where(outside, near, -1).astype(np.int32), np.where(outside, dispensed, NEVER).astype(np.int32)


@cache
def _uses() -> tuple[NDArray[np.int16], NDArray[np.float64], NDArray[np.float64]]:
    """Conditions x slots: service (-1 for none), probability as an outpatient and per month as an inpatient."""
    by_condition: dict[str, list[dict[str, str]]] = {}
    for row in rows("service_use"):
        by_condition.setdefault(row["condition"], []).append(row)
    shape = (len(keys("conditions")), max(map(len, by_condition.values())))
    service = np.full(shape, -1, dtype=np.int16)
    outside, inside = np.zeros(shape), np.zeros(shape)
    for condition, mine in by_condition.items():
        n = position("conditions", condition)
        for slot, row in enumerate(mine):
            service[n, slot] = position("services", row["service"])
            outside[n, slot], inside[n, slot] = float(row["outpatient"]), float(row["inpatient"])
    return service, outside, inside


def draw_services(seed: int, chunk: int, encounters: Encounters, contacts: Contacts, places: Institutions) -> Services:
    """Draw the services rendered at each contact."""
    rng = stream(seed, chunk, "services")
    service, outside, inside = _uses()
    kind = encounters.kind[contacts.encounter]
    inpatient = kind == INPATIENT
    found: list[tuple[NDArray[np.int64], NDArray[np.int16]]] = [
        (np.arange(len(kind)), _visit_fees(rng, encounters, contacts, places))
    ]
    for rank in range(2):
        condition = encounters.diagnoses[contacts.encounter, rank]
        here = np.flatnonzero(condition >= 0)
        condition = condition[here]
        for slot in range(service.shape[1]):
            chance = np.where(inpatient[here], inside[condition, slot], outside[condition, slot])
            wanted = (rng.random(len(here)) < chance) & (service[condition, slot] >= 0)
            found.append((here[wanted], service[condition[wanted], slot]))
    contact = np.concatenate([item[0] for item in found])
    what = np.concatenate([item[1] for item in found]).astype(np.int16)
    once = np.unique(contact * 1000 + what, return_index=True)[1]
    contact, what = contact[once], what[once]
    listed = service_codes().at(what, contacts.start[contact]) >= 0
    contact, what = contact[listed], what[listed]
    per_day = np.isin(what, [position("services", "bed_day"), position("services", "intensive_bed_day")])
    quantity = np.where(per_day, contacts.days[contact], 1)
    quantity[what == position("services", "intensive_bed_day")] //= 4
    return Services(
        contact.astype(np.int32),
        contacts.encounter[contact],
        what,
        contacts.start[contact],
        np.maximum(quantity, 1).astype(np.int16),
    )


def _visit_fees(
    rng: np.random.Generator, encounters: Encounters, contacts: Contacts, places: Institutions
) -> NDArray[np.int16]:
    kind = encounters.kind[contacts.encounter]
    place = places.kind[encounters.institution[contacts.encounter]]
    first_visit = rng.random(len(kind)) < 0.3
    clinic = np.isin(place, [KINDS.index("clinic"), KINDS.index("health_center")])
    fee = np.where(first_visit, position("services", "first_visit_clinic"), position("services", "return_visit_clinic"))
    fee = np.where(clinic, fee, position("services", "visit_hospital"))
    for of_kind, name in (
        (EMERGENCY, "emergency_fee"),
        (INPATIENT, "bed_day"),
        (DENTAL, "dental_visit"),
        (KOREAN, "korean_visit"),
    ):
        fee = np.where(kind == of_kind, position("services", name), fee)
    return fee.astype(np.int16)


__all__ = [
    "INJECTED",
    "IN_HOUSE",
    "OUTPATIENT",
    "OUTSIDE",
    "Contacts",
    "Prescriptions",
    "Services",
    "contacts_of",
    "draw_prescriptions",
    "draw_services",
    "drug_codes",
    "service_codes",
]
