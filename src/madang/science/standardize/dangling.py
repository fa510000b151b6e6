"""References that lead nowhere, to resources that no file of this export holds: their fields stay empty, and are told.

Those to persons are left out, since rows without a person are rejected with a reason.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from madang.lake.engine import Engine, quote_name
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

    def note(self, source: Source) -> None:
        """Count those of the rows that the relation of a source shows now."""
        for column in source.columns.values():
            target = self.held.get(column.reference[0]) if len(column.reference) == 1 and column.by == "id" else None
            if target is None or target.resource == "Patient" or column.name not in self.needed[source.name]:
                continue
            name, key = quote_name(column.name), quote_name(target.key[0])
            every, lost = self.engine.rows(
                f"SELECT count({name}), count({name}) FILTER ({name} NOT IN (SELECT {key} "
                f"FROM {quote_name(target.name)} WHERE {key} IS NOT NULL)) FROM {quote_name(source.name)}"
            )[0]
            label = f"{source.name}.{column.name}"
            self.all[label] += every
            self.lost[label] += lost
            self.kinds[label] = target.resource

    def told(self) -> list[str]:
        """A sentence for each column that has such references."""
        return [
            f"{lost:,} of {self.all[label]:,} references of {label} lead to no {self.kinds[label]} of this export, and "
            "are left out."
            for label, lost in sorted(self.lost.items())
            if lost
        ]
