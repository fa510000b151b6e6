"""The original text of source lines, read again from their files, with what identifies people masked."""

import csv
import hashlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.science.standardize.identify import Registered
from madang.science.standardize.intake import SourceFile, read_lines
from madang.science.standardize.intake.exact import split_row
from madang.science.standardize.intake.files import is_big_endian, is_mixed, is_wide, reading, unmixed
from madang.science.standardize.intake.tables import KINDS, kind_of
from madang.science.standardize.pack import Source
from madang.science.standardize.pack_model import fallback

MASK = "***"
_MARK = "\ufeff"


class State(StrEnum):
    """What can be shown of a source line, and why no more."""

    WHOLE = "whole"
    MASKED = "masked"
    HIDDEN = "hidden"
    CHANGED = "changed"
    GONE = "gone"


@dataclass(frozen=True)
class Original:
    """A source line as it may be shown: `text` is None where the state says why there is none."""

    state: State
    text: str | None = None


def layout(source: Source) -> dict[str, Any]:
    """What the manifest keeps of a source so that its lines can be parsed and masked later.

    `shown` are the headers of declared columns that are no identifiers; any other field of a line is masked.
    """
    marked = {c.header or c.name: False for c in source.columns.values()}
    for column in source.columns.values():  # several may be taken from one field of the file
        marked[column.header or column.name] |= column.identifier in ("direct", "pseudonym")
    return {
        "format": "csv" if source.format in KINDS.values() else source.format,
        "delimiter": source.delimiter,
        "quoted_newlines": source.quoted_newlines,
        "shown": [header for header, hidden in marked.items() if not hidden],
    }


class Originals:
    """Reads lines of registered files in `folder`; a file that is not what was taken in shows nothing.

    `encodings` and `layouts` are by source; lines of a source without a layout are hidden as a whole. `identifiers`
    shows the lines as they are.
    """

    def __init__(
        self,
        folder: Path | None,
        encodings: Mapping[str, str],
        layouts: Mapping[str, Mapping[str, Any]],
        *,
        identifiers: bool = False,
    ) -> None:
        self.folder, self.encodings, self.layouts, self.identifiers = folder, encodings, layouts, identifiers
        self._seen: dict[int, SourceFile | State] = {}

    def read(self, file: Registered, line: int) -> Original:
        """Line number `line` (1 is the first of the file). Errors: `source.unreadable`, `source.line`."""
        if self.folder is None:
            return Original(State.GONE)
        if file.number not in self._seen:
            self._seen[file.number] = _same(self.folder / file.name, file)
        seen = self._seen[file.number]
        if isinstance(seen, State):
            return Original(seen)
        encoding = self.encodings[file.source]
        try:
            raw = read_lines(self.folder / file.name, seen, {1, line}, encoding=encoding)
        except MadangError as error:
            if error.code != "source.changed":
                raise
            return Original(State.CHANGED)
        if kind_of(self.folder / file.name) or (raw[1].startswith(_MARK.encode()) and not is_wide(encoding)):
            encoding = "utf-8"
        elif other := fallback(encoding):
            encoding = "utf-8" if _decodes(raw[1] + raw[line]) else other
        head, row, encoding = _narrowed(raw[1], raw[line], encoding)
        if self.identifiers:
            return Original(State.WHOLE, row.decode(encoding, errors="replace"))
        known = self.layouts.get(file.source)
        return _masked(head, row, encoding, known) if known else Original(State.HIDDEN)


def _decodes(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _same(path: Path, file: Registered) -> SourceFile | State:
    """The file as it is now if its bytes are those that were registered."""
    if not path.is_file():
        return State.GONE
    with reading(path), path.open("rb") as raw:
        status = os.fstat(raw.fileno())
        if status.st_size != file.size or hashlib.file_digest(raw, "sha256").hexdigest() != file.sha256:
            return State.CHANGED
    return SourceFile(
        name=file.name,
        source=file.source,
        captures={},
        size=file.size,
        sha256=file.sha256,
        lines=file.lines,
        mtime_ns=status.st_mtime_ns,
    )


def _narrowed(head: bytes, row: bytes, encoding: str) -> tuple[bytes, bytes, str]:
    """Header and row without byte order mark, as UTF-8 where they have to be, and the encoding that they have then."""
    if is_wide(encoding):
        order = "utf-16-be" if is_big_endian(head, encoding) else "utf-16-le"
        head, row = (line.decode(order, errors="replace").encode() for line in (head, row))
        encoding = "utf-8"
    if is_mixed(encoding):
        head, row, encoding = unmixed(head, encoding), unmixed(row, encoding), "utf-8"
    mark = _MARK.encode()
    return head.removeprefix(mark), row.removeprefix(mark), encoding


def _masked(head: bytes, row: bytes, encoding: str, known: Mapping[str, Any]) -> Original:
    """The row with a mask for every field but those that are shown; hidden where its fields cannot be told apart."""
    if known["format"] == "ndjson" or known["quoted_newlines"]:  # a line may begin in the middle of a row
        return Original(State.HIDDEN)
    delimiter, quoting = known["delimiter"], known["format"] == "csv"
    names, fields = (split_row(line, delimiter.encode(), quoting) for line in (head, row))
    if names is None or fields is None or len(names) != len(fields):  # shifted: a name could be anywhere
        return Original(State.HIDDEN)
    shown = [name.decode(encoding, errors="replace").strip() in known["shown"] for name in names]
    if all(shown):
        return Original(State.WHOLE, row.decode(encoding, errors="replace"))
    texts = [
        field.decode(encoding, errors="replace") if open_ else MASK for field, open_ in zip(fields, shown, strict=True)
    ]
    if not quoting:
        return Original(State.MASKED, delimiter.join(texts))
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(texts)
    return Original(State.MASKED, out.getvalue())
