"""What a manifest says: one immutable JSON document per version of a dataset, and one per restricted companion."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.lake.content_sum import Content
from madang.lake.schema import Column

FORMAT = 1
TOMBSTONE = "tombstone"
_TEXT: tuple[type, ...] = (str,)
_SHAPES: dict[bool, dict[str, tuple[type, ...]]] = {  # members of a version's document, and of a tombstone
    False: {"kind": _TEXT, "created": _TEXT, "info": (dict,), "tables": (dict,), "parent": (dict, type(None))},
    True: {"was": _TEXT, "created": _TEXT, "removed": _TEXT, "reason": _TEXT, "parent": (dict, type(None))},
}
_HEX = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"[0-9a-f]{32}\.parquet")
_TABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
_DATASET = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


@dataclass(frozen=True)
class DataFile:
    """One immutable Parquet file: its name in the table's folder, size, SHA-256 of its bytes, content of its rows."""

    name: str
    rows: int
    bytes: int
    sha256: str
    content: Content


@dataclass(frozen=True)
class Table:
    """One table of a version: its columns (name, SQL type) and the files in `folder` that hold its rows."""

    name: str
    schema: tuple[Column, ...]
    files: tuple[DataFile, ...]
    folder: Path

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Size on disk."""
        return sum(file.bytes for file in self.files)

    @property
    def content(self) -> str:
        """The content hash: equal for equal rows, whatever their order and files."""
        return str(Content.total(file.content for file in self.files))

    @property
    def paths(self) -> list[Path]:
        """Where the files are."""
        return [self.folder / file.name for file in self.files]


def digest(data: bytes) -> str:
    """SHA-256 in hex; of a manifest's bytes it is the manifest hash."""
    return hashlib.sha256(data).hexdigest()


def tables_to_json(tables: Iterable[Table]) -> dict[str, Any]:
    """The `tables` member of a manifest."""
    return {
        table.name: {
            "schema": [list(column) for column in table.schema],
            "rows": table.rows,
            "content": table.content,
            "files": [
                {
                    "name": file.name,
                    "rows": file.rows,
                    "bytes": file.bytes,
                    "sha256": file.sha256,
                    "content": str(file.content),
                }
                for file in table.files
            ],
        }
        for table in tables
    }


def tables_from_json(document: Mapping[str, Any], folder: Path) -> dict[str, Table]:
    """The tables of a manifest whose table folders stand in `folder`; ValueError if anything is out of shape.

    Names are checked here, so that a manifest changed by hand can never point outside its dataset.
    """
    tables = {}
    for name, entry in sorted(document.items()):
        if not _TABLE.fullmatch(name):
            raise ValueError(f"table name {name!r}")
        files = []
        for file in entry["files"]:
            if not _FILE.fullmatch(file["name"]) or not _HEX.fullmatch(file["sha256"]):
                raise ValueError(f"file entry of table {name!r}")
            content = Content.of_text(file["content"])
            files.append(DataFile(file["name"], int(file["rows"]), int(file["bytes"]), file["sha256"], content))
        schema = tuple((str(column), str(kind)) for column, kind in entry["schema"])
        table = Table(name, schema, tuple(files), folder / name)
        if (table.rows, table.content) != (entry["rows"], entry["content"]):
            raise ValueError(f"sums of table {name!r}")
        tables[name] = table
    return tables


def read_document(data: bytes, path: Path) -> dict[str, Any]:
    """The JSON object in the bytes of the manifest at `path`."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise MadangError(
                "lake.format", f"{path} was written by a later program.", "Use at least the version that wrote it."
            )
        return dict(document)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise damaged(path) from None


def check_version_document(document: Mapping[str, Any], dataset: str, number: int, path: Path) -> None:
    """Refuse a version or tombstone that belongs elsewhere or lacks something, so that readers can rely on it."""
    if document.get("dataset") != dataset or document.get("number") != number:
        raise damaged(path, "it belongs elsewhere")
    removed = document.get("kind") == TOMBSTONE
    for member, types in _SHAPES[removed].items():
        if not isinstance(document.get(member, ...), types):
            raise damaged(path, f"wrong {member}")
    parent = document["parent"]
    hashes = [document.get("manifest") if removed else document.get("restricted", ...)]
    if parent is not None:
        hashes.append(parent.get("manifest"))
        if not isinstance(parent.get("number"), int) or not 0 < parent["number"] < number:
            raise damaged(path, "wrong parent")
    if hashes[0] is None and not removed:
        hashes.pop(0)  # there is no companion
    if not all(isinstance(text, str) and _HEX.fullmatch(text) for text in hashes):
        raise damaged(path, "wrong hash")


def damaged(path: Path, why: str = "it is not a manifest") -> MadangError:
    """The error for a manifest that cannot be used."""
    return MadangError(
        "lake.damaged", f"{path} is damaged: {why}.", "`madang datasets verify` says what else is; restore a backup."
    )


def check_dataset_name(name: str) -> str:
    """`name` if it can name a dataset."""
    if not _DATASET.fullmatch(name):
        raise MadangError(
            "lake.dataset_name",
            f"{name!r} cannot name a dataset.",
            "Use small letters, digits, - and _, beginning with a letter or digit, at most 100.",
        )
    return name


def check_table_name(name: str) -> str:
    """`name` if it can name a table."""
    if not _TABLE.fullmatch(name):
        raise MadangError(
            "lake.table_name",
            f"{name!r} cannot name a table.",
            "Use letters, digits and _, beginning with a letter, at most 100.",
        )
    return name
