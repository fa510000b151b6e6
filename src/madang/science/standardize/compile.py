"""`compile_pack` and `problems`: check the SELECTs of a pack, and write the SQL of its run.

No data are read. Every error is a `MadangError` that names file, line and column of the word that is wrong.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from madang.base.errors import MadangError
from madang.lake.engine import Engine
from madang.science.standardize.compiler.expressions import Functions, Output, Relation
from madang.science.standardize.compiler.outputs import EVENT_COLUMNS, identifier_of
from madang.science.standardize.compiler.program import Program, Rule, Select
from madang.science.standardize.compiler.relations import Catalog
from madang.science.standardize.compiler.select import SelectCompiler
from madang.science.standardize.compiler.shapes import Shapes
from madang.science.standardize.hints import did_you_mean
from madang.science.standardize.identifiers import unmarked_identifiers
from madang.science.standardize.pack_model import Entity, Event, Pack


def compile_pack(pack: Pack, engine: Engine) -> Program:
    """Check and compile all SELECTs of `pack`; `engine` only parses and binds.

    Raises the first of its `problems`. Errors: `pack.unmarked_identifier`, `pack.sql_*`, `pack.unknown_*`,
    `pack.column_*`: docs/packs.md lists them.
    """
    made = _Compilation(pack, engine)
    if made.problems:
        raise made.problems[0]
    return Program(pack, tuple(made.entities), tuple(made.events), _staged(pack, made.entities, made.events))


def problems(pack: Pack, engine: Engine) -> list[MadangError]:
    """All that keeps `pack` from being compiled, in the order in which it is found; one problem of each SELECT.

    A SELECT that joins an entity with a problem of its own is not looked at further, and its problem says so.
    """
    return _Compilation(pack, engine).problems


class _Compilation:
    """The SELECTs of a pack that compile, and the problems of those that do not."""

    def __init__(self, pack: Pack, engine: Engine) -> None:
        with Engine(threads=1) as shapes:
            self._compile_all(pack, engine, Shapes(shapes))

    def _compile_all(self, pack: Pack, engine: Engine, shapes: Shapes) -> None:
        self.pack, self.engine = pack, engine
        self.problems: list[MadangError] = unmarked_identifiers(pack)
        self.entities: list[Select] = []
        self.events: list[Select] = []
        self.failed: list[str] = []
        """The text of each SELECT that does not compile."""
        functions = Functions.known()
        relations = {source.name.lower(): _source_relation(source.name, pack) for source in pack.sources.values()}
        later = {
            made.lower(): f"{made} is not made yet: an entity may read sources and the entities before it in pack.toml."
            for name, entity in pack.entities.items()
            for made in (name, f"{name}_members", *entity.name_tables)
        }
        catalog = Catalog(functions, pack.parameters, relations, later, shapes, {})
        for entity in pack.entities.values():
            select = self._compile(entity, replace(catalog, relations=dict(relations)))
            names = entity.name.lower(), f"{entity.name}_members".lower(), *map(str.lower, entity.name_tables)
            if select is None:
                skipped = f"the SELECT of {entity.name} has a problem of its own; solve that first, then check again."
                later |= dict.fromkeys(names, skipped)
                continue
            self.entities.append(select)
            relations |= {relation.name.lower(): relation for relation in _made(entity, select)}
            for name in names:
                later.pop(name)
            if not select.grouped:
                later[names[1]] = f"{entity.name} has no members table: its SELECT has no GROUP BY."
        catalog = replace(catalog, relations=relations)
        self.events += filter(None, (self._compile(event, catalog) for event in pack.events.values()))
        self._check_all_read()
        self._check_imputed()

    def _compile(self, of: Entity | Event, catalog: Catalog) -> Select | None:
        try:
            return SelectCompiler(self.pack, of, self.engine, catalog).compile()
        except MadangError as error:
            self.problems.append(error)
            self.failed.append(of.sql)
            return None

    def _check_all_read(self) -> None:
        """A source that nobody reads would be lost in silence; a SELECT that fails may read what it names."""
        read = {name for select in (*self.entities, *self.events) for name in (select.source, *select.reads)}
        failed = "\n".join(self.failed)
        for name in self.pack.sources:
            if name not in read and not re.search(rf"\b{re.escape(name)}\b", failed, re.IGNORECASE):
                self.problems.append(
                    MadangError(
                        "pack.source_unread",
                        f"{self.pack.folder.name}/pack.toml:{self.pack.line('sources', name)}: no SELECT reads the "
                        f"source {name}, so its rows would be lost in silence.",
                        "Write a SELECT that begins with it, LEFT JOIN it where another SELECT needs it, or take it "
                        "out of pack.toml.",
                    )
                )

    def _check_imputed(self) -> None:
        """What is said of a column that does not exist would be said of nothing."""
        given = {select.name: [name for name, _ in select.columns] for select in (*self.entities, *self.events)}
        for index, imputed in enumerate(self.pack.imputed):
            if imputed.of in given and imputed.column not in given[imputed.of]:
                self.problems.append(
                    MadangError(
                        "pack.column_missing",
                        f"{self.pack.folder.name}/pack.toml:{self.pack.line('imputed', index, 'column')}: "
                        f"{imputed.column} is no column of the SELECT {imputed.of}.",
                        did_you_mean(imputed.column, given[imputed.of]),
                    )
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
    keys = [entity.key, *entity.alternate_keys, (identifier,) if identifier else ()]
    made = [_relation(entity.name, types, keys, False)]
    if select.grouped:
        made.append(_relation(f"{entity.name}_members", {"id": "BIGINT"}, [], False))
    for table in entity.name_tables:
        made.append(_relation(table, {"name": "VARCHAR", "id": "BIGINT"}, [["name"]], False))
    return made


__all__ = ["EVENT_COLUMNS", "Program", "Rule", "Select", "compile_pack", "problems"]
