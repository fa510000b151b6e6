"""Assay tables: structures with a measured value, cleaned so that every row that is not used says why."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.chemistry.reading import DECIMAL_COMMA, GROUPED, cell_text, named_column, table
from madang.science.chemistry.structure import Unreadable, canonical, read_structure

LEAST = 20  # compounds below which nothing can be learned and checked
_NUMBER = re.compile(rf"^[-+]?(?:{GROUPED}|\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$")
_COMMA = re.compile(rf"^[-+]?{DECIMAL_COMMA}(?!\d|,)")
_WITH_UNIT = re.compile(r"^([-+]?[\d.,]*\d(?:[eE][-+]?\d+)?)\s*(?![eE][-+]?\d)([A-Za-z\u00b5\u03bc]\S{0,11}|%)$")
_UNITS = re.compile(r"\bunits?\b|단위", re.I)
_KINDS = re.compile(r"^(?:standard |measurement |activity |assay |result )?(?:type|endpoint)$", re.I)
_OPERATORS = re.compile(r"^(?:standard |value |activity )?(?:relation|operator|qualifier|modifier|prefix|sign)$", re.I)
_CLASSES = dict.fromkeys(("active", "true", "yes", "positive"), "1") | dict.fromkeys(
    ("inactive", "false", "no", "negative"), "0"
)
_NOTHING = ("", "nan", "na", "n/a", "null", "none", "-", "nd", "n.d.", "nt", "#n/a")


@dataclass(frozen=True)
class Dropped:
    """A row that is not used, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Assay:
    """One value per structure, in the order in which structures first appear.

    `dates` is empty where there are none. `repeats` counts rows that were joined with another of the same structure
    by their median: rows = len(smiles) + repeats + len(dropped).
    """

    name: str
    structure: str
    value: str
    smiles: tuple[str, ...]
    values: tuple[float, ...]
    dates: tuple[str, ...]
    rows: int
    repeats: int
    dropped: tuple[Dropped, ...]

    @property
    def classes(self) -> bool:
        """Whether the values are two classes, 0 and 1."""
        return set(self.values) <= {0.0, 1.0}


def read_assay(path: Path, structure: str, value: str, date: str = "") -> Assay:
    """An assay from a CSV, XLSX or Parquet file; raises MadangError where it cannot be learned from."""
    header, records = table(path)
    at, value_at = named_column(path.name, header, structure), named_column(path.name, header, value)
    date_at = named_column(path.name, header, date) if date else None
    others = [place for place in range(len(header)) if place not in (at, value_at)]
    names = [name.strip().replace("_", " ") for name in header]
    units, kinds, operators = (
        [place for place in others if pattern.search(names[place])] for pattern in (_UNITS, _KINDS, _OPERATORS)
    )
    lines = [(line, [cell_text(cell) for cell in cells] + [""] * (len(header) - len(cells))) for line, cells in records]
    written = _written(texts[value_at] for _line, texts in lines)
    found: dict[str, list[tuple[float, str]]] = {}
    dropped: list[Dropped] = []
    met: dict[str, int] = {}
    met_kinds: dict[str, int] = {}
    for (line, texts), (text, unit) in zip(lines, written, strict=True):
        number, reason = number_of(text)
        bounds = {texts[place].strip(" '\"") for place in operators} - {"", "=", "=="}
        if number is not None and bounds:
            number, reason = None, f"only bounded: {min(bounds)[:5]} {text[:15]}"
        if number is None:
            dropped.append(Dropped(line, reason))
            continue
        try:
            molecule = read_structure(texts[at])
        except Unreadable as why:
            dropped.append(Dropped(line, f"structure: {why}"))
            continue
        for said in [texts[place] for place in units] or [unit]:
            met[said] = met.get(said, 0) + 1
        for place in kinds:
            met_kinds[texts[place]] = met_kinds.get(texts[place], 0) + 1
        found.setdefault(canonical(molecule), []).append((number, texts[date_at] if date_at is not None else ""))
    if len(met_kinds) > 1:
        raise MadangError(
            "chemistry.mixed_kinds",
            _("The values of {file} are of several kinds: {kinds}.").format(file=path.name, kinds=_counted(met_kinds)),
            _("Keep one kind, or split the file."),
        )
    if len(met) > 1:
        raise MadangError(
            "chemistry.mixed_units",
            _("The values of {file} are in several units: {units}.").format(file=path.name, units=_counted(met)),
            _("Convert them to one unit, or split the file."),
        )
    smiles, values, dates = _joined(found)
    assay = Assay(
        path.name,
        structure,
        value,
        smiles,
        values,
        dates if date else (),
        len(lines),
        len(lines) - len(dropped) - len(smiles),
        tuple(dropped),
    )
    _check(assay)
    return assay


def _counted(met: dict[str, int]) -> str:
    return ", ".join(f"{name or '-'} ({count:,})" for name, count in sorted(met.items()))


def _written(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Values of a column as programs write numbers, and the unit that stands behind each: with a decimal comma where
    one of them has one for sure, and words for classes as 1 and 0 where there is nothing else."""
    plain = [unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip() for text in texts]
    words = {text.lower() for text in plain} - set(_NOTHING)
    if words and words <= _CLASSES.keys():
        return [(_CLASSES.get(text.lower(), text), "") for text in plain]
    comma = any(_COMMA.match(text) for text in plain)
    found = []
    for text in plain:
        match = _WITH_UNIT.match(text)
        number, unit = (match[1], match[2].replace("\u03bc", "u").replace("\u00b5", "u")) if match else (text, "")
        found.append((number.replace(".", "").replace(",", ".") if comma and "," in number else number, unit))
    return found


def number_of(text: str) -> tuple[float | None, str]:
    """A measured value, or None and why it is none: empty, with an operator, or no number."""
    text = text.strip()
    if text.lower() in _NOTHING:
        return None, "no value"
    if text[0] in "<>~≤≥":
        return None, f"only bounded: {text[:20]}"
    if not _NUMBER.match(text):
        return None, f"no number: {text[:20]}"
    number = float(text.replace(",", ""))
    return (number, "") if math.isfinite(number) else (None, f"no number: {text[:20]}")


def _joined(
    found: dict[str, list[tuple[float, str]]],
) -> tuple[tuple[str, ...], tuple[float, ...], tuple[str, ...]]:
    """One value per structure: the median of its rows, which for classes is the class that most of them say."""
    every = [value for rows in found.values() for value, _date in rows]
    classes = set(every) <= {0.0, 1.0}
    smiles, values, dates = [], [], []
    for text, rows in found.items():
        middle = median(value for value, _date in rows)
        smiles.append(text)
        values.append(float(round(middle + 1e-9)) if classes else middle)
        dates.append(max(date for _value, date in rows))
    return tuple(smiles), tuple(values), tuple(dates)


def _check(assay: Assay) -> None:
    count = len(assay.smiles)
    if count < LEAST:
        hint = _("The first that was not used: line {line}, {reason}.")
        first: Sequence[Any] = assay.dropped[:1]
        raise MadangError(
            "chemistry.too_few",
            _("Only {count} compounds of {file} have a value; {least} are the least.").format(
                count=count, file=assay.name, least=LEAST
            ),
            hint.format(line=first[0].line, reason=first[0].reason) if first else "",
        )
    if len(set(assay.values)) == 1:
        raise MadangError(
            "chemistry.one_class",
            _("All compounds of {file} have the same value, so there is nothing to learn.").format(file=assay.name),
        )
    if assay.classes and min(assay.values.count(0.0), assay.values.count(1.0)) < 5:
        raise MadangError(
            "chemistry.one_class",
            _("One class of {file} has fewer than 5 compounds.").format(file=assay.name),
        )
