"""What is found when a deposit is seen as a whole: pairs, doubles, data of people, what its model asks for."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from madang.base.translate import _, told
from madang.science.formats.references import other_lengths
from madang.services.deposits import pairs, sources
from madang.services.deposits.checklists import MODELS
from madang.services.deposits.models import Deposit, DepositFile
from madang.services.deposits.runs import data_files, human_samples, people_files, runs_of

_TYPES = {
    **dict.fromkeys(("FASTQ", "BAM", "CRAM", "SAM", "FASTA", "VCF", "BCF", "GFF"), "nucleotide"),
    **dict.fromkeys(("PDB", "mmCIF"), "structure"),
    **dict.fromkeys(("OME-TIFF", "TIFF", "DICOM", "NIfTI"), "image"),
    **dict.fromkeys(("mzML",), "proteome"),
    **dict.fromkeys(("CSV", "XLSX", "Parquet", "JSON"), "table"),
    **dict.fromkeys(("h5ad", "10x HDF5", "Matrix Market"), "expression"),
}
_HANGUL = re.compile(r"[가-힣]")


def is_of_people(deposit: Deposit) -> bool:
    """Whether a sample is human, or the depositor speaks of consent."""
    return bool(human_samples(deposit) or deposit.consent or deposit.ethics)


def tier(deposit: Deposit) -> str:
    """Data of people go to the controlled tier, others are open; `both` where a deposit has some of each."""
    people, others = people_files(deposit)
    if people and others:
        return "both"
    return "controlled" if is_of_people(deposit) else "open"


def findings(deposit: Deposit) -> list[dict[str, Any]]:
    """Everything, file by file and then of the whole."""
    found: list[dict[str, Any]] = []

    def say(severity: str, code: str, message: str, file: str = "") -> None:
        found.append({"severity": severity, "code": code, "file": file, "message": message})

    for file in deposit.files:
        if not file.sha256:
            say("wrong", "file.part", _("The file is not all there yet."), file.name)
        if not sources.is_as_it_was(file):
            say("wrong", "file.changed", sources.changed(file.name).message, file.name)
        if file.sha256 and file.wanted and file.wanted not in (file.sha256, file.md5):
            say("wrong", "file.hash", _("It is another file than the list of hashes says."), file.name)
        for each in json.loads(file.findings):
            say(each["severity"], each["code"], told(each["message"]), file.name)
    hashes: dict[str, list[str]] = defaultdict(list)
    for file in deposit.files:
        if file.sha256 and file.bytes:
            hashes[file.sha256].append(file.name)
    for names in hashes.values():
        if len(names) > 1:
            say("wrong", "file.twice", _("The same content as {name}.").format(name=names[0]), names[1])
    for code, name, message in pairs.what_is_wrong(deposit.files):
        say("wrong", code, message, name)
    for name, message in _references(deposit.files):
        say("wrong", "reference", message, name)
    for name, message in _samples_told(deposit):
        say("look", "sample.twice", message, name)
    model = MODELS[deposit.model]
    samples = deposit.sheets.samples
    if model.umbrella:
        if not deposit.description:
            say("wrong", "deposit.description", _("The deposit has no description."))
        if not deposit.title_en or _HANGUL.search(deposit.title_en):
            say("wrong", "deposit.english", _("An umbrella project has an English title too."))
        return found
    kinds = {_TYPES.get(file.format, "other") for file in data_files(deposit) if file.format}
    if model.one_type and len(kinds) > 1:
        types = ", ".join(sorted(kinds))
        message = _("A primary project of K-BDS has data of one type; here are {names}.").format(names=types)
        say("wrong", "deposit.types", message)
    if not data_files(deposit):
        say("wrong", "deposit.files", _("There is no file in the deposit."))
    if model.samples and not samples:
        say("wrong", "deposit.samples", _("The samples are not described: upload a sample sheet."))
    if not deposit.description:
        say("wrong", "deposit.description", _("The deposit has no description."))
    if model.english and (not deposit.title_en or _HANGUL.search(deposit.title_en)):
        say("wrong", "deposit.english", _("K-BDS asks for an English title."))
    if is_of_people(deposit):
        for field, message in (
            (deposit.consent, _("There are data of people: say the scope of their consent.")),
            (deposit.ethics, _("There are data of people: give the number of the ethics approval.")),
            (deposit.deidentified, _("There are data of people: say how they were de-identified.")),
        ):
            if not field:
                say("wrong", "deposit.people", message)
        say("look", "deposit.tier", _("There are data of people: they will be given on request only."))
    for severity, code, message, name in _runs(deposit, model.samples):
        say(severity, code, message, name)
    if not deposit.sheets.creators:
        message = _("No creator is named: the record will be cited by its organization alone.")
        say("look", "deposit.creators", message)
    if not deposit.license:
        say("look", "deposit.license", _("No license is given."))
    return found


def _runs(deposit: Deposit, has_samples: bool) -> Iterator[tuple[str, str, str, str]]:
    """What is wrong between samples, runs and files: severity, code, sentence, file."""
    sheets = deposit.sheets
    if not has_samples or not sheets.samples:
        return
    aliases = {each["sample_alias"] for each in sheets.samples}
    names = {file.name for file in deposit.files}
    used = set[str]()
    for row in sheets.runs:
        if row["sample_alias"] not in aliases:
            yield (
                "wrong",
                "run.sample",
                _("Run {run}: there is no sample {name}.").format(run=row["run_alias"], name=row["sample_alias"]),
                "",
            )
        for name in filter(None, (row.get("file_1"), row.get("file_2"))):
            if name not in names:
                yield (
                    "wrong",
                    "run.file",
                    _("Run {run}: there is no file {name}.").format(run=row["run_alias"], name=name),
                    "",
                )
            if name in used:
                yield "wrong", "run.twice", _("The file stands in two runs."), name
            used.add(name)
        if row.get("library_layout") == "PAIRED" and not row.get("file_2"):
            yield "wrong", "run.layout", _("Run {run} is PAIRED and has one file.").format(run=row["run_alias"]), ""
    for run in runs_of(deposit):
        if not run.sample and not run.is_told:
            yield "wrong", "run.none", _("The file belongs to no sample: fill the sheet of runs."), run.files[0]
    with_files = {run.sample for run in runs_of(deposit)}
    for alias in sorted(aliases - with_files):
        if with_files:
            yield "look", "sample.files", _("There is no file of the sample {name}.").format(name=alias), ""


def _contigs(file: DepositFile) -> dict[str, int]:
    told: dict[str, int] = json.loads(file.facts).get("contigs", {})
    return told


def to_compare(deposit: Deposit) -> list[tuple[DepositFile, DepositFile]]:
    """Files of variants and the reference among the files that they are to be compared with, if they were not yet."""
    references = [(file, _contigs(file)) for file in deposit.files if file.format == "FASTA"]
    found = []
    for file in deposit.files:
        if file.format in ("VCF", "BCF") and "compared" not in json.loads(file.facts):
            told = _contigs(file)
            same = (
                one
                for one, has in references
                if any(has[name] == (told[name] or has[name]) for name in told if name in has)
            )
            found += [(file, one) for one in [next(same, None)] if one is not None]
    return found


def _references(files: list[DepositFile]) -> Iterator[tuple[str, str]]:
    """Alignments and variants that speak of another reference than a FASTA of the deposit, or the first of them."""
    told = [(file, _contigs(file)) for file in files if file.format in ("BAM", "CRAM", "SAM", "VCF", "BCF")]
    known = [(file, _contigs(file)) for file in files if file.format == "FASTA"] or told[:1]
    for file, has in told:
        for other, lengths in known:
            if file is not other and (name := other_lengths(has, lengths)):
                message = _("{name} has {one} bases here and {two} in {other}: another reference.")
                yield file.name, message.format(name=name, one=has[name], two=lengths[name], other=other.name)
                break


def _samples_told(deposit: Deposit) -> Iterator[tuple[str, str]]:
    """The same sample in two files of alignments, as their headers name it."""
    first: dict[tuple[str, str], str] = {}
    for file in deposit.files:
        if file.format in ("BAM", "CRAM", "SAM"):
            for sample in json.loads(file.facts).get("samples", []):
                if (file.format, sample) in first:
                    message = _("The sample {sample} is that of {name} too, as its header says.")
                    yield file.name, message.format(sample=sample, name=first[file.format, sample])
                first.setdefault((file.format, sample), file.name)
