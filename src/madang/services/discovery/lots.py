"""Lots and samples: what was really made, bought and measured. A compound has lots, a lot has samples; plates may name
any of the three. Every line that is entered is taken or refused with its reason."""

import csv
import io
import math
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.text import clean_line
from madang.services.discovery.acts import ENTER
from madang.services.discovery.models import Lot
from madang.services.discovery.service import _find, see

COLUMNS = ("name", "compound", "of", "amount", "unit", "purity", "source", "place", "made")
MOST = 5_000  # lines at once
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Entered:
    """How many lines were taken, and those that were not: line and reason."""

    taken: int
    refused: tuple[tuple[int, str], ...]


def enter(node: Node, actor: Actor, library: str, table: str) -> Entered:
    """Enter lots and samples from a table with columns name, compound (of a lot) or of (the lot of a sample), and if
    known amount, unit, purity (percent), source, place, made (YYYY-MM-DD)."""
    from madang.science.chemistry.library import newest, read_table

    check(actor, ENTER, see(node, actor, library))
    rows = read_lines(table)
    known = set(read_table(newest(node.home.lake().dataset(library)), "compound", ["id"])["id"].to_pylist())
    refused: list[tuple[int, str]] = []
    with doing(node, actor, ENTER, lambda session: _find(session, library)) as done:
        there = {lot.name: lot for lot in _lots(done.session, done.thing.id)}
        taken = 0
        for line, row in rows:
            try:
                lot = _lot(row, known, there)
            except MadangError as error:
                refused.append((line, error.message))
                continue
            lot.library_id, lot.person_id = done.thing.id, actor.person_id
            done.session.add(lot)
            there[lot.name] = lot
            taken += 1
        done.tell(kind="lots", name=str(taken))
    return Entered(taken, tuple(refused))


def lots(node: Node, actor: Actor, library: str) -> list[Lot]:
    """The lots and samples of a library, in the order in which they were entered."""
    found = see(node, actor, library)
    with node.read() as session:
        return list(_lots(session, found.id))


def read_lines(table: str) -> list[tuple[int, dict[str, str]]]:
    """Lines of a table that was pasted, CSV or from a spreadsheet, as texts by the small name of their column."""
    first, _end, _rest = table.partition("\n")
    reader = csv.reader(io.StringIO(table), delimiter="\t" if "\t" in first else ",")
    lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if len(lines) < 2 or len(lines) > MOST + 1:
        raise MadangError(
            "lot.table", _("Give a table of 1 to {most} lines below its line of names.").format(most=MOST)
        )
    header = [name.lower() for name in lines[0][1]]
    if len(set(header)) < len(header):
        raise MadangError("lot.table", _("A column is there twice."))
    return [(number, dict(zip(header, cells, strict=False))) for number, cells in lines[1:]]


def _lots(session: Session, library: int) -> Any:
    return session.scalars(select(Lot).where(Lot.library_id == library).order_by(Lot.id))


def _lot(row: dict[str, str], known: set[str], there: dict[str, Lot]) -> Lot:
    name = clean_line(row.get("name", ""), _("The name"), 100, required=True)
    of = row.get("of", "")
    compound = row.get("compound", "")
    if name in there or name in known:
        raise MadangError("lot.name", _("{name} is the name of something else already.").format(name=name))
    if of:
        if of not in there or there[of].of:
            raise MadangError("lot.of", _("There is no lot {name}.").format(name=of))
        if compound and compound != there[of].compound:
            raise MadangError("lot.of", _("{name} is a lot of another compound.").format(name=of))
        compound = there[of].compound
    if compound not in known:
        raise MadangError("lot.compound", _("There is no compound {name}.").format(name=compound or "''"))
    made = row.get("made", "")
    if made and not _is_date(made):
        raise MadangError("lot.made", _("{text} is no date; write it as 2026-11-29.").format(text=made))
    purity = _number(row.get("purity", "").rstrip("%"))
    if purity is not None and purity > 100:
        raise MadangError("lot.purity", _("Purity is a percentage, 0 to 100."))
    return Lot(
        name=name,
        compound=compound,
        of=of,
        amount=_number(row.get("amount", "")),
        unit=clean_line(row.get("unit", ""), _("The unit"), 20),
        purity=purity,
        source=clean_line(row.get("source", ""), _("The source"), 300),
        place=clean_line(row.get("place", ""), _("The place"), 300),
        made=made,
    )


def _number(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise MadangError("lot.number", _("{text} is no amount.").format(text=text[:40]))
    return value


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
