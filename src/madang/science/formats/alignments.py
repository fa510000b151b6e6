"""Alignments and variants: SAM, BAM, CRAM, VCF and BCF, by htslib (pysam)."""

import json
import re
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, unpacked, wrong
from madang.science.formats.references import longest_of

_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # the empty block that ends BGZF
_CRAM_END = bytes.fromhex("0f000000ffffffff0fe0454f4600000000010005bdd94f0001000606010001000100ee63014b")
_CONTIG = re.compile(r"##contig=<.*?\bID=([^,>]+)(?:.*?\blength=(\d+))?")
_NAMES = re.compile(r"\b(patient|name|성명|환자)\s*[=:]", re.I)


def is_bgzf(start: bytes) -> bool:
    """Whether gzip is of the blocked kind."""
    return start[:4] == b"\x1f\x8b\x08\x04" and start[12:14] == b"BC"


def look_bam(path: Path) -> Told:
    """Header, samples, reference, every record; the block that ends the file."""
    found: list[Finding] = []
    if _end_of(path, len(_END)) != _END:
        found.append(wrong("file.cut", _("The block that ends a BAM file is missing: it was cut off.")))
    return _alignment(path, "BAM", found)


def look_sam(path: Path) -> Told:
    """The same of alignments as text."""
    found: list[Finding] = []
    if _end_of(path, 1) != b"\n":
        found.append(Finding("look", "file.end", _("The last line does not end: the file may be cut off.")))
    return _alignment(path, "SAM", found)


def look_cram(path: Path) -> Told:
    """The same of CRAM, whose bases cannot be decoded without its reference: names and places of all records are."""
    found: list[Finding] = []
    with path.open("rb") as file:
        major = file.read(5)[4]
    if major == 3 and _end_of(path, len(_CRAM_END)) != _CRAM_END:
        found.append(wrong("file.cut", _("The block that ends a CRAM file is missing: it was cut off.")))
    # flags, names of references and positions; no bases, which only the reference would tell
    return _alignment(path, "CRAM", found, ("required_fields=0x0e",))


def _alignment(path: Path, kind: str, found: list[Finding], options: tuple[str, ...] = ()) -> Told:
    import pysam

    facts: dict[str, object] = {}
    mode = {"BAM": "rb", "CRAM": "rc", "SAM": "r"}[kind]
    with pysam.AlignmentFile(str(path), mode, check_sq=False, ignore_truncation=True, format_options=options) as file:
        header = file.header.to_dict()
        samples = sorted({str(group.get("SM", "")) for group in header.get("RG", [])} - {""})
        references = {str(each["SN"]): int(each["LN"]) for each in header.get("SQ", [])}
        facts |= {"samples": samples, "references": len(references), "reference_length": sum(references.values())}
        facts |= {"order": header.get("HD", {}).get("SO", ""), "contigs": longest_of(references)}
        if _NAMES.search(str(file.header)):
            found.append(Finding("look", "header.names", _("The header may hold names of people.")))
        if (counted := _counted(path)) is not None:
            facts |= counted
            return Told(kind, True, facts, tuple(dict.fromkeys(found)))
        count = mapped = 0
        try:
            for read in file.fetch(until_eof=True):
                count += 1
                mapped += not read.is_unmapped
        except (OSError, ValueError):
            message = _("The file cannot be read after record {n}: it is cut off or damaged.").format(n=count)
            found.append(wrong("file.cut", message))
    return Told(kind, True, facts | {"reads": count, "mapped": mapped}, tuple(dict.fromkeys(found)))


def _counted(path: Path) -> dict[str, int] | None:
    """How many records there are, and how many of them are mapped, at the speed of htslib; None where one cannot be
    read, which only reading one by one can place."""
    import pysam

    try:
        told = json.loads(str(pysam.flagstat("-O", "json", str(path))))
        both = told["QC-passed reads"], told["QC-failed reads"]
        return {name: sum(int(each[key]) for each in both) for name, key in (("reads", "total"), ("mapped", "mapped"))}
    except (pysam.utils.SamtoolsError, ValueError, KeyError, TypeError):
        return None


def _end_of(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - length))
        return file.read()


def look_bcf(path: Path) -> Told:
    """Variants in binary form: header, samples, every record."""
    import pysam

    found: list[Finding] = []
    count = 0
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed and _end_of(path, len(_END)) != _END:
        found.append(wrong("file.cut", _("The block that ends a BCF file is missing: it was cut off.")))
    with pysam.VariantFile(str(path), "rb", ignore_truncation=True) as file:
        samples = list(file.header.samples)
        contigs = {str(name): int(each.length or 0) for name, each in file.header.contigs.items()}
        if any(_NAMES.search(str(each)) for each in file.header.records if each.type == "GENERIC"):
            found.append(Finding("look", "header.names", _("The header may hold names of people.")))
        try:
            for _record in file:
                count += 1
        except (OSError, ValueError):
            message = _("The file cannot be read after record {n}: it is cut off or damaged.").format(n=count)
            found.append(wrong("file.cut", message))
    facts = {"variants": count, "samples": samples, "contigs": longest_of(contigs)}
    return Told("BCF", True, facts, tuple(dict.fromkeys(found)))


def look_vcf(path: Path) -> Told:
    """Header, samples, and in every line its position, alleles and number of columns."""
    found: list[Finding] = []
    samples: list[str] = []
    count, reference, width = 0, "", 0
    contigs: dict[str, int] = {}
    with unpacked(path) as file:
        for number, raw in enumerate(file, 1):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if number == 1 and not line.startswith("##fileformat=VCF"):
                found.append(wrong("vcf.start", _("The first line does not say ##fileformat=VCF.")))
                break
            if line.startswith("##"):
                if line.startswith("##reference="):
                    reference = line[12:]
                if match := _CONTIG.match(line):
                    contigs[match[1]] = int(match[2] or 0)
                if _NAMES.search(line) and not line.startswith(("##INFO", "##FORMAT", "##FILTER", "##contig")):
                    found.append(Finding("look", "header.names", _("The header may hold names of people.")))
            elif line.startswith("#CHROM"):
                columns = line.split("\t")
                samples, width = columns[9:], len(columns)
                if len(set(samples)) < len(samples):
                    found.append(wrong("vcf.twice", _("Two samples have the same name.")))
            elif line:
                cells = line.split("\t")
                count += 1
                if width == 0 or len(cells) != width:
                    found.append(wrong("vcf.columns", _("Line {n} has another number of columns.").format(n=number)))
                    break
                length = contigs.setdefault(cells[0], 0)
                if length and cells[1].isdigit() and int(cells[1]) > length + 1:
                    message = _("Line {n} lies beyond the end of {name}: it is of another reference.")
                    found.append(wrong("vcf.reference", message.format(n=number, name=cells[0])))
                    break
                if not cells[1].isdigit() or not re.fullmatch(r"[ACGTNRYSWKMBDHVacgtn]+|\.", cells[3]):
                    found.append(wrong("vcf.line", _("Line {n} has no position or reference.").format(n=number)))
                    break
            if number > 1 and not raw.endswith(b"\n"):
                found.append(Finding("look", "file.end", _("The last line does not end: the file may be cut off.")))
    if width == 0 and not found:
        found.append(wrong("vcf.header", _("The line that names the columns is missing.")))
    facts = {"variants": count, "samples": samples, "reference": reference, "contigs": longest_of(contigs)}
    return Told("VCF", True, facts, tuple(dict.fromkeys(found)))
