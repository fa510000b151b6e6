"""Risk of an extract per person, over all its tables: how many persons somebody would single out who knows a little.

The attacker knows sex, band of age and region of a person, and one, two or three events: which table, which code, which
day, as exact as the data say it. A person is singled out if nobody else in the data fits. One event is counted exactly;
two and three are drawn at random for each person, or counted exactly where a person has few combinations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake.engine import Engine, quote_name
from madang.science.privacy.recipe import CODE, START

if TYPE_CHECKING:
    from collections.abc import Callable

DRAWS = 100
AGE_BAND = 5
FEW = 5  # persons: a code or provider that fewer have is rare
INPATIENT = (9201, 262, 8717, 8971, 32037)
NOT_COVERED = (
    "Counted is who could be singled out by sex, age band, region and dated events that are in the data. Not counted: "
    "free text, pictures and genomes; numbers such as costs or laboratory values; knowledge of order without dates; "
    "other data that somebody joins; and that a group of persons who cannot be told apart may all have the same "
    "diagnosis. A table that is k-anonymous by sex, age and region says nothing of any of this."
)


@dataclass(frozen=True)
class Singled:
    """Share of persons singled out by so many known events: the mean over draws, its 95% interval, and how counted."""

    events: int
    share: float
    low: float
    high: float
    exact: bool


@dataclass(frozen=True)
class PersonRisk:
    """The risk of data about `persons` with `lines` events in their tables."""

    persons: int
    lines: int
    tables: tuple[str, ...]
    seed: int
    draws: int
    by_demographics: float  # share singled out by sex, age band and region alone
    singled: tuple[Singled, ...]  # by one, two, three events
    with_unique_event: float  # share who have at least one event that singles them out
    rare_codes: int  # codes that fewer than FEW persons have
    with_rare_code: float  # share of persons who have one of them
    rare_providers: int
    with_rare_provider: float
    by_admission: float  # share singled out by month and length of one of their admissions

    def document(self) -> dict[str, Any]:
        """As JSON, with what is not covered in words."""
        shares = {name: round(value, 6) for name, value in vars(self).items() if isinstance(value, float)}
        return {
            "persons": self.persons,
            "lines": self.lines,
            "tables": list(self.tables),
            "seed": self.seed,
            "draws": self.draws,
            **shares,
            "rare_codes": self.rare_codes,
            "rare_providers": self.rare_providers,
            "singled_out": [
                {
                    "known_events": each.events,
                    "share": round(each.share, 6),
                    "low": round(each.low, 6),
                    "high": round(each.high, 6),
                    "exact": each.exact,
                }
                for each in self.singled
            ],
            "not_covered": NOT_COVERED,
        }


def person_risk(
    engine: Engine,
    tables: Sequence[str],
    schema: str = "main",
    draws: int = DRAWS,
    seed: int = 1,
    progress: Progress | None = None,
) -> PersonRisk:
    """Measure the tables of the common data model that `engine` has in `schema`; `person` must be among them.

    Tables without codes and dates add nothing. The same seed gives the same answer.
    """
    progress = progress or Silent()
    if "person" not in tables:
        raise MadangError("privacy.persons", "The risk per person needs the table person.")
    present = {table: _columns(engine, schema, table) for table in tables}
    _number_persons(engine, schema, present["person"])
    persons = int(engine.value("SELECT count(*) FROM _risk_persons"))
    if persons == 0:
        raise MadangError("privacy.persons", "There are no persons in the data.")
    alone = int(
        engine.value("SELECT count(*) FROM (SELECT demog FROM _risk_persons GROUP BY demog HAVING count(*) = 1)")
    )
    used = [table for table in tables if table in CODE and START[table] in present[table]]
    with progress.step("risk per person", len(used) + 3, "steps"):
        lines, pairs = _events(engine, schema, used, present, progress)
        index = _Index.of(pairs, persons)
        del pairs
        progress.advance()
        found = [_one(index, persons)]
        for events in (2, 3):
            found.append(_several(index, persons, events, draws, seed))
            progress.advance()
    rare_codes, with_code = _rare(engine, schema, [(t, CODE[t][0]) for t in used if CODE[t][0] in present[t]])
    rare_providers, with_provider = _rare(
        engine, schema, [(t, "provider_id") for t in used if "provider_id" in present[t]]
    )
    return PersonRisk(
        persons,
        lines,
        tuple(used),
        seed,
        draws,
        alone / persons,
        tuple(found),
        index.with_unique / persons,
        rare_codes,
        with_code / persons,
        rare_providers,
        with_provider / persons,
        _admissions(engine, schema, present) / persons,
    )


def _columns(engine: Engine, schema: str, table: str) -> set[str]:
    return {name for name, _type in engine.describe(f"SELECT * FROM {schema}.{quote_name(table)}")}


def _number_persons(engine: Engine, schema: str, present: set[str]) -> None:
    known: list[str] = [name for name in ("gender_concept_id", "location_id") if name in present]
    if "year_of_birth" in present:
        known.append(f"year_of_birth // {AGE_BAND}")
    demog = f"hash({', '.join(known)})" if known else "0::UBIGINT"
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE _risk_persons AS SELECT person_id, "
        f"(row_number() OVER (ORDER BY person_id) - 1)::INTEGER AS place, {demog} AS demog "
        f"FROM {schema}.person"
    )


def _select(schema: str, table: str, present: set[str]) -> str:
    code = CODE[table][0]
    what = f"e.{code}" if code in present else "0"
    return (
        f"SELECT p.place, p.demog, {what} AS code, e.{START[table]} AS day, e.* EXCLUDE (person_id) "
        f"FROM {schema}.{quote_name(table)} AS e JOIN _risk_persons AS p USING (person_id)"
    )


def _events(
    engine: Engine, schema: str, used: Sequence[str], present: dict[str, set[str]], progress: Progress
) -> tuple[int, np.ndarray]:
    """All lines as (number of the event << 32 | place of the person), sorted, each once; and how many lines."""
    counts = [int(engine.value(f"SELECT count(*) FROM {schema}.{quote_name(table)}")) for table in used]
    total = sum(counts)
    event, person = np.empty(total, dtype=np.uint64), np.empty(total, dtype=np.uint32)
    at = 0
    for number, table in enumerate(used):
        sql = f"SELECT place, hash(demog, {number}, code, day) AS event FROM ({_select(schema, table, present[table])})"
        for batch in engine.batches(sql):
            size = batch.num_rows
            person[at : at + size] = batch.column(0).to_numpy(zero_copy_only=False)
            event[at : at + size] = batch.column(1).to_numpy(zero_copy_only=False)
            at += size
        progress.advance()
    event, person = event[:at], person[:at]  # lines of persons who are not there are no events
    places = np.argsort(event)
    ordered = event[places]
    number_of = np.zeros(at, dtype=np.uint64)
    if at:
        np.cumsum(ordered[1:] != ordered[:-1], out=number_of[1:], dtype=np.uint64)
    del ordered, event
    number_of <<= np.uint64(32)
    number_of |= person[places]
    del places, person
    number_of.sort()
    if at:
        number_of = number_of[np.concatenate(([True], number_of[1:] != number_of[:-1]))]
    return total, number_of


@dataclass(frozen=True)
class _Index:
    """Who has which event, both ways round, as flat arrays with beginnings."""

    holders: np.ndarray  # persons by event, ascending within one
    event_begin: np.ndarray
    events: np.ndarray  # events by person
    person_begin: np.ndarray
    with_unique: int

    @classmethod
    def of(cls, pairs: np.ndarray, persons: int) -> "_Index":
        holders = (pairs & np.uint64(0xFFFFFFFF)).astype(np.int32)
        event = (pairs >> np.uint64(32)).astype(np.int32)
        total = int(event[-1]) + 1 if len(event) else 0
        event_begin = np.zeros(total + 1, dtype=np.int64)
        np.cumsum(np.bincount(event, minlength=total), out=event_begin[1:])
        swapped = holders.astype(np.uint64)
        swapped <<= np.uint64(32)
        swapped |= event.astype(np.uint64)
        del event
        swapped.sort()
        events = (swapped & np.uint64(0xFFFFFFFF)).astype(np.int32)
        person_begin = np.zeros(persons + 1, dtype=np.int64)
        np.cumsum(np.bincount((swapped >> np.uint64(32)).astype(np.int32), minlength=persons), out=person_begin[1:])
        alone = np.diff(event_begin) == 1
        lonely = np.unique(holders[event_begin[:-1][alone]]) if total else holders[:0]
        return cls(holders, event_begin, events, person_begin, len(lonely))


def _one(index: _Index, persons: int) -> Singled:
    """One event, each of a person's events being as likely known as the others: exact."""
    alone = (np.diff(index.event_begin) == 1)[index.events]
    of_person = np.diff(index.person_begin)
    sums = np.concatenate(([0], np.cumsum(alone)))
    hits = sums[index.person_begin[1:]] - sums[index.person_begin[:-1]]
    share = float((hits / np.maximum(1, of_person)).sum() / persons)
    return Singled(1, share, share, share, True)


def _several(index: _Index, persons: int, events: int, draws: int, seed: int) -> Singled:
    kernel = _kernel()
    hits, tried = kernel(
        index.holders, index.event_begin, index.events, index.person_begin, events, draws, np.uint64(seed)
    )
    share = hits / np.maximum(1, np.abs(tried))
    counted = tried < 0  # all combinations of these persons were looked at
    variance = np.where(counted | (tried == 0), 0.0, share * (1 - share) / np.maximum(1, np.abs(tried)))
    mean = float(share.sum() / persons)
    error = 1.96 * math.sqrt(float(variance.sum())) / persons
    return Singled(events, mean, max(0.0, mean - error), min(1.0, mean + error), bool((counted | (tried == 0)).all()))


_compiled: "Callable[..., tuple[np.ndarray, np.ndarray]] | None" = None


def _kernel() -> "Callable[..., tuple[np.ndarray, np.ndarray]]":
    global _compiled
    if _compiled is None:
        try:
            from madang.science.privacy.draws import singled_out
        except ImportError:
            raise MadangError(
                "privacy.numba", "The risk per person needs the package numba.", "Install the extra `rooms`."
            ) from None
        _compiled = singled_out
    return _compiled


def _rare(engine: Engine, schema: str, columns: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """How many values fewer than FEW persons have, and how many persons have one."""
    if not columns:
        return 0, 0
    pairs = " UNION ALL ".join(
        f"SELECT DISTINCT {number} AS t, {column}::BIGINT AS value, person_id FROM {schema}.{quote_name(table)} "
        f"WHERE {column} IS NOT NULL AND {column} <> 0"
        for number, (table, column) in enumerate(columns)
    )
    if len({column for _table, column in columns}) == 1:  # a provider is the same one in every table
        pairs = f"SELECT DISTINCT 0 AS t, value, person_id FROM ({pairs})"
    engine.execute(f"CREATE OR REPLACE TEMP TABLE _risk_pairs AS {pairs}")
    few = f"SELECT t, value FROM _risk_pairs GROUP BY t, value HAVING count(*) < {FEW}"
    return (
        int(engine.value(f"SELECT count(*) FROM ({few})")),
        int(engine.value(f"SELECT count(DISTINCT person_id) FROM _risk_pairs SEMI JOIN ({few}) USING (t, value)")),
    )


def _admissions(engine: Engine, schema: str, present: dict[str, set[str]]) -> int:
    """Persons singled out by month and length of one of their admissions, with sex, age band and region."""
    needed = {"visit_concept_id", "visit_start_date", "visit_end_date"}
    if not needed <= present.get("visit_occurrence", set()):
        return 0
    kinds = ", ".join(map(str, INPATIENT))
    return int(
        engine.value(
            f"""
            WITH stays AS (
                SELECT DISTINCT p.place, p.demog, date_trunc('month', v.visit_start_date) AS month,
                    v.visit_end_date - v.visit_start_date AS length
                FROM {schema}.visit_occurrence AS v JOIN _risk_persons AS p USING (person_id)
                WHERE v.visit_concept_id IN ({kinds}))
            SELECT count(DISTINCT place) FROM (
                SELECT min(place) AS place FROM stays GROUP BY demog, month, length HAVING count(*) = 1)
            """
        )
        or 0
    )
