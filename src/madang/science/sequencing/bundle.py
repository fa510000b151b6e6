"""Reference bundles: a genome with, where there are some, genes and known sites, and where they came from.

A bundle is a FASTA file, or a folder with one FASTA file (.fa, .fasta, .fna, also .gz), at most one of genes (.bed,
.gff, .gff3, .gtf, also .gz) and one of known sites (.vcf, .vcf.gz), and `bundle.json` (title, version, source, license,
ploidy).
"""

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from madang.base.errors import MadangError
from madang.base.translate import _

_GENOMES = (".fa", ".fasta", ".fna")
_GENES = (".bed", ".gff", ".gff3", ".gtf")


@dataclass(frozen=True)
class Bundle:
    """A reference: its files, and what is known of them. `ploidy` is that of its chromosomes."""

    genome: Path
    genes: Path | None = None
    known: Path | None = None
    title: str = ""
    version: str = ""
    source: str = ""
    license: str = ""
    ploidy: int = 2

    def opened(self) -> IO[bytes]:
        """The genome's sequence file, unpacked while it is read."""
        if self.genome.name.endswith(".gz"):
            return gzip.open(self.genome, "rb")  # type: ignore[return-value]  # it is read like any file
        return self.genome.open("rb")

    @property
    def sha256(self) -> str:
        """SHA-256 of the genome's sequence file, as it is."""
        with self.genome.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def find_bundle(path: Path) -> Bundle:
    """The bundle at a path. Errors: `sequencing.reference`."""
    if path.is_file():
        if not _ends(path, _GENOMES):
            raise _bad(path, _("Name a FASTA file (.fa, .fa.gz) or a folder with one."))
        _checked(path)
        return Bundle(path, title=path.name)
    if not path.is_dir():
        raise _bad(path, _("There is none of this name."))
    files = sorted(each for each in path.iterdir() if each.is_file())
    genomes = [each for each in files if _ends(each, _GENOMES)]
    if len(genomes) != 1:
        raise _bad(path, _("The folder has {count} FASTA files; it needs one.").format(count=len(genomes)))
    _checked(genomes[0])
    genes = [each for each in files if _ends(each, _GENES)]
    known = [each for each in files if _ends(each, (".vcf",))]
    told = _told(path / "bundle.json")
    ploidy = told.get("ploidy", 2)
    if ploidy not in (1, 2):
        raise _bad(path, _("The ploidy is 1 or 2."))
    return Bundle(
        genomes[0],
        genes[0] if genes else None,
        known[0] if known else None,
        title=str(told.get("title", "")),
        version=str(told.get("version", "")),
        source=str(told.get("source", "")),
        license=str(told.get("license", "")),
        ploidy=ploidy,
    )


def _told(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise _bad(path, _("It is no JSON.")) from None
    return found if isinstance(found, dict) else {}


def _ends(path: Path, endings: tuple[str, ...]) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(endings)


def _checked(genome: Path) -> None:
    try:
        with Bundle(genome).opened() as file:
            start = file.read(1)
    except (OSError, EOFError):
        start = b""
    if start != b">":
        raise _bad(genome, _("It does not begin as FASTA does."))


def _bad(path: Path, hint: str) -> MadangError:
    return MadangError("sequencing.reference", _("{path} is no reference.").format(path=path), hint)
