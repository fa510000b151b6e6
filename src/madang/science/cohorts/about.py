"""Questions about the members of a cohort, in SQL that means the same on both engines.

An engine only counts: rows by year, by age, by number of days. What is made of these counts (days at risk, quartiles)
is worked out here, once for both engines.
"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from madang.science.cohorts.opened import Laid
from madang.science.cohorts.seam import CDM, RESULTS

TOP = 25
WINDOW = 365
LONGEST = 400  # years: what lasts longer, or begins so long before the rest, is a fault in the data
_NEVER = "DATE '9999-12-31'"
_DAY_ZERO = "DATE '1970-01-01'"


class Members:
    """The members that `generate` put into `results.cohort` under a number; a table of first entries while open."""

    def __init__(self, found: Laid, cohort: int = 1) -> None:
        self._found = found
        self._of = f"{RESULTS}.cohort WHERE cohort_definition_id = {int(cohort)}"

    def __enter__(self) -> Self:
        self._found.asking.execute(
            "CREATE TEMP TABLE entered AS SELECT subject_id AS person_id, cohort_start_date AS entry, "
            "cohort_end_date AS leaving FROM (SELECT subject_id, cohort_start_date, cohort_end_date, row_number() OVER "
            "(PARTITION BY subject_id ORDER BY cohort_start_date, cohort_end_date) AS place "
            f"FROM {self._of}) AS entries WHERE place = 1"
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:  # an engine that failed or was stopped is not asked again: it is closed
            self._found.asking.execute("DROP TABLE entered")

    def years(self) -> list[tuple[int, int]]:
        """Persons by year of their first entry."""
        rows = self._ask("SELECT year(entry) AS y, count(*) AS persons FROM entered GROUP BY year(entry)")
        return sorted((int(year), int(persons)) for year, persons in rows)

    def ages(self) -> list[tuple[float, int, int]]:
        """Age in years at first entry, concept of the sex (0: not known), persons."""
        rows = self._ask(
            "SELECT greatest(0, year(entry) - year_of_birth) AS age, gender_concept_id AS sex, count(*) AS persons "
            f"FROM entered JOIN {CDM}.person AS p ON p.person_id = entered.person_id "
            "WHERE year_of_birth IS NOT NULL GROUP BY greatest(0, year(entry) - year_of_birth), gender_concept_id"
        )
        return [(age, int(sex or 0), int(persons)) for age, sex, persons in rows]

    def quartiles(self) -> dict[str, tuple[float, ...]]:
        """First quartile, median and third quartile of the age at first entry and of the days in the cohort."""
        asked = {"age": "year(entry) - year_of_birth", "days": "datediff('day', entry, leaving)"}
        found: dict[str, tuple[float, ...]] = {}
        for name, value in asked.items():
            rows = self._ask(
                f"SELECT {value} AS v, count(*) AS persons FROM entered "
                f"LEFT JOIN {CDM}.person AS p ON p.person_id = entered.person_id "
                f"WHERE {value} IS NOT NULL GROUP BY {value}"
            )
            if rows:
                counts = sorted((float(each), int(persons)) for each, persons in rows)
                found[name] = tuple(_quantile(counts, part) for part in (0.25, 0.5, 0.75))
        return found

    def at_risk(self) -> dict[int, int]:
        """Days by year in which people were observed and had not entered before; the day of entry is among them.

        Nothing where they are spread over more than 400 years.
        """
        rows = self._ask(
            f"""WITH observed AS (
                SELECT observation_period_start_date AS d0,
                    least(observation_period_end_date, coalesce(e.entry, {_NEVER})) AS d1
                FROM {CDM}.observation_period AS o LEFT JOIN entered AS e ON e.person_id = o.person_id)
            SELECT year(d0), year(d1), count(*), sum(datediff('day', {_DAY_ZERO}, d0)),
                sum(datediff('day', {_DAY_ZERO}, d1))
            FROM observed WHERE d0 <= d1 GROUP BY year(d0), year(d1)"""
        )
        if not rows or max(row[1] for row in rows) - min(row[0] for row in rows) >= LONGEST:
            return {}
        days: dict[int, int] = {}
        for low, high, spans, begin, end in rows:
            for year in range(low, high + 1):
                first = begin if year == low else spans * _days_before(year)
                last = end if year == high else spans * (_days_before(year + 1) - 1)
                days[year] = days.get(year, 0) + int(last - first) + spans
        return dict(sorted(days.items()))

    def observed(self) -> Iterator[tuple[int, int, int]]:
        """Year, persons who were in the cohort on a day of it, persons who were observed on a day of it."""
        start, end = "observation_period_start_date", "observation_period_end_date"
        everybody = self._by_year("person_id", start, end, f"{CDM}.observation_period WHERE {end} >= {start}")
        inside = self._by_year("subject_id", "cohort_start_date", "cohort_end_date", self._of)
        for year, persons in sorted(everybody.items()):
            yield year, inside.get(year, 0), persons

    def features(self, table: str, concept: str, day: str) -> list[tuple[int, str, int, int]]:
        """The concepts of a table that most members have before or after entry: number, name, persons with each."""
        rows = self._ask(
            f"""WITH near AS (
                SELECT DISTINCT t.person_id, t.{concept} AS concept_id, t.{day} >= e.entry AS later
                FROM {CDM}.{table} AS t JOIN entered AS e ON t.person_id = e.person_id
                WHERE datediff('day', e.entry, t.{day}) BETWEEN {-WINDOW} AND {WINDOW} AND t.{concept} <> 0),
            counted AS (
                SELECT concept_id, count(*) FILTER (WHERE NOT later) AS earlier, count(*) FILTER (WHERE later) AS since
                FROM near GROUP BY concept_id)
            SELECT concept_id, earlier, since FROM counted
            ORDER BY greatest(earlier, since) DESC, concept_id LIMIT {TOP}"""
        )
        names: dict[int, str] = {}
        if rows and "concept" in self._found.tables:
            listed = ", ".join(str(int(row[0])) for row in rows)
            names = dict(
                self._ask(f"SELECT concept_id, concept_name FROM {CDM}.concept WHERE concept_id IN ({listed})")
            )
        return [(int(n), names.get(n) or str(n), int(earlier), int(since)) for n, earlier, since in rows]

    def _by_year(self, who: str, start: str, end: str, source: str) -> dict[int, int]:
        """Persons by year, each once in a year; of one time no more than 400 years.

        Of each time only the years count that no earlier one of the same person reaches into.
        """
        rows = self._ask(
            f"""WITH spans AS (
                SELECT {who} AS who, year({start}) AS low, least(year({end}), year({start}) + {LONGEST}) AS high
                FROM {source}),
            before AS (
                SELECT low, high, max(high) OVER (PARTITION BY who ORDER BY low, high
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
                FROM spans WHERE who IS NOT NULL AND low <= high)
            SELECT greatest(low, coalesce(reached + 1, low)), high, count(*) FROM before
            WHERE high > coalesce(reached, low - 1) GROUP BY greatest(low, coalesce(reached + 1, low)), high"""
        )
        found: dict[int, int] = {}
        for low, high, persons in rows:
            for year in range(int(low), int(high) + 1):
                found[year] = found.get(year, 0) + int(persons)
        return found

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self._found.asking.rows(sql)


def _days_before(year: int) -> int:
    """Days from the beginning of 1970 to that of a year of the Gregorian calendar."""
    past = year - 1
    return 365 * past + past // 4 - past // 100 + past // 400 - 719_162


def _quantile(counts: Sequence[tuple[float, int]], part: float) -> float:
    """A quantile of numbers that are there so many times, in order; between two of them it lies on the line."""
    place = part * (sum(times for _value, times in counts) - 1)
    low, high = (_value_at(counts, int(place) + more) for more in (0, 1))
    return low + (high - low) * (place - int(place))


def _value_at(counts: Sequence[tuple[float, int]], place: int) -> float:
    """The number at a place, counted from 0; behind the last one, the last."""
    for value, times in counts:
        if place < times:
            return value
        place -= times
    return counts[-1][0]
