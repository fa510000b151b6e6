"""What is known of datasets: what a version was made from, by whose data, maps and checks."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.audit.models import audit_events
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import may
from madang.services import certification
from madang.services.catalog.models import Record, RecordVersion
from madang.services.contributions.statement import Link, Thing, Use


def of_datasets(node: Node, reference: str, actor: Actor | None = None) -> Iterator[Link]:
    """The links of `dataset:NAME@N`, `record:NUMBER or NAME`, `book:NAME` of mappings and `certificate:NUMBER`.

    With an actor only if they may see the record of the dataset. Errors: `contributions.unknown`.
    """
    if actor is not None:
        _check(node, actor, reference)
    kind, _colon, name = reference.partition(":")
    if kind == "dataset":
        yield from _of_version(node, reference, name)
    elif kind == "record":
        yield from _of_record(node, reference, name)
    elif kind == "book":
        yield from _of_book(node, reference, name)
    elif kind == "certificate":
        with contextlib.suppress(MadangError):  # there is none: nothing is known of it
            about = certification.entry(node, name).certificate.dataset
            yield Link(reference, Thing(f"dataset:{about}", about), "source")


def _of_version(node: Node, reference: str, name: str) -> Iterator[Link]:
    try:
        version = node.home.lake().find(name)
    except MadangError:
        return  # it was removed: what is known of it ends here
    parent = version.manifest.get("parent")
    if parent:
        before = f"{version.dataset.name}@{parent['number']}"
        yield Link(reference, Thing(f"dataset:{before}", before), "source")
    info: Mapping[str, Any] = version.info
    source = info.get("source")
    if isinstance(source, str) and "@" in source and source != version.name:  # an extract
        yield Link(reference, Thing(f"dataset:{source}", source), "source")
    vocabulary = info.get("vocabulary")
    if isinstance(vocabulary, dict) and vocabulary.get("release"):
        yield Link(reference, Thing(f"vocabulary:{vocabulary['release']}", str(vocabulary["release"])), "vocabulary")
    pack = info.get("pack")
    if isinstance(pack, dict) and pack.get("name"):
        named = f"{pack['name']} {pack.get('version', '')}".strip()
        yield Link(reference, Thing(f"pack:{named}", named), "mapping")
    if _book(node, version.dataset.name).exists():
        yield Link(reference, Thing(f"book:{version.dataset.name}", version.dataset.name), "mapping")
    for entry in certification.of_version(node, version.digest):
        named = f"{entry.certificate.scheme} {entry.certificate.number}"
        yield Link(reference, Thing(f"check:{entry.certificate.number}", named), "check")
    with node.read() as session:
        record = session.scalar(select(Record).where(Record.dataset == version.dataset.name))
        if record is not None:
            holder = record.organization
            yield Link(reference, Thing(f"organization:{holder.name}", holder.title), "by")


def _of_record(node: Node, reference: str, name: str) -> Iterator[Link]:
    with node.read() as session:
        record = session.get(Record, int(name)) if name.isdigit() else None
        record = record or session.scalar(select(Record).where(Record.name == name))
        if record is None:
            return
        yield Link(reference, Thing(f"organization:{record.organization.name}", record.organization.title), "by")
        newest = session.scalar(
            select(RecordVersion.number)
            .where(RecordVersion.record_id == record.id, RecordVersion.state == "published")
            .order_by(RecordVersion.number.desc())
        )
        if newest is not None:
            there = f"{record.dataset}@{newest}"
            yield Link(reference, Thing(f"dataset:{there}", there), "source")


def _of_book(node: Node, reference: str, name: str) -> Iterator[Link]:
    """Who reviewed the mappings of a dataset: one link for each curator whose decision is in force."""
    from madang.science.standardize.mapping import MappingBook, Status

    path = _book(node, name)
    approved = [each for each in MappingBook(path).mappings() if each.status == Status.APPROVED and each.reviewer]
    for reviewer in sorted({each.reviewer for each in approved}):
        yield Link(reference, Thing(f"curator:{reviewer}", reviewer), "by")


def _book(node: Node, name: str) -> Path:
    return node.home.path / "mappings" / f"{Path(name).name}.csv"


def _check(node: Node, actor: Actor, reference: str) -> None:
    kind, _colon, name = reference.partition(":")
    if kind not in ("dataset", "record"):
        return
    with node.read() as session:
        if kind == "dataset":
            found = session.scalar(select(Record).where(Record.dataset == name.partition("@")[0]))
        else:
            found = session.get(Record, int(name)) if name.isdigit() else None
            found = found or session.scalar(select(Record).where(Record.name == name))
    if found is None and kind == "dataset":
        known = actor.kind == "owner" or bool(actor.organizations("steward")) or actor.holds("auditor")
    else:
        known = found is not None and may(actor, "record.see", found)
    if not known:
        raise MadangError(
            "contributions.unknown", _("Nothing is known of {name}.").format(name=reference), _("Look at its name.")
        )


def downloads(node: Node, dataset: str) -> Iterator[Use]:
    """Downloads of a dataset, as the audit knows them."""
    with node.read() as session:
        record = session.scalar(select(Record.id).where(Record.dataset == dataset))
        query = select(audit_events.c.number, audit_events.c.at).where(
            audit_events.c.act == "record.download", audit_events.c.thing == f"record:{record}"
        )
        found = session.execute(query).all()
    for number, at in found:
        yield Use(datetime.fromisoformat(at), "download", f"event:{number}")
