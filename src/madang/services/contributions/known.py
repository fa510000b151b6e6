"""What is known of datasets: what a version was made from, by whose data, maps and checks."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.node.node import Node
from madang.services.catalog.models import Record, RecordVersion
from madang.services.certification import register
from madang.services.contributions.statement import Link, Thing


def of_datasets(node: Node, reference: str) -> Iterator[Link]:
    """The links of `dataset:NAME@N`, `record:NUMBER or NAME` and `certificate:NUMBER`."""
    kind, _colon, name = reference.partition(":")
    if kind == "dataset":
        yield from _of_version(node, reference, name)
    elif kind == "record":
        yield from _of_record(node, reference, name)
    elif kind == "certificate":
        for entry in register(node.home):
            if entry.certificate.number == name:
                yield Link(
                    reference, Thing(f"dataset:{entry.certificate.dataset}", entry.certificate.dataset), "source"
                )


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
    vocabulary = info.get("vocabulary")
    if isinstance(vocabulary, dict) and vocabulary.get("dataset"):
        there = f"{vocabulary['dataset']}@{vocabulary.get('version', vocabulary.get('number', 1))}"
        yield Link(reference, Thing(f"dataset:{there}", there), "vocabulary")
    pack = info.get("pack")
    if isinstance(pack, dict) and pack.get("name"):
        named = f"{pack['name']} {pack.get('version', '')}".strip()
        yield Link(reference, Thing(f"pack:{named}", named), "mapping")
    for entry in register(node.home):
        if entry.certificate.manifest == version.digest:
            checks = entry.certificate.scheme
            yield Link(
                reference, Thing(f"check:{entry.certificate.number}", f"{checks} {entry.certificate.number}"), "check"
            )
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
