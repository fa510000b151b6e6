"""References that lead nowhere, to resources that no file of this export holds: their fields stay empty, and are told.

Those to persons are not told, since rows without a person are rejected with a reason. What rows of passing sources name
in vain is kept for later runs: where it comes at last, their files have to be read again. It is kept as hashes, so that
no name stays behind of a person who is removed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.standardize.lasting import Corrected
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
        engine.execute("CREATE OR REPLACE TEMP TABLE _dangling (source VARCHAR, named_by VARCHAR, hash VARCHAR)")

    def note(self, source: Source, *, passing: bool = False) -> None:
        """Count those of the rows that the relation of a source shows now; keep them where it passes."""
        shown = quote_name(source.name)
        for column in source.columns.values():
            target = self.held.get(column.reference[0]) if len(column.reference) == 1 else None
            known = self._known(target, column.by) if target else ""
            if target is None or not known or column.name not in self.needed[source.name]:
                continue
            name = quote_name(column.name)
            every, lost = self.engine.rows(
                f"SELECT count({name}), count({name}) FILTER ({name} NOT IN ({known})) FROM {shown}"
            )[0]
            if lost and passing:
                self.engine.execute(
                    f"INSERT INTO _dangling SELECT DISTINCT {quote_text(target.name)}, {quote_text(column.by)}, "
                    f"md5({name}) "
                    f"FROM {shown} WHERE {name} NOT IN ({known})"
                )
            # Beside an identifier that nobody has an id may have been found.
            if target.resource == "Patient" or column.by != "id":
                continue
            label = f"{source.name}.{column.name}"
            self.all[label] += every
            self.lost[label] += lost
            self.kinds[label] = target.resource

    def _known(self, target: Source, by: str) -> str:
        """SELECT of what rows of a source are known by; empty where no SELECT reads it."""
        if by == "id":
            key = quote_name(target.key[0])
            return f"SELECT {key} FROM {quote_name(target.name)} WHERE {key} IS NOT NULL"
        listed = next((column.name for column in target.columns.values() if column.identifiers), "")
        if listed not in self.needed[target.name]:
            return ""
        each = f"unnest(from_json(try_cast({quote_name(listed)} AS JSON), '[\"VARCHAR\"]'))"
        value = "name" if by == "identifier" else "substr(name, instr(name, '|') + 1)"
        return f"SELECT {value} FROM (SELECT {each} AS name FROM {quote_name(target.name)}) WHERE name IS NOT NULL"

    def late(self, kept: str, folder: Path, names: Iterable[str]) -> list[str]:
        """Begin anew (`Corrected`) where rows came that those of earlier files name.

        `kept`: a SELECT of what they named in vain; `names`: all files that were read. A sentence, if one is not there.
        """
        late = self._came(kept)
        if late and all((folder / name).is_file() for name in names):
            raise Corrected(late)
        return (
            [
                f"Rows of {late} came that records of earlier files name, which are not in {folder} any more and "
                "stay as they were; put all files there and use --rebuild."
            ]
            if late
            else []
        )

    def _came(self, kept: str) -> str:
        """A source that now has what rows of earlier runs named in vain, or an empty text."""
        for source in self.held.values():
            for by in ("id", "identifier", "value"):
                if (known := self._known(source, by)) and self.engine.rows(
                    f"SELECT 1 FROM ({kept}) WHERE source = {quote_text(source.name)} AND named_by = {quote_text(by)} "
                    f"AND hash IN (SELECT md5(name) FROM ({known}) AS k(name)) LIMIT 1"
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
