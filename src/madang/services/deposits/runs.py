"""Which files are of which sample: a sheet of runs as INSDC has it, or what the names of files tell.

A deposit is a project; its samples stand in the sample sheet; each row of the sheet of runs is an experiment with its
run and one or two files. Where no row names a file, it belongs to the sample whose alias its name begins with.
"""

import io
import re
from collections import defaultdict
from dataclasses import dataclass

from madang.science.formats import Checklist
from madang.services.deposits.lists import is_list
from madang.services.deposits.models import Deposit, DepositFile

HUMAN = "9606"
_TAXA = ("taxon_id", "tax_id", "samp_taxon_id", "host_taxid", "host taxid", "host scientific name")
READS = ("FASTQ", "BAM", "CRAM", "SAM")
PAIR = re.compile(r"(.*?)[._-]R?([12])(?=[._]|\Z)(.*)")
_ENDING = re.compile(r"(\.(fastq|fq|bam|cram|sam|fasta|fa|vcf|bcf|gz|bgz))+\Z", re.I)
RUNS = Checklist(
    "runs",
    "Experiments and runs",
    ("sample_alias", "library_strategy", "library_source", "library_selection", "library_layout", "instrument_model"),
    ("experiment_title", "library_name", "insert_size", "file_2"),
    choices={
        "library_strategy": (
            *("WGS", "WXS", "WGA", "RNA-Seq", "ssRNA-seq", "miRNA-Seq", "ncRNA-Seq", "FL-cDNA", "EST", "Hi-C"),
            *("ATAC-seq", "RAD-Seq", "CLONE", "AMPLICON", "ChIP-Seq", "MNase-Seq", "DNase-Hypersensitivity"),
            *("Bisulfite-Seq", "MeDIP-Seq", "MBD-Seq", "Targeted-Capture", "Tn-Seq", "Synthetic-Long-Read", "OTHER"),
        ),
        "library_source": (
            *("GENOMIC", "GENOMIC SINGLE CELL", "TRANSCRIPTOMIC", "TRANSCRIPTOMIC SINGLE CELL", "METAGENOMIC"),
            *("METATRANSCRIPTOMIC", "SYNTHETIC", "VIRAL RNA", "OTHER"),
        ),
        "library_selection": (
            *("RANDOM", "PCR", "RANDOM PCR", "RT-PCR", "cDNA", "cDNA_randomPriming", "cDNA_oligo_dT", "PolyA"),
            *("Inverse rRNA", "size fractionation", "Hybrid Selection", "Reduced Representation", "ChIP", "MNase"),
            *("DNase", "Restriction Digest", "5-methylcytidine antibody", "other", "unspecified"),
        ),
        "library_layout": ("SINGLE", "PAIRED"),
    },
    alias="run_alias",
    more=("file_1",),
)


@dataclass(frozen=True)
class Run:
    """A run: its name, its sample (empty where none was found), and its files."""

    alias: str
    sample: str
    files: tuple[str, ...]
    is_told: bool  # by the sheet of runs


def runs_of(deposit: Deposit) -> list[Run]:
    """The runs that were told, and for reads that no row names what their names tell."""
    told = [
        Run(row["run_alias"], row["sample_alias"], tuple(filter(None, (row.get("file_1"), row.get("file_2")))), True)
        for row in deposit.sheets.runs
    ]
    named = {name for run in told for name in run.files}
    aliases = [each["sample_alias"] for each in deposit.sheets.samples]
    guessed: dict[str, list[str]] = defaultdict(list)
    for file in deposit.files:
        if file.format in READS and file.name not in named:
            guessed[_stem(file.name)].append(file.name)
    return told + [Run(stem, sample_for(stem, aliases), tuple(names), False) for stem, names in guessed.items()]


def _stem(name: str) -> str:
    match = PAIR.match(name)
    return match[1] if match else _ENDING.sub("", name)


def sample_for(stem: str, aliases: list[str]) -> str:
    """The sample whose alias the name of a file begins with, the longest of them; empty where there is none."""
    base = stem.rpartition("/")[2]
    fits = [each for each in aliases if base == each or (base.startswith(each) and not base[len(each)].isalnum())]
    return max(fits, key=len, default="")


def data_files(deposit: Deposit) -> list[DepositFile]:
    """The files of a deposit without lists of hashes, which are compared and not published: they name every file."""
    return [file for file in deposit.files if not is_list(file.name)]


def people_files(deposit: Deposit) -> tuple[list[DepositFile], list[DepositFile]]:
    """The files of people and the others. A file that is of no sample goes with people, if there are any: nothing of a
    person gets out because nobody said whose it is."""
    human, files = human_samples(deposit), data_files(deposit)
    if not human or len(human) == len(deposit.sheets.samples):
        return (files, []) if human or deposit.consent or deposit.ethics else ([], files)
    of = {name: run.sample for run in runs_of(deposit) for name in run.files}
    others = {each["sample_alias"] for each in deposit.sheets.samples} - human
    apart = [file for file in files if of.get(file.name, "") in others]
    return [file for file in files if file not in apart], apart


def is_human(taxon: str) -> bool:
    """Whether a taxon is people: 9606, alone or as MIxS writes it ([NCBITaxon:9606]), or in words."""
    return HUMAN in re.findall(r"\d+", taxon) or taxon.strip().casefold() in ("homo sapiens", "human")


def human_samples(deposit: Deposit) -> set[str]:
    """The aliases of samples of people (also of what lives on or in them), and of samples that stem from them."""
    samples = deposit.sheets.samples
    found = {each["sample_alias"] for each in samples if any(is_human(each.get(name, "")) for name in _TAXA)}
    before = -1
    while before != len(found):  # until nothing stems from one of them that is not among them
        before = len(found)
        found |= {each["sample_alias"] for each in samples if each.get("derived_from") in found}
    return found


def run_sheet(deposit: Deposit) -> bytes:
    """The sheet of runs as XLSX with what is known filled in: one row for each pair or single file of reads."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        page = book.add_worksheet("runs")
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        names = [*RUNS.columns]
        needed = {RUNS.alias, *RUNS.mandatory, *RUNS.more}
        for place, name in enumerate(names):
            page.write_string(0, place, name + "*" * (name in needed), bold)
            page.set_column(place, place, max(14, len(name) + 2), text)
            if choices := RUNS.choices.get(name):
                page.data_validation(1, place, 10_000, place, {"validate": "list", "source": _short(choices)})
        known = {row["run_alias"]: row for row in deposit.sheets.runs}
        for number, run in enumerate(runs_of(deposit), 1):
            cells = dict(known.get(run.alias, {}))
            cells |= {"run_alias": run.alias, "sample_alias": run.sample}
            cells |= {"library_layout": "PAIRED" if len(run.files) == 2 else "SINGLE"}
            cells |= {f"file_{place}": name for place, name in enumerate(run.files[:2], 1)}
            for place, name in enumerate(names):
                page.write_string(number, place, cells.get(name, ""), text)
        page.freeze_panes(1, 1)
    return out.getvalue()


def _short(choices: tuple[str, ...]) -> list[str]:
    """As many of the choices as a list in a spreadsheet holds."""
    kept: list[str] = []
    for each in choices:
        if len(",".join([*kept, each])) > 255:
            break
        kept.append(each)
    return kept
