"""Entities: the persons, visits, providers and other rows of which one SELECT makes a CDM row each.

Every entity becomes a temporary table of its name, with its identifier, its CDM columns, what else its SELECT gives,
and `_row`; grouped ones also a table `<name>_members(_row, id)`. Skipped rows go to the ledger.
"""

from collections.abc import Iterable, Mapping, Sequence

from madang.lake.engine import Engine, quote_name
from madang.science.omop.cdm import TABLES, duckdb_type
from madang.science.standardize.accounting import Ledger
from madang.science.standardize.compiler.outputs import identifier_of
from madang.science.standardize.compiler.program import Select
from madang.science.standardize.identify import LINE_BITS, Registered
from madang.science.standardize.pack_model import Entity

DEAD = "is_dead"
"""A column of PERSON that says that somebody died, whether the day is known or not."""

NOTHING_RECORDED = "the row records nothing"


def keep_dead(engine: Engine, select: Select) -> str:
    """Keep who died (`is_dead` of PERSON) beyond the entities; the name of the relation, empty where no SELECT says."""
    if select.table != "person" or (DEAD, "BOOLEAN") not in select.columns:
        return ""
    made = quote_name(f"_made_{select.name}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE _dead AS SELECT person_id FROM {made} WHERE {DEAD}")
    return "_dead"


def let_go(engine: Engine, made: Iterable[Entity], coming: Sequence[Select]) -> set[str]:
    """Drop those of the entities that no SELECT to come reads; their rows are written. Their names."""
    read = {name for select in coming for name in select.reads}
    gone = [entity for entity in made if not read & {entity.name, f"{entity.name}_members", *entity.name_tables}]
    for entity in gone:
        _drop(engine, entity)
    return {entity.name for entity in gone}


def _drop(engine: Engine, entity: Entity) -> None:
    for view in (entity.name, f"{entity.name}_members"):
        engine.execute(f"DROP VIEW IF EXISTS {quote_name(view)}")
    for table in (f"_made_{entity.name}", f"_members_{entity.name}", *entity.name_tables):
        engine.execute(f"DROP TABLE IF EXISTS {quote_name(table)}")


def make_bases(engine: Engine, select: Select, table: str, files: Sequence[Registered]) -> None:
    """Make `_bases(file, base)`: the base of each file for one SELECT and target table."""
    values = [(f.number, f.bases[select.name][table]) for f in files if table in f.bases.get(select.name, {})]
    rows = ", ".join(f"({number}, {base})" for number, base in values) or "(-1, 0)"
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE _bases AS "
        f"SELECT file::BIGINT AS file, base::BIGINT AS base FROM (VALUES {rows}) AS v(file, base)"
    )


def implied_rules(select: Select) -> list[tuple[str, str, str]]:
    """The rules that every SELECT has without saying so: (condition, fate, reason)."""
    given = {name for name, _ in select.columns}
    if select.kind == "entity":
        required = [f.name for f in TABLES[str(select.table)].fields if f.required and f.name in given]
    else:
        required = ["person_id", "start_date"]
    rules = [(f"{quote_name(name)} IS NULL", "rejected", f"{name} is missing") for name in required]
    if select.kind == "event":
        beyond = "start_date NOT BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
        rules.append((beyond, "rejected", "start_date is outside the calendar"))
    if select.unnests:  # an empty list comes out as one row of NULLs
        telling: list[str] = [name for name in ("code", "value", "value_number", "value_code") if name in given]
        telling += [name for name in ("source_value", "code_name") if name in select.of_items]
        says = [f"{quote_name(name)} IS NULL" for name in telling]
        rules.insert(0, (" AND ".join(says) or "FALSE", "unused", NOTHING_RECORDED))
    return rules


def with_implied(select: Select, sql: str) -> str:
    """`sql` (columns, `_row`, `_rule`) with the rule number going on for the implied rules."""
    whens = " ".join(
        f"WHEN {condition} THEN {len(select.rules) + i}" for i, (condition, _, _) in enumerate(implied_rules(select))
    )
    return f"SELECT * REPLACE (coalesce(_rule, CASE {whens} END) AS _rule) FROM ({sql})" if whens else sql


def rules_of(select: Select) -> list[tuple[str, str]]:
    """All rules of a SELECT, the implied ones last, as (fate, reason) in the order of their numbers."""
    stated = [("rejected" if rule.kind == "reject" else "unused", rule.reason) for rule in select.rules]
    return stated + [(fate, reason) for _, fate, reason in implied_rules(select)]


def _identified(engine: Engine, select: Select, files: Sequence[Registered]) -> str:
    """SQL with a place for rows (with `_row`), which gives them their identifiers."""
    identifier = identifier_of(str(select.table))
    if identifier is None:
        return "SELECT r.* FROM (%s) r"
    make_bases(engine, select, str(select.table), files)
    return (
        f"SELECT b.base + (r._row & {(1 << LINE_BITS) - 1}) AS {quote_name(identifier)}, r.* "
        f"FROM (%s) r LEFT JOIN _bases b ON b.file = r._row >> {LINE_BITS}"
    )


def build_groups(engine: Engine, ledger: Ledger, select: Select, files: Sequence[Registered]) -> str:
    """Make the table of an entity that groups rows, and that of its members; returns the rows to be written."""
    made = quote_name(f"_made_{select.name}")
    groups = with_implied(select, f"SELECT *, NULL::INTEGER AS _rule FROM ({select.groups_sql})")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {made} AS {_identified(engine, select, files) % groups}")
    show(engine, select.name, "_rule IS NULL", hide="_rule")
    _build_members(engine, ledger, select, made, identifier_of(str(select.table)))
    return quote_name(select.name)


def begin_rows(engine: Engine, select: Select, kept: Sequence[str]) -> None:
    """Make the empty table of an entity with a row per source row: what later SELECTs read of it (`kept`)."""
    types = dict(select.columns)
    identifier = identifier_of(str(select.table))
    if identifier:
        types[identifier] = "BIGINT"
    columns = [*(f"{quote_name(name)} {types[name]}" for name in kept), "_row BIGINT"]
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {quote_name(f'_made_{select.name}')} ({', '.join(columns)})")
    show(engine, select.name)


def build_rows(engine: Engine, ledger: Ledger, select: Select, files: Sequence[Registered], kept: Sequence[str]) -> str:
    """Add the rows that the driving source shows now, as `_part`; returns those of them that are to be written."""
    rows = with_implied(select, select.rows_sql)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE _part AS {_identified(engine, select, files) % rows}")
    ledger.note_skipped(select, rules_of(select), "_part")
    columns = ", ".join(quote_name(name) for name in (*kept, "_row"))
    engine.execute(f"INSERT INTO {quote_name(f'_made_{select.name}')} SELECT {columns} FROM _part WHERE _rule IS NULL")
    return "(SELECT * FROM _part WHERE _rule IS NULL)"


def show(engine: Engine, name: str, condition: str = "TRUE", hide: str = "") -> None:
    """Let later SELECTs see the rows of an entity that meet `condition`."""
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {quote_name(name)} AS SELECT * {f'EXCLUDE ({hide})' if hide else ''} "
        f"FROM {quote_name(f'_made_{name}')} WHERE {condition}"
    )


def show_members(engine: Engine, name: str, condition: str = "TRUE") -> None:
    """Let later SELECTs see the members of a grouped entity that meet `condition`."""
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {quote_name(f'{name}_members')} AS "
        f"SELECT _row, id FROM {quote_name(f'_members_{name}')} WHERE _rule IS NULL AND {condition}"
    )


def show_names(engine: Engine, entity: Entity) -> None:
    """Make the tables of the names of an entity: (name, id); a name that several rows have leads to none of them."""
    identifier = quote_name(str(identifier_of(entity.table)))
    for table, column in entity.name_tables.items():
        each = f"unnest({quote_name(column)}) AS name, {identifier} AS id"
        told = f"SELECT DISTINCT {each}, _row FROM {quote_name(entity.name)}"
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {quote_name(table)} AS "
            "SELECT name, CASE WHEN count(*) = 1 THEN min(id) END AS id, min(_row) AS _row "
            f"FROM ({told}) WHERE name IS NOT NULL GROUP BY name"
        )


def _build_members(engine: Engine, ledger: Ledger, select: Select, made: str, identifier: str | None) -> None:
    all_members = quote_name(f"_members_{select.name}")
    same = " AND ".join(
        f"m._g{i} IS NOT DISTINCT FROM g.{quote_name(column)}" for i, column in enumerate(select.group_columns)
    )
    identified = f"g.{quote_name(identifier)}" if identifier else "NULL::BIGINT"
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {all_members} AS "
        f"SELECT m._row, coalesce(m._rule, g._rule) AS _rule, {identified} AS id "
        f"FROM ({select.members_sql}) m LEFT JOIN {made} g ON m._rule IS NULL AND {same}"
    )
    ledger.note_skipped(select, rules_of(select), all_members)
    show_members(engine, select.name)


def table_sql(table: str, given: Mapping[str, str], relation: str) -> str:
    """SELECT of all fields of a CDM table, in order and type; `given` is an expression per field, others are NULL."""
    fields = [
        f"CAST({given.get(f.name, 'NULL')} AS {duckdb_type(f)}) AS {quote_name(f.name)}" for f in TABLES[table].fields
    ]
    return f"SELECT {', '.join(fields)} FROM {relation}"


def extra_sql(select: Select, extra: Sequence[str], rows: str) -> str:
    """SELECT of the extra columns of an entity, with what its rows are known by."""
    table = str(select.table)
    known = [identifier_of(table), "person_id" if "person_id" in TABLES[table] else None]
    names = dict.fromkeys(name for name in (*known, *extra) if name)
    return f"SELECT {', '.join(quote_name(name) for name in names)} FROM {rows}"


def cut_texts(engine: Engine, select: Select, rows: str) -> dict[str, int]:
    """How many texts of the rows of an entity are longer than their field allows, by the column."""
    given = {name for name, kind in select.columns if kind == "VARCHAR"}
    widths = {f.name: f.width for f in TABLES[str(select.table)].fields if f.width and f.name in given}
    if not widths:
        return {}
    told = ", ".join(f"count(*) FILTER (length({quote_name(name)}) > {width})" for name, width in widths.items())
    counts = engine.rows(f"SELECT {told} FROM {rows} r")[0]
    return {f"{select.name}.{name}": n for name, n in zip(widths, counts, strict=True) if n}


def coded_fields(select: Select) -> list[str]:
    """Prefixes X of which the SELECT gives X_vocabulary_id and X_code, to be mapped into X_concept_id of its table."""
    given = {name for name, _ in select.columns}
    fields = TABLES[str(select.table)].names
    found = [name.removesuffix("_code") for name in given if name.endswith("_code")]
    return sorted(x for x in found if f"{x}_vocabulary_id" in given and f"{x}_concept_id" in fields)


def entity_sql(select: Select, type_concept_id: int | None, rows: str) -> str:
    """SELECT of the CDM rows of the relation `rows` of an entity; codes of `coded_fields` are looked up in `_sides`."""
    table = str(select.table)
    names = {name for name, _ in select.columns} | {identifier_of(table) or ""}
    given = {f.name: f"r.{quote_name(f.name)}" for f in TABLES[table].fields if f.name in names}
    relation = f"{rows} r"
    for coded in coded_fields(select):
        side = quote_name(f"side_{coded}")
        given[f"{coded}_concept_id"] = f"coalesce({side}.target_concept_id, 0)"
        if f"{coded}_source_concept_id" in TABLES[table]:
            given[f"{coded}_source_concept_id"] = f"coalesce({side}.source_concept_id, 0)"
        relation += (
            f" LEFT JOIN _sides {side} ON {side}.vocabulary_id = r.{quote_name(coded + '_vocabulary_id')} "
            f"AND {side}.code = r.{quote_name(coded + '_code')}"
        )
    for field in TABLES[table].fields:
        if type_concept_id is not None and field.name.endswith("_type_concept_id"):
            given.setdefault(field.name, str(type_concept_id))
        if field.width and field.name in given:
            given[field.name] = f"left({given[field.name]}, {field.width})"
    return table_sql(table, given, relation)
