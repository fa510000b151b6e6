"""Sample sheets, checked cell by cell against a checklist (INSDC style)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from madang.base.translate import _

MISSING = (  # INSDC terms for a value that is not reported
    *("missing", "not applicable", "not collected", "not provided", "restricted access"),
    *("missing: control sample", "missing: sample group", "missing: synthetic construct", "missing: lab stock"),
    *("missing: third party data", "missing: data agreement established pre-2023", "missing: endangered species"),
    "missing: human-identifiable",
)
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d)?Z?)?)?)?(/\d{4}(-\d\d(-\d\d)?)?)?\Z")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?\Z")
ALIAS = "sample_alias"
HUMAN = "9606"
_KEPT = 20_000  # values of a column whose finding is kept


@dataclass(frozen=True)
class Checklist:
    """What a sample has to say: fields that must be there, others, the units of each, groups of which one is needed."""

    name: str
    title: str
    mandatory: tuple[str, ...]
    optional: tuple[str, ...] = ()
    units: dict[str, tuple[str, ...]] = field(default_factory=dict)
    one_of: tuple[tuple[str, ...], ...] = ()
    choices: dict[str, tuple[str, ...]] = field(default_factory=dict)
    alias: str = ALIAS  # the column that names a row
    more: tuple[str, ...] = ()  # other columns that have to be there
    open: bool = False  # further columns may be there: only what is required is known of it

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its sheet, the mandatory ones first."""
        grouped = tuple(name for group in self.one_of for name in group)
        return tuple(dict.fromkeys((self.alias, *self.mandatory, *self.more, *grouped, *self.optional)))


@dataclass(frozen=True)
class Wrong:
    """A wrong cell: row as the spreadsheet numbers it (1 is the head), the column's name, why, and what it holds."""

    row: int
    column: str
    reason: str
    value: str = ""


def check_sheet(list_: Checklist, rows: Sequence[Sequence[Any]]) -> tuple[list[dict[str, str]], list[Wrong]]:
    """The samples of a sheet, and all its wrong cells; `rows` begin with the head, empty rows are passed over."""
    if not rows:
        return [], [Wrong(1, "", _("The sheet is empty."))]
    head = [str(cell).strip().rstrip("*") if cell is not None else "" for cell in rows[0]]
    found: list[Wrong] = []
    known = set(list_.columns)
    for name in dict.fromkeys(head):
        if name and head.count(name) > 1:
            found.append(Wrong(1, name, _("This column is there twice.")))
        if name and name not in known and not list_.open:
            found.append(Wrong(1, name, _("The checklist {name} has no such field.").format(name=list_.name)))
    for name in (list_.alias, *list_.mandatory, *list_.more):
        if name not in head:
            found.append(Wrong(1, name, _("This column is missing.")))
    samples: list[dict[str, str]] = []
    first: dict[str, int] = {}
    columns = [_Column(list_, place, name) for place, name in enumerate(head) if name in known or (list_.open and name)]
    for number, row in enumerate(rows[1:], 2):
        cells = {name: _text(cell) for name, cell in zip(head, row, strict=False) if name}
        if not any(cells.values()):
            continue
        found.extend(_row(list_, number, cells, row, columns))
        alias = cells.get(list_.alias, "")
        if alias and alias in first:
            found.append(Wrong(number, list_.alias, _("Row {n} has this name already.").format(n=first[alias]), alias))
        first.setdefault(alias, number)
        samples.append(cells)
    if list_.alias == ALIAS:
        found.extend(_parents(samples, first))
    if not samples:
        found.append(Wrong(2, "", _("There is no sample in the sheet.")))
    return samples, found


def _text(cell: Any) -> str:
    if type(cell) is str:
        return cell.strip()
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if (cell.hour, cell.minute, cell.second) == (0, 0, 0) else cell.isoformat() + "Z"
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


_Reasons = tuple[tuple[str, str], ...]  # why, and what of the value is shown


def _row(
    list_: Checklist, number: int, cells: dict[str, str], raw: Sequence[Any], columns: list["_Column"]
) -> Iterable[Wrong]:
    for name in (list_.alias, *list_.mandatory, *list_.more):
        if name in cells and not cells[name]:
            yield Wrong(number, name, _("This field is needed; write a term such as “not collected” if it is unknown."))
    for group in list_.one_of:
        if not any(cells.get(name) for name in group):
            yield Wrong(number, group[0], _("One of these is needed: {names}.").format(names=", ".join(group)))
    for column in columns:
        value = cells.get(column.name, "")
        if value:
            for why, shown in column.reasons(value, raw[column.place] if column.place < len(raw) else None):
                yield Wrong(number, column.name, why, shown)


class _Column:
    """A column of a sheet. What a value is found to be is kept, since most values come many times."""

    def __init__(self, list_: Checklist, place: int, name: str) -> None:
        self.name, self.place = name, place
        self._list = list_
        self._known: dict[tuple[str, bool], _Reasons] = {}

    def reasons(self, value: str, raw: Any) -> _Reasons:
        """Why a value is wrong; nothing where it is right."""
        key = value, type(raw) in (int, float)
        found = self._known.get(key)
        if found is None:
            found = tuple((each.reason, each.value) for each in _cell(self._list, self.name, value, key[1]))
            if len(self._known) < _KEPT:
                self._known[key] = found
        return found


def _cell(list_: Checklist, name: str, value: str, is_number: bool) -> Iterable[Wrong]:
    """What is wrong with one value; the row is told by who asks."""
    if value.startswith(("=", "#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?")):
        yield Wrong(0, name, _("This is a formula or its error, not a value."), value)
    elif value.lower().startswith(("missing", "not ")) and value not in MISSING and name != ALIAS:
        if value.lower() in MISSING or value.lower() in ("not available", "not known"):
            yield Wrong(0, name, _("INSDC writes it otherwise, for example “not collected”."), value)
    elif value not in MISSING:
        yield from _value(list_, 0, name, value, is_number)


def _value(list_: Checklist, number: int, name: str, value: str, is_number: bool) -> Iterable[Wrong]:
    lower = name.lower()
    if name == list_.alias and re.search(r"[\s\"'<>]", value):
        yield Wrong(number, name, _("A name has no spaces, quotes or brackets."), value)
    if lower in ("taxon_id", "tax_id") and not re.fullmatch(r"[1-9]\d*", value):
        yield Wrong(number, name, _("A taxon is a number of the NCBI taxonomy, such as 9606."), value)
    if "date" in lower.split() or lower.endswith("_date"):
        if is_number and not re.fullmatch(r"(19|20)\d\d", value):
            yield Wrong(number, name, _("This is a date as a bare number; write it as 2026-01-31."), value)
        elif not _DATE.match(value) or not _is_day(value):
            yield Wrong(number, name, _("A date is written 2026, 2026-01 or 2026-01-31."), value)
    if name in list_.choices and value not in list_.choices[name]:
        some = ", ".join(list_.choices[name][:6])
        yield Wrong(number, name, _("This is none of the values of this field: {names}.").format(names=some), value)
    if list_.units.get(name):
        amount, _space, unit = value.partition(" ")
        if not _NUMBER.match(amount):
            yield Wrong(number, name, _("This has to be a number with a unit."), value)
        elif unit and unit not in list_.units[name]:
            units = ", ".join(list_.units[name])
            yield Wrong(number, name, _("The unit is one of: {names}.").format(names=units), value)
    if len(value) > 1000:
        yield Wrong(number, name, _("This is longer than 1,000 letters."), value[:50])


def _is_day(value: str) -> bool:
    for each in value.split("/"):
        parts = [int(part) for part in re.findall(r"\d+", each)[:3]]
        try:
            date(*[*parts, 1, 1][:3])
        except ValueError:
            return False
    return True


def _parents(samples: list[dict[str, str]], first: dict[str, int]) -> Iterable[Wrong]:
    """A sample that stems from itself, at once or around a corner, or from one that is not there."""
    parent = {each.get(ALIAS, ""): each.get("derived_from", "") for each in samples}
    for alias, of in parent.items():
        if not of or of in MISSING:
            continue
        if of not in parent:
            yield Wrong(first[alias], "derived_from", _("There is no sample of that name in the sheet."), of)
            continue
        seen, at = {alias}, of
        while at and at not in seen:
            seen.add(at)
            at = parent.get(at, "")
        if at == alias:
            yield Wrong(first[alias], "derived_from", _("The sample stems from itself."), of)
