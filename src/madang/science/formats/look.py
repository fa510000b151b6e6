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
    """The format, and what reads it, if anything: by the first bytes, then by the ending."""
    from madang.science.formats import alignments, images, matrices, reads, structures, tables

    with path.open("rb") as file:
        start = file.read(4096)
    inner = start
    if start[:2] == b"\x1f\x8b":
        with gzip.open(path) as unpacked:
            inner = unpacked.read(4096)
    by_start: tuple[tuple[bool, str, Callable[[Path], Told] | None], ...] = (
        (inner[:4] == b"BAM\x01", "BAM", alignments.look_bam),
        (inner[:3] == b"BCF", "BCF", alignments.look_bcf),
        (start[:4] == b"CRAM", "CRAM", alignments.look_cram),
        (inner[:4] in (b"@HD\t", b"@SQ\t") or ending == ".sam", "SAM", alignments.look_sam),
        (inner.startswith(b"##fileformat=VCF") or ending == ".vcf", "VCF", alignments.look_vcf),
        (start[:8] == b"\x89HDF\r\n\x1a\n" or ending == ".h5ad", "HDF5", matrices.look_hdf5),
        (start[:4] == b"PAR1" or ending == ".parquet", "Parquet", tables.look_parquet),
        (start[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"), "TIFF", images.look_tiff),
        (start[128:132] == b"DICM" or ending == ".dcm", "DICOM", images.look_dicom),
        (inner.startswith(b"##gff-version") or ending in (".gff", ".gff3", ".gtf"), "GFF", tables.look_gff),
        (inner[344:348] in (b"n+1\x00", b"ni1\x00"), "NIfTI", None),
        (start[:4] == b"FCS3" or start[:4] == b"FCS2", "FCS", None),
        (inner.startswith(b"%%MatrixMarket"), "Matrix Market", None),
        (start[257:262] == b"ustar", "TAR", None),
        (b"<mzML" in inner or b"<indexedmzML" in inner, "mzML", None),
    )
    for is_it, kind, reader in by_start:
        if is_it:
            return kind, reader
    by_ending: dict[str, tuple[str, Callable[[Path], Told] | None]] = {
        **dict.fromkeys((".fastq", ".fq"), ("FASTQ", reads.look_fastq)),
        **dict.fromkeys((".fasta", ".fa", ".fna", ".faa"), ("FASTA", reads.look_fasta)),
        **dict.fromkeys((".pdb", ".ent"), ("PDB", structures.look_pdb)),
        **dict.fromkeys((".cif", ".mmcif"), ("mmCIF", structures.look_mmcif)),
        **dict.fromkeys((".xlsx", ".xlsm"), ("XLSX", tables.look_xlsx)),
        **dict.fromkeys((".csv", ".tsv"), ("CSV", tables.look_csv)),
        ".json": ("JSON", tables.look_json),
    }
    return by_ending.get(ending, (_KNOWN.get(start[:4], "unknown"), None))


def unpacked(path: Path) -> BinaryIO:
    """The file's content, unpacked where it is gzip (many members too)."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]  # a stream of bytes, too
