"""Which people come to the hospital, when and for what: the visits of one chunk of lives."""

from dataclasses import dataclass

import numpy as np

from madang.science.synthesis.calendar import NEVER, first_of
from madang.science.synthesis.chance import scatter, stream
from madang.science.synthesis.encounters import EMERGENCY, INPATIENT, OUTPATIENT
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.places import KINDS

PATIENTS = 0.62
"""Share of the people for whom this is the hospital."""
OUTPATIENT_SHARE = 0.2
"""Share of their outpatient visits that they make here; of stays and emergencies it is all but those elsewhere."""
ARRIVES_DYING = 0.5
"""Share of patients that die outside a stay who are brought to the emergency department that day."""

_PLACES = tuple(KINDS.index(name) for name in ("tertiary", "general", "hospital"))


@dataclass(slots=True)
class Visit:
    """One visit: its days and minutes, what brought the patient, and the encounter behind it (-1 for none)."""

    person: int
    kind: int
    start: int
    end: int
    diagnoses: list[int]
    encounter: int = -1
    through_emergency: bool = False
    leads_to: int = -1
    """The encounter of the stay that an emergency visit led to; -1 for none."""
    begins: int = 0
    ends: int = 0
    """Minutes of the first and the last day."""
    number: str = ""
    dies: bool = False
    canceled: bool = False


def visits_of(lives: Lives) -> list[Visit]:
    """The visits of one chunk, ordered by person and time."""
    rng = stream(lives.population.seed, lives.chunk, "hospital visits")
    encounters, health = lives.encounters, lives.health
    last = first_of(lives.population.end_year + 1) - 1
    patient = (scatter(lives.people.number, 31) % np.uint64(1000)) < PATIENTS * 1000
    here = np.isin(lives.institutions.kind[encounters.institution], _PLACES)
    chosen = (encounters.kind == INPATIENT) & here | (encounters.kind == EMERGENCY)
    chosen |= (encounters.kind == OUTPATIENT) & (rng.random(len(encounters)) < OUTPATIENT_SHARE)
    chosen &= patient[encounters.person] & (encounters.start <= last)
    linked = encounters.leads_to >= 0
    chosen &= ~linked | (chosen[encounters.leads_to] & (encounters.leads_to >= 0))
    made = []
    for n in np.flatnonzero(chosen).tolist():
        visit = Visit(
            person=int(encounters.person[n]),
            kind=int(encounters.kind[n]),
            start=int(encounters.start[n]),
            end=int(encounters.end[n]),
            diagnoses=[int(c) for c in encounters.diagnoses[n] if c >= 0],
            encounter=n,
            through_emergency=bool(encounters.through_emergency[n]),
            leads_to=int(encounters.leads_to[n]),
        )
        made.append(visit)
    stays = {(v.person, v.end) for v in made if v.kind == INPATIENT}
    seen = {v.person for v in made}
    for person in np.flatnonzero((health.death < NEVER) & (health.death <= last)).tolist():
        day = int(health.death[person])
        if person in seen and (person, day) not in stays and rng.random() < ARRIVES_DYING:
            made.append(Visit(person, EMERGENCY, day, day, [int(health.cause[person])], dies=True))
    for visit in made:
        visit.dies |= visit.kind == INPATIENT and visit.end == int(health.death[visit.person])
        _set_times(rng, visit)
    made.sort(key=lambda v: (v.person, v.start, v.kind == INPATIENT, v.begins, v.encounter))
    return made


def _set_times(rng: np.random.Generator, visit: Visit) -> None:
    """Minutes of the day: outpatients in office hours, emergencies at any time, admissions after their emergency."""
    if visit.kind == OUTPATIENT:
        visit.begins = visit.ends = int(rng.integers(8 * 60 + 30, 17 * 60))
    elif visit.kind == EMERGENCY:
        visit.begins = int(rng.integers(0, 17 * 60))
        visit.ends = visit.begins + int(rng.integers(20, 5 * 60))
    else:
        visit.begins = int(rng.integers(22 * 60 + 5, 23 * 60)) if visit.through_emergency else 10 * 60
        visit.ends = int(rng.integers(23 * 60, 24 * 60) if visit.start == visit.end else rng.integers(9 * 60, 20 * 60))
