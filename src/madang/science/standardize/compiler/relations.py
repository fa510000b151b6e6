"""FROM and common table expressions: which rows come, and that none is lost or doubled on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from madang.science.standardize.compiler.expressions import (
    BaseColumn,
    Facts,
    Functions,
    Output,
    Relation,
    Scope,
    facts,
)
from madang.science.standardize.compiler.shapes import Shapes
from madang.science.standardize.compiler.text import Node, SqlFile
from madang.science.standardize.hints import did_you_mean, listed

LOSES = "Rows leave only through reject_when(condition, 'reason') and unused_when(condition, 'rule')."

_JOINS = {
    "INNER": "an inner join drops the rows that have no partner",
    "RIGHT": "a right join drops the rows of the left side that have no partner",
    "FULL": "a full join adds rows that are not of the first source",
    "OUTER": "a full join adds rows that are not of the first source",
    "SEMI": "a semi join drops the rows that have no partner",
    "ANTI": "an anti join drops the rows that have a partner",
}
_KINDS_OF_JOIN = {
    "CROSS": "a cross join multiplies rows",
    "NATURAL": "a natural join does not say on which columns it joins",
    "ASOF": "an asof join does not name the row that it takes",
    "POSITIONAL": "a positional join depends on the order of rows",
    "NEAREST": "a nearest join multiplies rows",
}
_TABLES = {
    "TABLE_FUNCTION": "a function in FROM reads what the pack does not declare",
    "EXPRESSION_LIST": "VALUES in FROM are rows of no source",
    "SHOW_REF": "DESCRIBE, SHOW and SUMMARIZE give rows of no source",
    "PIVOT": "PIVOT and UNPIVOT change the number of rows",
    "EMPTY": "a SELECT needs a FROM",
    "DELIM_GET": "this kind of table is not allowed",
    "COLUMN_DATA": "this kind of table is not allowed",
}


@dataclass(frozen=True)
class Catalog:
    """Everything that the SELECTs of a pack may name at one point of the work."""

    functions: Functions
    parameters: Mapping[str, object]
    relations: Mapping[str, Relation]
    """Sources, and the entities made so far with their members tables, by name in small letters."""
    later: Mapping[str, str]
    """Names (small letters) that a SELECT may not use, and why."""
    shapes: Shapes
    templates: dict[str, Node]
    """What the compiler's own expressions were parsed to."""


@dataclass(frozen=True)
class Comparison:
    """A key of the right side of a join, compared with something of the left side."""

    query: Node
    """The query whose FROM holds the join, with all common table expressions that it sees."""
    key: Node
    other: Node


@dataclass(frozen=True)
class SourceJoin:
    """A join to the rows of a source: the query that holds it, and whether these rows can be told there."""

    query: Node
    driver: str
    alias: str
    source: str
    numbered: bool


@dataclass(frozen=True)
class RowJoin:
    """A join as far as it can be told which rows meet: the relations at both sides, and whose rows they are."""

    node: Node
    left: str
    left_base: str
    right: str
    right_base: str
    numbered: bool
    """Whether both sides show the numbers of their rows."""


@dataclass(frozen=True)
class Query:
    """A SELECT node whose clauses have been accepted."""

    node: Node
    scope: Scope
    driver: str
    """The name in FROM of the leftmost table."""
    reads: frozenset[BaseColumn]
    """What its joins read."""
    joined: frozenset[str]
    windowed: bool

    @property
    def first(self) -> Relation:
        """The leftmost table, whose rows come out."""
        return self.scope.relations[self.driver.lower()]


@dataclass(frozen=True)
class _Around:
    """What a query sees beside its own FROM."""

    relations: Mapping[str, Relation]
    """Sources, entities and common table expressions, by name in small letters."""
    ctes: tuple[Node, ...]
    """The common table expressions, as the parser writes them."""


class Reader:
    """Reads the queries of one SQL file."""

    def __init__(self, file: SqlFile, catalog: Catalog) -> None:
        self.file, self.catalog = file, catalog
        self.joins: list[SourceJoin] = []
        """All joins to rows of sources."""
        self.row_joins: list[RowJoin] = []
        """All joins."""
        self.comparisons: list[Comparison] = []
        """All keys compared in the file, for whoever knows types."""

    def top(self, node: Node) -> Query:
        """Check the clauses and FROM of the outermost SELECT."""
        return self._query(node, _Around(self.catalog.relations, ()), top=True)

    def _query(self, node: Node, around: "_Around", top: bool = False) -> Query:
        self._clauses(node, top)
        for entry in node["cte_map"]["map"]:
            name, cte = entry["key"], entry["value"]
            if cte["aliases"]:
                message = f"name the columns of {name} with AS in its select list, not in brackets."
                raise self.file.error("pack.sql_alias_list", cte["query_node"], message)
            relation = self._derived(name, cte["query_node"], around)
            around = _Around({**around.relations, name.lower(): relation}, (*around.ctes, entry))
        scope = Scope(self.file, self.catalog.functions, self.catalog.parameters, {})
        alone = {**node, "cte_map": {"map": list(around.ctes)}}
        return self._from(node["from_table"], around, Query(alone, scope, "", frozenset(), frozenset(), False))

    def _derived(self, name: str, node: Node, around: "_Around") -> Relation:
        """A common table expression or a subquery in FROM, as a relation."""
        query = self._query(node, around)
        first = query.first
        columns: dict[str, Output] = {}
        passed: dict[str, str] = {}  # columns of the first table that come out unchanged, and their new names
        windowed = query.windowed
        aliases: dict[str, Facts] = {}
        for item in node["select_list"]:
            if item["class"] == "STAR":
                for relation, output, renamed in self._star(item, query):
                    columns.setdefault(renamed.lower(), replace(output, name=renamed))
                    if relation is first:
                        passed.setdefault(output.name.lower(), renamed.lower())
                for replaced in item["replace_list"]:
                    used = self._row_wise(replaced["value"], query.scope)
                    windowed = windowed or bool(used.windows)
                    label = str(replaced["key"]).lower()
                    columns[label] = Output(columns[label].name, frozenset(used.reads))
                    passed.pop(label, None)
                continue
            used = self._row_wise(item, replace(query.scope, aliases=aliases))
            windowed = windowed or bool(used.windows)
            label = output_name(item, self.file)
            resolved = query.scope.column(item) if item["class"] == "COLUMN_REF" else None
            if resolved and resolved[0] is first and len(item["column_names"]) <= 2:
                passed[resolved[1].name.lower()] = label.lower()
            if label.lower() in columns:
                message = f"the column {label} is there already."
                hint = f"Say * REPLACE (... AS {label}), or give it another name."
                raise self.file.error("pack.column_twice", item, message, hint)
            columns[label.lower()] = Output(label, frozenset(used.reads))
            aliases[label.lower()] = used
        keys = (frozenset(passed[column] for column in key) for key in first.keys if key <= passed.keys())
        return Relation(
            name, columns, tuple(keys), first.base, first.is_source, query.reads, query.joined, windowed, first.withheld
        )

    def _row_wise(self, item: Node, scope: Scope) -> Facts:
        """What an expression uses that has to give one value for each row."""
        used = facts(item, scope)
        if used.aggregates:
            raise self.file.error("pack.sql_aggregate", used.aggregates[0], *aggregate_message(used.aggregates[0]))
        if used.unnests:
            message = "UNNEST stands only in the outermost select list of an event."
            raise self.file.error("pack.sql_unnest", used.unnests[0], message)
        return used

    def _star(self, item: Node, query: Query) -> list[tuple[Relation, Output, str]]:
        """The columns that `*` or `table.*` stands for, with their new names."""
        if item.get("columns") or item.get("expr"):
            message = "COLUMNS(...) hides which columns are meant."
            raise self.file.error("pack.sql_star", item, message, "Name the columns.")
        relations = query.scope.relations
        wanted = str(item["relation_name"]).lower()
        if wanted and wanted not in relations:
            raise self.file.error("pack.unknown_table", item, f'"{item["relation_name"]}" does not stand in FROM.')
        excluded = {str(name).lower() for name in item["exclude_list"]}
        excluded |= {str(names[-1]).lower() for names in map(_name_parts, item.get("qualified_exclude_list") or ())}
        renames = {str(_name_parts(e["key"])[-1]).lower(): str(e["value"]) for e in item.get("rename_list") or ()}
        return [
            (relation, output, renames.get(output.name.lower(), output.name))
            for relation in ([relations[wanted]] if wanted else relations.values())
            for output in relation.columns.values()
            if output.name.lower() not in excluded
        ]

    def _clauses(self, node: Node, top: bool) -> None:
        """Refuse the clauses that lose or multiply rows."""

        def refuse(at: Node, what: str, hint: str = LOSES) -> Exception:
            return self.file.error("pack.sql_loses_rows", at, what, hint)

        if node["type"] == "SET_OPERATION_NODE":
            message = "UNION, INTERSECT and EXCEPT mix rows of several queries."
            raise refuse(node, message, "Write one SELECT per source.")
        if node["type"] == "RECURSIVE_CTE_NODE":
            raise refuse(node, "a recursive query multiplies rows.", "")
        if node["type"] != "SELECT_NODE":
            message = "only SELECT is allowed here."
            raise self.file.error("pack.sql_not_select", node, message)
        for key, word in (("where_clause", "WHERE"), ("having", "HAVING"), ("qualify", "QUALIFY")):
            if node[key]:
                raise refuse(node[key], f"{word} drops rows.")
        if node["sample"]:
            raise refuse(node, "a sample drops rows.")
        for modifier in node["modifiers"]:
            if modifier["type"] == "DISTINCT_MODIFIER":
                raise refuse(node["select_list"][0], "DISTINCT drops rows.")
            if modifier["type"].startswith("LIMIT"):
                raise refuse(modifier, "LIMIT and OFFSET drop rows.")
            if modifier["type"] == "ORDER_MODIFIER":
                message = "ORDER BY has no effect: tables have no order."
                raise self.file.error("pack.sql_order", modifier, message, "Leave it out.")
        grouped = node["group_expressions"] or node["aggregate_handling"] == "FORCE_AGGREGATES"
        if grouped and not top:
            at = node["group_expressions"][0] if node["group_expressions"] else node
            message = "GROUP BY stands only in the outermost SELECT of an entity."
            raise self.file.error("pack.sql_group", at, message)

    def _from(self, table: Node, around: "_Around", query: Query) -> Query:
        """FROM, from the leftmost table to the last join."""
        if table["type"] != "JOIN":
            relation, name = self._table(table, around)
            if not relation.is_source:
                message = f"{name} is no source; the first table after FROM has to be one, whose rows are counted."
                raise self.file.error("pack.sql_first_table", table, message, "LEFT JOIN it instead.")
            return replace(
                query,
                scope=replace(query.scope, relations={name.lower(): replace(relation, name=name)}),
                driver=name,
                reads=relation.reads,
                joined=relation.joined,
                windowed=relation.windowed,
            )
        query = self._from(table["left"], around, query)
        self._refuse_join(table)
        relation, name = self._table(table["right"], around)
        if name.lower() in query.scope.relations:
            message = f"{name} stands in FROM twice."
            raise self.file.error("pack.sql_join", table["right"], message, "Give one of them another name with AS.")
        relation = replace(relation, name=name)
        if relation.is_source and relation.base not in {join.source for join in self.joins if join.alias == name}:
            self.joins.append(SourceJoin(query.node, query.driver, name, relation.base, "_row" in relation.columns))
        first, numbered = query.first, query.first.numbered and relation.numbered
        self.row_joins.append(RowJoin(table, query.driver, first.base, name, relation.base, numbered))
        scope = replace(query.scope, relations={**query.scope.relations, name.lower(): relation})
        reads = self._condition(table, relation, replace(query, scope=scope), query.scope)
        return replace(
            query,
            scope=scope,
            reads=query.reads | relation.reads | reads,
            joined=query.joined | relation.joined | {relation.base},
            windowed=query.windowed or relation.windowed,
        )

    def _refuse_join(self, join: Node) -> None:
        kind, sort = join["ref_type"], join["join_type"]
        why = _KINDS_OF_JOIN.get(kind) or ("" if sort == "LEFT" else _JOINS.get(sort, "this join may drop rows"))
        if join.get("is_implicit"):
            why = "a comma in FROM is a cross join, which multiplies rows"
        if why:
            hint = "Use LEFT JOIN on all columns of a key; for rows without a partner say reject_when or unused_when."
            raise self.file.error("pack.sql_join", join, f"{why}.", hint)
        if join["right"]["type"] == "JOIN":
            message = "joins in brackets are not allowed."
            raise self.file.error("pack.sql_join", join["right"], message, "Join one by one.")

    def _table(self, table: Node, around: "_Around") -> tuple[Relation, str]:
        """One table of FROM and the name that it has there."""
        if table["type"] in _TABLES:
            at = table if table["type"] != "TABLE_FUNCTION" else table["function"]
            raise self.file.error("pack.sql_from", at, f"{_TABLES[table['type']]}.", self._names(around))
        if table.get("sample"):
            raise self.file.error("pack.sql_loses_rows", table, "a sample drops rows.", LOSES)
        if table.get("column_name_alias"):
            message = "name columns with AS in a select list, not in brackets."
            raise self.file.error("pack.sql_alias_list", table, message)
        if table["type"] == "SUBQUERY":
            name = table["alias"]
            if not name:
                raise self.file.error("pack.sql_from", table, "a subquery in FROM needs a name.", "Say AS name.")
            return self._derived(name, table["subquery"]["node"], around), name
        if table["type"] != "BASE_TABLE":
            message = "this kind of table is not allowed in FROM."
            raise self.file.error("pack.sql_from", table, message, self._names(around))
        name = table["table_name"]
        relation = None if table["schema_name"] else around.relations.get(name.lower())
        if relation is None:
            if name.lower() in self.catalog.later:
                raise self.file.error("pack.unknown_table", table, self.catalog.later[name.lower()])
            full = ".".join(str(part) for part in table["qualified_name"]["path"])
            message = f'there is no table "{full}" here.'
            raise self.file.error("pack.unknown_table", table, message, self._near(name, around))
        return relation, table["alias"] or name

    def _names(self, around: "_Around") -> str:
        return f"Tables here are {listed(relation.name for relation in around.relations.values())}."

    def _near(self, name: str, around: "_Around") -> str:
        names = (relation.name for relation in around.relations.values())
        return did_you_mean(name, names) or self._names(around)

    def _condition(self, join: Node, right: Relation, query: Query, before: Scope) -> frozenset[BaseColumn]:
        """Check that a LEFT JOIN finds at most one row, and return what its condition reads."""
        after = query.scope
        bound: set[str] = set()
        reads: set[BaseColumn] = set()
        for name in join["using_columns"]:
            reference = {**self.file.expression("x"), "column_names": [name], **_where(join)}
            only = replace(after, relations={right.name.lower(): right})
            for scope in (before, only):
                reads |= facts(reference, scope).reads
            left, key = ({**reference, "column_names": [_owner(name, scope), name]} for scope in (before, only))
            self.comparisons.append(Comparison(query.node, key, left))
            bound.add(str(name).lower())
        if join["condition"]:
            used = facts(join["condition"], after)
            if used.aggregates or used.windows or used.unnests:
                at = (used.aggregates + used.windows + used.unnests)[0]
                message = "a join condition compares columns; no aggregate, window or UNNEST."
                raise self.file.error("pack.sql_join", at, message)
            reads |= used.reads
            for part in _conjuncts(join["condition"]):
                bound |= self._bound(part, right, query)
        if not any(key <= bound for key in right.keys):
            raise self._may_multiply(join, right)
        return frozenset(reads)

    def _bound(self, part: Node, right: Relation, query: Query) -> set[str]:
        """The column of the right side that `part` equates with something of the left side."""
        scope = query.scope
        if part["type"] != "COMPARE_EQUAL":
            return set()
        for column, other in ((part["left"], part["right"]), (part["right"], part["left"])):
            plain = column["class"] == "COLUMN_REF" and len(column["column_names"]) <= 2
            resolved = scope.column(column) if plain else None
            if resolved and resolved[0] is right and right.name.lower() not in facts(other, scope).relations:
                self.comparisons.append(Comparison(query.node, column, other))
                return {resolved[1].name.lower()}
        return set()

    def _may_multiply(self, join: Node, right: Relation) -> Exception:
        keys = [
            listed(right.columns[column].name for column in right.columns if column in key)
            for key in right.keys
            if key != {"_row"}
        ]
        message = f"the join to {right.name} may find several rows for one."
        if keys:
            hint = f"Compare with = all columns of a key of {right.name}: {', or '.join(keys)}."
        elif right.is_source:
            hint = f"Give {right.base} a key in pack.toml, if its rows have one."
        else:
            hint = f"Compare {right.name}._row with the _row of another table."
        return self.file.error("pack.sql_join", join, message, hint)


def output_name(item: Node, file: SqlFile) -> str:
    """The name of a column of a select list."""
    if item["alias"]:
        return str(item["alias"])
    if item["class"] == "COLUMN_REF":
        return str(item["column_names"][-1])
    raise file.error("pack.sql_no_name", item, "this column has no name.", "Say AS name.")


def aggregate_message(node: Node) -> tuple[str, str]:
    """The sentences for an aggregate where every row has to come out."""
    name = str(node["function_name"]).replace("count_star", "count")
    return f"{name}(...) makes one row out of many.", "Use GROUP BY (entities only), or a window: over (...)."


def _owner(name: str, scope: Scope) -> str:
    """The table in FROM that an unqualified column means."""
    return next(relation.name for relation in scope.relations.values() if name.lower() in relation.columns)


def _conjuncts(node: Node) -> list[Node]:
    if node["type"] == "CONJUNCTION_AND":
        return [part for child in node["children"] for part in _conjuncts(child)]
    return [node]


def _where(node: Node) -> Node:
    return {key: node[key] for key in ("query_location", "query_location_length") if key in node}


def _name_parts(value: object) -> list[str]:
    """The parts of a qualified column name, as the parser writes them in * EXCLUDE and RENAME lists."""
    if isinstance(value, dict):
        for key in ("path", "column_names", "qualified_name", "column"):
            if key in value:
                return _name_parts(value[key])
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]
