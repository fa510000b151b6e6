"""Checking a holder's own source-to-concept maps (CSV files with the columns of SOURCE_TO_CONCEPT_MAP) row by row."""

import csv
import datetime
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from madang.science.omop.cdm import TABLES
from madang.science.omop.mapping import FIRST_LOCAL_CONCEPT
from madang.science.omop.vocabulary import Concept, Vocabulary

_MAP = TABLES["source_to_concept_map"]
_LOOKED_UP = ("source_code", "source_code_description")
_NEEDED = ("source_code", "source_vocabulary_id", "target_concept_id")
_FIRST, _LAST = datetime.date(1970, 1, 1), datetime.date(2099, 12, 31)


@dataclass(frozen=True)
class MapFault:
    """What is wrong with one row: the file, its line (the header is line 1), and one sentence."""

    file: Path
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.file.name}:{self.line}: {self.sentence}"


@dataclass(frozen=True)
class _Row:
    file: Path
    line: int
    vocabulary_id: str
    code: str
    target: int
    target_vocabulary: str
    starts: datetime.date
    ends: datetime.date
    invalid: bool


def validate_maps(paths: Sequence[Path], vocabulary: Vocabulary) -> list[MapFault]:
    """Everything that is wrong with these maps, by file and line; an empty list if nothing is.

    A row is at fault if a value cannot be read or is too long for the model, its dates are the wrong way round, its
    target is unknown (numbers from 2,000,000,000 on are the holder's own and always known), not standard, retired or
    of another vocabulary than it says, or if it says the same as, or the contrary of, an earlier row for the same days.
    """
    faults: list[MapFault] = []
    rows: list[_Row] = []
    for path in paths:
        _read(path, rows, faults)
    valid = [row for row in rows if not row.invalid]
    concepts = _concepts(vocabulary, {row.target for row in valid})
    faults += [MapFault(row.file, row.line, what) for row in valid for what in _target(row, concepts, vocabulary)]
    faults += _overlaps(valid)
    return sorted(faults, key=lambda fault: (paths.index(fault.file), fault.line, fault.sentence))


def _read(path: Path, rows: list[_Row], faults: list[MapFault]) -> None:
    """Add the readable rows of a file, and faults for the others."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        faults.append(MapFault(path, line, "is not UTF-8 text."))
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        missing = [name for name in _NEEDED if name not in header]
        if missing:
            faults.append(MapFault(path, 1, f"There is no column {', '.join(missing)}."))
            return
        line = reader.line_num + 1
        for values in reader:
            if values:
                _read_row(path, line, header, values, rows, faults)
            line = reader.line_num + 1
    except csv.Error as error:
        faults.append(MapFault(path, reader.line_num, f"This is not CSV: {error}."))


def _read_row(
    path: Path, line: int, header: list[str], values: list[str], rows: list[_Row], faults: list[MapFault]
) -> None:
    def fault(sentence: str) -> None:
        faults.append(MapFault(path, line, sentence))

    if len(values) != len(header):
        fault(f"There are {len(values)} values, the header has {len(header)}.")
        return
    row = dict(zip(header, (value.strip() for value in values), strict=True))
    before = len(faults)
    for name, value in row.items():
        # A code may be longer than the model's field: it is looked up as it is, and no table of the version holds it.
        width = _MAP[name].width if name in _MAP and name not in _LOOKED_UP else None
        if width and len(value) > width:
            fault(f"{name} has {len(value)} characters; the model allows {width}.")
    for name in _NEEDED:
        if not row[name]:
            fault(f"{name} is empty.")
    target = row["target_concept_id"]
    if target and not (target.isascii() and target.isdigit() and len(target) <= 18):
        fault(f"target_concept_id {target!r} is no whole number.")
    dates = {"valid_start_date": _FIRST, "valid_end_date": _LAST}
    for name in dates:
        if row.get(name):
            try:
                dates[name] = datetime.date.fromisoformat(row[name])
            except ValueError:
                fault(f"{name} {row[name]!r} is no date; write YYYY-MM-DD.")
    starts, ends = dates.values()
    if starts > ends:
        fault(f"It ends ({ends}) before it starts ({starts}).")
    if len(faults) == before:
        source, code, says = row["source_vocabulary_id"], row["source_code"], row.get("target_vocabulary_id", "")
        rows.append(_Row(path, line, source, code, int(target), says, starts, ends, bool(row.get("invalid_reason"))))


def _concepts(vocabulary: Vocabulary, ids: Iterable[int]) -> dict[int, Concept]:
    return {concept.concept_id: concept for concept in vocabulary.concepts(sorted(ids))}


def _target(row: _Row, concepts: dict[int, Concept], vocabulary: Vocabulary) -> list[str]:
    """What is wrong with the target of a row. Target 0 says that the code is not to be mapped, which is no fault."""
    if row.target == 0 or row.target >= FIRST_LOCAL_CONCEPT:
        return []
    concept = concepts.get(row.target)
    if concept is None:
        return [f"The target {row.target} is not in the vocabulary {vocabulary.release}."]
    faults = []
    if concept.invalid_reason or concept.standard != "S":
        state = "was retired" if concept.invalid_reason else "is not standard"
        instead = vocabulary.maps_to(row.target) or vocabulary.replaced_by(row.target)
        now = f"; today it maps to {', '.join(f'{c.concept_id} {c.name}' for c in instead)}" if instead else ""
        faults.append(f"The target {row.target} {concept.name} {state}{now}.")
    if row.target_vocabulary and row.target_vocabulary != concept.vocabulary_id:
        faults.append(f"The target {row.target} is of {concept.vocabulary_id}, not of {row.target_vocabulary}.")
    return faults


def _overlaps(rows: list[_Row]) -> list[MapFault]:
    """Rows that say the same, or the contrary, of an earlier row for the same code and days."""
    faults = []
    of_code = defaultdict(list)
    for row in rows:
        of_code[row.vocabulary_id, row.code].append(row)
    for same in of_code.values():
        for index, row in enumerate(same):
            for earlier in same[:index]:
                if row.starts > earlier.ends or earlier.starts > row.ends:
                    continue
                where = f"{earlier.file.name}:{earlier.line}"
                if row.target == earlier.target:
                    faults.append(MapFault(row.file, row.line, f"{where} says the same for some of these days."))
                    break
                if 0 in (row.target, earlier.target):
                    faults.append(MapFault(row.file, row.line, f"{where} says the contrary for some of these days."))
                    break
    return faults
