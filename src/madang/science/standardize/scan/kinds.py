"""Files that are no tables of text: named as what they are, so that nobody takes them for CSV."""

import re
from collections.abc import Sequence
from pathlib import Path

from madang.base.translate import later
from madang.science.standardize.intake.files import contents, is_compressed, reading

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"\xff\xfe\0\0", 0, later("It is UTF-32 text. Write it as UTF-8.")),
    (b"\0\0\xfe\xff", 0, later("It is UTF-32 text. Write it as UTF-8.")),
    (b"Obj\x01", 0, later("It is an Avro file. Export it as CSV.")),
    (b"ORC", 0, later("It is an ORC file. Export it as CSV.")),
    (b"ARROW1", 0, later("It is an Arrow (Feather) file. Export it as CSV.")),
    (b"FEA1", 0, later("It is an Arrow (Feather) file. Export it as CSV.")),
    (b"\x89HDF", 0, later("It is an HDF5 file. Export its tables as CSV.")),
    (b"\0\x01\0\0Standard", 0, later("It is a database of Microsoft Access. Export its tables as CSV.")),
    (b"ASCII SPSS PORT", 40, later("It is a portable file of SPSS. Save it as .sav or CSV.")),
    (b"ASCII SPSS PORT", 0, later("It is a portable file of SPSS. Save it as .sav or CSV.")),
    (b"RDX2", 0, later("It is a file of R. Save its tables as CSV.")),
    (b"RDX3", 0, later("It is a file of R. Save its tables as CSV.")),
    (b"ustar", 257, later("It is a TAR archive. Unpack it first.")),
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
    if start.startswith(b"\x1f\x8b") and not is_compressed(path):
        return _R if _R_FILE.search(name) else later("It is packed with gzip: call it .gz, or unpack it first.")
    if name.lower().endswith((".pkl", ".pickle")) and start[:1] == b"\x80":
        return later("It is a pickle of Python. Export its tables as CSV.")
    if name.lower().endswith((".sas7bcat", ".sas7bndx")):
        return later("It is a catalog or an index of SAS, which has no rows.")
    if re.search(rb"\x1b\$[@B]|\x1b\$\)C", start):
        return later("It is text in ISO-2022 (JIS or KS). Write it as UTF-8.")
    if _is_ebcdic(start):
        return later("It is text of a mainframe (EBCDIC). Write it as UTF-8.")
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


_R = later("It is a file of R. Save its tables as CSV.")
_R_FILE = re.compile(r"\.(rds|rda|rdata)$", re.IGNORECASE)


def _is_ebcdic(start: bytes) -> bool:
    """Whether bytes are text of a mainframe: digits at 0xF0, letters from 0x81 on, and none of those of ASCII."""
    if len(start) < 40 or b"\n" in start:
        return False
    written = sum(
        0xF0 <= byte <= 0xF9 or 0x81 <= byte <= 0xE9 or byte in b"\x40\x4b\x6b\x60\x61\x25\x15" for byte in start
    )
    digits = sum(0xF0 <= byte <= 0xF9 for byte in start)
    return written >= len(start) * 0.95 and digits >= len(start) * 0.1


def _is_ndjson(start: bytes) -> bool:
    """Whether the first line is an object by itself, with another one in the next line, if there is one."""
    lines = [line for line in start.split(b"\n")[:3] if line.strip()]
    return (
        bool(lines)
        and lines[0].lstrip()[:1] == b"{"
        and (len(start) >= 4096 or lines[0].rstrip()[-1:] == b"}")
        and ((len(lines) > 1 and lines[1].lstrip()[:1] == b"{") or (len(lines) == 1 and start.count(b"\n") >= 1))
    )
