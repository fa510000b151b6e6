"""What a cohort looks like: attrition, counts by year, age and sex, what its people have before and after, incidence.

Every number is asked of the members that `generate` put into `results.cohort` and of the dataset beside them; small
ones are kept back afterwards (`madang.science.cohorts.hide`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from madang.base.progress import Progress, Silent
from madang.base.translate import _, later
from madang.lake import Version
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.members import Counted, generate
from madang.science.cohorts.opened import Opened, opened
from madang.science.cohorts.seam import CDM, RESULTS

BAND = 10
TOP = 25
WINDOW = 365

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
    from madang.science.cohorts.hide import hidden

    progress = progress or Silent()
    with opened(version, vocabulary, threads=threads, progress=progress) as found:
        with progress.step(_("run the definition")):
            counted = generate(found, definition, statistics=True)
        return hidden(describe_opened(found, counted, progress), minimum)


def describe_opened(found: Opened, counted: Counted, progress: Progress | None = None, cohort: int = 1) -> Described:
    """As `describe`, of members that are there already; nothing is kept back."""
    progress = progress or Silent()
    _index(found, cohort)
    wanted = [table for table in TABLES if table in found.tables]
    with progress.step(_("describe the cohort"), len(wanted) + 1, _("tables")):
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
            years=_years(found),
            ages=_ages(found),
            incidence=_incidence(found),
            prevalence=_prevalence(found, cohort),
            quartiles=_quartiles(found),
        )
        progress.advance()
        features: list[Feature] = []
        for table in wanted:
            progress.check()
            features += _features(found, table)
            progress.advance()
    found.engine.execute("DROP TABLE temp.entered")
    return Described(**{**vars(people), "features": tuple(features)})


def _index(found: Opened, cohort: int) -> None:
    """The first entry of each member, with birth year and sex."""
    found.engine.execute(
        "CREATE TEMP TABLE entered AS SELECT subject_id AS person_id, min(cohort_start_date) AS entry, "
        f"arg_min(cohort_end_date, cohort_start_date) AS leaving FROM {RESULTS}.cohort "
        f"WHERE cohort_definition_id = {int(cohort)} GROUP BY ALL"
    )


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


def _years(found: Opened) -> tuple[Share, ...]:
    rows = found.engine.rows("SELECT year(entry), count(*) FROM temp.entered GROUP BY ALL ORDER BY 1")
    return tuple(Share(int(year), int(year), persons) for year, persons in rows)


def _ages(found: Opened) -> tuple[Share, ...]:
    rows = found.engine.rows(
        f"SELECT greatest(0, year(entry) - year_of_birth) // {BAND} * {BAND}, gender_concept_id, count(*) "
        f"FROM temp.entered JOIN {CDM}.person p USING (person_id) WHERE year_of_birth IS NOT NULL "
        "GROUP BY ALL ORDER BY 1, 2"
    )
    return tuple(Share(int(low), int(low) + BAND - 1, persons, int(sex or 0)) for low, sex, persons in rows)


def _quartiles(found: Opened) -> dict[str, tuple[float, ...]]:
    """First quartile, median and third quartile of the age at entry and of the days in the cohort."""
    row = found.engine.rows(
        "SELECT quantile_cont(year(entry) - year_of_birth, [0.25, 0.5, 0.75]), "
        "quantile_cont(leaving - entry, [0.25, 0.5, 0.75]) "
        f"FROM temp.entered LEFT JOIN {CDM}.person p USING (person_id)"
    )[0]
    return {name: tuple(map(float, values)) for name, values in zip(("age", "days"), row, strict=True) if values}


def _incidence(found: Opened) -> tuple[Rate, ...]:
    """First entries by year over the time in which people were observed and had not entered before."""
    rows = found.engine.rows(
        f"""WITH observed AS (
            SELECT o.person_id, observation_period_start_date AS first,
                least(observation_period_end_date, coalesce(e.entry, DATE '9999-12-31')) AS last
            FROM {CDM}.observation_period o LEFT JOIN temp.entered e USING (person_id)
            WHERE observation_period_start_date <= coalesce(e.entry, DATE '9999-12-31')),
        span AS (SELECT min(year(first)) AS low, max(year(last)) AS high FROM observed),
        years AS (SELECT unnest(range(low, high + 1)) AS y FROM span WHERE high - low < 400),
        risk AS (
            SELECT y, sum(least(last, make_date(y, 12, 31)) - greatest(first, make_date(y, 1, 1)) + 1) AS days
            FROM years JOIN observed ON first <= make_date(y, 12, 31) AND last >= make_date(y, 1, 1) GROUP BY y),
        new AS (SELECT year(entry) AS y, count(*) AS persons FROM temp.entered GROUP BY y)
        SELECT y, coalesce(persons, 0), days / 365.25 FROM risk LEFT JOIN new USING (y) ORDER BY y"""
    )
    return tuple(Rate(int(year), int(year), int(persons), round(float(time), 1)) for year, persons, time in rows)


def _prevalence(found: Opened, cohort: int) -> tuple[Prevalence, ...]:
    rows = found.engine.rows(
        f"""WITH spans AS (
            SELECT person_id, year(observation_period_start_date) AS low, year(observation_period_end_date) AS high
            FROM {CDM}.observation_period WHERE observation_period_end_date >= observation_period_start_date),
        observed AS (
            SELECT y, count(DISTINCT person_id) AS persons
            FROM (SELECT person_id, unnest(range(low, least(high, low + 400) + 1)) AS y FROM spans) GROUP BY y),
        inside AS (
            SELECT y, count(DISTINCT subject_id) AS persons FROM (SELECT subject_id,
                unnest(range(year(cohort_start_date), least(year(cohort_end_date), year(cohort_start_date) + 400) + 1))
                AS y FROM {RESULTS}.cohort WHERE cohort_definition_id = {int(cohort)}) GROUP BY y)
        SELECT y, coalesce(i.persons, 0), o.persons FROM observed o LEFT JOIN inside i USING (y) ORDER BY y"""
    )
    return tuple(Prevalence(int(year), int(inside), int(observed)) for year, inside, observed in rows)


def _features(found: Opened, table: str) -> list[Feature]:
    """The concepts that most members have before or after entry."""
    concept, day = TABLES[table]
    rows = found.engine.rows(
        f"""WITH near AS (
            SELECT DISTINCT t.person_id, t.{concept} AS concept_id, t.{day} >= e.entry AS later
            FROM {CDM}.{table} t JOIN temp.entered e ON t.person_id = e.person_id
            WHERE t.{day} BETWEEN e.entry - {WINDOW} AND e.entry + {WINDOW} AND t.{concept} <> 0)
        SELECT concept_id, count(*) FILTER (NOT later), count(*) FILTER (later) FROM near
        GROUP BY 1 ORDER BY greatest(count(*) FILTER (NOT later), count(*) FILTER (later)) DESC, 1 LIMIT {TOP}"""
    )
    names: dict[int, str] = {}
    if "concept" in found.tables:
        names = dict(
            found.engine.rows(
                f"SELECT concept_id, concept_name FROM {CDM}.concept WHERE concept_id = ANY(?)",
                [[row[0] for row in rows]],
            )
        )
    return [
        Feature(table, int(number), names.get(number) or str(number), int(before), int(after))
        for number, before, after in rows
    ]
