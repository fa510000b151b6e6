"""References that lead nowhere, to resources that no file of this export holds: their fields stay empty, and are told.

Those to persons are not told, since rows without a person are rejected with a reason. What rows of passing sources name
in vain is kept for later runs: where such a resource comes at last, their files have to be read again.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.standardize.pack import Pack, Source


class Dangling:
    """Counts, column by column, the references to resources of sources that are seen whole."""

    def __init__(
        self, engine: Engine, pack: Pack, staged: Collection[str], needed: Mapping[str, Sequence[str]]
    ) -> None:
        self.engine, self.needed = engine, needed
        self.held = {
            source.resource: source for name, source in pack.sources.items() if source.resource and name in staged
        }
        self.lost: Counter[str] = Counter()
        self.all: Counter[str] = Counter()
        self.kinds: dict[str, str] = {}
        engine.execute("CREATE OR REPLACE TEMP TABLE _dangling (source VARCHAR, id VARCHAR)")

    def note(self, source: Source, *, passing: bool = False) -> None:
        """Count those of the rows that the relation of a source shows now; keep them where it passes."""
        for column in source.columns.values():
            target = self.held.get(column.reference[0]) if len(column.reference) == 1 and column.by == "id" else None
            if target is None or column.name not in self.needed[source.name]:
                continue
            name, key = quote_name(column.name), quote_name(target.key[0])
            known = f"(SELECT {key} FROM {quote_name(target.name)} WHERE {key} IS NOT NULL)"
            shown = quote_name(source.name)
            every, lost = self.engine.rows(
                f"SELECT count({name}), count({name}) FILTER ({name} NOT IN {known}) FROM {shown}"
            )[0]
            if lost and passing:
                self.engine.execute(
                    f"INSERT INTO _dangling SELECT DISTINCT {quote_text(target.name)}, {name} FROM {shown} "
                    f"WHERE {name} NOT IN {known}"
                )
            if target.resource == "Patient":
                continue
            label = f"{source.name}.{column.name}"
            self.all[label] += every
            self.lost[label] += lost
            self.kinds[label] = target.resource

    def came_later(self, kept: str) -> str:
        """A source that now has what rows of earlier runs named in vain (`kept`, a SELECT), or an empty text."""
        for source in self.held.values():
            key = quote_name(source.key[0])
            if self.engine.rows(
                f"SELECT 1 FROM ({kept}) k JOIN {quote_name(source.name)} t ON t.{key} = k.id "
                f"WHERE k.source = {quote_text(source.name)} LIMIT 1"
            ):
                return source.name
        return ""

    def kept(self) -> str:
        """SELECT of what rows of this run named in vain; empty where there is none."""
        some = self.engine.rows("SELECT 1 FROM _dangling LIMIT 1")
        return "SELECT DISTINCT * FROM _dangling" if some else ""

    def told(self) -> list[str]:
        """A sentence for each column that has such references."""
        return [
            f"{lost:,} of {self.all[label]:,} references of {label} lead to no {self.kinds[label]} of this export, and "
            "are left out."
            for label, lost in sorted(self.lost.items())
            if lost
        ]
