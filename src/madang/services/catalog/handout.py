"""The one place that hands out bytes of data: checked and audited before the first of them.

A table goes as Parquet (its file, or a zip of its files) or as CSV; a version as a zip with its manifest. CSV is made
for spreadsheets: it begins with a mark that says it is UTF-8, and a text that would be taken for a formula gets an
apostrophe in front. `exact` leaves both out.
"""

import hashlib
import io
import zipfile
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine, quote_name, quote_paths
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.services.catalog.models import Record, RecordVersion
from madang.services.catalog.service import published_version, see

FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CHUNK = 1 << 20
_CELLS = 1_000_000  # of CSV at a time
_TEXTLESS = frozenset(
    {
        *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
        *("FLOAT", "DOUBLE", "BOOLEAN", "DATE"),
    }
)


Entry = tuple[str, Path | bytes]  # of a zip: its name, and its file or its content


@dataclass(frozen=True)
class Bytes:
    """What is handed out: a name for the file, its kind, and its content where it lies or as what makes its pieces.

    Pieces come out the same each time; `etag` says which they are, `length` how many bytes, where that is known.
    """

    name: str
    media: str
    content: Callable[[], Iterator[bytes]] | Path
    etag: str
    length: int | None = None


def hand_out(
    node: Node,
    actor: Actor,
    name: str,
    number: int | None,
    table: str,
    form: str,
    *,
    exact: bool = False,
    file: str = "",
    origin: str = "",
) -> Bytes:
    """A table (or all, if `table` is empty) of a published version as `parquet`, `csv` or `zip`.

    `file` is the SHA-256 of one file of the table, which then goes alone. `origin` is the address of the portal as
    the reader has it, for a citation where the settings name none.

    Errors: `catalog.none`, those of permissions, `catalog.no_table`.
    """
    record = see(node, actor, name)
    version = published_version(record, number)
    check(actor, "record.read", record)
    lake = node.home.lake().dataset(record.dataset).version(version.number)
    if table and table not in lake.tables:
        raise MadangError("catalog.no_table", _("{name} has no table {table}.").format(name=name, table=table))
    details = {"version": version.number, "table": table, "form": form}
    node.audit.read(actor, "record.download", f"record:{record.id}", details)
    stem = f"{record.name}-{version.number}" + (f"-{table}" if table else "")
    if form == "csv":
        make = partial(_csv, lake, table, exact=exact)
        return Bytes(f"{stem}.csv", "text/csv; charset=utf-8", make, _etag(version, table, f"csv{exact}"))
    paths = list(lake.tables[table].paths) if table else []
    if table and file:
        held = zip(lake.tables[table].files, paths, strict=True)
        paths = [path for each, path in held if each.sha256 == file]
        if not paths:
            raise MadangError("catalog.no_table", _("{name} has no file of that hash.").format(name=name))
    if form == "parquet" and len(paths) == 1:
        etag = file or _etag(version, table, "parquet")
        return Bytes(f"{stem}.parquet", "application/vnd.apache.parquet", paths[0], etag)
    beside = readme(node, record, version, table, node.settings.web.address or origin)
    entries = [*_entries(lake, table), ("README.txt", beside.encode())]
    if not table:
        from madang.services.catalog import crates  # the forms, and what they need, only where a crate is made

        entries += crates.entries(node, actor, record, lake)
    etag = _etag(version, table, "zip", beside, *(name for name, _content in entries), *_told(entries))
    return Bytes(f"{stem}.zip", "application/zip", partial(_zip, entries), etag, zip_length(entries))


def _told(entries: Iterable[Entry]) -> Iterator[str]:
    """What stands in a zip that was written for it."""
    return (hashlib.sha256(content).hexdigest() for _name, content in entries if isinstance(content, bytes))


def _etag(version: RecordVersion, *parts: str) -> str:
    """Names the bytes: the version's manifest and the form in which they go."""
    return hashlib.sha256("\0".join((version.manifest, *parts)).encode()).hexdigest()


def readme(node: Node, record: Record, version: RecordVersion, table: str, site: str) -> str:
    """What lies beside the files in a zip: what they are, under which terms, how to cite and check them."""
    told = record.told
    holder = record.organization.title_en or record.organization.title
    year = (version.published or record.created).year
    address = f"{site}/records/{record.name}?version={version.number}"
    lines = [
        record.title_en or record.title,
        record.title if record.title_en else "",
        "",
        f"Version {version.number}" + (f", table {table}" if table else ""),
        f"Holder: {holder}",
        f"License: {told.license or 'as the record says'}",
        "These data are synthetic: they are about no real person." if told.synthetic else "",
        f"Cite as: {', '.join(told.creator) or holder} ({year}). {record.title_en or record.title} "
        f"(version {version.number}). {node.settings.title}. {address}",
        f"SHA-256 of the manifest: {version.manifest}",
        "" if table else "manifest.json names every file with its rows and its SHA-256.",
    ]
    return "\n".join(line for line, before in zip(lines, ["x", *lines], strict=False) if line or before) + "\n"


def _entries(lake: Version, table: str) -> Iterator[Entry]:
    for name, each in sorted(lake.tables.items()):
        if table in ("", name):
            for path in each.paths:
                yield f"{name}/{path.name}", path
    if not table:
        yield "manifest.json", lake.dataset.manifest_path(lake.number)


def _size(content: Path | bytes) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def zip_length(entries: Iterable[Entry]) -> int:
    """How many bytes `_zip` makes, without making them: APPNOTE 4.3, each entry stored with a descriptor behind it."""
    at, directory, count = 0, 0, 0
    for name, content in entries:
        size = _size(content)
        large = (16 if size > zipfile.ZIP64_LIMIT else 0) + (8 if at > zipfile.ZIP64_LIMIT else 0)
        directory += 46 + len(name.encode()) + (4 + large if large else 0)
        at += 30 + len(name.encode()) + 20 + size + 24
        count += 1
    far = max(at, directory) > zipfile.ZIP64_LIMIT or count > zipfile.ZIP_FILECOUNT_LIMIT
    return at + directory + 22 + (56 + 20 if far else 0)


def _zip(entries: Iterable[Entry]) -> Iterator[bytes]:
    """A zip as it is made: nothing is packed, since Parquet is packed already."""
    out = _Pieces()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, content in entries:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.file_size = _size(content)
            source = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
            with source as file, archive.open(entry, "w", force_zip64=True) as packed:
                while piece := file.read(_CHUNK):
                    packed.write(piece)
                    yield out.take()
    yield out.take()


class _Pieces(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, piece: Any) -> int:
        """Hold a piece."""
        self._held.append(bytes(piece))
        return len(self._held[-1])

    def take(self) -> bytes:
        """All that is held, which is then held no more."""
        held, self._held = b"".join(self._held), []
        return held


def _csv(lake: Version, table: str, *, exact: bool) -> Iterator[bytes]:
    """Pieces of CSV, made by the engine and Arrow without Python's lock, so that other readers need not wait."""
    from pyarrow import BufferOutputStream
    from pyarrow.csv import WriteOptions, write_csv

    with Engine(memory_limit="1GB", threads=1) as engine:
        source = f"read_parquet({quote_paths(lake.tables[table].paths)})"
        columns = engine.describe(f"FROM {source}")
        select = f"SELECT {', '.join(_cells(*column, exact) for column in columns)} FROM {source}"
        if not exact:
            yield BOM_UTF8
        header = True
        for batch in engine.batches(select, rows=max(1, _CELLS // len(columns))):
            piece = BufferOutputStream()
            write_csv(batch, piece, WriteOptions(include_header=header))
            yield piece.getvalue().to_pybytes()
            header = False


def _cells(name: str, kind: str, exact: bool) -> str:
    """The SQL of a column as it goes into CSV."""
    column = quote_name(name)
    if kind.startswith("TIMESTAMP"):
        cells = f"replace(CAST({column} AS VARCHAR), ' ', 'T')"
    elif kind == "BLOB":
        cells = f"lower(hex({column}))"
    elif kind in _TEXTLESS or kind.startswith("DECIMAL"):
        cells = column
    else:
        cells = f"CAST({column} AS VARCHAR)"
        if not exact:
            signs = ", ".join(f"chr({ord(sign)})" for sign in FORMULA)
            cells = f"CASE WHEN left({cells}, 1) IN ({signs}) THEN chr(39) || {cells} ELSE {cells} END"
    return f"{cells} AS {quote_name(name if exact or not name.startswith(FORMULA) else chr(39) + name)}"
