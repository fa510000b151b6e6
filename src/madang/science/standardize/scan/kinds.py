"""Files that are no tables of text: named as what they are, so that nobody takes them for CSV."""

import re
from collections.abc import Sequence
from pathlib import Path

from madang.base.translate import later
from madang.science.standardize.intake.files import contents, is_compressed, reading

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"PAR1", 0, later("It is a Parquet file. Export it as CSV.")),
    (b"SQLite format 3\0", 0, later("It is an SQLite database. Export its tables as CSV.")),
    (b"DUCK", 8, later("It is a DuckDB database. Export its tables as CSV, or import it if it is a CDM.")),
    (b"PK\x03\x04", 0, later("It is a ZIP archive. Unpack it first.")),
    (b"7z\xbc\xaf", 0, later("It is a 7-Zip archive. Unpack it first.")),
    (b"Rar!", 0, later("It is a RAR archive. Unpack it first.")),
    (b"BZh", 0, later("It is packed with bzip2. Unpack it first.")),
    (b"\xfd7zXZ\0", 0, later("It is packed with xz. Unpack it first.")),
    (b"\x28\xb5\x2f\xfd", 0, later("It is packed with zstd. Unpack it first.")),
    (b"%PDF-", 0, later("It is a PDF document.")),
    (b"DICM", 128, later("It is a DICOM image.")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0, later("It is an old Office document. Save it as XLSX or CSV.")),
    (b"\x89PNG", 0, later("It is a picture.")),
    (b"\xff\xd8\xff", 0, later("It is a picture.")),
    (b"MSH|", 0, later("It holds HL7 v2 messages. Export the tables behind them, or FHIR.")),
    (b"FHS|", 0, later("It holds HL7 v2 messages. Export the tables behind them, or FHIR.")),
    (b"BHS|", 0, later("It holds HL7 v2 messages. Export the tables behind them, or FHIR.")),
    (b"\x0bMSH|", 0, later("It holds HL7 v2 messages. Export the tables behind them, or FHIR.")),
    (b"HEADER RECORD*******", 0, later("It is a SAS transport file of another kind than .xpt.")),
    (b"<?xml", 0, later("It is an XML document.")),
    (b"<!DOCTYPE", 0, later("It is an HTML or XML document.")),
    (b"<html", 0, later("It is an HTML document.")),
    (b"{\\rtf", 0, later("It is a document with formatted text.")),
)
_SAM = re.compile(r"\.sam$|(^|/)sam[_-]?file", re.IGNORECASE)
_SQL = re.compile(
    rb"\s*(--[^\n]*\n|/\*.*?\*/|\s)*(SET |CREATE |INSERT INTO|DROP |BEGIN|USE |LOCK TABLES|COPY |\\connect|PRAGMA )",
    re.IGNORECASE | re.DOTALL,
)


ANOTHER_SHEET = later("Another sheet of the file: declare a source with sheet = its name in pack.toml.")
BY_POSITION = later(
    "Nothing separates its fields: they are told by position, as in files of insurance claims (SAM), or it is text. "
    "Export it as CSV."
)
_LONGEST_NAME = 64


def is_by_position(names: Sequence[str], header: bool) -> bool:
    """Whether lines are one field each, without a header or below one that is too long for a name."""
    return len(names) == 1 and (not header or len(names[0]) > _LONGEST_NAME)


def kind_told(path: Path, name: str) -> str | None:
    """What a file is that is no table of text, in a sentence; None for what may be one."""
    with reading(path), path.open("rb") as raw:
        start = contents(raw, is_compressed(path)).read(4096)
    start = start.removeprefix(b"\xef\xbb\xbf")
    for magic, at, told in _MAGIC:
        if start[at : at + len(magic)] == magic or (magic[:1] == b"<" and start.lstrip()[: len(magic)] == magic):
            return told
    if _SAM.search(name):
        return later(
            "It is a file of insurance claims (SAM): its fields are told by position. Export the tables behind it."
        )
    suffix = Path(name.lower().removesuffix(".gz")).suffix
    if suffix == ".sql" or (suffix not in (".csv", ".tsv", ".txt", ".ndjson") and _SQL.match(start)):
        return later("It is a dump of SQL statements. Load it into its database and export the tables.")
    is_json = suffix == ".json" or (start.lstrip()[:1] in (b"[", b"{") and suffix not in (".ndjson", ".jsonl"))
    if is_json and not _is_ndjson(start):
        return later("It is a JSON document. Write its records as NDJSON, one object in each line.")
    return None


def _is_ndjson(start: bytes) -> bool:
    """Whether the first line is an object by itself, with another one in the next line, if there is one."""
    lines = [line for line in start.split(b"\n")[:3] if line.strip()]
    return (
        bool(lines)
        and lines[0].lstrip()[:1] == b"{"
        and (len(start) >= 4096 or lines[0].rstrip()[-1:] == b"}")
        and ((len(lines) > 1 and lines[1].lstrip()[:1] == b"{") or (len(lines) == 1 and start.count(b"\n") >= 1))
    )
