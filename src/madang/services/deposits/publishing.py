"""A deposit on its way out: into the catalog, and as the package that a national station asks for."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization
from madang.services.catalog import begin_described
from madang.services.deposits import store
from madang.services.deposits.checking import is_of_people
from madang.services.deposits.models import Deposit


def into_catalog(node: Node, actor: Actor, deposit: Deposit, tier: str) -> str:
    """A dataset of what was deposited (files, samples) and the draft of its record; the record's name."""
    lake = node.home.lake().dataset(f"deposit-{deposit.name}")
    if not lake.exists:
        with Engine() as engine, lake.write(None) as writer:
            for table, rows in (("deposited_files", _files(deposit)), ("samples", json.loads(deposit.samples))):
                if not rows:
                    continue
                path = writer.new_file(table)
                engine.copy_to_parquet(_values(rows), path)
                writer.add(table, path)
            writer.commit("import", {"report": {}, "deposit": deposit.name})
    with node.read() as session:
        holder = session.get_one(Organization, deposit.organization_id)
    return begin_described(
        node,
        actor,
        lake.name,
        holder.name,
        (deposit.title, deposit.title_en),
        tier,
        description=deposit.description,
        license=deposit.license,
        keyword=tuple(sorted({file.format for file in deposit.files if file.format})) or ("deposit",),
        health_category=("Omics",) if deposit.model != "table" else ("Tabular",),
        provenance=_("Deposited by its owner as {name}.").format(name=deposit.name),
        access_rights=deposit.consent,
    )


def _files(deposit: Deposit) -> list[dict[str, Any]]:
    return [
        {"name": file.name, "format": file.format, "bytes": file.bytes, "sha256": file.sha256, "md5": file.md5}
        for file in deposit.files
    ]


def _values(rows: list[dict[str, Any]]) -> str:
    """Rows as SQL; every cell a text, but sizes; names without what Spark does not read."""
    names = list(dict.fromkeys(name for row in rows for name in row))

    def cell(value: Any) -> str:
        if isinstance(value, int):
            return f"{value}::BIGINT"
        return "NULL" if value in (None, "") else "'" + str(value).replace("\x00", "").replace("'", "''") + "'"

    lines = ", ".join("(" + ", ".join(cell(row.get(name)) for name in names) + ")" for row in rows)
    plain = {name: re.sub(r"\W+", "_", name).strip("_") or "field" for name in names}  # as Spark reads them
    taken = list(plain.values())
    columns = ", ".join(
        f'"{plain[name]}"' if taken.count(plain[name]) == 1 else f'"{plain[name]}_{place}"'
        for place, name in enumerate(names)
    )
    return f"SELECT * FROM (VALUES {lines}) AS given({columns})"


def package(node: Node, deposit: Deposit, station: str, folder: Path) -> list[Path]:
    """Write the national package: project, samples and files with md5 as its forms ask, and the files beside.

    Errors: `deposit.station`, `deposit.people` (data of people go to the human database, not there).
    """
    if station != "k-bds":
        raise MadangError("deposit.station", _("There is no station {name!r}.").format(name=station), "k-bds")
    folder.mkdir(parents=True, exist_ok=True)
    human = is_of_people(deposit)
    project = {
        "title": deposit.title_en or deposit.title,
        "title_ko": deposit.title,
        "description": deposit.description,
        "database": "human biodata" if human else "BioProject",
        "consent_scope": deposit.consent,
        "ethics_number": deposit.ethics,
        "deidentification": deposit.deidentified,
        "license": deposit.license,
        "accession": deposit.accession,
    }
    written = [folder / "project.tsv", folder / "samples.tsv", folder / "files.tsv", folder / "md5sum.txt"]
    written[0].write_text(_tsv([{"field": name, "value": value} for name, value in project.items()]), "utf-8")
    written[1].write_text(_tsv(json.loads(deposit.samples)), "utf-8")
    written[2].write_text(_tsv(_files(deposit)), "utf-8")
    written[3].write_text("".join(f"{file.md5}  {file.name}\n" for file in deposit.files), "utf-8")
    for file in deposit.files:
        target = folder / "files" / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(store.whole(node.home, file.sha256))
        written.append(target)
    return written


def _tsv(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
