"""From reads to small variants of one sample: trim, align, mark duplicates, call, normalize, cover, report.

The steps are those that bwa, samtools and bcftools document: `bwa mem`, `samtools fixmate | sort | markdup`, `bcftools
mpileup | call -m | norm`. Calls below quality 20 go to a file of their own.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.sequencing.bundle import Bundle
from madang.science.sequencing.reads import check_reads
from madang.science.sequencing.tools import check_tools, run, versions

LEAST_QUALITY = 20  # of a call
LEAST_MAPPED = 0.5  # part of the reads below which the reference is not theirs
_WINDOWS = 300  # of the picture of coverage
_STEPS = 8


@dataclass(frozen=True)
class Result:
    """What came of a run: the folder with its files, and its figures (those of `summary.json`)."""

    folder: Path
    summary: dict[str, Any]


def germline(
    reads: Sequence[Path],
    bundle: Bundle,
    folder: Path,
    *,
    sample: str = "",
    cores: int = 1,
    ploidy: int | None = None,
    said: Callable[[str], None] = lambda text: None,
) -> Result:
    """Call the small variants of one sample into the new folder `folder`; `said` hears of each step.

    It leaves `variants.vcf.gz` (with index), `variants.parquet`, `filtered.vcf.gz`, `aligned.bam` (with index),
    `coverage.parquet`, `summary.json`, and `report.html` and `report.ko.html`. Errors: `sequencing.reads`,
    `.reference`, `.sample`, `.tools`, `.failed`.
    """
    sample = sample or re.sub(r"[._-]?(R?[12])?(_001)?\.(fq|fastq)(\.gz)?$", "", reads[0].name) or "sample"
    if not re.fullmatch(r"[\w.+-]{1,100}", sample, re.ASCII):
        raise MadangError(
            "sequencing.sample", _("{name!r} cannot name a sample.").format(name=sample), _("Use letters and digits.")
        )
    check_tools()
    number = 0

    def step(text: str) -> None:
        nonlocal number
        number += 1
        said(f"[{number}/{_STEPS}] {text}")

    step(_("look through the reads"))
    counted = check_reads(reads)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise MadangError("sequencing.folder", _("{path} is not empty.").format(path=folder), _("Name a new folder."))
    work, log = folder / "tmp", folder / "log.txt"
    work.mkdir()
    step(_("prepare the reference"))
    genome = _genome(bundle, work, log)
    step(_("trim the reads"))
    trimmed = _trimmed(reads, work, folder, cores, log)
    step(_("align them and mark duplicates"))
    bam = _aligned(trimmed, genome, work, folder, sample, cores, counted.paired, log)
    aligned = json.loads(run(["samtools", "flagstat", "-O", "json", str(bam)], log=log))["QC-passed reads"]
    _check_mapped(aligned)
    step(_("call variants"))
    used = ploidy or bundle.ploidy
    _called(bam, genome, folder, used, cores, log)
    step(_("make tables"))
    from madang.science.sequencing.variants import make_tables

    figures = make_tables(folder, bundle, log)
    step(_("measure coverage"))
    covered = _coverage(bam, genome, work, folder, log)
    step(_("write the report"))
    summary = {
        "for": "research, not for diagnosis",
        "sample": sample,
        "reference": {
            "title": bundle.title,
            "version": bundle.version,
            "source": bundle.source,
            "license": bundle.license,
            "sha256": bundle.sha256,
        },
        "ploidy": used,
        "software": versions(),
        "reads": _trimming(folder / "fastp.json") | {"given": counted.count * (2 if counted.paired else 1)},
        "alignment": _alignment(aligned),
        "coverage": covered,
        "variants": figures,
    }
    (folder / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1))
    from madang.science.sequencing.report import write_reports

    write_reports(folder, summary)
    shutil.rmtree(work)
    return Result(folder, summary)


def _genome(bundle: Bundle, work: Path, log: Path) -> Path:
    """The genome as plain FASTA with its indexes, beside everything else that is gone at the end."""
    genome = work / "genome.fa"
    try:
        with bundle.opened() as source, genome.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 22)
    except (EOFError, OSError):
        message = _("{path} is no reference.").format(path=bundle.genome.name)
        raise MadangError("sequencing.reference", message, _("It is cut off or damaged.")) from None
    ready = [Path(f"{bundle.genome}{ending}") for ending in (".amb", ".ann", ".bwt", ".pac", ".sa")]
    if all(each.exists() for each in ready):
        for each in ready:
            os.symlink(each.resolve(), f"{genome}{each.suffix}")
    else:
        run(["bwa", "index", str(genome)], log=log)
    run(["samtools", "faidx", str(genome)], log=log)
    return genome


def _trimmed(reads: Sequence[Path], work: Path, folder: Path, cores: int, log: Path) -> list[Path]:
    """Adapters and bad ends cut off, reads that are too short or bad left out."""
    kept = [work / f"trimmed{place}.fq.gz" for place in range(len(reads))]
    command = ["fastp", "-i", str(reads[0]), "-o", str(kept[0])]
    if len(reads) == 2:
        command += ["-I", str(reads[1]), "-O", str(kept[1]), "--detect_adapter_for_pe"]
    command += [
        "-n",
        "50",
    ]  # reads whose doubtful bases were masked are still worth aligning; fastp would drop them at 6
    command += ["-z", "1", "-w", str(min(cores, 8)), "-j", str(folder / "fastp.json"), "-h", str(work / "fastp.html")]
    run(command, log=log)
    return kept


def _aligned(
    trimmed: list[Path], genome: Path, work: Path, folder: Path, sample: str, cores: int, paired: bool, log: Path
) -> Path:
    bam = folder / "aligned.bam"
    group = f"@RG\\tID:{sample}\\tSM:{sample}\\tPL:ILLUMINA"
    align = ["bwa", "mem", "-t", str(cores), "-R", group, str(genome), *map(str, trimmed)]
    sort = ["samtools", "sort", "-u", "-m", "256M", "-@", str(cores - 1), "-T", str(work / "sort"), "-"]
    mark = ["samtools", "markdup", "-T", str(work / "mark"), "-", str(bam)]
    fix = [["samtools", "fixmate", "-m", "-u", "-", "-"]] if paired else []
    run(align, *fix, sort, mark, log=log)
    run(["samtools", "index", str(bam)], log=log)
    return bam


def _check_mapped(flags: dict[str, Any]) -> None:
    total, mapped = int(flags["primary"]), int(flags["primary mapped"])
    if total == 0:
        raise MadangError("sequencing.reads", _("No read is left after trimming."), _("Look at their quality."))
    if mapped < LEAST_MAPPED * total:
        raise MadangError(
            "sequencing.reference",
            _("Only {share} percent of the reads fit this reference.").format(share=f"{100 * mapped / total:.1f}"),
            _("Name the reference of the species that was sequenced."),
        )


def _called(bam: Path, genome: Path, folder: Path, ploidy: int, cores: int, log: Path) -> None:
    pile = ["bcftools", "mpileup", "-Ou", "-f", str(genome), "-d", "2000", "-a", "FORMAT/AD,FORMAT/DP", str(bam)]
    call = ["bcftools", "call", "-mv", "-Ou", "--ploidy", str(ploidy)]
    norm = ["bcftools", "norm", "-f", str(genome), "-m", "-both", "-Ou"]
    every = folder / "tmp" / "all.bcf"
    run(pile, call, norm, ["bcftools", "view", "-Ob", "-o", str(every)], log=log)
    good = f'QUAL>={LEAST_QUALITY} & GT="alt"'
    for name, option in (("variants", "-i"), ("filtered", "-e")):
        path = folder / f"{name}.vcf.gz"
        run(["bcftools", "view", option, good, "-Oz", "-o", str(path), str(every)], log=log)
        run(["bcftools", "index", "-t", str(path)], log=log)


def _coverage(bam: Path, genome: Path, work: Path, folder: Path, log: Path) -> dict[str, Any]:
    """Mean depth and breadth of each sequence, and of windows along the genome (duplicates are not counted)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sequences: list[dict[str, Any]] = []
    for line in run(["samtools", "coverage", "-H", str(bam)], log=log).splitlines():
        name, _start, end, count, _bases, part, deep, *_rest = line.split("\t")
        told = {"sequence": name, "length": int(end), "reads": int(count)}
        sequences.append(told | {"breadth": float(part), "depth": float(deep)})
    total = sum(each["length"] for each in sequences)
    size = max(1, -(-total // _WINDOWS))
    windows = work / "windows.bed"
    with windows.open("w") as file:
        for each in sequences:
            for begin in range(0, each["length"], size):
                file.write(f"{each['sequence']}\t{begin}\t{min(begin + size, each['length'])}\n")
    rows = []
    for line in run(["samtools", "bedcov", str(windows), str(bam)], log=log).splitlines():
        name, first, last, bases = line.split("\t")[:4]
        depth = int(bases) / (int(last) - int(first))
        rows.append({"sequence": name, "begin": int(first), "end": int(last), "depth": depth})
    pq.write_table(pa.Table.from_pylist(rows), folder / "coverage.parquet")
    mean = sum(each["depth"] * each["length"] for each in sequences) / total if total else 0.0
    breadth = sum(each["breadth"] * each["length"] for each in sequences) / total if total else 0.0
    return {"mean_depth": round(mean, 2), "breadth_percent": round(breadth, 3), "sequences": sequences[:1000]}


def _trimming(path: Path) -> dict[str, Any]:
    told = json.loads(path.read_text())["summary"]
    return {
        "kept": told["after_filtering"]["total_reads"],
        "bases_kept": told["after_filtering"]["total_bases"],
        "q30_before": round(told["before_filtering"]["q30_rate"], 4),
        "q30_after": round(told["after_filtering"]["q30_rate"], 4),
    }


def _alignment(flags: dict[str, Any]) -> dict[str, Any]:
    primary = max(1, int(flags["primary"]))
    return {
        "reads": int(flags["primary"]),
        "mapped": int(flags["primary mapped"]),
        "mapped_percent": round(100 * int(flags["primary mapped"]) / primary, 3),
        "duplicates": int(flags["primary duplicates"]),
        "properly_paired": int(flags["properly paired"]),
    }
