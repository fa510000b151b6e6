"""What a site lets studies ask about, under the name by which studies call it."""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import put_if_absent, sentences
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.text import clean_line
from madang.science.federated.disclosure import Limits, Members
from madang.science.federated.twins import described
from madang.services.alliance.acts import SHARE
from madang.services.alliance.models import RowsTold, Share

LARGEST = 2 * 1024**3


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
    with sentences(f"read {file}"):
        if file.stat().st_size > LARGEST:
            raise MadangError("alliance.share", _("{file} is too large.").format(file=file.name))
        table = read_table(file)
    sink = pa.BufferOutputStream()
    import pyarrow.parquet as pq

    pq.write_table(table, sink)
    data = bytes(sink.getvalue())
    digest = hashlib.sha256(data).hexdigest()
    with sentences("keep what is shared"):
        put_if_absent(node.home.folder("alliance") / f"{digest}.parquet", data, 0o600)
    return digest


def read_table(file: Path) -> pa.Table:
    """A CSV or Parquet file as a table; empty text and NA are missing. Errors: `alliance.share`."""
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


def plain(table: pa.Table) -> pa.Table:
    """Columns as studies know them: text, or numbers."""
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


def table_of(node: Node, found: Share) -> pa.Table:
    """The rows of what is shared, always in the same order."""
    source = json.loads(found.source)
    if "file" in source:
        return read_table(node.home.folder("alliance") / f"{source['file']}.parquet")
    from madang.lake.engine import Engine

    version = node.home.lake().find(source["dataset"])
    with Engine() as engine:
        version.attach(engine)
        table = engine.query(source["sql"] or "SELECT * FROM person ORDER BY person_id")
    return plain(table)


def packed(members: Members) -> bytes:
    """A set of rows, small."""
    return zlib.compress(np.packbits(members).tobytes())


def unpacked(told: RowsTold) -> Members:
    """A set of rows as it was."""
    bits = np.unpackbits(np.frombuffer(zlib.decompress(told.members), np.uint8), count=told.size)
    found: Members = bits.astype(bool)
    return found
