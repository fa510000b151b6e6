"""One SQL file of a pack: its text, its syntax tree, and where each node of the tree stands."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from madang.base.errors import MadangError
from madang.lake.engine import Engine

Node = dict[str, Any]

NOWHERE = 2**64 - 1
"""The location of a node that the parser made up."""


def children(node: Node | list[Any]) -> Iterator[Node]:
    """The nodes directly below `node`, whatever the key or list they stand in."""
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, dict):
            yield value
        elif isinstance(value, list):
            yield from children(value)


def walk(node: Node) -> Iterator[Node]:
    """`node` and all nodes below it, parents first."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(list(children(node)))


@dataclass(frozen=True)
class SqlFile:
    """The text of one SELECT; `label` is the file's name in messages."""

    label: str
    text: str
    engine: Engine
    templates: dict[str, Node] = field(default_factory=dict, repr=False, compare=False)
    """What `expression` has parsed so far, for all files of a pack: a statement to the engine takes a millisecond."""

    def place(self, node: Node) -> tuple[int, int]:
        """Line and column (both from 1, in characters) of the first word of `node`; of a join, the word JOIN."""
        if node.get("type") == "JOIN" and not node["is_implicit"]:
            return self.place_of_byte(node["query_location"])
        places = [place for part in walk(node) if (place := part.get("query_location", NOWHERE)) not in (None, NOWHERE)]
        return self.place_of_byte(min(places, default=0))

    def place_of_byte(self, offset: int) -> tuple[int, int]:
        """Line and column of a byte of the text; the parser counts bytes."""
        before = self.text.encode()[:offset].decode(errors="ignore")
        return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1

    def error(self, code: str, node: Node | None, message: str, hint: str = "") -> MadangError:
        """An error at the first word of `node`; None means the file as a whole."""
        where = f"{self.label}:{':'.join(map(str, self.place(node)))}" if node is not None else self.label
        return MadangError(code, f"{where}: {message}", hint)

    def select(self) -> Node:
        """The only statement of the file, as the node of a SELECT."""
        try:
            statements = self.engine.parse(self.text)["statements"]
        except MadangError as error:
            if error.code == "engine.select_only":
                raise self.error("pack.sql_not_select", None, "the file has to hold one SELECT.") from None
            found = re.match(r"The SQL cannot be read in line (\d+): (.*)", error.message, re.DOTALL)
            where = f"{self.label}:{found[1]}" if found else self.label
            what = found[2] if found else error.message.partition(": ")[2]
            raise MadangError("pack.sql_syntax", f"{where}: the SQL cannot be read: {what}", error.hint) from None
        if len(statements) != 1:
            message = f"the file has to hold one SELECT, and it holds {len(statements)} statements."
            raise self.error("pack.sql_not_select", None, message)
        node: Node = statements[0]["node"]
        return node

    def expression(self, sql: str, *parts: Node) -> Node:
        """The syntax tree of one expression written by the compiler, with trees in the place of `_1`, `_2`, ..."""
        found = self.templates.get(sql)
        if found is None:
            found = self.engine.parse(f"SELECT {sql}")["statements"][0]["node"]["select_list"][0]
            self.templates[sql] = found
        places = {f"_{place}": {**part, "alias": ""} for place, part in enumerate(parts, start=1)}
        node: Node = _filled(found, places) if places else found
        return node

    def sql(self, query: Node) -> str:
        """The SQL of a query node."""
        return self.engine.unparse({"statements": [{"node": query, "named_param_map": []}]})

    def sql_of(self, expression: Node) -> str:
        """The SQL of an expression, without its alias."""
        bare = {**expression, "alias": ""}
        empty = {"type": "EMPTY", "alias": "", "sample": None, "query_location": NOWHERE, "query_location_length": 0}
        return self.sql({**EMPTY_SELECT, "select_list": [bare], "from_table": empty}).removeprefix("SELECT ")


def _filled(node: Any, places: Mapping[str, Node]) -> Any:
    if isinstance(node, list):
        return [_filled(one, places) for one in node]
    if not isinstance(node, dict):
        return node
    names = node.get("column_names", ())
    if len(names) == 1 and names[0] in places:
        return places[names[0]]
    return {key: _filled(value, places) for key, value in node.items()}


EMPTY_SELECT: Node = {
    "type": "SELECT_NODE",
    "modifiers": [],
    "cte_map": {"map": []},
    "select_list": [],
    "from_table": None,
    "where_clause": None,
    "group_expressions": [],
    "group_sets": [],
    "aggregate_handling": "STANDARD_HANDLING",
    "having": None,
    "sample": None,
    "qualify": None,
}
"""A SELECT without any clause, as the engine's parser writes it."""
