"""Reading vocabulary files in the format of OHDSI's Athena.

A download is a folder or a zip of tab-separated UTF-8 files with a header and no quoting: CONCEPT.csv,
CONCEPT_RELATIONSHIP.csv and so on, in upper or lower case, dates as YYYYMMDD or YYYY-MM-DD. Only the first bytes and
the last byte of each file are looked at here; DuckDB reads the rest, and `explained` says in a sentence what is wrong
with the line at which it stopped.
"""

import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.lake.engine import quote_name, quote_text
from madang.lake.files import sentences
from madang.science.omop.cdm import TABLES, duckdb_type

VOCABULARY_TABLES = (
    "concept",
    "concept_relationship",
    "concept_ancestor",
    "concept_synonym",
    "vocabulary",
    "domain",
    "concept_class",
    "relationship",
    "drug_strength",
)
"""The tables of a vocabulary, each a file of a download."""

REQUIRED = ("concept", "concept_relationship")
"""The tables without which a vocabulary is of no use; the others are empty where the download lacks them."""

UNKNOWN_RELEASE = "unknown"

NOT_MERGED = ("concept_cpt4.csv", "cpt4.jar")
"""Files of a download whose CPT4 names were to be merged into CONCEPT.csv by a program that comes with it."""

_MOST_PARTS = 20
_HEAD = 1 << 16
_CHUNK = 1 << 22
_AGAIN = "It may be cut off or edited: download it again."
_LACKS = re.compile(r"a row without \w+")
_LINE = re.compile(r"Line: (\d+)")


@dataclass(frozen=True)
class Source:
    """One file of a download: its table, columns in the file's order, date format and line end."""

    table: str
    path: Path
    columns: tuple[str, ...]
    date_format: str
    line_end: str

    def scan(self, *, all_text: bool = False) -> str:
        """SQL of a table function that reads the file with the types of the model."""
        fields = TABLES[self.table]
        types = {
            name: "VARCHAR" if all_text or name not in fields else duckdb_type(fields[name]) for name in self.columns
        }
        columns = ", ".join(f"{quote_text(name)}: {quote_text(kind)}" for name, kind in types.items())
        return (
            f"read_csv({quote_text(str(self.path))}, auto_detect=false, header=true, delim='\t', quote='', escape='', "
            f"nullstr='', new_line='{self.line_end}', dateformat={quote_text(self.date_format)}, "
            f"max_line_size=4000000, columns={{{columns}}})"
        )

    def select(self) -> str:
        """SELECT of the table's columns in the order of the model; empty required texts stay empty texts."""
        return f"SELECT {', '.join(_column(self.table, name, self.columns) for name in TABLES[self.table].names)} " + (
            f"FROM {self.scan()}"
        )


def _column(table: str, name: str, present: tuple[str, ...]) -> str:
    field = TABLES[table][name]
    if name not in present:
        return f"NULL::{duckdb_type(field)} AS {name}"
    if field.required:
        instead = "''" if duckdb_type(field) == "VARCHAR" else f"error('a row without {name}')"
        return f"coalesce({name}, {instead}) AS {name}"
    return name


def empty_select(table: str) -> str:
    """SELECT that gives a table of the model with no rows."""
    columns = ", ".join(f"NULL::{duckdb_type(field)} AS {quote_name(field.name)}" for field in TABLES[table].fields)
    return f"SELECT {columns} WHERE false"


@contextmanager
def opened(source: Path, progress: Progress) -> Iterator[Mapping[str, Source]]:
    """The files of a download by table, checked as far as their ends show; a zip is unpacked for the while.

    Raises MadangError `vocabulary.*` with one sentence about the first thing that is wrong.
    """
    with ExitStack() as stack:
        with sentences(f"read the vocabulary {source}"):
            source = place(source)
            if source.is_dir():
                named = _by_table([path.name for path in source.iterdir() if path.is_file()], source)
                paths = {table: source / name for table, name in named.items()}
            elif source.is_file():
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="madang-vocabulary-"))
                paths = _unpack(source, Path(folder), progress)
            else:
                raise MadangError("vocabulary.not_found", f"There is no vocabulary at {source}.")
            files = {table: _look_at(table, path) for table, path in paths.items()}
        yield files


def place(source: Path) -> Path:
    """Where a download lies: the folder itself, or the one zip or folder in it that holds one."""
    if not source.is_dir() or any(path.name.lower() == "concept.csv" for path in source.iterdir()):
        return source
    inner = [path for path in sorted(source.iterdir()) if not path.name.startswith((".", "__MACOSX"))]
    inner = [path for path in inner if path.is_dir() or (path.suffix.lower() == ".zip" and zipfile.is_zipfile(path))]
    inner = [path for path in inner if "concept.csv" in names_in(path)]
    if len(inner) > 1:
        raise MadangError(
            "vocabulary.twice",
            f"{source} holds several downloads: {', '.join(path.name for path in inner[:5])}.",
            "Give the one to load.",
        )
    return inner[0] if inner else source


def names_in(path: Path) -> set[str]:
    """The names of the files in a folder or zip, in small letters."""
    if path.is_dir():
        return {file.name.lower() for file in path.iterdir()}
    with zipfile.ZipFile(path) as archive:
        return {name.rpartition("/")[2].lower() for name in archive.namelist()}


def _by_table(names: Iterable[str], source: Path) -> dict[str, str]:
    """Names of files by the table that they hold; other files of the download are left alone."""
    found: dict[str, str] = {}
    for name in sorted(names):
        table, _, ending = name.rpartition("/")[2].lower().rpartition(".")
        if ending != "csv" or table not in VOCABULARY_TABLES or "__MACOSX/" in name:
            continue
        if table in found:
            raise MadangError(
                "vocabulary.twice",
                f"{source} has the table {table} twice: {found[table]} and {name}.",
                "Keep the one that belongs to this download.",
            )
        found[table] = name
    for table in REQUIRED:
        if table not in found:
            raise MadangError(
                "vocabulary.incomplete",
                f"{source} has no {table.upper()}.csv.",
                "Give the zip that Athena sent, or the folder that it was unpacked to.",
            )
    return found


def _unpack(source: Path, folder: Path, progress: Progress) -> dict[str, Path]:
    """Unpack the tables of a zip into `folder`."""
    try:
        with zipfile.ZipFile(source) as archive:
            named = _by_table(archive.namelist(), source)
            size = sum(archive.getinfo(name).file_size for name in named.values())
            if size > shutil.disk_usage(folder).free:
                raise MadangError(
                    "vocabulary.no_space",
                    f"Unpacking {source.name} takes {size / 1e9:.1f} GB, more than is free in {folder.parent}.",
                    "Set TMPDIR to a folder on a larger disk, or unpack the zip yourself and give the folder.",
                )
            with progress.step("unpack", size, "bytes"):
                paths = {table: folder / f"{table}.csv" for table in named}
                for table, name in named.items():
                    _unpack_one(archive, name, paths[table], progress)
                return paths
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError) as error:
        # The last one: a password, or a way of packing that Python does not know.
        raise MadangError(
            "vocabulary.broken_zip", f"{source} is not a whole zip file: {error}.", "Download it again."
        ) from None


def _unpack_one(archive: zipfile.ZipFile, name: str, path: Path, progress: Progress) -> None:
    with archive.open(name) as packed, path.open("wb") as unpacked:
        while chunk := packed.read(_CHUNK):
            unpacked.write(chunk)
            progress.advance(len(chunk))


def _look_at(table: str, path: Path) -> Source:
    """What the first bytes and the last one say about a file."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(max(0, path.stat().st_size - 1))
        last = file.read(1)
    if not head:
        raise _bad(path, "is empty", "Use the files as Athena sent them.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise _bad(path, "is not UTF-8 text", "Use the files as Athena sent them.")
    head = head.removeprefix(b"\xef\xbb\xbf")
    first, _, rest = head.partition(b"\n")
    columns = tuple(name.strip().strip('"').lower() for name in first.decode("utf-8", "replace").split("\t"))
    if len(columns) == 1 and "," in columns[0]:
        raise _bad(path, "is separated by commas, not by tabs", "Use the files as Athena sent them.")
    fields = TABLES[table]
    missing = [field.name for field in fields.fields if field.required and field.name not in columns]
    if missing:
        raise _bad(path, f"lacks the column {missing[0]}", "Its first line must name the columns, separated by tabs.")
    if len(set(columns)) < len(columns):
        raise _bad(path, "names a column twice", "Use the files as Athena sent them.")
    if last != b"\n":
        raise _bad(
            path,
            "does not end with a line break, so it is probably cut off",
            "Download it again; if it is whole, add a line break at its end.",
        )
    dated = [index for index, name in enumerate(columns) if name in fields and fields[name].type == "date"]
    dates = (line.split(b"\t") for line in rest.split(b"\n"))
    sample = next((line[i].strip() for line in dates for i in dated if len(line) > i and line[i].strip()), b"")
    return Source(
        table,
        path,
        columns,
        date_format="%Y-%m-%d" if b"-" in sample else "%Y%m%d",
        line_end="\\r\\n" if first.endswith(b"\r") else "\\n",
    )


def mended(source: Source, folder: Path) -> tuple[Source, int, int]:
    """A copy in `folder` of a file in which names are broken over lines: the file, rows joined, and lines left out.

    Athena sends names as they were entered, line breaks included; a row that has too few values goes on in the next
    line, and a line that makes no row is left out.
    """
    path = folder / source.path.name
    fields = TABLES[source.table]
    kinds = [duckdb_type(fields[name]) if name in fields else "VARCHAR" for name in source.columns]

    def fits(values: list[str]) -> bool:
        return len(values) == len(kinds) and all(
            not value or _fits(value, kind, source.date_format) for value, kind in zip(values, kinds, strict=True)
        )

    joined = dropped = 0
    end = "\r\n" if source.line_end == "\\r\\n" else "\n"
    with source.path.open("rb") as file, path.open("w", encoding="utf-8", newline="") as out:
        out.write("\t".join(source.columns) + end)
        next(file, b"")
        open_row: list[str] = []
        parts = 0
        for raw in file:
            try:
                line = raw.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                dropped += 1
                continue
            values = line.split("\t")
            if open_row and not fits(values):
                values = [*open_row[:-1], f"{open_row[-1]} {values[0]}".strip(), *values[1:]]
                parts += 1
            elif open_row:  # a whole row: what was open before it is none
                dropped += parts
                open_row, parts = [], 1
            else:
                parts = 1
            if fits(values):
                out.write("\t".join(values) + end)
                joined += parts > 1
                open_row, parts = [], 0
            elif len(values) < len(kinds) and parts < _MOST_PARTS:
                open_row = values
            else:
                dropped += parts
                open_row, parts = [], 0
        dropped += parts
    return replace(source, path=path), joined, dropped


@contextmanager
def explained(source: Source) -> Iterator[None]:
    """Say in one sentence which line of `source` stopped the engine, and why."""
    try:
        yield
    except MadangError as error:
        if not error.code.startswith("engine."):
            raise
        if lacks := _LACKS.search(error.message):
            raise _bad(source.path, f"has {lacks[0]}", _AGAIN) from None
        if line := _LINE.search(error.message):
            raise _fault(source, int(line[1]), error) from None
        raise


def _fault(source: Source, number: int, error: MadangError) -> MadangError:
    """The sentence about one line."""
    with source.path.open("rb") as file:
        raw = next(islice(file, number - 1, None), b"").rstrip(b"\r\n")
    where = f"has in line {number}"
    try:
        values = raw.decode("utf-8").split("\t")
    except UnicodeDecodeError:
        return _bad(source.path, f"{where} bytes that are not UTF-8", "Use the files as Athena sent them.")
    if len(values) != len(source.columns):
        return _bad(
            source.path,
            f"{where} {len(values)} values instead of {len(source.columns)}",
            _AGAIN,
        )
    fields = TABLES[source.table]
    for name, value in zip(source.columns, values, strict=True):
        if name in fields and value and not _fits(value, duckdb_type(fields[name]), source.date_format):
            return _bad(
                source.path, f"{where} {value[:40]!r} as {name}", "It may be cut off or edited: download it again."
            )
    return _bad(source.path, f"{where} something that cannot be read", error.message)


def _fits(value: str, kind: str, date_format: str) -> bool:
    dash = "-" if "-" in date_format else ""
    patterns = {
        "BIGINT": r"-?\d{1,18}",
        "INTEGER": r"-?\d{1,9}",
        "DOUBLE": r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?",
        "DATE": rf"\d{{4}}{dash}(0[1-9]|1[0-2]){dash}(0[1-9]|[12]\d|3[01])",
    }
    return kind not in patterns or re.fullmatch(patterns[kind], value.strip()) is not None


def _bad(path: Path, what: str, hint: str) -> MadangError:
    return MadangError("vocabulary.file", f"{path.name} {what}.", hint)
