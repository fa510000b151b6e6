"""People with lives: what happens to them, before anybody records it.

    for lives in simulate(persons=10_000, seed=1, start_year=2002, end_year=2013):
        lives.encounters.start, lives.prescriptions.drug, ...

People come in chunks of `CHUNK`, so memory stays bounded. A chunk depends on seed, chunk number, its size and the
period, and on nothing else: chunks can be drawn in any order, in several processes. Nothing here knows how an insurer
or a hospital writes things down; conditions, drugs and services are positions in the tables of `catalog`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.science.synthesis.care import (
    Contacts,
    Prescriptions,
    Services,
    contacts_of,
    draw_prescriptions,
    draw_services,
)
from madang.science.synthesis.encounters import Encounters, draw_encounters
from madang.science.synthesis.health import Health, draw_health
from madang.science.synthesis.measures import Checkups, draw_checkups
from madang.science.synthesis.people import People, draw_people
from madang.science.synthesis.places import Institutions, institutions

CHUNK = 5000
"""People per chunk."""


@dataclass(frozen=True)
class Population:
    """Which people: how many ever appear, from when to when (calendar years, both included), from which seed."""

    persons: int
    seed: int = 1
    start_year: int = 2002
    end_year: int = 2013

    def __post_init__(self) -> None:
        if self.persons < 1:
            raise MadangError("synthesis.persons", "A population needs at least one person.")
        if not 1990 <= self.start_year <= self.end_year <= 2040:
            message = f"The years {self.start_year} to {self.end_year} cannot be simulated."
            raise MadangError("synthesis.years", message, "Give years from 1990 to 2040, the earlier first.")

    @property
    def chunks(self) -> int:
        """How many chunks of people there are."""
        return -(-self.persons // CHUNK)

    @property
    def years(self) -> range:
        """All calendar years."""
        return range(self.start_year, self.end_year + 1)


@dataclass(frozen=True)
class Lives:
    """The lives of one chunk of people; arrays refer to people by their position in the chunk."""

    population: Population
    chunk: int
    people: People
    health: Health
    encounters: Encounters
    contacts: Contacts
    prescriptions: Prescriptions
    services: Services
    checkups: Checkups
    institutions: Institutions


def simulate_chunk(population: Population, chunk: int, places: Institutions | None = None) -> Lives:
    """The lives of chunk number `chunk` (0..)."""
    places = places or institutions(population.persons, population.seed)
    seed, last = population.seed, population.end_year
    first_number = chunk * CHUNK + 1
    size = min(CHUNK, population.persons - chunk * CHUNK)
    people = draw_people(seed, chunk, first_number, size, population.start_year, last)
    health = draw_health(seed, chunk, people, last)
    encounters = draw_encounters(seed, chunk, people, health, last, places)
    contacts = contacts_of(encounters)
    return Lives(
        population=population,
        chunk=chunk,
        people=people,
        health=health,
        encounters=encounters,
        contacts=contacts,
        prescriptions=draw_prescriptions(seed, chunk, people, health, encounters, contacts, places),
        services=draw_services(seed, chunk, encounters, contacts, places),
        checkups=draw_checkups(seed, chunk, people, health, last),
        institutions=places,
    )


def simulate(persons: int, seed: int = 1, start_year: int = 2002, end_year: int = 2013) -> Iterator[Lives]:
    """The lives of `persons` people, chunk by chunk. Raises MadangError where no such people can be."""
    population = Population(persons, seed, start_year, end_year)
    places = institutions(persons, seed)
    for chunk in range(population.chunks):
        yield simulate_chunk(population, chunk, places)
