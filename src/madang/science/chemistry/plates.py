"""Plate-reader workbooks: readings of 96 or 384 wells and what was in each well, wherever on its sheets they stand.

Readings are grids (columns 1 to 12 or 24, rows A to H or P) or lists with a column `well`; so are layouts, on a sheet
of their own: a grid of names with a grid of concentrations, one grid of cells such as `CPD-1 10 uM`, or a list with
columns well, compound, concentration, unit, type.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.chemistry.reading import DECIMAL_COMMA, GROUPED, cell_text, sheets

MOLAR = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "nm": 1e-9, "pm": 1e-12, "fm": 1e-15}
MASS = {"g/l": 1.0, "mg/ml": 1.0, "mg/l": 1e-3, "ug/ml": 1e-3, "ug/l": 1e-6, "ng/ml": 1e-6, "pg/ml": 1e-9}
_LAYOUT = re.compile(r"lay\s*-?out|plate\s*-?map|\bmap\b|template|배치|레이아웃|플레이트\s*맵", re.I)
_CONCENTRATION = re.compile(r"conc|dose|농도|용량", re.I)
_ROLE = re.compile(r"\btype|role|control|역할|구분|대조", re.I)
_COMPOUND = re.compile(
    r"compound|sample|content|substance|molecule|\bname|\bid\b|treatment|drug|화합물|시료|물질", re.I
)
_READING = re.compile(
    r"value|signal|reading|response|result|absorb|fluor|lumin|\bod\b|rfu|rlu|counts?|raw|측정|신호|값", re.I
)
_ANY_UNIT = r"[munpfµμ]?M|[munpµμ]?g/m?[lL]"
_UNIT = re.compile(rf"(?:^|[^A-Za-z])({_ANY_UNIT})(?:$|[^A-Za-z])")
_BOTH = re.compile(rf"^(.*?\S)\s*[\s;:@|,/_(=]\s*([0-9][0-9.,]*(?:[eE][-+]?\d+)?)\s*({_ANY_UNIT})?\s*\)?$")
_WELL = re.compile(r"^([A-Za-z]{1,2})\s*[-:_.]?\s*0?(\d{1,2})$")
_LOGARITHM = re.compile(r"(?<![-\u2212])\blog", re.I)
_DECIMAL_COMMA = re.compile(rf"^-?{DECIMAL_COMMA}\s*(?:%|{_ANY_UNIT})?$")
_WITH_COMMA = re.compile(
    rf"(?<![\w.,])(-?\d{{1,3}}(?:\.\d{{3}})+|-?\d+),(\d+)(?=(?:[eE][-+]?\d+)?\s*(?:%|{_ANY_UNIT})?\)?$)"
)
_OVERFLOW = re.compile(r"ov(?:er|r)|sat|^[<>]|^\*+$|^#+$|####|n\.?d\.?$", re.I)
ROLES = {
    role: set(names.split("|"))
    for role, names in {
        "negative": "neg|negative|negative control|neg control|neg ctrl|negctrl|nc|dmso|vehicle|solvent|untreated|high|"
        "high control|max|hc|0%|0% inhibition|0 % inhibition|no inhibitor|neutral|neutral control|zpe|ctrl-|control-|"
        "-ctrl|음성|음성 대조|음성대조|음성 대조군|음성대조군",
        "positive": "pos|positive|positive control|pos control|pos ctrl|posctrl|pc|low|low control|min|lc|100%|"
        "100% inhibition|100 % inhibition|full inhibition|inhibitor control|hpe|ctrl+|control+|+ctrl|양성|양성 대조|"
        "양성대조|양성 대조군|양성대조군",
        "blank": "blank|background|bkg|buffer|medium|media|no cells|no enzyme|블랭크|공백",
        "empty": "empty|-|none|unused|n/a|na|빈|빈 웰",
    }.items()
}


@dataclass(frozen=True)
class Well:
    """What was in a well and what was read. `concentration` is in the unit of the plate; None for controls. A reading
    that is no number is None with its mark in `problem`."""

    well: str
    role: str
    compound: str
    concentration: float | None
    reading: float | None
    problem: str = ""


@dataclass(frozen=True)
class Plate:
    """A plate: its name, its number of wells, the unit of concentrations (empty if it is not said), and its wells."""

    name: str
    size: int
    unit: str
    wells: tuple[Well, ...]


@dataclass
class _Grid:
    sheet: str
    title: str
    size: int
    cells: dict[str, str]
    layout: bool = False


@dataclass
class _Content:
    compound: str = ""
    concentration: str = ""
    unit: str = ""
    role: str = ""


@dataclass
class _Layout:
    name: str
    contents: dict[str, _Content] = field(default_factory=dict)


def read_plates(path: Path) -> list[Plate]:
    """The plates of a workbook; raises MadangError where there are no readings or no layout for them."""
    grids: list[_Grid] = []
    readings: list[tuple[str, int, dict[str, str]]] = []
    layouts: list[_Layout] = []
    book = [(name, [[cell_text(cell) for cell in row] for row in rows]) for name, _start, rows in sheets(path)]
    for name, texts in _plain(book):
        found = _grids(name, texts)
        grids += found
        if not found:
            _lists(name, texts, readings, layouts)
    by_sheet: dict[str, list[_Grid]] = {}
    for grid in grids:
        if grid.layout:
            by_sheet.setdefault(grid.sheet, []).append(grid)
        else:
            titled = sum(other.sheet == grid.sheet and not other.layout for other in grids) > 1
            readings.append((grid.title or grid.sheet if titled else grid.sheet, grid.size, grid.cells))
    layouts += [layout for name, parts in by_sheet.items() for layout in _from_grids(name, parts)]
    if not readings:
        raise MadangError(
            "chemistry.no_plate",
            _("There are no readings of a plate in {file}.").format(file=path.name),
            _("Put them in a grid with columns 1 to 12 (or 24) and rows A to H (or P)."),
        )
    if not layouts:
        raise MadangError(
            "chemistry.no_layout",
            _("{file} does not say what was in the wells.").format(file=path.name),
            _("Add a sheet `Layout` with columns well, compound, concentration and type, or grids of them."),
        )
    return [
        _plate(name, size, cells, _layout_for(name, place, len(readings), layouts))
        for place, (name, size, cells) in enumerate(readings)
    ]


def _grids(sheet: str, rows: list[list[str]]) -> list[_Grid]:
    """Every labeled grid of a sheet, wherever it stands."""
    found = []
    for top, row in enumerate(rows):
        for left in range(len(row)):
            if row[left] not in ("1", "01"):
                continue
            width = 0
            while left + width < len(row) and row[left + width].lstrip("0") == str(width + 1):
                width += 1
            if width < 12:
                continue
            if width > 24:
                raise _too_large(sheet)
            found.extend(_grid_at(sheet, rows, top, left, 24 if width >= 24 else 12))
            break
    data = [grid for grid in found if not grid.layout]
    if not data or _LAYOUT.search(sheet):
        return found
    for grid in found:  # a sheet with readings may have its layout below
        numbers = sum(_as_number(text) is not None or bool(_OVERFLOW.search(text)) for text in grid.cells.values())
        named = any(pattern.search(grid.title) for pattern in (_LAYOUT, _CONCENTRATION, _ROLE, _COMPOUND))
        grid.layout = named or numbers < len(grid.cells) / 2
    return found


def _grid_at(sheet: str, rows: list[list[str]], top: int, left: int, width: int) -> list[_Grid]:
    if left == 0:
        return []
    cells: dict[str, str] = {}
    height = 0
    for row in rows[top + 1 :]:
        label = row[left - 1].strip().upper() if left - 1 < len(row) else ""
        if label != chr(ord("A") + height):
            break
        for column in range(width):
            text = row[left + column].strip() if left + column < len(row) else ""
            if text:
                cells[f"{label}{column + 1}"] = text
        height += 1
    if height > 16:
        raise _too_large(sheet)
    if not height or not cells:
        return []
    above = [*rows[top][:left][::-1]]
    for row in rows[max(0, top - 3) : top][::-1]:
        above += [text for text in row if text]
    title = next((text for text in above if text.strip()), "")
    size = 384 if width == 24 or height > 8 else 96
    return [_Grid(sheet, title, size, cells, bool(_LAYOUT.search(sheet)))]


def _lists(name: str, rows: list[list[str]], readings: list[Any], layouts: list[_Layout]) -> None:
    """Readings and contents from a list with a column `well`; several plates where there is a column `plate`."""
    head = next(
        (place for place, row in enumerate(rows) if any(text.strip().lower() in _WELL_NAMES for text in row)), None
    )
    if head is None:
        return
    names = rows[head]
    at = next(place for place, text in enumerate(names) if text.strip().lower() in _WELL_NAMES)
    plate_at = _column(names, re.compile(r"^plate|^플레이트$", re.I), at)
    concentration = _column(names, _CONCENTRATION, at)
    role, unit = _column(names, _ROLE, at), _column(names, re.compile(r"^units?$|단위", re.I), at)
    compound = _column(names, _COMPOUND, at, {concentration, role, unit, plate_at})
    reading = _column(names, _READING, at, {concentration, role, unit, plate_at, compound})
    unit_in_head = _unit_in(names[concentration]) if concentration is not None else ""
    values: dict[str, dict[str, str]] = {}
    contents: dict[str, _Layout] = {}
    for row in rows[head + 1 :]:
        row = row + [""] * (len(names) - len(row))
        match = _WELL.match(row[at].strip())
        if not match:
            continue
        well = f"{match[1].upper()}{int(match[2])}"
        if len(match[1]) > 1 or well[0] > "P" or not 1 <= int(match[2]) <= 24:
            raise _too_large(name)
        plate = row[plate_at] if plate_at is not None else ""
        if well in values.get(plate, {}) or (reading is None and well in getattr(contents.get(plate), "contents", {})):
            raise MadangError(
                "chemistry.well_twice",
                _("The sheet {sheet} has the well {well} more than once.").format(sheet=repr(name), well=well),
                _("Keep one row for each well, or add a column `plate` that tells the readings apart."),
            )
        if reading is not None and row[reading]:
            values.setdefault(plate, {})[well] = row[reading]
        if compound is not None or role is not None:
            said = _Content(
                row[compound] if compound is not None else "",
                _raised(row[concentration], names[concentration]) if concentration is not None else "",
                (row[unit] if unit is not None else "") or unit_in_head,
                row[role] if role is not None else "",
            )
            contents.setdefault(plate, _Layout(plate or name)).contents[well] = said
    layouts += contents.values()
    for plate, cells in values.items():
        readings.append((plate or name, _size(cells), cells))


_WELL_NAMES = {"well", "wells", "well id", "well_id", "position", "well position", "웰", "웰 위치"}


def _column(names: Sequence[str], pattern: re.Pattern[str], not_at: int, taken: Any = ()) -> int | None:
    for place, name in enumerate(names):
        if place != not_at and place not in taken and name and pattern.search(name.replace("_", " ")):
            return place
    return None


def _from_grids(name: str, grids: list[_Grid]) -> list[_Layout]:
    """One layout of the grids of a sheet: names, concentrations and types, each from its own grid or together."""
    layout = _Layout(name)
    for grid in grids:
        texts = list(grid.cells.values())
        numeric = sum(_as_number(text) is not None for text in texts) > 0.7 * len(texts)
        kind = "compound"
        if _CONCENTRATION.search(grid.title) or (numeric and len(grids) > 1 and not _COMPOUND.search(grid.title)):
            kind = "concentration"
        elif _ROLE.search(grid.title) and len(grids) > 1:
            kind = "role"
        for well, text in grid.cells.items():
            content = layout.contents.setdefault(well, _Content())
            setattr(content, kind, _raised(text, grid.title) if kind == "concentration" else text)
            if kind == "concentration":
                content.unit = content.unit or _unit_in(text) or _unit_in(grid.title)
    return [layout]


def _layout_for(name: str, place: int, plates: int, layouts: list[_Layout]) -> _Layout:
    """The layout of a plate: the one that names it, else the one at its place, else the only one."""
    for layout in layouts:
        if layout.name and (layout.name == name or name.lower() in layout.name.lower()):
            return layout
    return layouts[place] if len(layouts) == plates else layouts[0]


def _plate(name: str, size: int, cells: dict[str, str], layout: _Layout) -> Plate:
    contents = {well: _understood(content) for well, content in layout.contents.items()}
    units = {content.unit for content in contents.values() if content.concentration and content.unit}
    unit = _common(units)
    wells = []
    for well in sorted({*cells, *contents}, key=lambda well: (well[0], int(well[1:]))):
        content = contents.get(well, _Content(role="empty"))
        number = _as_number(cells.get(well, ""))
        problem = "" if number is not None else (f"reads {cells[well][:20]}" if well in cells else "not read")
        if content.role == "empty":
            continue
        amount = _as_number(content.concentration)
        if amount is not None and units and content.unit and content.unit != unit:
            scale = MOLAR if unit.lower() in MOLAR else MASS
            if content.unit.lower() in scale and unit.lower() in scale:
                amount *= scale[content.unit.lower()] / scale[unit.lower()]
            else:
                problem, amount = problem or f"other unit: {content.unit[:20]}", None
        if content.role == "sample" and (amount is None or amount <= 0):
            problem = problem or "no concentration"
            amount = None
        wells.append(Well(well, content.role, content.compound, amount, number, problem))
    return Plate(name, size, unit, tuple(wells))


def _understood(content: _Content) -> _Content:
    """Role, name and concentration of a well, also where all of them are in one cell."""
    role = _role(content.role) or _role(content.compound)
    if role:
        return _Content(content.compound, "", content.unit, role)
    if not content.compound:
        return _Content(role="empty")
    compound, amount = content.compound, content.concentration
    unit = content.unit or _unit_in(amount)
    amount = re.sub(rf"\s*(?:{_ANY_UNIT})$", "", amount)
    if not amount:
        both = _BOTH.match(compound)
        if both:
            compound, amount, unit = both[1].rstrip(" ;:@|,/_(="), both[2], both[3] or unit
    return _Content(compound, amount, unit.replace("µ", "u").replace("μ", "u"), "sample")


def _role(text: str) -> str:
    plain = " ".join(text.lower().replace("_", " ").replace("-", " ").split()) or text.strip()
    plain = re.sub(r"(?<=[a-z])\s*\d+$", "", plain)
    return next((role for role, names in ROLES.items() if plain in names or text.strip().lower() in names), "")


def _unit_in(text: str) -> str:
    found = _UNIT.search(text)
    return found[1] if found else ""


def _plain(book: list[tuple[str, list[list[str]]]]) -> list[tuple[str, list[list[str]]]]:
    """Cells with the minus, spaces and decimal comma of other keyboards as programs write numbers."""

    def usual(text: str) -> str:
        return re.sub(r"(?<=\d)[\u00a0\u2009\u202f](?=\d)", "", text.replace("\u2212", "-"))

    clean = [(name, [[usual(text) for text in row] for row in rows]) for name, rows in book]
    if not any(_DECIMAL_COMMA.match(text.strip()) for _name, rows in clean for row in rows for text in row):
        return clean
    return [
        (name, [[_WITH_COMMA.sub(lambda m: f"{m[1].replace('.', '')}.{m[2]}", t) for t in row] for row in rows])
        for name, rows in clean
    ]


def _raised(text: str, title: str) -> str:
    """A concentration whose heading says that it is a logarithm, as the number itself."""
    number = _as_number(text) if _LOGARITHM.search(title) else None
    return text if number is None or abs(number) > 30 else repr(10**number)


def _common(units: set[str]) -> str:
    """The unit that a plate is told in, where its wells have several."""
    if len(units) == 1:
        return next(iter(units))
    molar = any(unit.lower() in MOLAR for unit in units)
    return "" if not units else "uM" if molar else "ug/mL"


def _too_large(sheet: str) -> MadangError:
    return MadangError(
        "chemistry.plate_size",
        _("The sheet {sheet} has wells beyond P24.").format(sheet=repr(sheet)),
        _("Plates of 96 and 384 wells are read: split a larger one into four."),
    )


def _as_number(text: str) -> float | None:
    text = text.strip().removesuffix("%").rstrip()
    text = text.replace(",", "") if re.match(rf"^-?{GROUPED}$", text) else text
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _size(cells: dict[str, str]) -> int:
    return 384 if any(well[0] > "H" or int(well[1:]) > 12 for well in cells) else 96
