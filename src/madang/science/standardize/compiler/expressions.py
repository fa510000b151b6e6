"""What an expression uses: columns, aggregates, windows, lists; and what no expression of a pack may use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from madang.lake.engine import Engine
from madang.science.standardize.compiler.text import Node, SqlFile, children
from madang.science.standardize.hints import did_you_mean, instead_of

RULES = ("reject_when", "unused_when")
UNNEST = ("unnest", "unlist")
ORDERED_AGGREGATES = frozenset(
    {"first", "last", "any_value", "arbitrary", "list", "array_agg", "string_agg", "group_concat", "listagg"}
)
"""Aggregates that give another answer when the rows come in another order."""

ORDERED_WINDOWS = frozenset(
    {"row_number", "lead", "lag", "first_value", "last_value", "nth_value", "ntile", "first", "last"}
)
"""Window functions that mean nothing without an order."""

CLOCK = frozenset({"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"})
ZONED = ["TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS", "TIME WITH TIME ZONE"]

BaseColumn = tuple[str, str]
"""A column of a source, entity or members table: relation and column, as declared."""


@dataclass(frozen=True)
class Output:
    """One column of a relation as SELECTs see it."""

    name: str
    reads: frozenset[BaseColumn]
    """The columns of sources and entities that it is made of."""
    type: str = ""
    """The engine's type, where the relation is a source, entity or members table."""


@dataclass(frozen=True)
class Relation:
    """Something that stands in FROM: a source, an entity, a members table, a common table expression, a subquery."""

    name: str
    columns: Mapping[str, Output]
    """By name in small letters."""
    keys: tuple[frozenset[str], ...]
    """Sets of columns (small letters) whose values occur once."""
    base: str
    """The source, entity or members table whose rows these are."""
    is_source: bool
    reads: frozenset[BaseColumn] = frozenset()
    """What its joins and windows read, whichever columns are used."""
    joined: frozenset[str] = frozenset()
    """Every relation that it joins."""
    windowed: bool = False
    withheld: frozenset[str] = frozenset()
    """Direct identifiers of a source, in small letters: declared, but never visible."""

    @property
    def numbered(self) -> bool:
        """Whether the numbers of its rows are visible, as `_row`."""
        row = self.columns.get("_row")
        return row is not None and row.reads == {(self.base, "_row")}


@dataclass
class Facts:
    """What one expression uses."""

    reads: set[BaseColumn] = field(default_factory=set)
    relations: set[str] = field(default_factory=set)
    """Names in FROM that it refers to, in small letters."""
    aggregates: list[Node] = field(default_factory=list)
    windows: list[Node] = field(default_factory=list)
    unnests: list[Node] = field(default_factory=list)

    def add(self, other: "Facts") -> None:
        """Take over what another expression uses."""
        self.reads |= other.reads
        self.relations |= other.relations
        self.aggregates += other.aggregates
        self.windows += other.windows
        self.unnests += other.unnests


@dataclass(frozen=True)
class Functions:
    """What the engine's functions do, as far as the rules of packs are concerned."""

    aggregates: frozenset[str]
    changing: frozenset[str]
    """Functions that give another answer tomorrow, or on another machine."""

    @classmethod
    @cache
    def known(cls) -> "Functions":
        """Ask an engine, once: all of them have the same functions.

        What a function makes of times with a zone depends on the zone that is set; ours is always UTC. `age` counts
        from today where it is given one date.
        """
        with Engine(threads=1) as engine:
            rows = engine.rows(
                f"""
                SELECT DISTINCT function_name, function_type,
                       stability = 'VOLATILE' OR (stability = 'CONSISTENT_WITHIN_QUERY' AND (len(parameter_types) = 0
                           OR NOT list_has_any(list_append(parameter_types, return_type), {ZONED})))
                FROM duckdb_functions()
                """
            )
        scalars = {name for name, kind, _ in rows if kind != "aggregate"}
        return cls(
            frozenset({name for name, kind, _ in rows if kind == "aggregate"} - scalars),
            frozenset(name for name, _, changing in rows if changing) - {"getvariable"} | {"age"},
        )


@dataclass(frozen=True)
class Scope:
    """The names that an expression may use."""

    file: SqlFile
    functions: Functions
    parameters: Mapping[str, object]
    relations: Mapping[str, Relation]
    """What stands in FROM, by name in small letters, in order."""
    aliases: Mapping[str, Facts] = field(default_factory=dict)
    """Columns named earlier in the same select list, by name in small letters."""
    locals: frozenset[str] = frozenset()
    """Parameters of lambdas around the expression."""
    hidden: frozenset[str] = frozenset()
    """Names (small letters) that a rule might mean and cannot see: those given in the select list."""

    def column(self, node: Node) -> tuple[Relation, Output] | None:
        """The relation and column that a column reference means; None where it is a lambda's parameter or an alias."""
        names = [str(name) for name in node["column_names"]]
        lower = [name.lower() for name in names]
        if lower[0] in self.locals:
            return None
        relation = self.relations.get(lower[0]) if len(names) > 1 else None
        if relation is not None:
            found = relation.columns.get(lower[1])
            if found is None:
                raise self._unknown(node, names[1], [relation])
            return relation, found
        for relation in self.relations.values():
            if lower[0] in relation.columns:
                return relation, relation.columns[lower[0]]
        if lower[0] in self.aliases:
            return None
        if len(names) > 1:
            message = f'"{names[0]}" is neither a table in FROM nor a column.'
            hint = instead_of(names[0], (relation.name for relation in self.relations.values()))
            raise self.file.error("pack.unknown_table", node, message, hint)
        raise self._unknown(node, names[0], self.relations.values())

    def _unknown(self, node: Node, name: str, relations: Iterable[Relation]) -> Exception:
        relations = list(relations)
        if any(name.lower() in relation.withheld for relation in relations):
            message = f'the column "{name}" is marked as a direct identifier, which never leaves the source.'
            return self.file.error("pack.direct_identifier", node, message, "Leave it out, or mark it as a pseudonym.")
        if name.lower() in CLOCK:
            return self._changing(node, name)
        candidates = [column.name for relation in relations for column in relation.columns.values()]
        where = f"{relations[0].name} has" if len(relations) == 1 else "no table in FROM has"
        message = f'{where} {"no" if len(relations) == 1 else "a"} column "{name}".'
        hint = did_you_mean(name, candidates)
        if name.lower() in self.hidden:
            hint = "Names given in the select list cannot be used in a rule; use the expression, or a CTE."
        return self.file.error("pack.unknown_column", node, message, hint)

    def _changing(self, node: Node, name: str) -> Exception:
        message = f"{name} does not give the same answer in every run."
        return self.file.error("pack.sql_not_repeatable", node, message, "Use a parameter: getvariable('name').")


def facts(node: Node, scope: Scope) -> Facts:
    """What the expression `node` uses, every name checked.

    Errors: `pack.unknown_column`, `pack.unknown_table`, `pack.direct_identifier`, `pack.unknown_parameter`,
    `pack.sql_not_repeatable`, `pack.sql_subquery`, `pack.sql_rule_place`, `pack.sql_star`, `pack.sql_placeholder`.
    """
    found = Facts()
    _collect(node, scope, found)
    return found


def _collect(node: Node, scope: Scope, found: Facts) -> None:
    kind = node.get("class")
    if kind == "COLUMN_REF":
        _column(node, scope, found)
        return
    if kind == "LAMBDA":
        _lambda(node, scope, found)
        return
    if kind == "SUBQUERY":
        message = "a subquery in an expression is not allowed: it reads other rows than those of this SELECT."
        raise scope.file.error("pack.sql_subquery", node, message, "Use LEFT JOIN on all columns of a key.")
    if kind == "STAR":
        message = "* and COLUMNS(...) stand for columns only as select * in a common table expression."
        raise scope.file.error("pack.sql_star", node, message, "Name the columns.")
    if kind in ("PARAMETER", "POSITIONAL_REFERENCE", "DEFAULT"):
        message = "placeholders and positions such as ?, $1 and #1 are not allowed."
        raise scope.file.error("pack.sql_placeholder", node, message, "Name the column, or use getvariable('name').")
    if kind == "WINDOW":
        _window(node, scope, found)
    if kind == "FUNCTION":
        _function(node, scope, found)
    for child in children(node):
        _collect(child, scope, found)


def _column(node: Node, scope: Scope, found: Facts) -> None:
    resolved = scope.column(node)
    if resolved is not None:
        relation, column = resolved
        found.reads |= column.reads
        found.relations.add(relation.name.lower())
    elif (alias := scope.aliases.get(str(node["column_names"][0]).lower())) is not None:
        found.add(alias)


def _lambda(node: Node, scope: Scope, found: Facts) -> None:
    """`x -> x + 1`, or `json -> 'key'`, which the parser does not tell apart."""
    left = node["lhs"]
    names = {str(ref["column_names"][0]).lower() for ref in _references(left)}
    visible = {name for relation in scope.relations.values() for name in relation.columns} | set(scope.aliases)
    if node.get("syntax_type") == "SINGLE_ARROW" and (left.get("class") != "COLUMN_REF" or names & visible):
        _collect(left, scope, found)
        _collect(node["expr"], scope, found)
        return
    inner = Scope(
        scope.file, scope.functions, scope.parameters, scope.relations, scope.aliases,
        scope.locals | names, scope.hidden,
    )  # fmt: skip
    _collect(node["expr"], inner, found)


def _references(node: Node) -> list[Node]:
    if node.get("class") == "COLUMN_REF":
        return [node]
    return [reference for child in children(node) for reference in _references(child)]


def _window(node: Node, scope: Scope, found: Facts) -> None:
    found.windows.append(node)
    name = str(node["function_name"]).lower()
    if name in ORDERED_WINDOWS and not node["orders"] and not node.get("arg_orders"):
        message = f"{name}() over (...) needs an ORDER BY, otherwise each run numbers the rows differently."
        raise scope.file.error("pack.sql_not_repeatable", node, message, "Order by the date, and last by _row.")


def _function(node: Node, scope: Scope, found: Facts) -> None:
    name = str(node["function_name"]).lower()
    if name in RULES:
        message = f"{name} stands only in the select list itself, not within an expression, a CTE or a subquery."
        raise scope.file.error("pack.sql_rule_place", node, message)
    if name == "getvariable":
        _parameter(node, scope)
    elif name in UNNEST:
        found.unnests.append(node)
    elif name == "generate_subscripts":
        message = "generate_subscripts loses the rows whose list is empty."
        raise scope.file.error("pack.sql_unnest", node, message, "Use unnest(range(len(list))).")
    elif name in scope.functions.changing:
        raise scope._changing(node, f"{name}()")
    elif name in scope.functions.aggregates:
        found.aggregates.append(node)
        if name in ORDERED_AGGREGATES and not node["order_bys"]["orders"]:
            message = f"{name}(...) depends on the order of rows, which is not the same in every run."
            hint = f"Say {name}(column order by date, _row), or use min or max."
            raise scope.file.error("pack.sql_not_repeatable", node, message, hint)


def _parameter(node: Node, scope: Scope) -> None:
    arguments = [argument["expression"] for argument in node["arguments"]]
    literal = arguments[0].get("literal") if len(arguments) == 1 else None
    if not literal or literal.get("kind") != "STRING":
        raise scope.file.error("pack.unknown_parameter", node, "getvariable needs the name of a parameter in quotes.")
    if literal["text"] not in scope.parameters:
        message = f'pack.toml declares no parameter "{literal["text"]}".'
        hint = instead_of(literal["text"], scope.parameters) or "Declare it in [parameters]."
        raise scope.file.error("pack.unknown_parameter", arguments[0], message, hint)
