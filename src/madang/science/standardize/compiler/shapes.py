"""Empty tables of the shapes of sources and entities, over which the engine's binder looks at queries."""

from collections.abc import Iterable

from madang.lake.engine import Engine, quote_name
from madang.science.standardize.compiler.expressions import Relation

Types = list[tuple[str, str]]
"""Names and engine types of the columns of a query."""


class Shapes:
    """Empty tables of the shapes of relations, in an engine of their own, over which SQL is bound."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._made: set[str] = set()

    def types(self, sql: str, relations: Iterable[Relation]) -> Types:
        """The columns of a query over some relations."""
        for relation in relations:
            if relation.name not in self._made:
                self._made.add(relation.name)
                columns = ", ".join(f"{quote_name(c.name)} {c.type}" for c in relation.columns.values())
                self.engine.execute(f"CREATE TEMP TABLE {quote_name(relation.name)} ({columns})")
        return self.engine.describe(f"SELECT * FROM ({sql})")
