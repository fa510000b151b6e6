"""Alignments and variants: BAM and VCF, by htslib (pysam)."""

import re
from pathlib import Path

from madang.base.translate import _
from madang.science.formats.look import Finding, Told, unpacked, wrong

_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")  # the empty block that ends BGZF
_NAMES = re.compile(r"\b(patient|name|성명|환자)\s*[=:]", re.I)


def is_bgzf(start: bytes) -> bool:
    """Whether gzip is of the blocked kind."""
    return start[:4] == b"\x1f\x8b\x08\x04" and start[12:14] == b"BC"


def look_bam(path: Path) -> Told:
    """Header, samples, reference, every record; the block that ends the file."""
    import pysam

    found: list[Finding] = []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_END)))
        if file.read() != _END:
            found.append(wrong("file.cut", _("The block that ends a BAM file is missing: it was cut off.")))
    facts: dict[str, object] = {}
    with pysam.AlignmentFile(str(path), "rb", check_sq=False, ignore_truncation=True) as bam:
        header = bam.header.to_dict()
        samples = sorted({str(group.get("SM", "")) for group in header.get("RG", [])} - {""})
        references = {str(each["SN"]): int(each["LN"]) for each in header.get("SQ", [])}
        facts |= {"samples": samples, "references": len(references), "reference_length": sum(references.values())}
        facts["order"] = header.get("HD", {}).get("SO", "")
        if _NAMES.search(str(bam.header)):
            found.append(Finding("look", "header.names", _("The header may hold names of people.")))
        count = mapped = 0
        try:
            for read in bam.fetch(until_eof=True):
                count += 1
                mapped += not read.is_unmapped
        except OSError:
            message = _("The file cannot be read after record {n}: it is cut off or damaged.").format(n=count)
            found.append(wrong("file.cut", message))
    return Told("BAM", True, facts | {"reads": count, "mapped": mapped}, tuple(dict.fromkeys(found)))


def look_vcf(path: Path) -> Told:
    """Header, samples, and in every line its position, alleles and number of columns."""
    found: list[Finding] = []
    samples: list[str] = []
    count, reference, width = 0, "", 0
    with unpacked(path) as file:
        for number, raw in enumerate(file, 1):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if number == 1 and not line.startswith("##fileformat=VCF"):
                found.append(wrong("vcf.start", _("The first line does not say ##fileformat=VCF.")))
                break
            if line.startswith("##"):
                if line.startswith("##reference="):
                    reference = line[12:]
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
                if not cells[1].isdigit() or not re.fullmatch(r"[ACGTNRYSWKMBDHVacgtn]+|\.", cells[3]):
                    found.append(wrong("vcf.line", _("Line {n} has no position or reference.").format(n=number)))
                    break
            if number > 1 and not raw.endswith(b"\n"):
                found.append(Finding("look", "file.end", _("The last line does not end: the file may be cut off.")))
    if width == 0 and not found:
        found.append(wrong("vcf.header", _("The line that names the columns is missing.")))
    facts = {"variants": count, "samples": samples, "reference": reference}
    return Told("VCF", True, facts, tuple(dict.fromkeys(found)))
