"""A deposit on its way out: into the catalog, and as the package that a national station asks for."""

import csv
import io
import re
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization
from madang.services.catalog import begin_described
from madang.services.deposits import sources
from madang.services.deposits.checking import is_of_people
from madang.services.deposits.checklists import MODELS
from madang.services.deposits.models import Deposit, DepositFile
from madang.services.deposits.runs import human_samples, people_files, runs_of

PEOPLE = "-people"  # what the name of the record of people's data ends in, where a deposit has others too


def into_catalog(node: Node, actor: Actor, deposit: Deposit) -> str:
    """Datasets of what was deposited (files, samples, runs) and the drafts of their records; the name of the first.

    Data of people become a record of their own, on request; others an open one.
    """
    people, others = people_files(deposit)
    if MODELS[deposit.model].umbrella:
        return _record(node, actor, deposit, [], set(), "", "open")
    human = human_samples(deposit)
    apart = {each["sample_alias"] for each in deposit.sheets.samples} - human
    names = []
    if others or not people:
        names.append(_record(node, actor, deposit, others, apart, "", "open"))
    if people:
        whole = not others
        told = human | apart if whole else human
        names.append(_record(node, actor, deposit, people, told, "" if whole else PEOPLE, "controlled"))
    return names[0]


def _record(
    node: Node, actor: Actor, deposit: Deposit, files: list[DepositFile], aliases: set[str], ending: str, tier: str
) -> str:
    dataset = node.home.lake().dataset(f"deposit-{deposit.name}{ending}")
    sheets = deposit.sheets
    samples = [each for each in sheets.samples if each["sample_alias"] in aliases]
    kept = {file.name for file in files}
    runs = [asdict(run) for run in runs_of(deposit) if kept.issuperset(run.files)]
    tables = {
        "deposited_files": _files(files),
        "samples": samples,
        "runs": [{**run, "files": " ".join(run["files"]), "is_told": str(run["is_told"])} for run in runs],
        "projects": _projects(node, deposit),
    }
    if not dataset.exists:
        with Engine() as engine, dataset.write(None) as writer:
            for table, rows in tables.items():
                if not rows:
                    continue
                path = writer.new_file(table)
                engine.copy_to_parquet(_values(rows), path)
                writer.add(table, path)
            writer.commit("import", {"report": {}, "deposit": deposit.name})
    with node.read() as session:
        holder = session.get_one(Organization, deposit.organization_id)
    suffix = (_(" (data of people)"), " (data of people)") if ending else ("", "")
    human = tier == "controlled"
    return begin_described(
        node,
        actor,
        dataset.name,
        holder.name,
        (deposit.title + suffix[0], deposit.title_en + suffix[1] if deposit.title_en else ""),
        tier,
        kind="files",
        description=deposit.description,
        description_en="",
        license=deposit.license,
        creator=creators(deposit),
        keyword=tuple(sorted({file.format for file in files if file.format})) or ("deposit",),
        keyword_en=(),
        coding_system=(),
        health_category=("Omics",) if deposit.model != "table" else ("Tabular",),
        provenance=_("Deposited by its owner as {name}.").format(name=deposit.name),
        access_rights=deposit.consent if human else "",
        data_use=duo_terms(deposit.consent) if human else (),
    )


def creators(deposit: Deposit) -> tuple[str, ...]:
    """Who is cited."""
    return tuple(filter(None, (name.strip() for name in deposit.sheets.creators.split(","))))


def duo_terms(consent: str) -> tuple[str, ...]:
    """The terms of the Data Use Ontology that a scope of consent names, by number (DUO:0000018) or letters (GRU).

    Those that need a value (a disease, a region) and words that are no terms stay in the text alone.
    """
    from madang.science.privacy.duo import CONDITIONS, LATER, PRIMARY, terms_of

    numbers = {letters: number for number, letters in (PRIMARY | CONDITIONS).items()} | {"NPUNCU": "DUO:0000018"}
    found = []
    for word in re.findall(r"DUO:\d{7}|[A-Z]{2,6}", consent):
        term = numbers.get(LATER.get(word, word), word)
        try:
            terms_of((term,))
        except MadangError:
            continue
        found.append(term)
    return tuple(dict.fromkeys(found))


def _projects(node: Node, deposit: Deposit) -> list[dict[str, Any]]:
    """The projects of an umbrella; of any other deposit none."""
    from madang.services.deposits.service import projects_of

    if not MODELS[deposit.model].umbrella:
        return []
    with node.read() as session:
        return [
            {"name": each.name, "title": each.title, "model": each.model, "state": each.state}
            for each in projects_of(session, deposit.name)
        ] or [{"name": "", "title": "", "model": "", "state": ""}]


def _files(files: Iterable[DepositFile]) -> list[dict[str, Any]]:
    return [
        {"name": file.name, "format": file.format, "bytes": file.bytes, "sha256": file.sha256, "md5": file.md5}
        for file in files
    ]


def _values(rows: list[dict[str, Any]]) -> str:
    """Rows as SQL; every cell a text, also in an empty column, but sizes; names without what Spark does not read."""
    names = list(dict.fromkeys(name for row in rows for name in row))

    def cell(value: Any) -> str:
        if isinstance(value, int):
            return f"{value}::BIGINT"
        return "NULL::VARCHAR" if value in (None, "") else "'" + str(value).replace("\x00", "").replace("'", "''") + "'"

    lines = ", ".join("(" + ", ".join(cell(row.get(name)) for name in names) + ")" for row in rows)
    plain = {name: re.sub(r"\W+", "_", name).strip("_") or "field" for name in names}  # as Spark reads them
    taken = list(plain.values())
    columns = ", ".join(
        f'"{plain[name]}"' if taken.count(plain[name]) == 1 else f'"{plain[name]}_{place}"'
        for place, name in enumerate(names)
    )
    return f"SELECT * FROM (VALUES {lines}) AS given({columns})"


def package(node: Node, deposit: Deposit, station: str, folder: Path) -> list[Path]:
    """Write the national package: project, samples, runs and files with md5 as its forms ask, and the files beside.

    Data of people go to the human database: where a deposit has others too, each has a folder of its own.
    Errors: `deposit.station`.
    """
    if station != "k-bds":
        raise MadangError("deposit.station", _("There is no station {name!r}.").format(name=station), "k-bds")
    people, others = people_files(deposit)
    if people and others:
        apart = {each["sample_alias"] for each in deposit.sheets.samples} - human_samples(deposit)
        one = _package(node, deposit, others, apart, folder / "bioproject", human=False)
        return one + _package(node, deposit, people, human_samples(deposit), folder / "human", human=True)
    every = {each["sample_alias"] for each in deposit.sheets.samples}
    return _package(node, deposit, people or others, every, folder, human=is_of_people(deposit))


def package_zip(node: Node, deposit: Deposit, station: str) -> bytes:
    """The tables of the national package as a zip; the files are fetched one by one, by the list of their hashes."""
    out = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in package(node, deposit, station, Path(folder)):
            if not path.is_symlink():
                archive.write(path, str(path.relative_to(folder)))
    return out.getvalue()


def _package(
    node: Node, deposit: Deposit, files: list[DepositFile], aliases: set[str], folder: Path, *, human: bool
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    project = {
        "title": deposit.title_en or deposit.title,
        "title_ko": deposit.title,
        "description": deposit.description,
        "database": "human biodata" if human else "BioProject",
        "umbrella": deposit.sheets.umbrella,
        "consent_scope": deposit.consent if human else "",
        "ethics_number": deposit.ethics if human else "",
        "deidentification": deposit.deidentified if human else "",
        "license": deposit.license,
        "creators": deposit.sheets.creators,
        "accession": deposit.accession,
    }
    names = {file.name for file in files}
    runs = [run for run in runs_of(deposit) if names.issuperset(run.files)]
    told = {row["run_alias"]: row for row in deposit.sheets.runs}
    tables = {
        "project.tsv": _tsv([{"field": name, "value": value} for name, value in project.items()]),
        "samples.tsv": _tsv([each for each in deposit.sheets.samples if each["sample_alias"] in aliases]),
        "experiments.tsv": _tsv(
            [
                told.get(run.alias, {})
                | {"run_alias": run.alias, "sample_alias": run.sample}
                | {f"file_{place}": name for place, name in enumerate(run.files, 1)}
                for run in runs
            ]
        ),
        "files.tsv": _tsv(_files(files)),
        "md5sum.txt": "".join(f"{file.md5}  {file.name}\n" for file in files),
    }
    written = []
    for name, text in tables.items():
        (folder / name).write_text(text, "utf-8")
        written.append(folder / name)
    for file in files:
        target = folder / "files" / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(sources.path_of(node.home, file))
        written.append(target)
    return written


def _tsv(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
