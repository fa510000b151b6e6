"""Every check as plain SQL: one SELECT of the violating rows and one of the denominator.

This says what a check means, lists offending rows, and is the slow twin that the planner is tested against. A row
violates if *some* partner (person, death, visit, concept) makes it so; under `compatible` every matching partner and
every cohort entry counts, as in the joins of DataQualityDashboard, and so do values that it takes for no integers on
DuckDB: negative ones, and any of a column of floating-point numbers.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake.engine import Engine
from madang.science.quality.columns import Columns, family, read_columns, runnable
from madang.science.quality.model import Check, Count

BIRTH = (
    "coalesce(p.birth_datetime::DATE, TRY(make_date(p.year_of_birth::BIGINT, coalesce(p.month_of_birth, 1)::BIGINT, "
    "coalesce(p.day_of_birth, 1)::BIGINT)))"
)


def count(
    engine: Engine,
    checks: Iterable[Check],
    *,
    today: date,
    cohort: int | None = None,
    compatible: bool = False,
) -> dict[str, Count]:
    """What each check counts, by identifier, each asked by itself. Checks that cannot be asked are left out."""
    columns = read_columns(engine)
    asked = Questions(columns, today, cohort, compatible)
    counts: dict[str, Count] = {}
    for check in checks:
        if check.name in ("cdmTable", "cdmField"):
            there = check.table in columns and (not check.field or check.field in columns[check.table])
            counts[check.id] = Count(0 if there else 1, 1)
    for check in runnable((check for check in checks if check.id not in counts), columns):
        try:
            counts[check.id] = _one(engine, asked, check)
        except MadangError as error:
            counts[check.id] = Count(None, None, _sentence(error))
    return counts


def _one(engine: Engine, asked: "Questions", check: Check) -> Count:
    """One check; where memory ran out it is asked once more by one thread, which holds less at once."""

    def count() -> Count:
        violated = engine.value(f"SELECT count(*) FROM ({asked.rows(check)})")
        return Count(violated, engine.value(asked.denominator(check)))

    try:
        return count()
    except MadangError as error:
        threads = engine.value("SELECT current_setting('threads')")
        if error.code != "engine.memory" or threads == 1:
            raise
    engine.execute("SET threads = 1")
    try:
        return count()
    finally:
        engine.execute(f"SET threads = {int(threads)}")


class Counting(Protocol):
    """Whoever answers many questions of one number each at once, as a second engine does."""

    def counts(
        self, questions: Mapping[str, str], told: Callable[[int], None] | None = None
    ) -> Mapping[str, int | MadangError | None]:
        """The number of each SELECT in the SQL of the first engine, or why there is none; `told` how many more."""

    def cancel(self) -> None:
        """Stop what runs; called from another thread."""


def count_by(
    engine: Counting,
    columns: Columns,
    checks: Iterable[Check],
    *,
    today: date,
    progress: Progress | None = None,
) -> dict[str, Count]:
    """What each check counts on another engine, all asked together; what cannot be asked is left out as in `count`."""
    asked = Questions(columns, today)
    counts: dict[str, Count] = {}
    texts: dict[str, str] = {}
    rest: list[Check] = []
    for check in checks:
        if check.name in ("cdmTable", "cdmField"):
            there = check.table in columns and (not check.field or check.field in columns[check.table])
            counts[check.id] = Count(0 if there else 1, 1)
        else:
            rest.append(check)
    chosen = list(runnable(rest, columns))
    for check in chosen:
        texts[f"{check.id}|rows"] = f"SELECT count(*) FROM ({asked.rows(check)})"
        texts[f"{check.id}|of"] = asked.denominator(check)
    found = engine.counts(texts, None if progress is None else _in_halves(progress))
    for check in chosen:
        violated, of = found[f"{check.id}|rows"], found[f"{check.id}|of"]
        if isinstance(violated, MadangError):
            counts[check.id] = Count(None, None, _sentence(violated))
        elif isinstance(of, MadangError):
            counts[check.id] = Count(None, None, _sentence(of))
        else:
            counts[check.id] = Count(violated, of)
    return counts


def _in_halves(progress: Progress) -> Callable[[int], None]:
    """Moves on by one check for two questions, and stops where it is to be stopped."""
    answered = 0

    def told(count: int) -> None:
        nonlocal answered
        before, answered = answered // 2, answered + count
        progress.advance(answered // 2 - before)

    return told


def _sentence(error: MadangError) -> str:
    """Why nothing was counted; what the engine says of a value would quote it, and reports hold no values."""
    if error.code in ("engine.conversion", "engine.value", "spark.value"):
        return _("A value cannot be converted, or lies out of range.")
    return str(error)


@dataclass(frozen=True)
class Questions:
    """The SQL of checks on tables of these columns, in the schema `main`; `today` is the day of the assessment."""

    columns: Columns
    today: date
    cohort: int | None = None
    compatible: bool = False

    def rows(self, check: Check) -> str:
        """A SELECT of the violating rows (persons, values)."""
        of, more = self._source(check), check.parameters
        table, field = check.table, f't."{check.field}"'
        match check.name:
            case "measurePersonCompleteness":
                return f"SELECT t.* FROM {of} WHERE NOT EXISTS (FROM {table} o WHERE o.person_id = t.person_id)"
            case "measureConditionEraCompleteness":
                return f"""SELECT DISTINCT t.person_id FROM {of}
                    WHERE t.condition_concept_id <> 0 AND t.person_id IS NOT NULL
                    AND NOT EXISTS (FROM {table} e WHERE e.person_id = t.person_id)"""
            case "measureObservationPeriodOverlap":
                start, end = "observation_period_start_date", "observation_period_end_date"
                return f"""SELECT DISTINCT t.person_id FROM {of} JOIN observation_period o
                    ON t.person_id = o.person_id AND t.observation_period_id <> o.observation_period_id
                    WHERE (t.{start} <= o.{end} AND t.{end} >= o.{start})
                    OR t.{end}::DATE + 1 = o.{start} OR o.{end}::DATE + 1 = t.{start}"""
            case "isRequired" | "measureValueCompleteness":
                return f"SELECT t.* FROM {of} WHERE {field} IS NULL"
            case "cdmDatatype":
                return f"SELECT t.* FROM {of} WHERE {field} IS NOT NULL AND {self._not_whole(check, field)}"
            case "isPrimaryKey":
                again = f'SELECT "{check.field}" FROM {table} GROUP BY ALL HAVING count(*) > 1'
                return f"SELECT t.* FROM {of} WHERE {field} IN ({again})"
            case "isForeignKey":
                there = f"FROM {more['table']} o WHERE o.{more['field']} = {field}"
                return f"SELECT t.* FROM {of} WHERE {field} IS NOT NULL AND NOT EXISTS ({there})"
            case "fkDomain":
                other = f"{_KNOWN} c.domain_id <> {_text(check, 'domain')}"
                return self._some(check, "concept c", f"c.concept_id = {field}", other)
            case "fkClass":
                other = f"{_KNOWN} c.concept_class_id <> {_text(check, 'class')}"
                return self._some(check, "concept c", f"c.concept_id = {field}", other)
            case "isStandardValidConcept":
                invalid = "c.invalid_reason IS NOT NULL" if self.compatible else "c.invalid_reason <> ''"
                other = f"{_KNOWN} (c.standard_concept IS DISTINCT FROM 'S' OR {invalid})"
                return self._some(check, "concept c", f"c.concept_id = {field}", other)
            case "standardConceptRecordCompleteness" | "sourceConceptRecordCompleteness":
                empty = (
                    f"OR ({field} IS NULL AND t.{more['source_value']} IS NOT NULL)" if "source_value" in more else ""
                )
                return f"SELECT t.* FROM {of} WHERE {field} = 0 {empty}"
            case "sourceValueCompleteness":
                return f"SELECT DISTINCT {field} FROM {of} WHERE t.{more['standard']} = 0"
            case "plausibleValueLow" | "plausibleValueHigh":
                sign = "<" if check.name == "plausibleValueLow" else ">"
                return f"SELECT t.* FROM {of} WHERE {self._plain(check, field)} {sign} {self._bound(check)}"
            case "plausibleTemporalAfter":
                if more["table"] == "person" != table:
                    born = f"coalesce(p.{more['field']}::DATE, make_date(p.year_of_birth::BIGINT, 6, 1))"
                    return self._some(check, "person p", "p.person_id = t.person_id", f"{born} > {field}::DATE")
                return f"SELECT t.* FROM {of} WHERE t.{more['field']}::DATE > {field}::DATE"
            case "plausibleDuringLife" | "plausibleBeforeDeath":
                late = f"{field}::DATE > d.death_date::DATE + {more['days']}"
                return self._some(check, "death d", "d.person_id = t.person_id", late)
            case "plausibleAfterBirth":
                return self._some(check, "person p", "p.person_id = t.person_id", f"{field}::DATE < {BIRTH}")
            case "withinVisitDates":
                far = f"""({field}::DATE < v.visit_start_date::DATE - {more["days"]}
                    OR {field}::DATE > v.visit_end_date::DATE + {more["days"]})"""
                return self._some(check, "visit_occurrence v", _VISIT, far)
            case "plausibleStartBeforeEnd":
                return f"SELECT t.* FROM {of} WHERE {field}::DATE > t.{more['field']}::DATE"
            case "plausibleGender":
                wrong = f"{field} = {check.concepts[0]} AND p.gender_concept_id <> {more['gender']}"
                return self._some(check, "person p", "p.person_id = t.person_id", wrong)
            case "plausibleGenderUseDescendants":
                wrong = (
                    f"p.gender_concept_id <> {more['gender']} AND a.ancestor_concept_id IN {_listed(check.concepts)}"
                )
                match_ = f"p.person_id = t.person_id AND a.descendant_concept_id = {field}"
                return self._some(check, "(person p CROSS JOIN concept_ancestor a)", match_, wrong)
            case "plausibleUnitConceptIds":
                units = _listed((*more["units"], 0))
                return f"SELECT t.* FROM {of} WHERE {field} = {check.concepts[0]} AND t.unit_concept_id NOT IN {units}"
        raise AssertionError(check.name)

    def denominator(self, check: Check) -> str:
        """A SELECT of one number."""
        of, more = self._source(check), check.parameters
        field = f't."{check.field}"'
        everything = f"SELECT count(*) FROM {of}"
        match check.name:
            case "measureConditionEraCompleteness":
                return f"SELECT count(DISTINCT t.person_id) FROM {of} WHERE t.condition_concept_id <> 0"
            case "measureObservationPeriodOverlap":
                return f"SELECT count(DISTINCT t.person_id) FROM {of}"
            case "standardConceptRecordCompleteness" | "sourceConceptRecordCompleteness":
                source = f"OR t.{more['source_value']} IS NOT NULL" if "source_value" in more else ""
                return f"{everything} WHERE {field} IS NOT NULL {source}"
            case "sourceValueCompleteness":
                return f"SELECT count(*) FROM (SELECT DISTINCT {field} FROM {of})"
            case "isStandardValidConcept" | "plausibleValueLow" | "plausibleValueHigh" | "plausibleAfterBirth":
                return f"{everything} WHERE {field} IS NOT NULL"
            case "plausibleDuringLife":
                return f"{everything} WHERE t.person_id IN (SELECT person_id FROM death)"
            case "plausibleBeforeDeath":
                dead = self._some(check, "death d", "d.person_id = t.person_id", f"{field} IS NOT NULL")
                return f"SELECT count(*) FROM ({dead})"
            case "withinVisitDates":
                return f"SELECT count(*) FROM ({self._some(check, 'visit_occurrence v', _VISIT, 'true')})"
            case "plausibleStartBeforeEnd":
                return f"{everything} WHERE {field} IS NOT NULL AND t.{more['field']} IS NOT NULL"
            case "plausibleGender":
                return f"{everything} WHERE {field} = {check.concepts[0]}"
            case "plausibleGenderUseDescendants":
                under = f"a.ancestor_concept_id IN {_listed(check.concepts)}"
                found = self._some(check, "concept_ancestor a", f"a.descendant_concept_id = {field}", under)
                return f"SELECT count(*) FROM ({found})"
            case "plausibleUnitConceptIds":
                return f"{everything} WHERE {field} = {check.concepts[0]} AND t.unit_concept_id IS DISTINCT FROM 0"
        return everything

    def _source(self, check: Check) -> str:
        """The table that rows are taken from, called t: of the whole dataset or of the cohort's persons."""
        table = {"measurePersonCompleteness": "person", "measureConditionEraCompleteness": "condition_occurrence"}.get(
            check.name, check.table
        )
        if self.cohort is None or not check.parameters["cohort"]:
            return f"{table} t"
        members = f"SELECT subject_id FROM cohort WHERE cohort_definition_id = {self.cohort}"
        if self.compatible:
            return f"(SELECT r.* FROM {table} r JOIN ({members}) m ON r.person_id = m.subject_id) t"
        return f"(FROM {table} WHERE person_id IN ({members})) t"

    def _some(self, check: Check, partner: str, match: str, wrong: str) -> str:
        """Rows of which some partner is wrong; with `compatible` a row for each such partner."""
        of = self._source(check)
        if self.compatible:
            return f"SELECT t.* FROM {of} JOIN {partner} ON {match} WHERE {wrong}"
        return f"SELECT t.* FROM {of} WHERE EXISTS (FROM {partner} WHERE {match} AND {wrong})"

    def _not_whole(self, check: Check, field: str) -> str:
        kind = self.columns[check.table][check.field]
        match family(kind):
            case "integer":
                return f"{field} < 0" if self.compatible else "false"
            case "number" if self.compatible:
                return f"(NOT regexp_full_match({field}::VARCHAR, '[0-9]+'))"
            case "number":
                return f"({field} <> trunc({field}) OR NOT isfinite({field}::DOUBLE))"
            case "text":
                return f"(NOT regexp_full_match(trim({field}), '[+-]?[0-9]+'))"
        return "true"

    def _plain(self, check: Check, field: str) -> str:
        return f"{field}::DATE" if {"date", "days_from_today"} & set(check.parameters) else field

    def _bound(self, check: Check) -> str:
        more = check.parameters
        if "days_from_today" in more:
            return f"DATE '{self.today}' + {more['days_from_today']}"
        if "year_from_today" in more:
            return str(self.today.year + more["year_from_today"])
        return f"DATE '{more['date']}'" if "date" in more else str(more["value"])


_KNOWN = "c.concept_id <> 0 AND"
_VISIT = "v.visit_occurrence_id = t.visit_occurrence_id"


def _text(check: Check, key: str) -> str:
    return "'" + check.parameters[key].replace("'", "''") + "'"


def _listed(concepts: Iterable[int]) -> str:
    return "(" + ", ".join(map(str, concepts)) + ")"
