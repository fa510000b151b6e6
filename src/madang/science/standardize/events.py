"""Events: what happened to persons, mapped, routed to the table of each target's domain, and written.

Codes are mapped once: `_codes` holds every (vocabulary, code) seen so far with its targets, each with the CDM table
it goes to. One pass over the events per target table then is a hash join and a write. Events find their codes by a
number (`_key`), a hash of the code: two texts cost several times as much, row by row and table by table.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.omop.mapping import map_codes
from madang.science.omop.vocabulary import Vocabulary
from madang.science.standardize.accounting import Ledger
from madang.science.standardize.compiler.outputs import EVENT_COLUMNS, identifier_of
from madang.science.standardize.compiler.program import Select
from madang.science.standardize.entities import rules_of, table_sql, with_implied
from madang.science.standardize.focus import Focus
from madang.science.standardize.identify import LINE_BITS, Registered
from madang.science.standardize.made import Made
from madang.science.standardize.pack import Event
from madang.science.standardize.records import COST, EVENT_TABLES, FIELDS, TABLE_OF_DOMAIN, WIDTHS

UNIT, ROUTE = "UCUM", "Route"
KRW = 44818598

# (vocabulary expression, code expression) of the codes beside the main one, by the column that makes them needed.
_SIDES = {
    "unit": ("unit", quote_text(UNIT), "e.unit"),
    "value_code": ("valued", "e.value_vocabulary_id", "e.value_code"),
    "route": ("routed", quote_text(ROUTE), "e.route"),
}
_FIRST, _LAST = "TIMESTAMP '0001-01-01'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
_ENDS = {
    "start_datetime": (_FIRST, _LAST),
    "end_date": ("DATE '0001-01-01'", "DATE '9999-12-31'"),
    "end_datetime": (_FIRST, _LAST),
}
DECLARED, _BASES = "_declared", "_event_bases"
NO_CODE, NO_VOCABULARY, NO_TEXT = "no code", "no vocabulary", "(no text)"
"""The vocabulary of records without a code, whose text stands for it; that of codes that name none; and no text."""
_LINE = f"(e._row & {(1 << LINE_BITS) - 1})"


@dataclass(frozen=True)
class Written:
    """One Parquet file of CDM rows."""

    table: str
    path: Path
    rows: int


def _table_case(domain: str) -> str:
    whens = " ".join(f"WHEN {quote_text(name)} THEN {quote_text(table)}" for name, table in TABLE_OF_DOMAIN.items())
    return f"CASE {domain} {whens} ELSE 'observation' END"


def _number(vocabulary: str, code: str) -> str:
    """SQL of the number of a code."""
    return f"hash({vocabulary}, {code})"


class Mapper:
    """Maps the codes of one run; keeps `_codes` and `_sides` in the engine.

    `_counted` has the codes of the events that were learnt last. The windows of a code in `_codes` cover the whole
    calendar; where it has no target, `target_table` is null.
    """

    def __init__(self, engine: Engine, vocabulary: Vocabulary, maps: str | None) -> None:
        self.engine = engine
        self.focus = Focus(engine, vocabulary, maps)
        self.maps = maps
        self.match = "t._key = e._key"
        """How an event `e` finds a row `t` of its code."""
        engine.execute(
            """
            CREATE OR REPLACE TEMP TABLE _codes (
                _key UBIGINT, vocabulary_id VARCHAR, code VARCHAR, valid_from DATE, valid_to DATE,
                source_concept_id BIGINT, level VARCHAR, k INTEGER, target_concept_id BIGINT, domain_id VARCHAR,
                value_as_concept_id BIGINT, target_table VARCHAR);
            CREATE OR REPLACE TEMP TABLE _sides (
                vocabulary_id VARCHAR, code VARCHAR, source_concept_id BIGINT, target_concept_id BIGINT);
            CREATE OR REPLACE TEMP TABLE _counts (
                vocabulary_id VARCHAR, code VARCHAR, code_name VARCHAR, domain VARCHAR, records BIGINT,
                first_date DATE, last_date DATE)
            """
        )

    def learn(self, events: str, columns: frozenset[str], event: Event) -> None:
        """Count the codes of the event table and map those that were not seen before."""
        name = "min(code_name)" if "code_name" in columns else "NULL"
        domain = "domain" if "domain" in columns else quote_text(event.domain)
        declared = DECLARED if "domain" in columns else quote_text(_table_of(event))
        # Counts are for each file: whichever files are read together.
        self.engine.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE _counted AS
            SELECT any_value(_key) AS _key, vocabulary_id, code, _row >> {LINE_BITS} AS file, {declared} AS {DECLARED},
                   {name}::VARCHAR AS code_name, min({domain}) AS domain,
                   count(*) AS records, min(start_date) AS first_date, max(start_date) AS last_date
            FROM {events} WHERE _rule IS NULL
            GROUP BY vocabulary_id, code, file, {DECLARED};
            INSERT INTO _counts
            SELECT vocabulary_id, code, min(code_name), min(domain), sum(records), min(first_date), max(last_date)
            FROM _counted GROUP BY vocabulary_id, code, file
            """
        )
        wanted = ["SELECT vocabulary_id, code FROM _counted"]
        for column, (_, vocabulary, code) in _SIDES.items():
            if column in columns:
                wanted.append(f"SELECT DISTINCT {vocabulary}, {code} FROM {events} e WHERE {code} IS NOT NULL")
        self._map(" UNION ALL ".join(wanted))

    def learn_sides(self, relation: str, prefixes: Sequence[str]) -> None:
        """Map the codes that an entity gives beside its rows (columns X_vocabulary_id, X_code)."""
        for x in prefixes:
            vocabulary, code = quote_name(f"{x}_vocabulary_id"), quote_name(f"{x}_code")
            self._map(f"SELECT DISTINCT {vocabulary}, {code} FROM {relation}")

    def _map(self, wanted: str) -> None:
        """Map the codes of a SELECT (vocabulary, code) that are not in `_codes` yet."""
        self.engine.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE codes AS
            SELECT DISTINCT vocabulary_id, code FROM ({wanted}) AS seen(vocabulary_id, code)
            WHERE vocabulary_id IS NOT NULL AND code IS NOT NULL
            EXCEPT SELECT vocabulary_id, code FROM _codes
            """
        )
        if not self.engine.value("SELECT count(*) FROM codes"):
            return
        self.focus.widen({name for (name,) in self.engine.rows("SELECT DISTINCT vocabulary_id FROM codes")})
        map_codes(self.engine, "codes", self.focus.vocabulary, maps=self.maps)
        # Two domains may share a table (what has none of its own goes to OBSERVATION), so k is counted per table.
        self.engine.execute(
            f"""
            INSERT INTO _codes
            WITH placed AS (
                SELECT *, CASE WHEN target_concept_id <> 0 THEN {_table_case("domain_id")} END AS target_table
                FROM code_map)
            SELECT {_number("vocabulary_id", "code")}, vocabulary_id, code, valid_from, valid_to,
                   source_concept_id, level,
                   row_number() OVER (PARTITION BY vocabulary_id, code, valid_from, target_table
                                      ORDER BY domain_id, target_concept_id, value_as_concept_id) - 1,
                   target_concept_id, domain_id, value_as_concept_id, target_table
            FROM placed;
            INSERT INTO _sides
            SELECT vocabulary_id, code, first(source_concept_id ORDER BY valid_to DESC, k),
                   first(target_concept_id ORDER BY valid_to DESC, k)
            FROM _codes SEMI JOIN codes USING (vocabulary_id, code) GROUP BY vocabulary_id, code
            """
        )
        if self.engine.value("SELECT count(DISTINCT (vocabulary_id, code)) > count(DISTINCT _key) FROM _codes"):
            self.match = "t.vocabulary_id = e.vocabulary_id AND t.code = e.code"  # two codes share a number

    def close_lasting(self, made: Made) -> None:
        """Keep what was counted so far for later versions: it comes from files that will not be read again."""
        made.put("code_counts", "SELECT * FROM _counts", "codes lasting", restricted=True)
        self.engine.execute("DELETE FROM _counts")

    def write_source_codes(self, made: Made) -> None:
        """Write the table `source_codes` over all files, earlier ones too: each code, its use, and what it maps to."""
        counts = f"({made.sql('code_counts', restricted=True)} UNION ALL FROM _counts)"
        self._map(f"SELECT vocabulary_id, code FROM {counts}")
        made.put(
            "source_codes",
            f"""
            WITH used AS (
                SELECT vocabulary_id, code, min(code_name) AS code_name, min(domain) AS domain,
                       sum(records)::BIGINT AS records, min(first_date) AS first_date, max(last_date) AS last_date
                FROM {counts} GROUP BY ALL),
            answer AS (
                SELECT vocabulary_id, code, valid_from, level, source_concept_id,
                       string_agg(target_concept_id::VARCHAR, ',' ORDER BY target_table, k) AS target_concept_ids,
                       string_agg(DISTINCT target_table, ',' ORDER BY target_table) AS target_tables
                FROM _codes GROUP BY ALL)
            SELECT u.vocabulary_id, u.code, u.code_name, u.domain, u.records, NULL::BIGINT AS persons, a.level,
                   a.source_concept_id, a.target_concept_ids, coalesce(a.target_tables, '') AS target_tables,
                   u.first_date, u.last_date
            FROM used u ASOF JOIN answer a
              ON u.vocabulary_id = a.vocabulary_id AND u.code = a.code AND u.last_date >= a.valid_from
            ORDER BY u.vocabulary_id, u.code
            """,
            "derived",
        )


def write(
    engine: Engine,
    ledger: Ledger,
    mapper: Mapper,
    select: Select,
    event: Event,
    new_file: Callable[[str], Path],
    cut: Counter[str],
) -> Iterator[Written]:
    """Write the events of one SELECT, which `materialize` has made, to the tables of their domains.

    `new_file(table)` gives a path to write to; `cut` counts the texts that are too long for their fields.
    """
    columns = frozenset(name for name, _ in select.columns)
    if select.unnests:  # a line is used if any of its events is
        line = "SELECT _row, min(_rule) AS _rule FROM _events GROUP BY _row HAVING count(*) = count(_rule)"
        ledger.note_skipped(select, rules_of(select), f"({line})")
    else:
        ledger.note_skipped(select, rules_of(select), "_events")
    mapper.learn("_events", columns, event)
    cut.update(_cut(engine, select, columns))
    _check_fan_out(engine, select, event)
    tables = _tables(engine)
    for table in EVENT_TABLES:
        if table in tables:
            path = new_file(table)
            sql = _event_sql(event, table, columns, mapper.match)
            yield Written(table, path, engine.copy_to_parquet(sql, path))
    if columns & COST.keys():
        path = new_file("cost")
        yield Written("cost", path, engine.copy_to_parquet(_cost_sql(event, columns, mapper.match), path))


def make_bases(engine: Engine, select: Select, files: Sequence[Registered]) -> bool:
    """Make the relation of the bases of each file for one SELECT (a column per table); False where none has any."""
    tables = (*EVENT_TABLES, "cost")
    rows = ", ".join(
        str((file.number, *(file.bases[select.name][table] for table in tables)))
        for file in files
        if select.name in file.bases
    )
    names = ", ".join(quote_name(name) for name in ("file", *tables))
    if rows:
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {_BASES} AS SELECT COLUMNS(*)::BIGINT FROM (VALUES {rows}) v({names})"
        )
    return bool(rows)


def materialize(engine: Engine, select: Select, event: Event) -> None:
    """Make `_events` from the source rows that the relations of a SELECT show now.

    It is a view that adds to the table `_made_events` what the columns there or the event say.

    A record without a code is known by its text, in a vocabulary of its own: so it counts among the unmapped, stands in
    the review, and a map of the holder's can give it a target.
    """
    columns = frozenset(name for name, _ in select.columns)
    plain = [name for name in EVENT_COLUMNS if name in columns - {"code", "vocabulary_id", *_ENDS}]
    kept = [quote_name(name) for name in plain]
    kept += [  # what readers of the calendar cannot read is no day
        f"CASE WHEN {name} BETWEEN {low} AND {high} THEN {name} END AS {name}"
        for name, (low, high) in _ENDS.items()
        if name in columns
    ]
    given = [quote_name(name) for name in (*plain, *_ENDS) if name in columns]
    texts = [name for name in ("code", "source_value", "code_name") if name in columns]
    code = "code" if "code" in columns else "NULL::VARCHAR"
    vocabulary = "vocabulary_id" if "vocabulary_id" in columns else quote_text(event.vocabulary or NO_VOCABULARY)
    kept += [quote_name(name) for name in ("code", "vocabulary_id") if name in columns]
    filled = (
        f"coalesce({', '.join([*texts, quote_text(NO_TEXT)])})",
        f"CASE WHEN {code} IS NULL THEN {quote_text(NO_CODE)} "
        f"ELSE coalesce({vocabulary}, {quote_text(NO_VOCABULARY)}) END",
    )
    given += [f"{filled[0]} AS code", f"{filled[1]} AS vocabulary_id"]
    kept.append(f"{_number(filled[1], filled[0])} AS _key")
    if "type_concept_id" not in columns:
        given.append(f"{event.type_concept_id or 0}::BIGINT AS type_concept_id")
    if "source_value" not in columns:
        given.append(f"{code} AS source_value")
    if "item" not in columns:
        given.append("0::BIGINT AS item")
    if "domain" in columns:
        given.append(f"{_table_case('domain')} AS {DECLARED}")
    rows = with_implied(select, select.rows_sql)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE _made_events AS SELECT {', '.join(kept)}, _row, _rule FROM ({rows}); "
        f"CREATE OR REPLACE TEMP VIEW _events AS SELECT {', '.join(given)}, _key, _row, _rule FROM _made_events"
    )


def drop(engine: Engine) -> None:
    """Drop the events that `materialize` made last."""
    engine.execute("DROP VIEW _events; DROP TABLE _made_events")


def _cut(engine: Engine, select: Select, columns: frozenset[str]) -> dict[str, int]:
    """How many texts of each column are longer than the model's fields, by the column."""
    widths = {name: width for name, width in WIDTHS.items() if name in columns or name == "source_value"}
    told = ", ".join(f"count(*) FILTER (length({name}) > {width})" for name, width in widths.items())
    counts = engine.rows(f"SELECT {told} FROM _events WHERE _rule IS NULL")[0]
    return {f"{select.name}.{name}": n for name, n in zip(widths, counts, strict=True) if n}


def _check_fan_out(engine: Engine, select: Select, event: Event) -> None:
    worst = engine.rows(
        "SELECT vocabulary_id, code, target_table, max(k) + 1 AS n FROM _codes "
        "SEMI JOIN _counted USING (vocabulary_id, code) GROUP BY ALL ORDER BY n DESC LIMIT 1"
    )
    if worst and worst[0][3] > event.fan_out:
        vocabulary, code, table, n = worst[0]
        raise MadangError(
            "standardize.fan_out",
            f"The code {vocabulary} {code} has {n} standard concepts in {table}, "
            f"but the event {select.name} allows {event.fan_out}.",
            f"Set fan_out = {n} for it in pack.toml and make the dataset anew.",
        )
    most = engine.value("SELECT max(item) + 1 FROM _events")
    if most is not None and most > event.items:
        raise MadangError(
            "standardize.items",
            f"A source row of the event {select.name} gives {most} events, but items is {event.items}.",
            f"Set items = {most} for it in pack.toml and make the dataset anew.",
        )


def _padded(columns: frozenset[str], where: str) -> str:
    """The events with every column of an event; those that the SELECT does not give are constant NULL."""
    always = {"type_concept_id", "vocabulary_id", "code", "source_value", "item"}
    nulls = [f"NULL::{kind} AS {quote_name(n)}" for n, kind in EVENT_COLUMNS.items() if n not in columns | always]
    return f"(SELECT {', '.join(['*', *nulls])} FROM _events WHERE _rule IS NULL{where}) e"


def _sides(columns: frozenset[str]) -> str:
    joins, nothing = [], "SELECT NULL::BIGINT AS target_concept_id, NULL::BIGINT AS source_concept_id"
    for column, (alias, vocabulary, code) in _SIDES.items():
        if column in columns:
            joins.append(f"LEFT JOIN _sides {alias} ON {alias}.vocabulary_id = {vocabulary} AND {alias}.code = {code}")
        else:
            joins.append(f"CROSS JOIN ({nothing}) {alias}")
    return " ".join(joins)


def _table_of(event: Event) -> str:
    """The table of the events of a SELECT that says no domain, where their codes have no target."""
    return TABLE_OF_DOMAIN.get(event.domain, "observation")


def _declared(event: Event, columns: frozenset[str]) -> str:
    """The table of an event whose code has no target: said per row, or for the whole SELECT."""
    return f"e.{DECLARED}" if "domain" in columns else quote_text(_table_of(event))


def _tables(engine: Engine) -> set[str]:
    """The tables that events go to: those that their codes are mapped to, and those that they say themselves."""
    found = engine.rows(
        f"SELECT DISTINCT coalesce(target_table, {DECLARED}) FROM _codes JOIN _counted USING (vocabulary_id, code)"
    )
    return {table for (table,) in found}


def _event_sql(event: Event, table: str, columns: frozenset[str], match: str) -> str:
    """SELECT of the events that go to `table`: by their codes, or, where they have no target, as the SELECT says."""
    width = event.items * event.fan_out
    identifier = f"b.{quote_name(table)} + {_LINE} * {width} + e.item * {event.fan_out} + coalesce(t.k, 0)"
    here = quote_text(table)
    # Few codes go to one table, and the engine passes over the rows of all others before it looks at them.
    codes = (
        f"(SELECT * FROM _codes WHERE target_table = {here} OR target_table IS NULL "
        f"AND _key IN (SELECT _key FROM _counted WHERE {DECLARED} = {here}))"
    )
    relation = (
        f"{_padded(columns, '')} JOIN {codes} t ON {match} AND e.start_date BETWEEN t.valid_from AND t.valid_to "
        f"LEFT JOIN {_BASES} b ON b.file = e._row >> {LINE_BITS} {_sides(columns)} "
        f"WHERE coalesce(t.target_table, {_declared(event, columns)}) = {here}"
    )
    return table_sql(table, {str(identifier_of(table)): identifier, **FIELDS[table]}, relation)


def _cost_sql(event: Event, columns: frozenset[str], match: str) -> str:
    """A cost belongs to the event, so it points at the first target's row: lowest table in order, k = 0."""
    order = " ".join(f"WHEN '{table}' THEN {i}" for i, table in enumerate(EVENT_TABLES))
    width = event.items * event.fan_out
    starts = " ".join(f"WHEN '{table}' THEN b.{quote_name(table)}" for table in EVENT_TABLES)
    domains = " ".join(f"WHEN '{table}' THEN {quote_text(domain)}" for domain, table in TABLE_OF_DOMAIN.items())
    home = f"coalesce(t.target_table, {_declared(event, columns)})"
    first = (
        "(SELECT _key, vocabulary_id, code, valid_from, valid_to, "
        f"first(target_table ORDER BY CASE target_table {order} END) AS target_table "
        "FROM _codes GROUP BY _key, vocabulary_id, code, valid_from, valid_to)"
    )
    some = " OR ".join(f"{quote_name(name)} IS NOT NULL" for name in COST if name in columns)
    relation = (
        f"{_padded(columns, f' AND ({some})')} LEFT JOIN {_BASES} b ON b.file = e._row >> {LINE_BITS} "
        f"LEFT JOIN {first} t ON {match} AND e.start_date BETWEEN t.valid_from AND t.valid_to"
    )
    given = {
        "cost_id": f"b.cost + {_LINE} * {event.items} + e.item",
        "cost_event_id": f"CASE {home} {starts} END + {_LINE} * {width} + e.item * {event.fan_out}",
        "cost_domain_id": f"CASE {home} {domains} END",
        "cost_type_concept_id": "e.type_concept_id",
        "currency_concept_id": f"coalesce(e.currency_concept_id, {KRW})",
        **COST,
    }
    return table_sql("cost", given, relation)
