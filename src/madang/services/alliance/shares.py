"""What a site lets studies ask about, under the name by which studies call it."""

import hashlib
import json
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.dataset import Version
from madang.lake.files import put_if_absent, sentences
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.text import clean_line
from madang.services.alliance.acts import SHARE
from madang.services.alliance.models import Share

if TYPE_CHECKING:
    import pyarrow as pa

    from madang.science.federated.disclosure import Members

LARGEST = 2 * 1024**3
MOST_TABLES = 1024**3  # bytes of rows that are kept in memory
T = TypeVar("T")


def share(
    node: Node,
    actor: Actor,
    name: str,
    *,
    file: Path | None = None,
    dataset: str = "",
    sql: str = "",
    units: dict[str, str] | None = None,
    vocabulary: str = "",
    country: str = "",
) -> Share:
    """Share a CSV or Parquet file, or a query on a version of a dataset, under `name`; a new one takes its place.

    The query is the operator's own: it makes one row of each person, with the columns that studies name.
    """
    from madang.science.federated.disclosure import Limits
    from madang.science.federated.twins import described

    label = clean_line(name, _("The name"), 80, required=True)
    if (file is None) == (not dataset):
        raise MadangError("alliance.share", _("Share either a file or a dataset."), "--file, --dataset and --sql")
    if file is not None:
        digest = _taken_in(node, file)
        source: dict[str, Any] = {"file": digest}
    else:
        version = node.home.lake().find(dataset)
        source = {"dataset": f"{version.dataset.name}@{version.number}", "sql": sql, "version": version.digest}
        digest = sha256_of(source)
    table = table_of(node, Share(name=label, source=json.dumps(source)))  # or the sentence why it cannot be read
    source["described"] = described(table, Limits())
    with doing(node, actor, SHARE, lambda session: None) as done:
        found = done.session.scalar(select(Share).where(Share.name == label)) or Share(name=label)
        found.source, found.digest = json.dumps(source), digest
        found.units, found.vocabulary = json.dumps(units or {}), clean_line(vocabulary, _("The vocabulary"), 100)
        found.country = clean_line(country, _("The country"), 60)
        done.session.add(found)
        done.tell(name=label, digest=digest)
    return found


def _taken_in(node: Node, file: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with sentences(f"read {file}"):
        if file.stat().st_size > LARGEST:
            raise MadangError("alliance.share", _("{file} is too large.").format(file=file.name))
        table = read_table(file)
    sink = pa.BufferOutputStream()

    pq.write_table(table, sink)
    data = bytes(sink.getvalue())
    digest = hashlib.sha256(data).hexdigest()
    with sentences("keep what is shared"):
        put_if_absent(node.home.folder("alliance") / f"{digest}.parquet", data, 0o600)
    return digest


def read_table(file: Path) -> "pa.Table":
    """A CSV or Parquet file as a table; empty text and NA are missing. Errors: `alliance.share`."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    try:
        if file.suffix.lower() == ".parquet":
            table = pq.read_table(file)
        else:
            options = pyarrow.csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
            table = pyarrow.csv.read_csv(file, convert_options=options)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0][:200]
        raise MadangError(
            "alliance.share", _("{file} cannot be read: {reason}.").format(file=file.name, reason=reason.rstrip("."))
        ) from None
    return plain(table)


def plain(table: "pa.Table") -> "pa.Table":
    """Columns as studies know them: text, or numbers."""
    import pyarrow as pa

    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind):
            column = column.cast(pa.string())
        elif pa.types.is_decimal(kind):
            column = column.cast(pa.float64())
        elif pa.types.is_date(kind):
            column = column.cast(pa.date32()).cast(pa.int32())
        columns[name.strip()] = column
    return pa.table(columns)


def find_share(session: Session, name: str) -> Share:
    """What is shared under a name. Errors: `alliance.not_shared`."""
    found = session.scalar(select(Share).where(Share.name == name))
    if found is None:
        raise MadangError(
            "alliance.not_shared",
            _("Nothing is shared here under the name {name}.").format(name=name[:80]),
            _("madang alliance share NAME --file FILE"),
        )
    return found


class Kept(Generic[T]):
    """What is kept in memory under a key, the oldest given up for what comes where it would be too many bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: dict[Any, tuple[T, int]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any) -> T | None:
        """What is there; it counts as new then."""
        with self._lock:
            if (found := self._held.pop(key, None)) is None:
                return None
            self._held[key] = found
            return found[0]

    def put(self, key: Any, value: T, size: int) -> None:
        """Keep it, unless it alone is too large."""
        with self._lock:
            self._held.pop(key, None)
            self._held[key] = value, size
            while self._held and sum(each for _value, each in self._held.values()) > self.most:
                self._held.pop(next(iter(self._held)))

    def drop(self, *keys: Any) -> None:
        """Keep these no more."""
        with self._lock:
            for key in keys:
                self._held.pop(key, None)

    def keys(self) -> list[Any]:
        """What is kept."""
        with self._lock:
            return list(self._held)

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._held.clear()


_tables: "Kept[pa.Table]" = Kept(MOST_TABLES)  # of this process: rows of what is shared, by their digest


def forget() -> None:
    """Leave no rows of what is shared in memory."""
    _tables.clear()


def table_of(node: Node, found: Share) -> "pa.Table":
    """The rows of what is shared, always in the same order; of a share that is kept they stay in memory for the next
    study, and go once it is replaced."""
    source = json.loads(found.source)
    version = None if "file" in source else node.home.lake().find(source["dataset"])
    key = (str(node.home.path), found.digest, version.digest if version is not None else "")
    table = _tables.get(key) if found.digest else None
    if table is None and version is None:
        table = read_table(node.home.folder("alliance") / f"{source['file']}.parquet")
    elif table is None and version is not None:
        table = _queried(version, source["sql"])
    assert table is not None  # one of both was so
    if found.digest:
        _tables.put(key, table, table.nbytes)
    return table


def only(node: Node, digests: set[str]) -> None:
    """Leave no rows of this node in memory but of these shares."""
    _tables.drop(*(key for key in _tables.keys() if key[0] == str(node.home.path) and key[1] not in digests))  # noqa: SIM118 - it is no dict


def _queried(version: Version, sql: str) -> "pa.Table":
    from madang.lake.engine import Engine

    with Engine() as engine:
        version.attach(engine)
        return plain(engine.query(sql or "SELECT * FROM person ORDER BY person_id"))


def packed(members: "Members") -> bytes:
    """A set of rows, small."""
    import numpy as np

    return zlib.compress(np.packbits(members).tobytes())


def unpacked(members: bytes, size: int) -> "Members":
    """A set of rows as it was."""
    import numpy as np

    bits = np.unpackbits(np.frombuffer(zlib.decompress(members), np.uint8), count=size)
    found: Members = bits.astype(bool)
    return found
