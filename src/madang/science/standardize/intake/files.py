"""Which files belong to which source, what they are, and their original bytes."""

import gzip
import hashlib
import os
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from madang.base.errors import MadangError
from madang.science.standardize.intake import tables
from madang.science.standardize.intake.tables import kind_of, unread_sheets
from madang.science.standardize.pack import Source

CHUNK = 1 << 20
LONGEST_LINE = 1 << 29
_PIECES = re.compile(r"\{(\w+)\}|\*|\?|[^{*?]+|.")
_NEAR = 0.9
"""How alike the letters of two names have to be for one to be a slip of the other."""
_DIGITS = re.compile(r"(\d+)")
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class SourceFile:
    """One file as it was when the run began; `lines` counts physical lines, the header included."""

    name: str
    """Path relative to the source folder, with forward slashes."""
    source: str
    captures: dict[str, str]
    size: int
    """Bytes on disk (compressed, where the file is)."""
    sha256: str
    """Of the bytes on disk."""
    lines: int
    mtime_ns: int


def relative_name(folder: Path, path: Path) -> str:
    """The name of a file in manifests: relative to its folder, forward slashes, composed Unicode."""
    return unicodedata.normalize("NFC", path.relative_to(folder).as_posix())


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that puts `a2` before `a10`."""
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in _DIGITS.split(text) if part)


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """The regular expression of a file pattern: {word} captures, * and ? match within one folder name.

    The extension matches in any case, and `.gz` may follow it.
    """
    stem, dot, extension = unicodedata.normalize("NFC", pattern).rpartition(".")
    if not dot or "/" in extension:
        stem, extension = pattern, ""
    if extension.lower() == "gz":
        stem, _, extension = stem.rpartition(".")
    seen: set[str] = set()

    def regex(text: str) -> str:
        parts = []
        for match in _PIECES.finditer(text):
            piece, word = match.group(0), match.group(1)
            if word:
                parts.append(f"(?P={word})" if word in seen else f"(?P<{word}>[^/]+?)")
                seen.add(word)
            else:
                parts.append({"*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece)))
        return "".join(parts)

    tail = f"\\.(?i:{regex(extension)})" if extension else ""
    return re.compile(f"{regex(stem)}{tail}(?i:\\.gz)?")


def find_files(folder: Path, sources: Sequence[Source]) -> list[tuple[Source, Path, dict[str, str]]]:
    """The files of each source with what their names capture, in the order of the sources, then in natural order.

    Raises `MadangError` where a source has no file (unless it is optional), where a file belongs to two sources, and
    where one file is there twice, plain and compressed.
    """
    if not folder.is_dir():
        raise MadangError("source.folder", f"{folder} is no folder that can be read.", "Give the folder of the files.")
    names = {relative_name(folder, path): path for path in _walk(folder)}
    owner: dict[str, str] = {}
    plain: dict[str, str] = {}
    found = []
    for source in sources:
        mine: list[tuple[str, Path, dict[str, str]]] = []
        for pattern in source.files:
            regex = pattern_regex(pattern)
            matches = [(name, match) for name in names if (match := regex.fullmatch(name))]
            if not matches and not source.optional:
                near = near_names(pattern, names)
                raise MadangError(
                    "source.missing",
                    f"No file in {folder} matches {pattern} of source {source.name}.",
                    (f"There is {', '.join(near[:3])}. " if near else "")
                    + (_bundles(names) if source.format == "ndjson" else "")
                    + "Check the folder and the pattern, or declare the source optional.",
                )
            for name, match in matches:
                if owner.get(name) == source.name:
                    continue
                if name in owner:
                    raise MadangError(
                        "source.ambiguous",
                        f"{name} belongs to two sources, {owner[name]} and {source.name}.",
                        "Make their patterns exclusive."
                        + (
                            " Of a spreadsheet one sheet is read: save the others as files of their own."
                            if kind_of(names[name]) == "xlsx"
                            else ""
                        ),
                    )
                stem = name[:-3] if name.lower().endswith(".gz") else name
                if stem in plain:
                    raise MadangError(
                        "source.twice", f"{stem} is there plain and compressed.", "Leave one of them in the folder."
                    )
                owner[name], plain[stem] = source.name, name
                if names[name].is_dir():
                    raise MadangError("source.folder", f"{name} is a folder, not a file.", "Give the pattern of files.")
                mine.append((name, names[name], match.groupdict()))
        found += [(source, path, captures) for _, path, captures in sorted(mine, key=lambda one: natural(one[0]))]
    return found


def near_names(pattern: str, names: Iterable[str]) -> list[str]:
    """The names of files that look like a pattern, the nearest first, so that a misspelt one is found."""
    wanted = _bare(pattern)
    alike = {name: SequenceMatcher(None, wanted, _bare(name)).ratio() for name in names}
    return sorted((name for name, ratio in alike.items() if ratio >= _NEAR), key=lambda name: (-alike[name], name))


def _bundles(names: Mapping[str, Path]) -> str:
    """What to do with a FHIR bundle, where a folder holds one; else nothing."""
    for name, path in names.items():
        if path.suffix.lower() == ".json" and path.is_file():
            with reading(path), path.open("rb") as raw:
                if re.search(rb'"resourceType"\s*:\s*"Bundle"', raw.read(1 << 16)):
                    return f"{name} is a FHIR bundle: write each resource of it on a line of a file of its type. "
    return ""


def _bare(name: str) -> str:
    """What tells the kind of a file: the letters of its name, without folder, numbers and captures."""
    stem = re.sub(r"\{\w+\}|\.gz$", "", name.rpartition("/")[2].lower())
    return re.sub(r"[\W\d_]+", "", stem)


@dataclass(frozen=True)
class Unread:
    """A file of the folder that no source of the pack reads, and the pattern that it was perhaps meant for."""

    name: str
    near: str = ""
    source: str = ""


def unread_files(folder: Path, sources: Sequence[Source]) -> list[Unread]:
    """The files of a folder that no source reads, hidden ones aside, in natural order; with the other sheets of those
    spreadsheets that are read, as `book.xlsx [Sheet2]`."""
    patterns = {pattern: source.name for source in sources for pattern in source.files}
    regexes = {pattern: pattern_regex(pattern) for pattern in patterns}
    sheets = {source.name: source.sheet for source in sources}
    names = sorted((relative_name(folder, path) for path in _walk(folder) if not path.is_dir()), key=natural)
    found = []
    for name in names:
        read = [patterns[pattern] for pattern, regex in regexes.items() if regex.fullmatch(name)]
        if read:
            found += [Unread(f"{name} [{sheet}]") for sheet in unread_sheets(folder / name, sheets[read[0]])]
            continue
        ratios = {pattern: SequenceMatcher(None, _bare(pattern), _bare(name)).ratio() for pattern in patterns}
        near = max(ratios, key=lambda pattern: ratios[pattern], default="")
        found.append(Unread(name, near, patterns[near]) if near and ratios[near] >= _NEAR else Unread(name))
    return found


def _walk(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise MadangError("source.unreadable", f"{error.filename} cannot be read: {error.strerror}.") from error

    for root, folders, files in os.walk(folder, onerror=fail):
        for name in sorted(folders + files):
            if not name.startswith("."):
                yield Path(root, name)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what can go wrong with the bytes of a file into one sentence."""
    try:
        yield
    except EOFError as error:
        raise MadangError(
            "source.truncated", f"{path.name} ends early: the compressed file is cut off.", "Copy the file again."
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise MadangError(
            "source.damaged", f"{path.name} is no sound gzip file: {error}.", "Copy the file again."
        ) from error
    except OSError as error:
        reason = "it is a folder" if isinstance(error, IsADirectoryError) else (error.strerror or str(error))
        raise MadangError(
            "source.unreadable", f"{path.name} cannot be read: {reason}.", "Check the file and its permissions."
        ) from error


def is_compressed(path: Path) -> bool:
    """Whether the file is read through gzip."""
    return path.suffix.lower() == ".gz"


class Hashing:
    """A binary file that hashes what is read from it."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw = raw
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Bytes as of the file, hashed on the way."""
        data = self.raw.read(size)
        self.digest.update(data)
        return data

    def seekable(self) -> bool:
        """Never: what was hashed stays hashed."""
        return False


def contents(raw: BinaryIO | Hashing, compressed: bool) -> BinaryIO:
    """The stream of the text in `raw`."""
    return cast(BinaryIO, gzip.GzipFile(fileobj=cast(BinaryIO, raw)) if compressed else raw)


def newlines(data: bytes | memoryview) -> int:
    """The line feeds in `data`."""
    view = np.frombuffer(data, np.uint8)
    return sum(int(np.count_nonzero(view[at : at + CHUNK] == 10)) for at in range(0, len(view), CHUNK))


def wide_newlines(data: bytes, big_endian: bool) -> np.ndarray:
    """Positions (in bytes, of the end) of the line feeds in UTF-16 text."""
    units = np.frombuffer(data, ">u2" if big_endian else "<u2", len(data) // 2)
    return (np.flatnonzero(units == 10) + 1) * 2


_MIXED = frozenset(("cp932", "cp950", "gb18030"))


def is_mixed(encoding: str) -> bool:
    """Whether the second byte of a letter may be that of a delimiter, so that text is cut only as UTF-8."""
    return encoding in _MIXED


def unmixed(data: bytes, encoding: str) -> bytes:
    """Whole lines of such an encoding as UTF-8; what is no letter becomes bytes that are no UTF-8."""
    return data.decode(encoding, "surrogateescape").encode("utf-8", "surrogatepass")


def is_wide(encoding: str) -> bool:
    """Whether the encoding has two bytes per character, so that lines are cut otherwise."""
    return encoding.lower().replace("_", "-").startswith(("utf-16", "utf16"))


def is_big_endian(start: bytes, encoding: str) -> bool:
    """Byte order of UTF-16 text: from its mark, else from the name of the encoding, else from where the zeros are."""
    if start[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return start[:2] == b"\xfe\xff"
    if encoding.lower().endswith(("le", "be")):
        return encoding.lower().endswith("be")
    zeros = np.flatnonzero(np.frombuffer(start[:CHUNK], np.uint8) == 0)
    return 2 * int(np.count_nonzero(zeros % 2)) < len(zeros)


def register(
    path: Path, source: Source, *, folder: Path | None = None, captures: dict[str, str] | None = None
) -> SourceFile:
    """Take down what a file is, in one pass over its bytes: SHA-256 and physical lines.

    `folder` is the source folder that the name is relative to (default: the file's own).
    """
    if tables.kind_of(path):
        return _register_table(path, source, folder, captures)
    with reading(path), path.open("rb") as raw:
        before = os.fstat(raw.fileno())
        hashing = Hashing(raw)
        stream = contents(hashing, is_compressed(path))
        lines, last, wide, big = 0, b"", is_wide(source.encoding), False
        odd = b""
        while data := stream.read(CHUNK):
            if wide:
                if not last:
                    big = is_big_endian(data, source.encoding)
                data = odd + data
                odd = data[len(data) // 2 * 2 :]
                lines += len(wide_newlines(data, big))
                last = (data[: len(data) // 2 * 2][-2:] or last) + odd
            else:
                lines += newlines(data)
                last = b"" if data == _MARK and not lines else data[-1:]  # a mark alone is no line
        while hashing.read(CHUNK):  # what follows the compressed text belongs to the file too
            pass
        end = (b"\0\n" if big else b"\n\0") if wide else b"\n"
        size = raw.tell()
    return SourceFile(
        name=relative_name(folder or path.parent, path),
        source=source.name,
        captures=dict(captures or {}),
        size=size,
        sha256=hashing.digest.hexdigest(),
        lines=lines + (1 if last and last != end else 0),
        mtime_ns=before.st_mtime_ns,
    )


def _register_table(path: Path, source: Source, folder: Path | None, captures: dict[str, str] | None) -> SourceFile:
    """Take down a table that is no text: what it is as a file, and the lines of its text."""
    with reading(path), path.open("rb") as raw:
        status = os.fstat(raw.fileno())
        digest = hashlib.file_digest(raw, "sha256").hexdigest()
    text = register(tables.as_text(path, source), tables.text_source(source))
    name = relative_name(folder or path.parent, path)
    return SourceFile(name, source.name, dict(captures or {}), status.st_size, digest, text.lines, status.st_mtime_ns)


def changed(name: str) -> MadangError:
    """The error for a file that is not what was registered."""
    return MadangError(
        "source.changed",
        f"{name} changed while it was being read.",
        "Run the command again once nobody writes to the folder; nothing was committed.",
    )


def read_lines(path: Path, file: SourceFile, lines: Iterable[int], *, encoding: str = "utf-8") -> dict[int, bytes]:
    """The original bytes of physical lines (1 is the first of the file), without their line ends.

    `encoding` matters only for UTF-16, whose lines end otherwise. Raises `MadangError` where the file has changed.
    """
    wanted = sorted(set(lines))
    if wanted and (wanted[0] < 1 or wanted[-1] > file.lines):
        line = wanted[0] if wanted[0] < 1 else wanted[-1]
        raise MadangError("source.line", f"{file.name} has {file.lines} lines; there is no line {line}.")
    found: dict[int, bytes] = {}
    with reading(path), path.open("rb") as raw:
        status = os.fstat(raw.fileno())
        if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
            raise changed(file.name)
    if tables.kind_of(path):
        path, encoding = tables.as_text(path), "utf-8"
    with reading(path), path.open("rb") as raw:
        stream = contents(raw, is_compressed(path))
        for first, data in physical_lines(stream, encoding, 16 * CHUNK):
            ends = line_ends(data, encoding)
            while wanted and wanted[0] < first + len(ends):
                index = wanted[0] - first
                line_bytes = data[ends[index - 1] if index else 0 : ends[index]]
                found[wanted.pop(0)] = _without_end(line_bytes, encoding)
            if not wanted:
                break
    if wanted:
        raise changed(file.name)
    return found


def physical_lines(stream: BinaryIO, encoding: str, block_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole physical lines, each with the number of its first line; bytes as they are in the file."""
    wide, big, rest, first = is_wide(encoding), None, b"", 1
    while True:
        chunk = stream.read(block_bytes)
        if not chunk:
            if rest:
                yield first, rest
            return
        if wide:
            chunk, rest = rest + chunk, b""
            if big is None:
                big = is_big_endian(chunk, encoding)
            ends = wide_newlines(chunk, big)
            cut, count = (int(ends[-1]), len(ends)) if len(ends) else (0, 0)
        else:
            cut = chunk.rfind(b"\n") + 1
            count = newlines(memoryview(chunk)[:cut])
        if not cut:
            rest += chunk
            if len(rest) > LONGEST_LINE:
                raise MadangError("source.line", f"Line {first} is longer than 512 MiB.", "Is it another format?")
            continue
        yield first, b"".join((rest, memoryview(chunk)[:cut]))
        rest = chunk[cut:]
        first += count


def line_ends(data: bytes, encoding: str = "utf-8") -> np.ndarray:
    """Position after each line of a block; the last line may lack its line end."""
    if is_wide(encoding):
        ends = wide_newlines(data, is_big_endian(data, encoding))
    else:
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1
    return ends if len(ends) and ends[-1] == len(data) else np.append(ends, len(data))


def _without_end(line: bytes, encoding: str) -> bytes:
    if is_wide(encoding):
        for end in (b"\n\0", b"\0\n"):
            line = line[: -len(end)] if len(line) % 2 == 0 and line.endswith(end) else line
        return line[:-2] if line.endswith((b"\r\0", b"\0\r")) else line
    line = line[:-1] if line.endswith(b"\n") else line
    return line[:-1] if line.endswith(b"\r") else line
