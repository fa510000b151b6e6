"""One SELECT of a pack: its rules, its columns, its groups, and the SQL that is made of them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_text
from madang.science.standardize.compiler.binding import Binder
from madang.science.standardize.compiler.emit import Column, Emitter
from madang.science.standardize.compiler.expressions import RULES, Facts, Scope, facts
from madang.science.standardize.compiler.outputs import (
    EVENT_COLUMNS,
    KEPT,
    entity_columns,
    final_type,
    fits,
    how_to_fit,
    identifier_of,
    required_columns,
)
from madang.science.standardize.compiler.program import Rule, Select
from madang.science.standardize.compiler.relations import (
    Catalog,
    Query,
    Reader,
    SourceJoin,
    aggregate_message,
    output_name,
)
from madang.science.standardize.compiler.text import Node, SqlFile, walk
from madang.science.standardize.hints import did_you_mean, listed
from madang.science.standardize.pack_model import Entity, Event, Pack


@dataclass
class _Item:
    """One column of the outermost select list."""

    name: str
    node: Node
    used: Facts


class SelectCompiler:
    """Compiles the SELECT of one entity or event."""

    def __init__(self, pack: Pack, of: Entity | Event, engine: Engine, catalog: Catalog) -> None:
        self.pack, self.of, self.engine, self.catalog = pack, of, engine, catalog
        self.is_event = isinstance(of, Event)
        self.toml = f"{pack.folder.name}/pack.toml:{pack.line('events' if self.is_event else 'entities', of.name)}"
        label = f"{pack.folder.name}/{of.sql_path.relative_to(pack.folder).as_posix()}"
        self.file = SqlFile(label, of.sql, engine, catalog.templates)
        self.binder = Binder(self.file, catalog.relations, pack.parameters, catalog.shapes)

    def compile(self) -> Select:
        """The compiled SELECT."""
        try:
            return self._compile()
        except RecursionError:
            message = "the SELECT is nested too deeply."
            hint = "Split it into common table expressions."
            raise self.file.error("pack.sql_too_deep", None, message, hint) from None

    def _compile(self) -> Select:
        node = self.file.select()
        reader = Reader(self.file, self.catalog)
        query = reader.top(node)
        self.binder.check(reader.comparisons)
        if frozenset({"_row"}) not in query.first.keys:
            message = f"{query.driver} hides the column _row, by which rows are counted."
            first = node["from_table"]
            while first["type"] == "JOIN":
                first = first["left"]
            raise self.file.error("pack.sql_no_row", first, message, "Let it through: select *, ....")
        self._check_patterns(node)
        rules, conditions, ruled = self._rules(node, query.scope)
        items = self._items(node, query.scope)
        groups = self._groups(node, query.scope, items)
        self._check_grain(node, items, groups, ruled)
        self._check_names(node, items)
        columns = self._types(query, items, conditions, groups)
        used = Facts()
        for item in (*items, *(ruled or ())):
            used.add(item.used if isinstance(item, _Item) else item)
        emitter = Emitter(self.file, node, query.driver)
        grouped = groups is not None
        group_columns = [columns[index] for index in groups or ()]
        rows_sql = "" if grouped else emitter.rows(columns, conditions)
        made = Select(
            name=self.of.name,
            kind="event" if self.is_event else "entity",
            table=None if isinstance(self.of, Event) else self.of.table,
            source=query.first.base,
            columns=tuple((column.name, column.final) for column in columns),
            rules=tuple(rules),
            grouped=grouped,
            unnests=bool(used.unnests),
            of_items=frozenset(item.name for item in items if item.used.unnests),
            windowed=query.windowed or bool(used.windows),
            reads=query.joined,
            columns_read=_by_relation(query, used),
            rows_sql=rows_sql,
            groups_sql=emitter.groups(columns, group_columns, conditions) if grouped else "",
            members_sql=emitter.members(group_columns, conditions) if grouped else "",
            group_columns=tuple(column.name for column in group_columns),
            joins=tuple(self._join(join, reader) for join in reader.joins),
        )
        if not self.is_event:
            return made

        def in_periods(narrowed: Collection[str]) -> Select | None:
            within = emitter.within(made.source, reader.row_joins, narrowed)
            if within is None:
                return None
            joins = tuple(self._join(join, reader, made.source, narrowed) for join in reader.joins)
            return replace(made, rows_sql=within.rows(columns, conditions), joins=joins)

        return replace(made, in_periods=in_periods)

    def _check_patterns(self, node: Node) -> None:
        """A regular expression that the engine does not know would stop the run."""
        for part in walk(node):
            name = str(part.get("function_name", "")).lower()
            if part.get("class") != "FUNCTION" or not name.startswith("regexp_") or len(part["arguments"]) < 2:
                continue
            literal = part["arguments"][1]["expression"].get("literal") or {}
            if literal.get("kind") != "STRING":
                continue
            try:
                self.engine.value("SELECT regexp_matches('', ?)", [literal["text"]])
            except MadangError as error:
                message = f"the pattern '{literal['text']}' is no regular expression of the engine (RE2)."
                raise self.file.error("pack.sql_types", part, message, error.message) from None

    def _join(
        self, join: SourceJoin, reader: Reader, source: str = "", narrowed: Collection[str] = ()
    ) -> tuple[str, Callable[[], str] | None]:
        """A join to a source, with what writes the SQL of its rows when they are asked for."""
        emitter = Emitter(self.file, join.query, join.driver).within(source, reader.row_joins, narrowed)
        return join.source, partial(emitter.joined, join.alias) if join.numbered and emitter else None

    def _rules(self, node: Node, scope: Scope) -> tuple[list[Rule], list[Node], list[Facts]]:
        """The calls in the select list, in order: as rules, as conditions, and what they use."""
        rules: list[Rule] = []
        conditions: list[Node] = []
        used: list[Facts] = []
        hidden = frozenset(str(item["alias"]).lower() for item in node["select_list"])
        for item in node["select_list"]:
            name = str(item.get("function_name", "")).lower()
            if item["class"] != "FUNCTION" or name not in RULES:
                continue
            arguments = [argument["expression"] for argument in item["arguments"]]
            reason = arguments[1].get("literal") if len(arguments) == 2 else None
            if not reason or reason.get("kind") != "STRING" or not reason["text"].strip():
                message = f"{name} needs a condition and a reason in quotes."
                raise self.file.error("pack.sql_rule", item, message, f"As in {name}(code is null, 'no code').")
            found = facts(arguments[0], replace(scope, hidden=hidden))
            if found.aggregates or found.unnests:
                at = (found.aggregates + found.unnests)[0]
                message = f"the condition of {name} is about one row: no aggregate, no UNNEST."
                raise self.file.error("pack.sql_rule", at, message)
            kind: Literal["reject", "unused"] = "reject" if name == "reject_when" else "unused"
            rules.append(Rule(kind, reason["text"], self._always(arguments[0]), self.file.place(item)[0]))
            conditions.append(arguments[0])
            used.append(found)
        return rules, conditions, used

    def _always(self, condition: Node) -> bool:
        """Whether a condition is the constant true."""
        if any(part.get("class") not in ("CONSTANT", "CAST", None) for part in walk(condition)):
            return False
        return self.file.sql_of(condition).strip("() ").lower() in ("true", "cast('t' as boolean)", "1")

    def _items(self, node: Node, scope: Scope) -> list[_Item]:
        """The columns of the select list, with the names they have to have."""
        wanted = EVENT_COLUMNS if isinstance(self.of, Event) else entity_columns(self.of.table)
        items: list[_Item] = []
        aliases: dict[str, Facts] = {}
        for item in node["select_list"]:
            if item["class"] == "FUNCTION" and str(item["function_name"]).lower() in RULES:
                continue
            used = facts(item, replace(scope, aliases=dict(aliases)))
            name = output_name(item, self.file)
            lower = name.lower()
            if lower in aliases:
                raise self.file.error("pack.column_twice", item, f"the column {name} is given twice.")
            if lower.startswith("_"):
                message = f"the name {name} is kept for the engine, as are all that begin with _."
                raise self.file.error("pack.column_name", item, message)
            aliases[lower] = used
            items.append(_Item(lower if lower in wanted else name, item, used))
        return items

    def _groups(self, node: Node, scope: Scope, items: Sequence[_Item]) -> list[int] | None:
        """The numbers of the columns that the SELECT groups by, or None where it does not group."""
        every = node["aggregate_handling"] == "FORCE_AGGREGATES"
        if not node["group_expressions"] and not every:
            return None
        at = node["group_expressions"][0] if node["group_expressions"] else node
        if self.is_event:
            message = "GROUP BY stands only in the outermost SELECT of an entity."
            raise self.file.error("pack.sql_group", at, message)
        if len(node["group_sets"]) > 1:
            message = "ROLLUP, CUBE and GROUPING SETS use rows several times."
            raise self.file.error("pack.sql_group", at, message)
        if every:
            groups = [i for i, item in enumerate(items) if not item.used.aggregates and item.used.reads]
            if not groups:
                message = "GROUP BY ALL finds no column to group by."
                raise self.file.error("pack.sql_group", at, message, "Add the column to the select list.")
            return groups
        return [self._group(expression, node, scope, items) for expression in node["group_expressions"]]

    def _group(self, expression: Node, node: Node, scope: Scope, items: Sequence[_Item]) -> int:
        """The number of the column that one group expression means."""
        if expression["class"] == "CONSTANT" and expression["literal"]["kind"] == "INTEGER":
            position = int(expression["literal"]["text"]) - 1
            chosen = node["select_list"][position] if 0 <= position < len(node["select_list"]) else None
            found = [i for i, item in enumerate(items) if item.node is chosen]
        else:
            aliases = {item.name.lower(): item.used for item in items}
            used = facts(expression, replace(scope, aliases=aliases))
            if used.aggregates or used.unnests or used.windows:
                raise self.file.error("pack.sql_group", expression, "GROUP BY takes plain expressions of one row.")
            found = [i for i, item in enumerate(items) if self._same(expression, item, scope)]
        if not found:
            message = "what the SELECT groups by has to be one of its columns, so that members find their entity."
            raise self.file.error("pack.sql_group", expression, message, "Add it to the select list.")
        return found[0]

    def _same(self, expression: Node, item: _Item, scope: Scope) -> bool:
        """Whether a group expression is a column of the select list: the same expression, or its name."""
        if self.file.sql_of(expression) == self.file.sql_of(item.node):
            return True
        if expression["class"] != "COLUMN_REF":
            return False
        names = {output.name.lower() for relation in scope.relations.values() for output in relation.columns.values()}
        last = str(expression["column_names"][-1]).lower()
        if len(expression["column_names"]) == 1 and last not in names:
            return last == item.name.lower()
        if item.node["class"] != "COLUMN_REF":
            return False
        return scope.column(expression) is not None and scope.column(expression) == scope.column(item.node)

    def _check_grain(
        self, node: Node, items: Sequence[_Item], groups: Sequence[int] | None, ruled: Sequence[Facts]
    ) -> None:
        """One row per source row (or list element, or group), never fewer."""
        for item in items:
            if item.used.aggregates and groups is None:
                at = item.used.aggregates[0]
                raise self.file.error("pack.sql_aggregate", at, *aggregate_message(at))
            if item.used.unnests and not self.is_event:
                message = "UNNEST stands only in the outermost select list of an event."
                raise self.file.error("pack.sql_unnest", item.used.unnests[0], message)
        windows = [window for used in (*(item.used for item in items), *ruled) for window in used.windows]
        if groups is not None and windows:
            message = "a window beside GROUP BY is not allowed."
            raise self.file.error("pack.sql_group", windows[0], message, "Compute it in a CTE.")
        unnests = [at for item in items for at in item.used.unnests]
        if isinstance(self.of, Event) and unnests:
            if "item" not in {item.name for item in items}:
                message = "a SELECT that unnests a list needs the column item."
                hint = "Say unnest(range(len(list))) AS item."
                raise self.file.error("pack.sql_unnest", unnests[0], message, hint)
            if self.of.items < 2:
                message = f"this SELECT makes several events of one row, but {self.toml} allows one."
                raise self.file.error("pack.sql_unnest", unnests[0], message, "Say items = the longest list there.")

    def _check_names(self, node: Node, items: Sequence[_Item]) -> None:
        """The columns that have to be there, and those that must not."""
        names = {item.name for item in items}
        at = node["select_list"][0]
        if isinstance(self.of, Event):
            for item in items:
                if item.name not in EVENT_COLUMNS:
                    message = f"an event has no column {item.name}."
                    hint = did_you_mean(item.name, EVENT_COLUMNS)
                    raise self.file.error("pack.column_unknown", item.node, message, hint)
            missing = [name for name in ("person_id", "start_date") if name not in names]
            if "code" in names and "vocabulary_id" not in names and self.of.vocabulary is None:
                missing.append("vocabulary_id")
            if "type_concept_id" not in names and self.of.type_concept_id is None:
                missing.append("type_concept_id")
            if not names & {"code", "source_value"}:
                missing.append("code")
            what, hint = "an event needs", f"vocabulary and type_concept_id can also stand in {self.toml}."
            hint = hint if {"vocabulary_id", "type_concept_id"} & set(missing) else ""
        else:
            identifier = identifier_of(self.of.table)
            given = next((item for item in items if item.name.lower() == identifier), None)
            if given:
                message = f"{identifier} is given by the engine."
                hint = "Leave it out, or give it another name and make it the key of the entity."
                raise self.file.error("pack.column_engine", given.node, message, hint)
            required = required_columns(self.of.table, self.of.type_concept_id is not None)
            missing = [name for name in required if name not in names]
            what = f"a row of {self.of.table.upper()} needs"
            concept = next((name for name in missing if name.endswith("_concept_id")), "")
            hint = f"A concept that is not known is 0, as in 0 AS {concept}." if concept else ""
            self._check_key(self.of, names)
        if missing:
            raise self.file.error("pack.column_missing", at, f"{what} {listed(missing)}.", hint)

    def _check_key(self, entity: Entity, names: set[str]) -> None:
        lower = {name.lower() for name in names}
        alternate = tuple(column for key in entity.alternate_keys for column in key)
        asked = {"key": entity.key, "alternate_key": alternate, "names": entity.names, "extra": entity.extra}
        for word, column in [(word, column) for word, columns in asked.items() for column in columns]:
            if column.lower() not in lower:
                line = self.pack.line("entities", entity.name, word)
                raise MadangError(
                    "pack.column_missing",
                    f"{self.pack.folder.name}/pack.toml:{line}: entities.{entity.name}.{word}: "
                    f"{column} is no column of {entity.sql_path.name}.",
                    did_you_mean(column, names),
                )

    def _types(
        self, query: Query, items: Sequence[_Item], conditions: Sequence[Node], groups: Sequence[int] | None
    ) -> list[Column]:
        """The columns with their types."""
        unnested = [node["arguments"][0]["expression"] for item in items for node in item.used.unnests]
        nodes = [{**item.node, "alias": item.name} for item in items]
        kinds, found = self.binder.all_types(query.node, [*conditions, *unnested], nodes, groups)
        for condition, kind in zip(conditions, kinds[: len(conditions)], strict=True):
            if kind not in ("BOOLEAN", '"NULL"'):
                message = f"the condition of a rule is true or false, and this one is {kind}."
                raise self.file.error("pack.column_type", condition, message)
        for argument, kind in zip(unnested, kinds[len(conditions) :], strict=True):
            if not kind.endswith("]"):
                raise self.file.error("pack.column_type", argument, f"UNNEST takes a list, and this is {kind}.")
        if found is None:
            found = self.binder.types(query.node, nodes, groups)
        wanted = EVENT_COLUMNS if isinstance(self.of, Event) else entity_columns(self.of.table)
        columns = []
        for item, (_, given) in zip(items, found, strict=True):
            want = wanted.get(item.name, "VARCHAR" if given == '"NULL"' else given)
            if isinstance(self.of, Entity) and item.name in self.of.names and given != "VARCHAR[]":
                message = f"the names {item.name} are {given}, and a list of texts is needed."
                raise self.file.error("pack.column_type", item.node, message, "Cast them to VARCHAR[].")
            if isinstance(self.of, Entity) and item.name in self.of.extra and given not in KEPT:
                message = f"the extra column {item.name} is {given}, which is not written."
                raise self.file.error("pack.column_type", item.node, message, f"Cast it to one of {listed(KEPT)}.")
            columns.append(self._column(item, given, want))
        return columns

    def _column(self, item: _Item, given: str, wanted: str) -> Column:
        """One column, if its type fits."""
        literal = item.node.get("literal") or {}
        if given == "VARCHAR" and literal.get("kind") == "STRING" and wanted != "VARCHAR":
            if self.engine.value(f"SELECT TRY_CAST({quote_text(literal['text'])} AS {wanted})") is None:
                message = f"'{literal['text']}' is no {wanted}, which {item.name} has to be."
                raise self.file.error("pack.column_type", item.node, message)
            return Column(item.name, item.node, given, wanted)
        if not fits(given, wanted):
            message = f"{item.name} has to be {wanted}, and this is {given}."
            hint = how_to_fit(given, wanted, self.file.sql_of(item.node))
            raise self.file.error("pack.column_type", item.node, message, hint)
        return Column(item.name, item.node, given, final_type(given, wanted))


def _by_relation(query: Query, used: Facts) -> dict[str, frozenset[str]]:
    """The columns read of each relation."""
    found: dict[str, set[str]] = {name: set() for name in (query.first.base, *query.joined)}
    for relation, column in used.reads | query.reads:
        if column != "_row":
            found.setdefault(relation, set()).add(column)
    return {relation: frozenset(columns) for relation, columns in found.items()}
