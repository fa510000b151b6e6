"""Which rows of sources that are only joined were joined by a row that made something: the others are not used."""

from collections.abc import Collection

from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_text
from madang.science.standardize.accounting import UNUSED
from madang.science.standardize.compiler.program import Program, Select
from madang.science.standardize.identify import LINE_BITS
from madang.science.standardize.made import Made

NOT_JOINED = "joined by no row that made something"


class Joined:
    """Notes joined rows SELECT by SELECT. What files told that later runs do not read again is kept for these."""

    def __init__(self, engine: Engine, program: Program, before: Version | None) -> None:
        self.engine, self.program = engine, program
        self.unknown: set[str] = set()
        """Sources of which it cannot be told which rows were joined: all of them count as used."""
        if before is not None and not before.info.get("joined", False):
            self.unknown |= program.only_joined  # a release made it that did not know
        engine.execute(
            "CREATE OR REPLACE TEMP TABLE _joined (source VARCHAR, _row BIGINT, selected VARCHAR, lasting BOOLEAN)"
        )

    def wants(self, select: Select) -> bool:
        """Whether `note` asks the relations of a SELECT for something."""
        return any(source in self.program.only_joined for source, _ in select.joins)

    def note(self, select: Select, rows: str) -> None:
        """Note what a SELECT joined just now; `rows` are its rows with `_row` and `_rule` (null: it made something)."""
        lasting = select.kind == "event" and select.source not in self.program.staged
        for source, sql in select.joins:
            if source not in self.program.only_joined:
                continue
            if sql is None:
                self.unknown.add(source)
                continue
            names = f"{quote_text(source)}, joined, {quote_text(select.name)}, {lasting}"
            self.engine.execute(
                f"INSERT INTO _joined SELECT DISTINCT {names} "
                f"FROM ({sql()}) j SEMI JOIN (SELECT _row FROM {rows} WHERE _rule IS NULL) r ON r._row = j._row "
                "WHERE joined IS NOT NULL"
            )

    def settle(self, made: Made, corrected: Collection[str]) -> str:
        """Write what was joined and what was not; the SELECT of the latter (file, line, fate, reason).

        Of sources whose rows are `corrected` these are the lines whose content is shown.
        """
        for lasting, part in ((True, "joined lasting"), (False, "joined spanning")):
            sql = f"SELECT DISTINCT source, _row, selected FROM _joined WHERE lasting = {lasting}"
            made.put("joined", sql, part, restricted=True)
        every = made.sql("joined", restricted=True)
        parts = ["SELECT NULL::BIGINT AS line WHERE FALSE"]
        for source in sorted(self.program.only_joined - self.unknown):
            shown = f"(SELECT _row, delivered FROM {quote_name(f'_deliveries_{source}')} WHERE NOT again AND age = 1)"
            line, lines = ("delivered", f"JOIN {shown} d USING (_row)") if source in corrected else ("_row", "")
            parts.append(
                f"SELECT {line} FROM {quote_name(source)} {lines} "
                f"WHERE _row NOT IN (SELECT _row FROM ({every}) WHERE source = {quote_text(source)})"
            )
        made.put(
            "not_joined",
            f"SELECT (line >> {LINE_BITS})::BIGINT AS file, (line & {(1 << LINE_BITS) - 1})::BIGINT AS line, "
            f"{quote_text(UNUSED)} AS fate, {quote_text(NOT_JOINED)} AS reason FROM ({' UNION ALL '.join(parts)})",
            "not joined",
            restricted=True,
        )
        return made.sql("not_joined", restricted=True)
