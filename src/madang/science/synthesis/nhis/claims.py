"""Lives in an insurer's terms: claims, their lines, diagnoses and prescriptions, in the order of the files.

Claims are ordered by year, type (1 medical, 2 dental and Korean medicine, 3 pharmacy), person and day, so each file is
a slice; lines are ordered by claim. A stay is one claim per calendar month.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.calendar import NEVER, years_of
from madang.science.synthesis.care import IN_HOUSE, INJECTED, OUTSIDE, drug_codes, service_codes
from madang.science.synthesis.catalog import DatedCodes, floats, position, rows
from madang.science.synthesis.chance import scatter
from madang.science.synthesis.encounters import DENTAL, EMERGENCY, INPATIENT, KOREAN, OUTPATIENT
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.places import KINDS

FORMS = ("03", "02", "05", "13", "08", "11", "10", "20")
"""Claim forms: medical outpatient and inpatient, dental and Korean medicine outpatient, public health center
outpatient, psychiatric outpatient and inpatient, pharmacy on prescription."""
ROUTES = ("00", "11", "21", "31", "12", "22", "32")
"""How a patient came; last digit 1: by the emergency department, 2: by the outpatient department. `00`: no stay."""

PERSON_BASE = 10_000_000
INSTITUTION_BASE = 1_000_000
PATIENT_SHARE = (0.6, 0.5, 0.4, 0.4, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3)
"""What outpatients pay of the total, by kind of institution; inpatients pay 20 %, people on medical aid nothing."""

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Claims:
    """One row per claim."""

    key: NDArray[np.int64]
    year: Ints
    type: NDArray[np.int8]
    person: Ints
    """Position in the chunk."""
    encounter: Ints
    start: Ints
    days: Ints
    institution: Ints
    form: NDArray[np.int8]
    route: NDArray[np.int8]
    first_day: Ints
    """First day of the stay; `NEVER` for anything but stays."""
    main: Ints
    """Row of `condition_codes`; -1 where the claim has no diagnosis."""
    second: Ints
    total: NDArray[np.int64]
    by_patient: NDArray[np.int64]
    tomography: NDArray[np.int64]
    resonance: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class Lines:
    """Rows below claims. `code` is a row of `service_codes`, `drug_codes` (where `drug`) or `condition_codes`."""

    claim: Ints
    sequence: Ints
    code: Ints
    drug: NDArray[np.bool_]
    per_time: NDArray[np.float32]
    times: Ints
    days: Ints
    price: Ints
    amount: NDArray[np.int64]
    device: NDArray[np.bool_]
    given: NDArray[np.int8]
    """For drugs how they are given (`care.IN_HOUSE`, `OUTSIDE`, `INJECTED`), else -1."""

    def __len__(self) -> int:
        return len(self.claim)


@dataclass(frozen=True)
class Book:
    """All claims of one chunk of people: headers and the three kinds of lines."""

    claims: Claims
    fees: Lines
    diagnoses: Lines
    prescriptions: Lines


@cache
def condition_codes() -> DatedCodes:
    """Diagnosis codes by date."""
    return DatedCodes("condition_codes", "condition", "conditions")


def claims_of(lives: Lives) -> Book:
    """Write the lives of one chunk down as claims."""
    contacts, encounters, scripts = lives.contacts, lives.encounters, lives.prescriptions
    fetched = scripts.dispensed < NEVER
    _, one, of_script = np.unique(scripts.encounter[fetched], return_index=True, return_inverse=True)
    first_script = np.flatnonzero(fetched)[one]
    encounter = np.concatenate([contacts.encounter, scripts.encounter[first_script]]).astype(np.int32)
    start = np.concatenate([contacts.start, scripts.dispensed[first_script]]).astype(np.int32)
    pharmacy = np.arange(len(encounter)) >= len(contacts.start)
    kind = encounters.kind[encounter]
    type_ = np.where(pharmacy, 3, np.where(np.isin(kind, (DENTAL, KOREAN)), 2, 1))
    year = years_of(start)
    person = encounters.person[encounter]
    order = np.lexsort((np.arange(len(encounter)), start, person, type_, year))
    order = order[year[order] <= lives.population.end_year]
    rank = np.full(len(encounter), -1, dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    fees = _fees(lives, rank, of_script, fetched, start)
    prescriptions = _prescriptions(lives, rank)
    diagnoses = _diagnoses(lives, rank, order, pharmacy, encounter, start)
    institution = np.concatenate([encounters.institution[contacts.encounter], scripts.pharmacy[first_script]])
    days = np.concatenate([contacts.days, np.ones(len(first_script), dtype=np.int32)])
    stay = (kind == INPATIENT) & ~pharmacy
    form, route = _forms(lives, encounter, pharmacy, kind, institution)
    kinds = lives.institutions.kind[institution]
    column = np.minimum(year - lives.people.first_year, lives.people.insurance_by_year.shape[1] - 1)
    aid = lives.people.insurance_by_year[person, column] == 2
    share = np.where(aid, 0, np.where(stay, 0.2, np.array(PATIENT_SHARE)[kinds]))[order]
    in_ward = np.where(prescriptions.given == IN_HOUSE, prescriptions.amount, 0)
    total = np.bincount(fees.claim, fees.amount, len(order)).astype(np.int64)
    total += np.bincount(prescriptions.claim, in_ward, len(order)).astype(np.int64)
    first = np.flatnonzero(np.diff(diagnoses.claim, prepend=-1))
    main = np.full(len(order), -1, dtype=np.int32)
    second = main.copy()
    main[diagnoses.claim[first]] = diagnoses.code[first]
    seconds = diagnoses.sequence == 2
    second[diagnoses.claim[seconds]] = diagnoses.code[seconds]
    year, type_ = year[order], type_[order]
    new_year = np.flatnonzero(np.diff(year, prepend=-1))
    nth = np.arange(len(order)) - np.repeat(new_year, np.diff(np.append(new_year, len(order)))) + 1
    claims = Claims(
        key=year.astype(np.int64) * 10**10 + lives.chunk * 10**6 + nth,
        year=year.astype(np.int32),
        type=type_.astype(np.int8),
        person=person[order],
        encounter=encounter[order],
        start=start[order],
        days=days[order].astype(np.int32),
        institution=institution[order].astype(np.int32),
        form=form[order],
        route=route[order],
        first_day=np.where(stay, encounters.start[encounter], NEVER)[order].astype(np.int32),
        main=main,
        second=second,
        total=total,
        by_patient=np.round(total * share, -2).astype(np.int64),
        tomography=_amount_of(fees, "head_ct", len(order)),
        resonance=_amount_of(fees, "spine_mri", len(order)),
    )
    return Book(claims, fees, diagnoses, prescriptions)


def delayed(lives: Lives, book: Book, share: float) -> Book:
    """The book with some claims dated after death: the last outpatient claim of that `share` of the dead."""
    claims, death = book.claims, lives.health.death[book.claims.person]
    days = (scatter(claims.person, 21) % np.uint64(20)).astype(np.int32) + 1
    plain = (claims.type == 1) & (lives.encounters.kind[claims.encounter] == OUTPATIENT)
    fits = plain & (death < NEVER) & (scatter(claims.person, 22) % np.uint64(1000) < share * 1000)
    fits &= years_of(np.where(fits, death + days, 0)) == claims.year
    found = np.flatnonzero(fits)
    last = found[np.flatnonzero(np.diff(claims.person[found], append=-1))]
    start = claims.start.copy()
    start[last] = death[last] + days[last]
    return replace(book, claims=replace(claims, start=start))


def _amount_of(fees: Lines, service: str, claims: int) -> NDArray[np.int64]:
    """What each claim asks for one service."""
    mine = np.array([row["service"] == service for row in rows("service_codes")])
    chosen = ~fees.drug & mine[np.where(fees.drug, 0, fees.code)]
    return np.bincount(fees.claim[chosen], fees.amount[chosen], claims).astype(np.int64)


def _forms(
    lives: Lives, encounter: Ints, pharmacy: NDArray[np.bool_], kind: NDArray[np.int8], institution: Ints
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    place = lives.institutions.kind[institution]
    main = lives.encounters.diagnoses[encounter, 0]
    mental = np.isin(main, [position("conditions", key) for key in ("schizophrenia", "depression")])
    form = np.zeros(len(encounter), dtype=np.int8)
    form[mental] = FORMS.index("11")
    form[place == KINDS.index("health_center")] = FORMS.index("08")
    form[kind == EMERGENCY] = FORMS.index("03")
    form[kind == INPATIENT] = FORMS.index("02")
    form[(kind == INPATIENT) & (place == KINDS.index("psychiatric_hospital"))] = FORMS.index("10")
    form[kind == DENTAL] = FORMS.index("05")
    form[kind == KOREAN] = FORMS.index("13")
    form[pharmacy] = FORMS.index("20")
    way = (scatter(encounter, 3) % np.uint64(20)).astype(int)
    column = np.where(way < 16, 0, np.where(way < 18, 1, 2))
    route = np.zeros(len(encounter), dtype=np.int8)
    urgent = (kind == EMERGENCY) | lives.encounters.through_emergency[encounter]
    route[urgent] = 1 + column[urgent]
    calm = (kind == INPATIENT) & ~urgent
    route[calm] = 4 + column[calm]
    route[pharmacy] = 0
    return form, route


def _sequence(claim: Ints) -> Ints:
    """1.. within each claim, for lines ordered by claim."""
    new = np.flatnonzero(np.diff(claim, prepend=-1))
    return (np.arange(len(claim)) - np.repeat(new, np.diff(np.append(new, len(claim)))) + 1).astype(np.int32)


def _lines(
    claim: Ints,
    code: NDArray[np.integer],
    drug: NDArray[np.bool_],
    per_time: NDArray[np.floating] | NDArray[np.integer],
    times: NDArray[np.integer],
    days: NDArray[np.integer],
    price: NDArray[np.integer],
    device: NDArray[np.bool_],
    given: NDArray[np.integer],
) -> Lines:
    """Order lines by claim and number them; lines without a claim are of a year after the end."""
    order = np.argsort(claim, kind="stable")
    order = order[claim[order] >= 0]
    amount = np.round(price * per_time * times * days).astype(np.int64)
    return Lines(
        claim=claim[order],
        sequence=_sequence(claim[order]),
        code=code[order].astype(np.int32),
        drug=drug[order],
        per_time=per_time[order].astype(np.float32),
        times=times[order].astype(np.int32),
        days=days[order].astype(np.int32),
        price=price[order].astype(np.int32),
        amount=amount[order],
        device=device[order],
        given=given[order].astype(np.int8),
    )


def _fees(lives: Lives, rank: Ints, of_script: NDArray[np.integer], fetched: NDArray[np.bool_], start: Ints) -> Lines:
    """Lines of the 30 tables: services, drugs given at once, and what pharmacies dispensed with their fee."""
    services, scripts = lives.services, lives.prescriptions
    contacts = len(lives.contacts.start)
    injected = scripts.given == INJECTED
    dispensed = np.flatnonzero(fetched)
    pharmacies = np.arange(contacts, len(rank))
    fee = np.full(len(pharmacies), position("services", "dispensing_fee"))
    device_kind = np.array([row["kind"] == "device" for row in rows("services")])
    prices = floats("services", "price").astype(np.int32)
    drug_prices = floats("drugs", "price").astype(np.int32)
    parts = [  # claim, code row, drug, per time, times, days, price, device, given
        (
            services.contact,
            service_codes().at(services.service, services.day),
            False,
            np.ones(len(services.day)),
            np.ones(len(services.day)),
            services.quantity,
            prices[services.service],
            device_kind[services.service],
            -1,
        ),
        (
            scripts.contact[injected],
            drug_codes().at(scripts.drug[injected], scripts.day[injected]),
            True,
            scripts.per_time[injected],
            np.ones(injected.sum()),
            scripts.days[injected],
            drug_prices[scripts.drug[injected]],
            False,
            INJECTED,
        ),
        (
            pharmacies,
            service_codes().at(fee, start[pharmacies]),
            False,
            np.ones(len(fee)),
            np.ones(len(fee)),
            np.ones(len(fee)),
            prices[fee],
            False,
            -1,
        ),
        (
            contacts + of_script,
            drug_codes().at(scripts.drug[dispensed], scripts.dispensed[dispensed]),
            True,
            scripts.per_time[dispensed],
            scripts.times_per_day[dispensed],
            scripts.days[dispensed],
            drug_prices[scripts.drug[dispensed]],
            False,
            OUTSIDE,
        ),
    ]
    columns = [
        np.concatenate([np.broadcast_to(np.asarray(part[n]), len(part[0])) for part in parts]) for n in range(1, 9)
    ]
    claim = rank[np.concatenate([part[0] for part in parts])]
    return _lines(claim, *columns)


def _prescriptions(lives: Lives, rank: Ints) -> Lines:
    """Lines of the 60 tables: what was prescribed to be dispensed outside, and what was given in the ward."""
    scripts = lives.prescriptions
    mine = np.flatnonzero(np.isin(scripts.given, (OUTSIDE, IN_HOUSE)))
    return _lines(
        rank[scripts.contact[mine]],
        drug_codes().at(scripts.drug[mine], scripts.day[mine]),
        np.ones(len(mine), dtype=bool),
        scripts.per_time[mine],
        scripts.times_per_day[mine],
        scripts.days[mine],
        floats("drugs", "price").astype(np.int32)[scripts.drug[mine]],
        np.zeros(len(mine), dtype=bool),
        scripts.given[mine],
    )


def _diagnoses(
    lives: Lives, rank: Ints, order: NDArray[np.integer], pharmacy: NDArray[np.bool_], encounter: Ints, start: Ints
) -> Lines:
    """Lines of the 40 tables: the diagnoses of the encounter, on each of its claims."""
    own = np.flatnonzero(~pharmacy & (rank >= 0))
    conditions = lives.encounters.diagnoses[encounter[own]]
    place = np.nonzero(conditions >= 0)
    claim = own[place[0]]
    code = condition_codes().at(conditions[place], start[claim])
    coded = code >= 0
    count = int(coded.sum())
    nothing = np.zeros(count, dtype=bool)
    one = np.ones(count, dtype=np.int32)
    none = np.full(count, -1)
    return _lines(rank[claim[coded]], code[coded], nothing, one, one, one, 0 * one, nothing, none)
