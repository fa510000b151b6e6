"""Tables and trees: CSV and JSON."""

import csv
import json
import re
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, unpacked, wrong

LONGEST = 64 << 20  # bytes of a JSON document that is read whole
_RRN = re.compile(r"\b\d{6}-?[1-8]\d{6}\b")  # the shape of a resident registration number


def look_csv(path: Path) -> Told:
    """Every row: as many cells as there are names; numbers that look like those of people."""
    found: list[Finding] = []
    rows = 0
    people = False
    with unpacked(path) as raw:
        lines = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(raw))
        try:
            head = next(lines, "")
            mark = "\t" if head.count("\t") > head.count(",") else ","
            names = next(csv.reader([head], delimiter=mark), [])
            for row in csv.reader(lines, delimiter=mark, strict=True):
                if not row:
                    continue
                rows += 1
                if len(row) != len(names):
                    message = _("Row {n} has {found} cells instead of {wanted}.")
                    message = message.format(n=rows, found=len(row), wanted=len(names))
                    found.append(wrong("csv.cells", message))
                    break
                people = people or any(_RRN.search(cell) for cell in row)
        except UnicodeDecodeError:
            return Told("CSV", True, {"rows": rows}, (wrong("csv.encoding", _("The file is no UTF-8 text.")),))
        except csv.Error:
            found.append(wrong("csv.quotes", _("A quoted text does not end: the file may be cut off.")))
    if len(set(names)) < len(names) or any(not name.strip() for name in names):
        found.append(wrong("csv.names", _("A column has no name, or the name of another one.")))
    if any(ord(letter) < 32 for name in names for letter in name):
        found.append(wrong("csv.binary", _("The names of the columns hold control characters: this is no table.")))
    if people:
        found.append(wrong("csv.people", _("There are numbers that look like resident registration numbers.")))
    return Told("CSV", True, {"rows": rows, "columns": names}, tuple(found))


def look_json(path: Path) -> Told:
    """Whether it is JSON; what is larger than 64 MB is not read."""
    if path.stat().st_size > LONGEST:
        return Told("JSON", False)
    with unpacked(path) as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        return Told("JSON", False)
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return Told("JSON", True, {}, (wrong("json.syntax", _("The file is no JSON.")),))
    return Told("JSON", True)
