"""Types: the engine's own binder looks at a query over empty tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from madang.base.errors import MadangError
from madang.science.standardize.compiler.expressions import Relation
from madang.science.standardize.compiler.outputs import WHOLE
from madang.science.standardize.compiler.relations import Comparison
from madang.science.standardize.compiler.shapes import Shapes, Types
from madang.science.standardize.compiler.text import Node, SqlFile, walk
from madang.science.standardize.pack_model import Scalar

_PARAMETER_TYPES = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}
_UNGROUPED: Node = {"group_expressions": [], "group_sets": [], "aggregate_handling": "STANDARD_HANDLING"}


@dataclass(frozen=True)
class Binder:
    """Binds the queries of one SQL file; a fault is an error at the place where it is."""

    file: SqlFile
    relations: Mapping[str, Relation]
    """Sources, entities and members tables, by name in small letters."""
    parameters: Mapping[str, Scalar]
    shapes: Shapes
    typed: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    """Parts of trees seen so far, by `id`, and what `_typed` makes of them."""

    def type_of(self, query: Node, expression: Node) -> str:
        """The type of an expression over the FROM of `query`."""
        return self._at(expression, {**query, **_UNGROUPED, "select_list": [{**expression, "alias": "_x"}]})[0][1]

    def types_of(self, query: Node, expressions: Sequence[Node]) -> list[str]:
        """The types of expressions over the FROM of `query`: bound at once, and one by one only where one is wrong."""
        listed = [{**expression, "alias": f"_x{i}"} for i, expression in enumerate(expressions)]
        try:
            return [kind for _, kind in self._bind({**query, **_UNGROUPED, "select_list": listed})]
        except MadangError:
            return [self.type_of(query, expression) for expression in expressions]

    def all_types(
        self, query: Node, singles: Sequence[Node], columns: Sequence[Node], groups: Sequence[int] | None
    ) -> tuple[list[str], Types | None]:
        """`types_of` some expressions, and with them the `types` of columns if nothing is grouped and nothing wrong."""
        if groups is None:
            listed = [{**expression, "alias": f"_x{i}"} for i, expression in enumerate(singles)]
            try:
                found = self._bind({**query, **_UNGROUPED, "select_list": [*listed, *columns]})
                return [kind for _, kind in found[: len(singles)]], found[len(singles) :]
            except MadangError:
                pass  # one by one, to find the place
        return self.types_of(query, singles) if singles else [], None

    def types(self, query: Node, columns: Sequence[Node], groups: Sequence[int] | None) -> Types:
        """The columns of `query` with `columns` as select list, grouped by some of them or not at all."""
        try:
            return self._bind(_grouped(query, columns, groups))
        except MadangError as error:
            self._find_fault(query, columns, groups)
            raise self._fault(error, columns[0]) from None

    def check(self, comparisons: Sequence[Comparison]) -> None:
        """Refuse a key that is compared with another type: '01' and '1' are one number, but two texts."""
        for _, same in groupby(comparisons, key=lambda one: id(one.query)):
            found = list(same)
            sides = self.types_of(found[0].query, [side for one in found for side in (one.key, one.other)])
            for comparison, key, other in zip(found, sides[::2], sides[1::2], strict=True):
                self._compare(comparison, [key, other])

    def _compare(self, comparison: Comparison, kinds: Sequence[str]) -> None:
        families = {"a whole number" if kind in WHOLE else kind for kind in kinds} - {'"NULL"'}
        if len(families) > 1:
            message = f"a key that is {kinds[0]} is compared with {kinds[1]}."
            hint = "Compare equal types: declare the columns alike in pack.toml, or cast the other side."
            raise self.file.error("pack.sql_join", comparison.other, message, hint)

    def _bind(self, query: Node) -> Types:
        tables = {str(part["table_name"]).lower() for part in walk(query) if part.get("type") == "BASE_TABLE"}
        relations = [relation for name, relation in self.relations.items() if name in tables]
        return self.shapes.types(self.file.sql(self._typed(query)), relations)

    def _at(self, place: Node, query: Node) -> Types:
        try:
            return self._bind(query)
        except MadangError as error:
            raise self._fault(error, place) from None

    def _fault(self, error: MadangError, place: Node) -> MadangError:
        """What the engine's binder says, at a place of the file."""
        text = error.message.partition(": ")[2] or error.message
        hint = "" if error.hint.endswith(":") else error.hint
        return self.file.error("pack.sql_types", place, text[0].lower() + text[1:], hint)

    def _find_fault(self, query: Node, columns: Sequence[Node], groups: Sequence[int] | None) -> None:
        """Bind piece by piece, so that the error can name the place."""
        ctes = query["cte_map"]["map"]
        for count, entry in enumerate(ctes):
            select = entry["value"]["query_node"]
            inner = {**select, "cte_map": {"map": [*ctes[:count], *select["cte_map"]["map"]]}}
            for length, item in enumerate(select["select_list"], start=1):
                self._at(item, {**inner, "select_list": select["select_list"][:length]})
        self.type_of(query, {**self.file.expression("1"), "query_location": self._from(query)})
        if groups is None:
            for length, column in enumerate(columns, start=1):
                self._at(column, {**query, **_UNGROUPED, "select_list": columns[:length]})
            return
        for index in groups:
            self.type_of(query, columns[index])
        for column in columns:
            keys = [columns[index] for index in groups]
            self._at(column, _grouped(query, [*keys, column], range(len(keys))))

    def _from(self, query: Node) -> int:
        return min(part.get("query_location", 0) for part in walk(query["from_table"]))

    def _typed(self, part: Any) -> Any:
        """A tree with a null of the parameter's type in place of every `getvariable`."""
        if not isinstance(part, dict | list):
            return part
        if id(part) in self.typed:
            return self.typed[id(part)][1]
        if isinstance(part, list):
            changed: Any = [self._typed(one) for one in part]
        elif part.get("class") == "FUNCTION" and str(part["function_name"]).lower() == "getvariable":
            value = self.parameters[part["arguments"][0]["expression"]["literal"]["text"]]
            null = self.file.expression(f"CAST(NULL AS {_PARAMETER_TYPES.get(type(value), 'DATE')})")
            changed = {**null, "alias": part["alias"]}
        else:
            changed = {key: self._typed(value) for key, value in part.items()}
        self.typed[id(part)] = part, changed  # kept, so that no other part has its `id`
        return changed


def _grouped(query: Node, columns: Sequence[Node], groups: Sequence[int] | None) -> Node:
    plain = {**query, **_UNGROUPED, "select_list": list(columns)}
    if groups is None:
        return plain
    keys = [{**columns[index], "alias": ""} for index in groups]
    return {**plain, "group_expressions": keys, "group_sets": [list(range(len(keys)))]}
