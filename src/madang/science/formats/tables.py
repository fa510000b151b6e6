"""Tables and trees: CSV, XLSX, Parquet, JSON and GFF."""

import csv
import json
import zipfile
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, unpacked, wrong
from madang.science.formats.people import is_person_number

LONGEST = 64 << 20  # bytes of a JSON document that is read whole
HEAD, WIDE = 5, 12  # rows and columns that are kept to be shown
UNPACKED, TIMES = (
    1 << 30,
    200,
)  # a workbook is read if it unpacks to so many bytes at most, and to so many times its own


def look_csv(path: Path) -> Told:
    """Every row: as many cells as there are names; numbers that look like those of people."""
    found: list[Finding] = []
    rows = 0
    people = False
    head_rows: list[list[str]] = []
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
                if rows <= HEAD:
                    head_rows.append([cell[:60] for cell in row[:WIDE]])
                if len(row) != len(names):
                    message = _("Row {n} has {found} cells instead of {wanted}.")
                    message = message.format(n=rows, found=len(row), wanted=len(names))
                    found.append(wrong("csv.cells", message))
                    break
                people = people or any(is_person_number(cell) for cell in row)
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
    facts: dict[str, object] = {"rows": rows, "columns": names[:2_000]}
    if not found:  # what is wrong is shown to nobody
        facts["head"] = [names[:WIDE], *head_rows]
    return Told("CSV", True, facts, tuple(found))


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


def people_numbers() -> Finding:
    """What is said of a table with numbers of people."""
    return wrong("people.numbers", _("There are numbers that look like resident registration numbers."))


def look_parquet(path: Path) -> Told:
    """Every row group is read, so that damage is found; texts are looked at for numbers of people."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found: list[Finding] = []
    people, rows = False, 0
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        try:
            for batch in file.iter_batches(10_000):
                rows += len(batch)
                for column in batch.columns:
                    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                        people = people or any(is_person_number(text or "") for text in column.to_pylist())
        except (OSError, pa.ArrowException):
            found.append(wrong("file.cut", _("Row {n} and what follows cannot be read: damaged.").format(n=rows + 1)))
    if people:
        found.append(people_numbers())
    return Told("Parquet", True, {"rows": rows, "columns": list(names)[:2_000]}, tuple(found))


def look_xlsx(path: Path) -> Told:
    """Every sheet of a workbook; macros, hidden sheets and links to others are said. A bomb is not unpacked."""
    import python_calamine

    found: list[Finding] = []
    with zipfile.ZipFile(path) as parts:
        size = sum(part.file_size for part in parts.infolist())
        names = parts.namelist()
    bomb = wrong("zip.bomb", _("It unpacks to far more than it is: not read."))
    if size > UNPACKED or size > TIMES * path.stat().st_size + (1 << 20):
        return Told("XLSX", False, {"unpacked": size}, (bomb,))
    if any(name.endswith("vbaProject.bin") for name in names):
        found.append(Finding("look", "xlsx.macros", _("There are macros in the workbook; they are never run.")))
    if any(name.startswith("xl/externalLinks/") for name in names):
        found.append(Finding("look", "xlsx.links", _("The workbook points to others; they do not come with it.")))
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    sheets, people = {}, False
    for told in book.sheets_metadata:
        if told.visible != python_calamine.SheetVisibleEnum.Visible:
            found.append(Finding("look", "xlsx.hidden", _("The sheet {name} is hidden.").format(name=told.name[:60])))
        if told.typ != python_calamine.SheetTypeEnum.WorkSheet:
            continue
        sheet = book.get_sheet_by_name(told.name)
        sheets[told.name[:60]] = sheet.height
        for row in sheet.iter_rows():
            people = people or any(isinstance(cell, str) and is_person_number(cell) for cell in row)
    if people:
        found.append(people_numbers())
    return Told("XLSX", True, {"sheets": sheets}, tuple(found))


def look_gff(path: Path) -> Told:
    """Every line of features (GFF3, GTF): nine columns, a span that goes forward, a strand."""
    found: list[Finding] = []
    count = 0
    contigs: dict[str, int] = {}
    with unpacked(path) as file:
        for number, raw in enumerate(file, 1):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.startswith("##FASTA"):
                break
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) != 9:
                found.append(wrong("gff.columns", _("Line {n} has another number of columns.").format(n=number)))
                break
            if not (cells[3].isdigit() and cells[4].isdigit() and 1 <= int(cells[3]) <= int(cells[4])):
                found.append(wrong("gff.span", _("Line {n} has no span that goes forward.").format(n=number)))
                break
            if cells[6] not in ("+", "-", ".", "?"):
                found.append(wrong("gff.strand", _("Line {n} has no strand.").format(n=number)))
                break
            count += 1
            contigs[cells[0]] = max(contigs.get(cells[0], 0), int(cells[4]))
    if not count and not found:
        found.append(wrong("gff.empty", _("There is no feature in the file.")))
    return Told("GFF", True, {"features": count, "reaches": dict(list(contigs.items())[:5_000])}, tuple(found))
