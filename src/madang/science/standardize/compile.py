"""`compile_pack`: check the SELECTs of a pack against its sources and the common data model, and write the run's SQL.

No data are read. Every error is a `MadangError` that names file, line and column of the word that is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.standardize.compiler.expressions import Functions, Output, Relation
from madang.science.standardize.compiler.outputs import EVENT_COLUMNS, identifier_of
from madang.science.standardize.compiler.program import Program, Rule, Select
from madang.science.standardize.compiler.relations import Catalog
from madang.science.standardize.compiler.select import SelectCompiler
from madang.science.standardize.hints import did_you_mean
from madang.science.standardize.identifiers import check_identifiers
from madang.science.standardize.pack_model import Entity, Pack


def compile_pack(pack: Pack, engine: Engine) -> Program:
    """Check and compile all SELECTs of `pack`; `engine` only parses and binds.

    Errors: `pack.unmarked_identifier`, `pack.sql_*`, `pack.unknown_*`, `pack.column_*`: docs/packs.md lists them.
    """
    check_identifiers(pack)
    functions = Functions.of(engine)
    relations = {source.name.lower(): _source_relation(source.name, pack) for source in pack.sources.values()}
    later = {
        made.lower(): f"{made} is not made yet: an entity may read sources and the entities before it in pack.toml."
        for name in pack.entities
        for made in (name, f"{name}_members")
    }
    entities: list[Select] = []
    for entity in pack.entities.values():
        catalog = Catalog(functions, pack.parameters, dict(relations), later)
        select = SelectCompiler(pack, entity, engine, catalog).compile()
        entities.append(select)
        relations |= {relation.name.lower(): relation for relation in _made(entity, select)}
        members = "" if select.grouped else f"{entity.name} has no members table: its SELECT has no GROUP BY."
        later.pop(entity.name.lower())
        later.pop(f"{entity.name}_members".lower())
        later |= {f"{entity.name}_members".lower(): members} if members else {}
    catalog = Catalog(functions, pack.parameters, relations, later)
    events = [SelectCompiler(pack, event, engine, catalog).compile() for event in pack.events.values()]
    _check_all_read(pack, [*entities, *events])
    _check_imputed(pack, [*entities, *events])
    return Program(pack, tuple(entities), tuple(events), _staged(pack, entities, events))


def _check_all_read(pack: Pack, selects: Sequence[Select]) -> None:
    """A source that nobody reads would be lost in silence."""
    read = {name for select in selects for name in (select.source, *select.reads)}
    for name in pack.sources:
        if name not in read:
            raise MadangError(
                "pack.source_unread",
                f"{pack.folder.name}/pack.toml:{pack.line('sources', name)}: no SELECT reads the source {name}, "
                "so its rows would be lost in silence.",
                "Write a SELECT that begins with it, or take it out of pack.toml.",
            )


def _check_imputed(pack: Pack, selects: Sequence[Select]) -> None:
    """What is said of a column that does not exist would be said of nothing."""
    given = {select.name: [name for name, _ in select.columns] for select in selects}
    for index, imputed in enumerate(pack.imputed):
        if imputed.column not in given[imputed.of]:
            raise MadangError(
                "pack.column_missing",
                f"{pack.folder.name}/pack.toml:{pack.line('imputed', index, 'column')}: "
                f"{imputed.column} is no column of the SELECT {imputed.of}.",
                did_you_mean(imputed.column, given[imputed.of]),
            )


def _staged(pack: Pack, entities: Sequence[Select], events: Sequence[Select]) -> frozenset[str]:
    """The sources that have to be seen whole."""
    read = {name for select in entities for name in (select.source, *select.reads)}
    read |= {name for select in events for name in select.reads}
    read |= {select.source for select in events if select.windowed}
    read |= {source.name for source in pack.sources.values() if source.kind == "delta"}
    return frozenset(read & pack.sources.keys())


def _relation(name: str, types: Mapping[str, str], keys: Sequence[Sequence[str]], is_source: bool) -> Relation:
    columns = {
        column.lower(): Output(column, frozenset({(name, column)}), type_)
        for column, type_ in ({**types, "_row": "BIGINT"}).items()
    }
    known = (frozenset(column.lower() for column in key) for key in (*keys, ("_row",)) if key)
    return Relation(name, columns, tuple(known), name, is_source)


def _source_relation(name: str, pack: Pack) -> Relation:
    source = pack.sources[name]
    withheld = frozenset(c.name.lower() for c in source.columns.values() if c.identifier == "direct")
    return replace(_relation(name, source.schema, [source.key], True), withheld=withheld)


def _made(entity: Entity, select: Select) -> list[Relation]:
    """The tables that later SELECTs see of an entity."""
    identifier = identifier_of(entity.table)
    types = ({identifier: "BIGINT"} if identifier else {}) | dict(select.columns)
    keys = [entity.key, entity.alternate_key, (identifier,) if identifier else ()]
    made = [_relation(entity.name, types, keys, False)]
    if select.grouped:
        made.append(_relation(f"{entity.name}_members", {"id": "BIGINT"}, [], False))
    return made


__all__ = ["EVENT_COLUMNS", "Program", "Rule", "Select", "compile_pack"]
