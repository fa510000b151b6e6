"""The register, read: which certificates there are and how they stand. Rows say it; files are read where asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node.node import Node
from madang.services.certification import times
from madang.services.certification.adopting import first_use
from madang.services.certification.credential import Certificate
from madang.services.certification.models import Registered
from madang.services.certification.scheme import Scheme
from madang.services.certification.store import CERTIFICATE, REPORT, SHEET, Store


@dataclass(frozen=True)
class Entry:
    """One certificate of the register: what it says, where its files are, and `state`: issued, suspended or revoked,
    `since` when and by which `reason`."""

    certificate: Certificate
    store: Store
    digest: str
    state: str
    since: str
    reason: str

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.store.folder / self.certificate.number

    @property
    def stands(self) -> str:
        """How it stands now: its state, or `expired`."""
        over = self.state != "revoked" and times.now() > self.certificate.valid_until
        return "expired" if over else self.state

    @property
    def text(self) -> str:
        """The certificate itself. Errors: `certificate.damaged`."""
        return self.store.bytes(self.certificate.number, CERTIFICATE, self.digest).decode("ascii")

    @property
    def report(self) -> dict[str, Any]:
        """The report that it names. Errors: `certificate.damaged`."""
        return dict(json.loads(self.store.bytes(self.certificate.number, REPORT, self.certificate.report)))

    @property
    def sheet(self) -> bytes:
        """Its sheet for people, a page. Errors: `certificate.damaged`."""
        return self.store.bytes(self.certificate.number, SHEET)


@dataclass(frozen=True)
class Issued:
    """A certificate of the register; `new` is false if there was one for this version and scheme already."""

    entry: Entry
    new: bool


def register(node: Node) -> list[Entry]:
    """All certificates that were issued here, by number, whatever became of them."""
    return _found(node)


def entry(node: Node, wanted: str) -> Entry:
    """The certificate with that number; leading zeros may be left out. Errors: `certificate.unknown`."""
    found = _found(node, Registered.number == wanted.zfill(5))
    if not found:
        raise unknown(wanted)
    return found[0]


def of_version(node: Node, manifest: str) -> list[Entry]:
    """The certificates of the version with that manifest, by number."""
    return _found(node, Registered.manifest == manifest)


def in_force(node: Node, version: Version, scheme: Scheme) -> Entry | None:
    """The certificate of this version by this scheme that is neither revoked nor expired, if there is one."""
    now = times.now()
    for found in of_version(node, version.digest):
        same = found.certificate.scheme == scheme.reference
        if same and found.state != "revoked" and now <= found.certificate.valid_until:
            return found
    return None


def holding(session: Session, manifest: str) -> Registered | None:
    """A certificate of a version that holds now, whichever scheme it is by."""
    mine = (Registered.manifest == manifest, Registered.state == "issued", Registered.valid_until >= times.now())
    return session.scalar(select(Registered).where(*mine).order_by(Registered.number).limit(1))


def row_of(session: Session, wanted: str) -> Registered:
    """The row of a certificate, to be changed. Errors: `certificate.unknown`."""
    row = session.scalar(select(Registered).where(Registered.number == wanted.zfill(5)).with_for_update())
    if row is None:
        raise unknown(wanted)
    return row


def rows(node: Node, *conditions: ColumnElement[bool]) -> Sequence[Registered]:
    """Rows by number; those of a home from before are adopted first."""
    query = select(Registered).where(*conditions).order_by(Registered.number)
    with node.read() as session:
        found = session.scalars(query).all()
    if not found and first_use(node):
        with node.read() as session:
            found = session.scalars(query).all()
    return found


def unknown(wanted: str) -> MadangError:
    """The sentence about a number that nobody has."""
    return MadangError(
        "certificate.unknown",
        _("There is no certificate {number} here.").format(number=wanted),
        _("`madang certificate list` shows their numbers."),
    )


def _found(node: Node, *conditions: ColumnElement[bool]) -> list[Entry]:
    store = Store(node.home)
    return [_entry(store, row) for row in rows(node, *conditions)]


def _entry(store: Store, row: Registered) -> Entry:
    certificate = Certificate(
        int(row.number),
        row.issuer,
        row.status_list,
        f"{row.dataset}@{row.version}",
        row.manifest,
        row.scheme,
        row.report,
        row.valid_from,
        row.valid_until,
    )
    return Entry(certificate, store, row.digest, row.state, times.iso(row.since), row.reason)
