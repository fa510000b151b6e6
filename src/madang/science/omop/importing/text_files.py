"""Folders of CSV or Parquet files: `PERSON.csv`, `person.csv.gz`, `person.parquet`, `person/*.parquet`."""

import codecs
import csv
import gzip
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from madang.base.canonical import sha256_of_file
from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.base.translate import _
from madang.lake.engine import Engine, quote_name, quote_paths, quote_text
from madang.lake.files import sentences
from madang.science.omop.cdm import TABLES
from madang.science.omop.importing.given import Given, GivenTable

_TEXT = re.compile(r"\.(csv|tsv|txt)(\.gz)?$", re.IGNORECASE)
_CHUNK = 1 << 22
_LINE = re.compile(r"\bLine: (\d+)")
_UTF8 = ("utf-8", "ascii")


def folder(source: Path, engine: Engine, encoding: str, scratch: Path, progress: Progress) -> Given:
    """The tables in a folder. Files in another encoding than UTF-8 are rewritten to `scratch`."""
    name = _encoding(encoding)
    found: dict[str, list[list[Path]]] = defaultdict(list)
    ignored = []
    with sentences(f"read the folder {source}"):
        for path in sorted(source.iterdir()):
            if path.is_dir() and (parts := sorted(path.glob("*.parquet")) or sorted(path.rglob("*.parquet"))):
                found[path.name.lower().removesuffix(".parquet")].append(parts)
            elif path.is_file() and (path.suffix.lower() == ".parquet" or _TEXT.search(path.name)):
                found[_TEXT.sub("", path.name.removesuffix(".parquet")).lower()].append([path])
            else:
                ignored.append(path.name)
    for table, places in found.items():
        if len(places) > 1:
            raise MadangError(
                "import.twice",
                _("{source} has the table {table} twice: {first} and {second}.").format(
                    source=source, table=table, first=places[0][0].name, second=places[1][0].name
                ),
                _("Keep one of them."),
            )
    tables = {}
    with progress.step(_("look at the files"), len(found), _("tables")):
        for table, [paths] in found.items():
            if paths[0].suffix.lower() == ".parquet":
                tables[table] = _parquet(table, paths, engine)
            else:
                tables[table] = _csv(table, paths[0], name, scratch)
            progress.advance(1)
    return Given("files", source.name, tables, tuple(ignored))


def _parquet(table: str, paths: list[Path], engine: Engine) -> GivenTable:
    # In folders as `year=2020` a column is told by the name of the folder.
    folders = any("=" in path.parent.name for path in paths)
    relation = f"read_parquet({quote_paths(paths)}, union_by_name = true, hive_partitioning = {folders})"
    place = paths[0].name if len(paths) == 1 else f"{paths[0].parent.name}/*.parquet"
    try:
        columns = engine.describe(f"SELECT * FROM {relation}")
    except MadangError as error:
        raise _bad(place, error.message, _("Write it again, or leave it out.")) from None
    with sentences(f"read {place}"):
        state = hashlib.sha256("".join(sha256_of_file(path) for path in paths).encode()).hexdigest()
    return GivenTable(table, relation, tuple(columns), state, place)


def _csv(table: str, path: Path, encoding: str, scratch: Path) -> GivenTable:
    with sentences(f"read {path}"):
        state = sha256_of_file(path)
        if encoding not in _UTF8:
            path = _as_utf8(path, encoding, scratch)
        with _unpacked(path) as file:
            head = file.readline(_CHUNK)
            second = file.readline(_CHUNK)
        notes = [] if path.suffix == ".gz" or _ends_a_line(path) else [_("does not end with a line break")]
    names, delimiter = _header(head, path.name, table)
    # Without quotes in the header a file with tabs is taken to have none at all, as OHDSI writes them.
    quote = "" if delimiter == "\t" and b'"' not in head else '"'
    columns = tuple((name, "VARCHAR") for name in names)
    listed = ", ".join(f"{quote_text(name)}: 'VARCHAR'" for name in names)
    relation = (
        f"read_csv({quote_text(str(path))}, auto_detect=false, header=true, delim={quote_text(delimiter)}, "
        f"quote={quote_text(quote)}, escape={quote_text(quote)}, nullstr='', allow_quoted_nulls=false, "
        f"max_line_size=16000000, columns={{{listed}}})"
    )
    if not second:  # a header alone
        empty = ", ".join(f"NULL::VARCHAR AS {quote_name(name)}" for name in names)
        relation = f"(SELECT {empty} WHERE false)"
    return GivenTable(table, relation, columns, state, path.name, tuple(notes))


def _header(head: bytes, name: str, table: str) -> tuple[list[str], str]:
    """The names of the columns, and what separates them."""
    if not head.strip():
        raise _bad(name, _("is empty"), _("Each file needs a first line with the names of its columns."))
    if b"\0" in head or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _bad(name, _("is not text in UTF-8"), _("Name its encoding with --encoding, such as utf-16 or cp949."))
    try:
        line = head.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise _bad(name, _("is not text in UTF-8"), _("Name its encoding with --encoding, such as cp949.")) from None
    delimiter = max("\t,;|", key=line.count)
    names = [column.strip() for column in next(csv.reader([line], delimiter=delimiter), [])]
    seen = [column.lower() for column in names]
    if table in TABLES and not set(seen) & set(TABLES[table].names):
        what = _("names no column of {table} in its first line").format(table=table.upper())
        raise _bad(name, what, _("Each file needs a first line with the names of its columns."))
    twice = next((column for column in seen if seen.count(column) > 1), None)
    if twice is not None or "" in seen:
        what = _("names the column {column} twice").format(column=twice) if twice else _("has a column without a name")
        raise _bad(name, what, _("Each column needs a name of its own."))
    return names, delimiter


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 1))
        return file.read(1) in (b"\n", b"\r", b"")


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked where it is packed."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file  # type: ignore[misc]  # both read bytes
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise _bad(path.name, _("is no whole gzip file"), _("Copy it again.")) from None


def _as_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """The file rewritten in UTF-8; refuses bytes that are not in the encoding it is said to have."""
    target = scratch / re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
    decoder = codecs.getincrementaldecoder(encoding)()
    with _unpacked(path) as file, target.open("w", encoding="utf-8", newline="") as out:
        try:
            while chunk := file.read(_CHUNK):
                out.write(decoder.decode(chunk))
            out.write(decoder.decode(b"", True))
        except UnicodeError:
            raise _bad(path.name, _("is not text in {encoding}").format(encoding=encoding), "") from None
    return target


def _encoding(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise MadangError(
            "import.encoding", _("There is no encoding {name}.").format(name=name), _("Try utf-8 or cp949.")
        ) from None


@contextmanager
def explained(table: GivenTable) -> Iterator[None]:
    """Say in one sentence which line of a file stopped the engine."""
    try:
        yield
    except MadangError as error:
        if not error.code.startswith("engine.") or error.code == "engine.disk_full":
            raise
        where = f" {found[1]}" if (found := _LINE.search(error.message)) else ""
        if "unicode" in error.message.lower() or "utf-8" in error.message.lower():
            raise _bad(
                table.place,
                _("is not text in UTF-8 (line{where})").format(where=where),
                _("Name its encoding with --encoding, such as cp949."),
            ) from None
        if "invalid state" in error.message:
            raise _bad(table.place, _("mixes line ends"), _("Write it with one kind of line ends.")) from None
        what = _("has a line{where} that is no row of {count} columns").format(where=where, count=len(table.columns))
        raise _bad(table.place, what, _("It may be cut off, or a quote or separator in it is not escaped.")) from None


def _bad(name: str, what: str, hint: str) -> MadangError:
    return MadangError("import.file", _("{file} {what}.").format(file=name, what=what.rstrip(".")), hint)
