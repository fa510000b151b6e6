"""The format of a file by its first bytes, and the reader that looks into it."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from madang.base.errors import MadangError
from madang.base.translate import _

_OPAQUE = {
    ".raw": "vendor's raw data",
    ".rds": "R object",
    ".rdata": "R objects",
    ".pkl": "Python pickle",
    ".wiff": "vendor's raw data",
    ".d": "vendor's raw data",
}
_KNOWN = {
    b"CRAM": "CRAM",
    b"\x89HDF": "HDF5",
    b"PAR1": "Parquet",
    b"PK\x03\x04": "ZIP",
    b"%PDF": "PDF",
}


@dataclass(frozen=True)
class Finding:
    """Something about a file: `wrong` keeps it from being published, `look` is for the curator's eyes."""

    severity: str
    code: str
    message: str


@dataclass(frozen=True)
class Told:
    """What a file is: its format, whether its content was really read, facts about it, and findings."""

    format: str
    read: bool
    facts: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def wrong(code: str, message: str) -> Finding:
    """A finding that keeps the file from being published."""
    return Finding("wrong", code, message)


def look(path: Path, name: str = "") -> Told:
    """What the file is. It never fails on what a file holds: that becomes a finding. `name` is what it was called."""
    name = (name or path.name).lower()
    ending = Path(name.removesuffix(".gz")).suffix
    if ending in _OPAQUE:
        return Told(_OPAQUE[ending], False, {"opaque": True})
    try:
        size = path.stat().st_size
        if size == 0:
            return Told("empty", True, {}, (wrong("file.empty", _("The file is empty.")),))
        kind, reader = _reader(path, ending)
        return reader(path) if reader is not None else Told(kind, False)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return Told(ending.lstrip(".") or "gzip", True, {}, (wrong("file.cut", _cut(error)),))
    except MadangError as error:
        return Told(ending.lstrip(".") or "unknown", True, {}, (wrong("file.unreadable", error.message),))
    except Exception as error:  # whatever a parser says of a file that a stranger made
        message = _("The file cannot be read as {format}: {why}").format(format=ending or "?", why=str(error)[:200])
        return Told(ending.lstrip(".") or "unknown", True, {}, (wrong("file.unreadable", message),))


def _cut(error: Exception) -> str:
    if isinstance(error, EOFError):
        return _("The compressed file ends in the middle: it was cut off.")
    return _("The compressed file is damaged.")


def _reader(path: Path, ending: str) -> tuple[str, Callable[[Path], Told] | None]:
    from madang.science.formats import alignments, images, reads, tables

    with path.open("rb") as file:
        start = file.read(4096)
    inner = start
    if start[:2] == b"\x1f\x8b":
        if alignments.is_bgzf(start):
            with gzip.open(path) as unpacked:
                inner = unpacked.read(4)
            if inner == b"BAM\x01":
                return "BAM", alignments.look_bam
        with gzip.open(path) as unpacked:
            inner = unpacked.read(256)
    if inner[:4] == b"BAM\x01":
        return "BAM", alignments.look_bam
    if inner.startswith(b"##fileformat=VCF") or ending == ".vcf":
        return "VCF", alignments.look_vcf
    if ending in (".fastq", ".fq"):
        return "FASTQ", reads.look_fastq
    if ending in (".fasta", ".fa", ".fna", ".faa"):
        return "FASTA", reads.look_fasta
    if start[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "TIFF", images.look_tiff
    if start[128:132] == b"DICM" or ending == ".dcm":
        return "DICOM", images.look_dicom
    if ending in (".csv", ".tsv"):
        return "CSV", tables.look_csv
    if ending == ".json":
        return "JSON", tables.look_json
    return _KNOWN.get(start[:4], "unknown"), None


def unpacked(path: Path) -> BinaryIO:
    """The file's content, unpacked where it is gzip (many members too)."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]  # a stream of bytes, too
