"""What a cohort looks like: attrition, counts by year, age and sex, what its people have before and after, incidence.

Every number is asked of the members that `generate` put into `results.cohort` and of the dataset beside them
(`madang.science.cohorts.about`), on either engine; small ones are kept back afterwards (`madang.science.cohorts.hide`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from madang.base.progress import Progress, Silent
from madang.base.translate import _, later
from madang.lake import Version
from madang.science.cohorts.about import Members
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.members import Counted, generate
from madang.science.cohorts.opened import Laid, opened

BAND = 10

TABLES: Mapping[str, tuple[str, str]] = {
    "condition_occurrence": ("condition_concept_id", "condition_start_date"),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date"),
    "measurement": ("measurement_concept_id", "measurement_date"),
    "visit_occurrence": ("visit_concept_id", "visit_start_date"),
}
"""The tables of which people's records are described: the column of the concept and that of the day."""


FIRST, LAST = later("with a qualifying event"), later("in the cohort")  # steps that no rule names


@dataclass(frozen=True)
class Step:
    """One step of the attrition: persons who are left after it; None: kept back."""

    name: str
    persons: int | None

    def title(self) -> str:
        """Its name in the reader's language, which need not be that of whoever counted."""
        return _(self.name) if self.name in (FIRST, LAST) else self.name


@dataclass(frozen=True)
class Share:
    """Persons by something: a year of entry, a band of ages at entry with a sex (concept identifier)."""

    first: int
    last: int
    persons: int | None
    sex: int | None = None


@dataclass(frozen=True)
class Rate:
    """New persons of the years `first` to `last`, and the person-years in which somebody could have become one."""

    first: int
    last: int
    persons: int | None
    person_years: float

    @property
    def per_thousand(self) -> float | None:
        """New persons per 1,000 person-years; None where it is kept back or nobody was at risk."""
        return None if self.persons is None or not self.person_years else 1000 * self.persons / self.person_years


@dataclass(frozen=True)
class Prevalence:
    """Persons who were in the cohort on any day of a year, and those who were observed on any day of it."""

    year: int
    persons: int | None
    observed: int | None


@dataclass(frozen=True)
class Feature:
    """How many persons have a concept in the year before entry, and in the year from entry on; None: kept back."""

    table: str
    concept_id: int
    name: str
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Described:
    """A cohort as numbers; `minimum` is the fewest persons that any of them is about (1: nothing is kept back)."""

    dataset: str
    manifest: str
    vocabulary: str
    definition: str
    sha256: str
    minimum: int
    persons: int | None
    entries: int | None
    attrition: tuple[Step, ...] = ()
    years: tuple[Share, ...] = ()
    ages: tuple[Share, ...] = ()
    incidence: tuple[Rate, ...] = ()
    prevalence: tuple[Prevalence, ...] = ()
    features: tuple[Feature, ...] = ()
    quartiles: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The numbers as JSON has them."""
        found = asdict(self)
        for rate, given in zip(found["incidence"], self.incidence, strict=True):
            rate["per_thousand"] = None if given.per_thousand is None else round(given.per_thousand, 3)
        return found


def of_document(document: Mapping[str, Any]) -> Described:
    """The numbers that `document` (or `asdict`) wrote."""
    lists: dict[str, type[Any]] = {
        "attrition": Step,
        "years": Share,
        "ages": Share,
        "incidence": Rate,
        "prevalence": Prevalence,
        "features": Feature,
    }
    given = dict(document)
    for key, kind in lists.items():
        kept = kind.__dataclass_fields__
        given[key] = tuple(kind(**{k: v for k, v in each.items() if k in kept}) for each in given.get(key, ()))
    given["quartiles"] = {name: tuple(values) for name, values in given.get("quartiles", {}).items()}
    return Described(**given)


def describe(
    version: Version,
    definition: Definition,
    vocabulary: Version | None = None,
    *,
    minimum: int = 5,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Described:
    """Run a definition on a version and describe its people; no number is about fewer than `minimum` of them.

    Errors: those of `members`.
    """
    with opened(version, vocabulary, threads=threads, progress=progress or Silent()) as found:
        return describe_laid(found, definition, minimum=minimum, progress=progress)


def describe_laid(
    found: Laid, definition: Definition, *, minimum: int = 5, progress: Progress | None = None
) -> Described:
    """As `describe`, on what is laid open already, on either engine."""
    from madang.science.cohorts.hide import hidden

    progress = progress or Silent()
    with progress.step(_("run the definition")):
        counted = generate(found, definition, statistics=True)
    return hidden(describe_opened(found, counted, progress), minimum)


def describe_opened(found: Laid, counted: Counted, progress: Progress | None = None, cohort: int = 1) -> Described:
    """As `describe`, of members that are there already; nothing is kept back."""
    progress = progress or Silent()
    wanted = [table for table in TABLES if table in found.tables]
    features: list[Feature] = []
    with progress.step(_("describe the cohort"), len(wanted) + 1, _("tables")), Members(found, cohort) as members:
        people = Described(
            dataset=found.version.name,
            manifest=found.version.digest,
            vocabulary=found.release,
            definition=counted.definition.name,
            sha256=counted.definition.digest,
            minimum=1,
            persons=counted.persons,
            entries=counted.entries,
            attrition=_attrition(counted),
            years=tuple(Share(year, year, persons) for year, persons in members.years()),
            ages=_ages(members),
            incidence=_incidence(members),
            prevalence=tuple(Prevalence(*each) for each in members.observed()),
            quartiles=members.quartiles(),
        )
        progress.advance()
        for table in wanted:
            progress.check()
            features += [Feature(table, *each) for each in members.features(table, *TABLES[table])]
            progress.advance()
    return Described(**{**vars(people), "features": tuple(features)})


def _attrition(counted: Counted) -> tuple[Step, ...]:
    """Persons who are left after each rule, counted by the event of each that fulfills most rules."""
    rules = counted.definition.rules
    if not rules:
        return (Step(LAST, counted.persons),)
    steps = [Step(FIRST, sum(counted.masks.values()))]
    for place, name in enumerate(rules):
        needed = (1 << (place + 1)) - 1
        steps.append(Step(name, sum(n for mask, n in counted.masks.items() if mask & needed == needed)))
    return (*steps, Step(LAST, counted.persons))


def _ages(members: Members) -> tuple[Share, ...]:
    """Persons by sex and ten years of age at entry."""
    found: dict[tuple[int, int], int] = {}
    for age, sex, persons in members.ages():
        band = int(age // BAND * BAND)
        found[band, sex] = found.get((band, sex), 0) + persons
    return tuple(Share(low, low + BAND - 1, persons, sex) for (low, sex), persons in sorted(found.items()))


def _incidence(members: Members) -> tuple[Rate, ...]:
    """First entries by year over the time in which people were observed and had not entered before."""
    entered = dict(members.years())
    return tuple(
        Rate(year, year, entered.get(year, 0), round(days / 365.25, 1)) for year, days in members.at_risk().items()
    )
