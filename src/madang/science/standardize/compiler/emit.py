"""The SQL that the runner executes, written as changes to the syntax tree of the pack's SELECT."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from madang.lake.engine import quote_name, quote_text
from madang.science.standardize.compiler.expressions import UNNEST
from madang.science.standardize.compiler.relations import RowJoin
from madang.science.standardize.compiler.text import Node, SqlFile
from madang.science.standardize.identify import LINE_BITS

PERIODS = "_period_of_file"
"""A variable of the engine: for each file, in the order of numbers, which of the periods at work it is of."""


@dataclass(frozen=True)
class Column:
    """One column that comes out: its name, its expression, its type now and the type it has to have."""

    name: str
    node: Node
    given: str
    final: str


@dataclass(frozen=True)
class Emitter:
    """Writes variants of one SELECT: same common table expressions, same FROM, other columns."""

    file: SqlFile
    query: Node
    driver: str

    def within(self, source: str, joins: Sequence[RowJoin], narrowed: Collection[str]) -> "Emitter | None":
        """The same SELECT, in which rows find rows of the relations `narrowed` only in their own period.

        None where that cannot be said: a row without a number, or a join by USING, which has no condition to add to.
        """
        conditions: dict[int, Node] = {}
        for join in joins:
            if join.right_base not in narrowed:
                continue
            if not join.numbered or not join.node["condition"] or join.left_base not in {*narrowed, source}:
                return None
            left, right = (_period(name) for name in (join.left, join.right))
            conditions[id(join.node)] = self.file.expression(f"_1 AND {left} = {right}", join.node["condition"])
        return replace(self, query=_with_conditions(self.query, conditions)) if conditions else self

    def rows(self, columns: Sequence[Column], conditions: Sequence[Node]) -> str:
        """Every row with its columns, `_row` and `_rule`."""
        items = [self._output(column) for column in columns]
        return self._select([*items, self._row(), self._rule(conditions)])

    def members(self, groups: Sequence[Column], conditions: Sequence[Node]) -> str:
        """Every row with its group and `_rule`."""
        items = [self._as(self._cast(column), f"_g{i}") for i, column in enumerate(groups)]
        return self._select([self._row(), *items, self._rule(conditions)])

    def groups(self, columns: Sequence[Column], groups: Sequence[Column], conditions: Sequence[Node]) -> str:
        """One row per group with its columns and the `_row` of its first member."""
        first = self.file.expression(f"min({quote_name(self.driver)}._row) AS _row")
        number = _number(conditions)
        where = self.file.expression(f"({number}) IS NULL", *conditions) if conditions else None
        return self._select(
            [*(self._output(column) for column in columns), first],
            where_clause=where,
            group_expressions=[{**group.node, "alias": ""} for group in groups],
            group_sets=[list(range(len(groups)))],
        )

    def joined(self, alias: str) -> str:
        """The rows of the driving source (`_row`) with the rows of a joined one (`joined`)."""
        return self._select([self._row(), self.file.expression(f"{quote_name(alias)}._row AS joined")])

    def _select(self, items: list[Node], **changes: object) -> str:
        plain = {"group_expressions": [], "group_sets": [], "aggregate_handling": "STANDARD_HANDLING"}
        return self.file.sql({**self.query, **plain, "select_list": items, **changes})

    def _row(self) -> Node:
        return self.file.expression(f"{quote_name(self.driver)}._row AS _row")

    def _rule(self, conditions: Sequence[Node]) -> Node:
        number = _number(conditions) if conditions else "NULL"
        return self.file.expression(f"CAST({number} AS INTEGER) AS _rule", *conditions)

    def _output(self, column: Column) -> Node:
        node = self._keep_rows(self._cast(column))
        if column.name == "item":
            node = self.file.expression("coalesce(_1, 0)", node)
        return self._as(node, column.name)

    def _keep_rows(self, node: Any) -> Any:
        """A tree in which no UNNEST loses a row: an empty list comes out once, with null."""
        if isinstance(node, list):
            return [self._keep_rows(one) for one in node]
        if not isinstance(node, dict):
            return node
        copy = {key: self._keep_rows(value) for key, value in node.items()}
        if node.get("class") == "FUNCTION" and str(node["function_name"]).lower() in UNNEST:
            argument, *others = copy["arguments"]
            whole = "CASE WHEN len(_1) > 0 THEN _1 ELSE [NULL] END"
            copy["arguments"] = [
                {**argument, "expression": self.file.expression(whole, argument["expression"])}, *others,
            ]  # fmt: skip
        return copy

    def _cast(self, column: Column) -> Node:
        if column.given == column.final:
            return column.node
        return self.file.expression(f"CAST(_1 AS {column.final})", column.node)

    def _as(self, node: Node, name: str) -> Node:
        return {**node, "alias": name}


def _number(conditions: Sequence[Node]) -> str:
    """SQL of the number of the first condition that holds, with `_1`, ... for the conditions."""
    return f"CASE {' '.join(f'WHEN _{i + 1} THEN {i}' for i in range(len(conditions)))} END"


def _period(relation: str) -> str:
    """SQL of the period of the rows of a relation."""
    return f"getvariable({quote_text(PERIODS)})[{quote_name(relation)}._row >> {LINE_BITS}]"


def _with_conditions(node: Any, conditions: Mapping[int, Node]) -> Any:
    """A copy of a tree in which some joins (known by `id`) have other conditions."""
    if isinstance(node, list):
        return [_with_conditions(one, conditions) for one in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _with_conditions(value, conditions) for key, value in node.items()}
    return {**copy, "condition": conditions[id(node)]} if id(node) in conditions else copy
