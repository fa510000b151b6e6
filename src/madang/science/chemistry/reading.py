"""Rows of structures from files: SMILES, SDF, CSV, XLSX and Parquet, packed or not. Every row comes out."""

import csv
import gzip
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.chemistry.needs import needed

STRUCTURE_NAMES = (
    *("smiles", "canonical_smiles", "isomeric_smiles", "cxsmiles", "structure", "molfile", "molblock", "mol", "smi"),
    *("smiles_string", "compound_smiles", "molecule_smiles", "rdkit_smiles"),
)
ID_NAMES = (
    *("id", "compound_id", "compound", "name", "compound_name", "molecule_id", "molecule", "mol_id", "identifier"),
    *("molecule_chembl_id", "chembl_id", "cas", "catalog_number", "catalog_id", "idnumber", "internal id", "title"),
)
_WORDS = re.compile(r"[^a-z0-9]+")
_SAMPLE = 200  # rows that are looked at to find the structure column
ENCODINGS = ("utf-8-sig", "cp949", "latin-1")  # latin-1 takes everything
LARGEST_ROW = 4_000_000  # characters of one record


@dataclass(frozen=True)
class Row:
    """One row of a file: where it begins, its structure as it was given, its name, and its other fields.

    `unused` says why a row is no record (a blank line, a heading); `problem` why it cannot be read at all.
    """

    file: str
    line: int
    given: str
    name: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    unused: str = ""
    problem: str = ""


def read_rows(path: Path, structure: str = "", identifier: str = "") -> Iterator[Row]:
    """The rows of a file in order. `structure` and `identifier` name columns (or fields of an SDF).

    Raises MadangError where the file cannot be read at all, or where its structure column is not clear.
    """
    kind = kind_of(path)
    if kind == "sdf":
        yield from _sdf(path, identifier)
    elif kind == "smiles":
        yield from _smiles(path)
    else:
        header, records = table(path)
        yield from _from_table(path, header, records, structure, identifier)


def kind_of(path: Path) -> str:
    """`smiles`, `sdf`, `csv`, `xlsx` or `parquet`, by the ending of the name."""
    name = path.name.lower().removesuffix(".gz")
    for endings, kind in (
        ((".smi", ".smiles", ".ism", ".can", ".cxsmiles"), "smiles"),
        ((".sdf", ".sd", ".mol", ".mdl"), "sdf"),
        ((".csv", ".tsv", ".tab", ".txt"), "csv"),
        ((".xlsx", ".xlsm", ".xls", ".ods"), "xlsx"),
        ((".parquet", ".pq"), "parquet"),
    ):
        if name.endswith(endings):
            return kind
    raise MadangError(
        "chemistry.file_kind",
        _("What is in {file} cannot be told from its name.").format(file=path.name),
        _("Files end in .smi, .sdf, .csv, .tsv, .xlsx or .parquet, also with .gz."),
    )


def table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    """Header and rows (line, cells) of a CSV, XLSX or Parquet file; other kinds are refused."""
    kind = kind_of(path)
    if kind == "csv":
        return _csv(path)
    if kind == "xlsx":
        return _xlsx(path)
    if kind == "parquet":
        return _parquet(path)
    raise MadangError(
        "chemistry.not_a_table",
        _("{file} is not a table with columns.").format(file=path.name),
        _("Give a CSV, XLSX or Parquet file."),
    )


def text_of(path: Path) -> Iterator[str]:
    """The lines of a text file, unpacked and decoded (UTF-8, else CP949, else Latin-1), any line end, none kept."""
    lines = _raw_lines(path)
    encoding = _encoding(path)
    try:
        for raw in lines:
            yield raw.decode(encoding, errors="replace").rstrip("\r\n")
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise MadangError(
            "chemistry.damaged_file",
            _("{file} is damaged or cut off: {error}.").format(file=path.name, error=str(error).rstrip(".")),
            _("Nothing of it was taken; get it again from its source."),
        ) from None


def _open(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        return gzip.open(path, "rb") if packed else path.open("rb")
    except OSError as error:
        raise MadangError(
            "chemistry.no_file", _("Cannot read {file}: {error}.").format(file=path, error=error.strerror or error)
        ) from None


def _raw_lines(path: Path) -> Iterator[bytes]:
    with _open(path) as file:
        first = file.read(1 << 16)
        old_mac = b"\r" in first and b"\n" not in first
        if old_mac:  # line ends of the last century: everything at once
            yield from (first + file.read()).removesuffix(b"\r").split(b"\r")
            return
        rest = b"" if first.endswith(b"\n") else file.readline()
        yield from io.BytesIO(first + rest)
        yield from file


def _encoding(path: Path) -> str:
    with _open(path) as file:
        try:
            sample = file.read(1 << 22)
        except (EOFError, OSError):
            sample = b""
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise MadangError(
            "chemistry.encoding",
            _("{file} is in UTF-16.").format(file=path.name),
            _("Save it as UTF-8 and give it again."),
        )
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    for encoding in ENCODINGS[:-1]:
        try:
            sample.decode(encoding)
            return encoding
        except UnicodeDecodeError:
            continue
    return ENCODINGS[-1]


def _smiles(path: Path) -> Iterator[Row]:
    for line, text in enumerate(text_of(path), 1):
        text = text.strip()
        if not text:
            yield Row(path.name, line, "", unused="blank line")
            continue
        first, _space, rest = text.partition("\t") if "\t" in text else text.partition(" ")
        rest = rest.strip()
        if line == 1 and first.lower() in STRUCTURE_NAMES:
            yield Row(path.name, line, first, unused="heading")
            continue
        if first.startswith("#"):
            yield Row(path.name, line, text, unused="comment")
            continue
        given = first.strip()
        if rest.startswith("|") and "|" in rest[1:]:
            end = rest.index("|", 1) + 1
            given, rest = f"{given} {rest[:end]}", rest[end:].strip()
        name, _tab, more = rest.partition("\t") if "\t" in rest else (rest, "", "")
        yield Row(path.name, line, given, name.strip(), {"more": more.strip()} if more.strip() else {})


def _sdf(path: Path, identifier: str) -> Iterator[Row]:
    record: list[str] = []
    start = line = 1
    size = 0
    for line, text in enumerate(text_of(path), 1):
        if text.startswith("$$$$"):
            yield _record(path, start, record, identifier, size)
            record, start, size = [], line + 1, 0
            continue
        size += len(text)
        if size <= LARGEST_ROW:
            record.append(text)
    if any(text.strip() for text in record):
        whole = any(text.startswith("M  END") for text in record)
        problem = "" if whole else "the file is cut off within this record"
        yield _record(path, start, record, identifier, size, problem)


def _record(path: Path, start: int, record: list[str], identifier: str, size: int, problem: str = "") -> Row:
    if size > LARGEST_ROW:
        problem = "the record is too large for a small molecule"
    elif not any(text.strip() for text in record):
        return Row(path.name, start, "", unused="blank record")
    end = next((place for place, text in enumerate(record) if text.startswith("M  END")), len(record) - 1)
    fields: dict[str, str] = {}
    name = ""
    values: list[str] = []
    for text in record[end + 1 :]:
        found = re.match(r">.*?<([^<>]*)>", text)
        if found:
            if name:
                fields[name] = "\n".join(values).strip()
            name, values = found[1], []
        elif name:
            values.append(text)
    if name:
        fields[name] = "\n".join(values).strip()
    title = record[0].strip() if record else ""
    if identifier:
        title = fields.get(identifier, "")
    elif not title:
        title = next((fields[key] for key in fields if _plain(key) in _PLAIN_IDS), "")
    title = " ".join(title.split())  # a name is one line
    return Row(path.name, start, "\n".join(record[: end + 1]) + "\n", title, fields, problem=problem)


def _csv(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    lines = text_of(path)
    head: list[str] = []
    for text in lines:
        head.append(text)
        if len(head) >= 20:
            break
    filled = [text for text in head if text.strip()]
    if not filled:
        raise _empty(path)
    delimiter = max(("\t", ",", ";", "|"), key=lambda mark: (filled[0].count(mark), mark == ","))
    counter = [0]

    def numbered() -> Iterator[str]:
        for text in (*head, *()):
            counter[0] += 1
            yield text + "\n"
        for text in lines:
            counter[0] += 1
            yield text + "\n"

    csv.field_size_limit(LARGEST_ROW)
    reader = csv.reader(numbered(), delimiter=delimiter)
    header = next((row for row in reader if any(cell.strip() for cell in row)), [])

    def records() -> Iterator[tuple[int, list[Any]]]:
        while True:
            start = counter[0] + 1
            try:
                yield start, next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise MadangError(
                    "chemistry.damaged_file",
                    _("{file} cannot be read as a table after line {line}: {error}.").format(
                        file=path.name, line=start - 1, error=error
                    ),
                ) from None

    return [cell.strip() for cell in header], records()


def _xlsx(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    for _name, start, rows in sheets(path):
        for place, row in enumerate(rows):
            if sum(1 for cell in row if str(cell).strip()) >= 1 and any(_plain(str(cell)) for cell in row):
                header = [str(cell).strip() for cell in row]
                body = ((start + place + 1 + number, list(cells)) for number, cells in enumerate(rows[place + 1 :]))
                return header, iter(body)
    raise _empty(path)


def sheets(path: Path) -> list[tuple[str, int, list[list[Any]]]]:
    """Name, number of the first row and rows of every sheet of a workbook; merged cells have their value once."""
    with needed("python-calamine"):
        from python_calamine import CalamineError, CalamineWorkbook
    try:
        with _open(path) as file:
            book = CalamineWorkbook.from_filelike(io.BytesIO(file.read()))
        return [(name, 1, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names]
    except (CalamineError, OSError, ValueError, EOFError) as error:
        raise MadangError(
            "chemistry.workbook",
            _("{file} is not a workbook that can be read: {error}.").format(
                file=path.name, error=str(error).rstrip(".")
            ),
        ) from None


def _parquet(path: Path) -> tuple[list[str], Iterator[tuple[int, list[Any]]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with _open(path) as file:
            source = pq.ParquetFile(io.BytesIO(file.read()) if path.name.lower().endswith(".gz") else path)
    except (pa.ArrowException, OSError) as error:
        raise MadangError(
            "chemistry.damaged_file",
            _("{file} is damaged or cut off: {error}.").format(file=path.name, error=str(error).rstrip(".")),
        ) from None

    def records() -> Iterator[tuple[int, list[Any]]]:
        line = 0
        for batch in source.iter_batches(batch_size=4096):
            for values in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                line += 1
                yield line, list(values)

    return list(source.schema_arrow.names), records()


def _from_table(
    path: Path, header: list[str], records: Iterator[tuple[int, list[Any]]], structure: str, identifier: str
) -> Iterator[Row]:
    sample = []
    for record in records:
        sample.append(record)
        if len(sample) >= _SAMPLE:
            break
    at = structure_column(path.name, header, [cells for _line, cells in sample], structure)
    name_at = identifier_column(path.name, header, identifier, at)
    for part in (sample, records):
        for line, cells in part:
            texts = [cell_text(cell) for cell in cells]
            if not texts:
                yield Row(path.name, line, "", unused="blank line")
                continue
            given = texts[at] if at < len(texts) else ""
            name = texts[name_at] if name_at is not None and name_at < len(texts) else ""
            fields = {
                header[place]: text
                for place, text in enumerate(texts)
                if place not in (at, name_at) and place < len(header) and text
            }
            name = " ".join(name.split())  # a name is one line
            yield Row(path.name, line, given, name, fields, problem="" if given else "no structure in this row")


# How people write numbers, without a sign, as parts of patterns.
GROUPED = r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?"  # thousands with commas between them
DECIMAL_COMMA = r"(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))(?:[eE][-+]?\d+)?"  # for sure: after 0, or not with three digits


def cell_text(cell: Any) -> str:
    """A cell as text; a whole number without its decimal point."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell).strip()


def structure_column(file: str, header: Sequence[str], sample: Sequence[Sequence[Any]], wanted: str = "") -> int:
    """Which column has the structures: the one that is named so, else the only one whose values are structures."""
    if wanted:
        return named_column(file, header, wanted)
    by_name = [place for place, name in enumerate(header) if _plain(name) in _PLAIN_STRUCTURES]
    if len(by_name) == 1:
        return by_name[0]
    by_value = by_name or [place for place in range(len(header)) if _looks_like_structures(sample, place)]
    if len(by_value) == 1:
        return by_value[0]
    if by_value:
        names = ", ".join(repr(header[place]) for place in by_value)
        raise MadangError(
            "chemistry.structure_column",
            _("More than one column of {file} could be the structure: {names}.").format(file=file, names=names),
            _("Say which one with --structure."),
        )
    raise MadangError(
        "chemistry.structure_column",
        _("No column of {file} has structures.").format(file=file),
        _("Say with --structure which one it is; columns: {names}.").format(names=", ".join(header[:20])),
    )


def identifier_column(file: str, header: Sequence[str], wanted: str, structure: int) -> int | None:
    """Which column names the molecules, if there is one."""
    if wanted:
        return named_column(file, header, wanted)
    for name in _PLAIN_IDS:
        for place, column in enumerate(header):
            if place != structure and _plain(column) == name:
                return place
    return None


def named_column(file: str, header: Sequence[str], wanted: str) -> int:
    """The place of a column by its name; upper and lower case count only where both are there."""
    exact = [place for place, name in enumerate(header) if name == wanted]
    loose = exact or [place for place, name in enumerate(header) if name.lower() == wanted.lower().strip()]
    if len(loose) == 1:
        return loose[0]
    hint = _("Its columns: {names}.").format(names=", ".join(header[:20]))
    if loose:
        message = _("{file} has more than one column {name}.").format(file=file, name=repr(wanted))
        raise MadangError("chemistry.column_twice", message, hint)
    raise MadangError(
        "chemistry.no_column", _("{file} has no column {name}.").format(file=file, name=repr(wanted)), hint
    )


def _plain(name: str) -> str:
    return _WORDS.sub("_", name.lower()).strip("_")


_PLAIN_STRUCTURES = {_plain(name) for name in STRUCTURE_NAMES}
_PLAIN_IDS = tuple(dict.fromkeys(_plain(name) for name in ID_NAMES))


def _looks_like_structures(sample: Sequence[Sequence[Any]], place: int) -> bool:
    from madang.science.chemistry.structure import Unreadable, read_structure

    texts = [cell_text(row[place]) for row in sample if place < len(row)]
    texts = [text for text in texts if text][:40]
    longer = [text for text in texts if len(text) > 3 and not text.replace(".", "").replace("-", "").isdigit()]
    if not texts or len(longer) < len(texts) / 2:
        return False
    good = 0
    for text in longer:
        try:
            read_structure(text)
            good += 1
        except Unreadable:
            pass
    return good >= 0.8 * len(longer)


def _empty(path: Path) -> MadangError:
    return MadangError("chemistry.empty", _("There is nothing in {file}.").format(file=path.name))
