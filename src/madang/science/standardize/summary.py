"""The report of a run, read from what it made."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from madang.lake import Version
from madang.lake.engine import Engine, quote_paths
from madang.science.omop.cdm import TABLES
from madang.science.standardize.accounting import REJECTED, UNUSED, FileAccount
from madang.science.standardize.derived import FAR, far
from madang.science.standardize.made import Made
from madang.science.standardize.records import EVENT_TABLES, MANY_DAYS
from madang.science.standardize.report import Reason, Report

OLDEST = 125
"""Years that nobody has lived to in any data."""


def summarize(
    engine: Engine,
    made: Made,
    accounts: Sequence[FileAccount],
    fates: str,
    parent: Version | None,
    seconds: Mapping[str, float],
    warnings: Sequence[str],
) -> Report:
    """The account of the version in the making; `parent` is the version before it, if there is one."""
    source_of = {account.number: account.source for account in accounts}
    sources: dict[str, tuple[int, int, int, int, int]] = {}
    for a in accounts:
        old = sources.get(a.source, (0, 0, 0, 0, 0))
        sources[a.source] = (old[0] + 1, old[1] + a.lines, old[2] + a.used, old[3] + a.rejected, old[4] + a.unused)
    reasons: Counter[tuple[str, str, str]] = Counter()
    for file, fate, reason, lines in engine.rows(f"SELECT file, fate, reason, count(*) FROM {fates} GROUP BY ALL"):
        reasons[source_of[file], fate, reason] += lines
    repairs: Counter[str] = Counter()
    for file, field, n in engine.rows(
        f"SELECT file, field, count(*) FROM ({made.sql('repairs', restricted=True)}) GROUP BY ALL"
    ):
        repairs[f"{source_of[file]}.{field}"] += n
    codes = f"({made.sql('source_codes')})"
    levels = {
        level: (int(n), int(records))
        for level, n, records in engine.rows(f"SELECT level, count(*), sum(records) FROM {codes} GROUP BY level")
    }
    all_codes, all_records = (sum(values) for values in zip((0, 0), *levels.values(), strict=True))
    unmapped = levels.get("unmapped", (0, 0))
    changes = _changes(engine, codes, parent)
    return Report(
        sources=sources,
        tables=made.rows(),
        reasons=tuple(
            Reason(*key, lines)
            for key, lines in sorted(reasons.items(), key=lambda item: (item[0][:2], -item[1], item[0]))
        ),
        repairs=dict(sorted(repairs.items())),
        mapped_records=(all_records - unmapped[1], all_records),
        mapped_codes=(all_codes - unmapped[0], all_codes),
        levels=dict(sorted(levels.items())),
        moved=changes.moved,
        newly_mapped=changes.newly_mapped,
        newly_unmapped=changes.newly_unmapped,
        after_death=_after_death(engine),
        warnings=(*warnings, *_unreadable(repairs, sources), *_rejected(reasons, sources), *_idle(reasons, accounts)),
        seconds=dict(seconds),
    )


def _unreadable(repairs: Mapping[str, int], sources: Mapping[str, tuple[int, int, int, int, int]]) -> tuple[str, ...]:
    """Columns of which most values could not be read: then the pack is wrong about them, not the data."""
    return tuple(
        f"{column}: {n} of {sources[column.partition('.')[0]][1]} values could not be read; "
        "check its encoding, type and format in pack.toml."
        for column, n in sorted(repairs.items())
        if n * 2 > sources[column.partition(".")[0]][1]
    )


def _rejected(
    reasons: Mapping[tuple[str, str, str], int], sources: Mapping[str, tuple[int, int, int, int, int]]
) -> tuple[str, ...]:
    """Sources of which most rows are rejected: nobody means that."""
    return tuple(
        f"{source}: {'all' if rejected == rows else f'{rejected:,} of'} {rows:,} rows are rejected, most "
        f'of them because "{_most(reasons, source, REJECTED)}".'
        for source, (_, rows, _, rejected, _) in sources.items()
        if rejected * 2 > rows
    )


def _idle(reasons: Mapping[tuple[str, str, str], int], accounts: Sequence[FileAccount]) -> tuple[str, ...]:
    """Files that were read in vain: rules leave out all of their rows, and what they tell is nowhere in the result."""
    return tuple(
        f'{a.name}: none of its {a.lines:,} rows is used, most of them because "{_most(reasons, a.source, UNUSED)}".'
        for a in accounts
        if a.lines and a.unused == a.lines
    )


def _most(reasons: Mapping[tuple[str, str, str], int], source: str, fate: str) -> str:
    """The reason that most lines of a source share in one fate."""
    return max((n, reason) for (name, ended, reason), n in reasons.items() if (name, ended) == (source, fate))[1]


@dataclass(frozen=True)
class _Changes:
    """Codes of both versions: (vocabulary, code, tables before, tables now, records), and how many came and went."""

    moved: tuple[tuple[str, str, str, str, int], ...] = ()
    newly_mapped: int = 0
    newly_unmapped: int = 0


def _changes(engine: Engine, codes: str, parent: Version | None) -> _Changes:
    """What another pack or vocabulary does with the codes of the version before."""
    if parent is None or "source_codes" not in parent.tables:
        return _Changes()
    old = f"read_parquet({quote_paths(parent.tables['source_codes'].paths)})"
    rows = engine.rows(
        f"SELECT n.vocabulary_id, n.code, o.target_tables, n.target_tables, n.records FROM {codes} n "
        f"JOIN {old} o USING (vocabulary_id, code) WHERE n.target_tables <> o.target_tables ORDER BY 5 DESC, 1, 2"
    )
    return _Changes(
        tuple((v, c, before, now, int(n)) for v, c, before, now, n in rows if before and now),
        sum(not before for _, _, before, _, _ in rows),
        sum(not now for _, _, _, now, _ in rows),
    )


def _date_of(table: str) -> str:
    """The first day of the rows of a table of events."""
    return next(f.name for f in TABLES[table].fields if f.required and f.type == "date")


def _after_death(engine: Engine) -> dict[str, int]:
    """Events that are dated after the person's death: kept, and told."""
    found = {}
    deaths = "(SELECT person_id, min(death_date) AS death_date FROM death GROUP BY person_id)"
    for table in EVENT_TABLES:
        date = _date_of(table)
        n = engine.value(
            f"SELECT count(*) FROM {table} e JOIN {deaths} d USING (person_id) WHERE e.{date} > d.death_date"
        )
        if n:
            found[table] = int(n)
    return found


def senses(engine: Engine, extract: date | None, dead: str) -> list[str]:
    """What cannot be meant: births after the extract, days in the year 9999 or before birth, records outside every
    observation, visits and persons of no concept, deaths on no day (`dead`: the relation of who died, or empty)."""
    return [
        *_undated(engine, dead), *_births(engine, extract), *_far(engine, extract), *_before_birth(engine),
        *_supplies(engine), *_outside(engine), *_zeros(engine),
    ]  # fmt: skip


def _undated(engine: Engine, dead: str) -> list[str]:
    n = engine.value(f"SELECT count(*) FROM {dead} ANTI JOIN death USING (person_id)") if dead else 0
    told = f"{n:,} persons died on a day that nobody tells: their observation ends with their last record."
    return [told] if n else []


def _births(engine: Engine, extract: date | None) -> list[str]:
    latest = (extract or date.today()).year
    late, old = engine.rows(
        f"SELECT count(*) FILTER (year_of_birth > {latest}), count(*) FILTER (year_of_birth < {latest} - {OLDEST}) "
        "FROM person"
    )[0]
    told = [f"{late:,} persons are born after the data were extracted ({extract or latest})."] if late else []
    return told + (
        [f"{old:,} persons are born more than {OLDEST} years before the data were extracted."] if old else []
    )


def _before_birth(engine: Engine) -> list[str]:
    """Fillers of systems that know no empty day, as 1900-01-01, look so; the year before birth may be the mother's."""
    found = []
    for table in ("visit_occurrence", "death", *EVENT_TABLES):
        first = "death_date" if table == "death" else _date_of(table)
        n = engine.value(
            f"SELECT count(*) FROM {table} e JOIN person p USING (person_id) "
            f"WHERE year(e.{first}) < p.year_of_birth - 1"
        )
        if n:
            found.append(f"{n:,} of {table}")
    if not found:
        return []
    return [
        f"Rows dated more than a year before the birth of their person: {', '.join(found)}. If a day as 1900-01-01 "
        "means that there is none, say so in pack.toml: missing = [...] of the column, as the files write it."
    ]


def _far(engine: Engine, extract: date | None) -> list[str]:
    first = far(extract)
    since = 9000 if first == FAR else int(first[6:10])
    told = []
    for table in ("visit_occurrence", "visit_detail", "death", "payer_plan_period", *EVENT_TABLES):
        days = [f.name for f in TABLES[table].fields if f.type == "date"]
        newest = engine.rows(f"SELECT {', '.join(f'max(year({day}))' for day in days)} FROM {table}")[0]
        for day, last in zip(days, newest, strict=True):
            if last is not None and last >= since:
                n = engine.value(f"SELECT count(*) FROM {table} WHERE {day} >= {first}")
                told.append(
                    f"{n:,} rows of {table} have a {day} in the year {since} or later. If it means that there is none, "
                    'say so in pack.toml: missing = ["9999-12-31"] of the column, as the files write it.'
                )
    return told


def _zeros(engine: Engine) -> list[str]:
    """Kinds of visits and sexes that the pack does not know: they are the concept 0, and nothing else tells it."""
    told = []
    for table, concept, source in (
        ("visit_occurrence", "visit_concept_id", ""),
        ("person", "gender_concept_id", "gender_source_value"),
        ("person", "race_concept_id", "race_source_value"),
        ("person", "ethnicity_concept_id", "ethnicity_source_value"),
    ):
        condition = f"{concept} = 0" + (f" AND {source} IS NOT NULL" if source else "")
        n, rows = engine.rows(f"SELECT count(*) FILTER ({condition}), count(*) FROM {table}")[0]
        if n:
            told.append(f"{n:,} of {rows:,} rows of {table} have {concept} 0: the pack names no concept for them.")
    return told


def _supplies(engine: Engine) -> list[str]:
    n = engine.value(f"SELECT count(*) FROM drug_exposure WHERE days_supply > {MANY_DAYS} OR days_supply < 0")
    return [f"{n:,} rows of drug_exposure have days of supply below 0 or above {MANY_DAYS:,}."] if n else []


def _outside(engine: Engine) -> list[str]:
    found = []
    for table in ("visit_occurrence", *EVENT_TABLES):
        rows, some = engine.rows(
            f"SELECT count(*), count(DISTINCT e.person_id) FROM {table} e ANTI JOIN observation_period o "
            f"ON o.person_id = e.person_id AND e.{_date_of(table)} "
            "BETWEEN o.observation_period_start_date AND o.observation_period_end_date"
        )[0]
        if rows:
            found.append(f"{rows:,} of {table} ({some:,} persons)")
    if not found:
        return []
    return [f"Rows outside every observation period of their person: {', '.join(found)}."]
