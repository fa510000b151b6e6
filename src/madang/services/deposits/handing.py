"""Deposited files of published records: which there are, and one of them for whoever may read the record."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.services.catalog import Original
from madang.services.catalog import service as catalog
from madang.services.deposits import sources
from madang.services.deposits.models import Deposit, DepositFile
from madang.services.deposits.publishing import PEOPLE
from madang.services.deposits.runs import people_files

_MEDIA = {
    "CSV": "text/csv",
    "JSON": "application/json",
    "Parquet": "application/vnd.apache.parquet",
    "XLSX": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def files_of(node: Node, dataset: str) -> list[DepositFile]:
    """The deposited files that belong to a dataset of the lake: those of people, the others, or all."""
    if not dataset.startswith("deposit-"):
        return []
    name, is_people = dataset.removeprefix("deposit-"), dataset.endswith(PEOPLE)
    with node.read() as session:
        query = select(Deposit).options(selectinload(Deposit.files))
        found = session.scalar(query.where(Deposit.name == name.removesuffix(PEOPLE)))
    if found is None:
        return []
    people, others = people_files(found)
    return people if is_people or not others else others


def originals(node: Node, dataset: str, record: str) -> list[Original]:
    """The same, as the catalog shows them."""
    return [
        Original(
            file.name,
            f"/deposited/{record}/{file.id}",
            media_of(file),
            file.format,
            file.bytes,
            file.sha256,
            *_content(json.loads(file.facts)),
            partial(sources.path_of, node.home, file),
        )
        for file in files_of(node, dataset)
    ]


def _content(facts: dict[str, Any]) -> tuple[str, str, tuple[tuple[str, ...], ...]]:
    """What is in a file, as its check told it: in a few words, as a small picture, as its first rows."""
    head = tuple(tuple(map(str, row)) for row in facts.get("head", []))
    return in_words(facts), str(facts.get("picture", "")), head


def in_words(facts: dict[str, Any]) -> str:
    """Facts of a file as a person says them; empty where there are none to be told."""
    told = [
        (_("{n} reads"), facts.get("reads")),
        (_("{n} variants"), facts.get("variants")),
        (_("{n} sequences"), facts.get("sequences")),
        (_("{n} cells"), facts.get("cells")),
        (_("{n} genes"), facts.get("genes")),
        (_("{n} atoms"), facts.get("atoms")),
        (_("{n} features"), facts.get("features")),
        (_("{n} rows"), facts.get("rows") if "columns" in facts and isinstance(facts["columns"], list) else None),
        (_("{n} columns"), len(facts["columns"]) if isinstance(facts.get("columns"), list) else None),
    ]
    words = [text.format(n=f"{count:,}") for text, count in told if isinstance(count, int)]
    if isinstance(facts.get("shape"), list) and facts["shape"]:
        words.append(" × ".join(map(str, facts["shape"])))
    return ", ".join(words)


def media_of(file: DepositFile) -> str:
    """The media type of a file, by its format."""
    if file.name.endswith(".gz"):
        return "application/gzip"
    return _MEDIA.get(file.format, "application/octet-stream")


def path_of(node: Node, actor: Actor, name: str, number: int) -> tuple[Path, str]:
    """Where a file of a published record lies, and what it is called; the audit knows it before the first byte.

    Errors: `catalog.none`, those of permissions, `deposit.none`.
    """
    record = catalog.see(node, actor, name)
    catalog.published_version(record, None)
    check(actor, "record.read", record)
    found = next((each for each in files_of(node, record.dataset) if each.id == number), None)
    if found is None:
        raise MadangError("deposit.none", _("There is no such file in the deposit."))
    node.audit.read(actor, "record.download", f"record:{record.id}", {"file": found.name, "sha256": found.sha256})
    return sources.path_of(node.home, found), Path(found.name).name
