"""Certificates whose signed files are here and of which the register knows nothing are taken into it.

That is a home from before the register was in the database: at its first use all are adopted, in one transaction, so
that a kill leaves all of them to be adopted or none. Or it is a database that is older than the files, as after a
restore: the doctor says so, and `madang certificate adopt` does it.

What became of them is in `history.json`, where that is there; it is put away afterwards, since the register is the
truth from then on. Else it is what the signed status list says.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import sentences, sync_folder
from madang.node.acts import doing_in
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.text import clean_prose
from madang.services.certification import times
from madang.services.certification.acts import ADOPT
from madang.services.certification.credential import Certificate, cut
from madang.services.certification.handed_out import told_in
from madang.services.certification.models import Registered
from madang.services.certification.store import HISTORY, REPORT, Store, damaged

PUT_AWAY = "history-adopted.json"
_LED_TO = {"revoke": "revoked", "suspend": "suspended", "reinstate": "issued"}


@dataclass(frozen=True)
class _Became:
    """What became of a certificate."""

    state: str
    since: datetime
    reason: str = ""


def first_use(node: Node) -> bool:
    """Adopt a home from before, if this is one; whether anything was adopted."""
    if _is_used(node) or not Store(node.home).numbers():
        return False
    return bool(adopt(node, Actor.node(), only_first=True))


def opened(node: Node) -> None:
    """What is done when the portal opens; what is wrong is the doctor's business."""
    try:
        first_use(node)
    except MadangError:
        return


def adopt(node: Node, actor: Actor, *, only_first: bool = False) -> list[str]:
    """Take every certificate that can be read and that the register does not know into it; their numbers.

    With `only_first` nothing is done where the register has any. Errors: those of permissions, `certificate.damaged`
    where the history cannot be read.
    """
    check(actor, ADOPT)
    store = Store(node.home)
    with store.lock():
        if only_first and _is_used(node):
            return []
        became, listed = _history(store), told_in(node.home)
        bits = listed.bits if listed is not None and became is None else set()
        found = taken_in(node)
        with node.write() as session:
            for certificate, row in found:
                _enter(session, node, actor, row, (became or {}).get(row.number) or _by_list(certificate, bits))
        _put_away(store)
    return [certificate.number for certificate, _row in found]


def _enter(session: Session, node: Node, actor: Actor, row: Registered, became: _Became) -> None:
    row.since, row.reason = became.since, became.reason
    with doing_in(session, node, actor, ADOPT, lambda _session: row) as done:
        done.become(became.state)
        done.tell(**row.told(became.state))


def taken_in(node: Node, only: set[str] | None = None) -> list[tuple[Certificate, Registered]]:
    """The certificates that can be read and that the register does not know, each verified, with a row for it that
    nobody has kept yet; with `only` those of these numbers."""
    store = Store(node.home)
    with node.read() as session:
        known = set(session.scalars(select(Registered.number)))
    names = [name for name in store.numbers() if name not in known and (only is None or name in only)]
    return [each for each in (_read(store, name) for name in names) if each is not None]


def _is_used(node: Node) -> bool:
    with node.read() as session:
        return bool(session.scalar(select(exists().where(Registered.id.is_not(None)))))


def _read(store: Store, name: str) -> tuple[Certificate, Registered] | None:
    """A certificate and its row; None where it cannot be read, of which the doctor tells."""
    try:
        certificate, text = store.read(name)
    except MadangError:
        return None
    dataset, version = _whole_name(store, certificate)
    return certificate, Registered.of(certificate, hashlib.sha256(text.encode()).hexdigest(), dataset, version)


def _whole_name(store: Store, certificate: Certificate) -> tuple[str, int]:
    """The dataset and version that it is about; the report has the whole of a name that the certificate cuts."""
    try:
        about = json.loads(store.bytes(certificate.number, REPORT, certificate.report))["quality"]
        dataset, version = str(about["dataset"]), int(about["version"])
        if cut(f"{dataset}@{version}") == certificate.dataset:
            return dataset, version
    except (MadangError, ValueError, KeyError, TypeError):
        pass
    dataset, _at, number = certificate.dataset.rpartition("@")
    return (dataset, int(number)) if number.isascii() and number.isdigit() else (certificate.dataset, 0)


def _history(store: Store) -> dict[str, _Became] | None:
    """What the history says of each certificate that it names; None where there is none. Errors:
    `certificate.damaged`."""
    path = store.folder / HISTORY
    try:
        history: dict[str, list[dict[str, str]]] = json.loads(path.read_bytes())
        return {name: _last(events[-1]) for name, events in history.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError, LookupError, TypeError):
        raise damaged(path) from None


def _last(event: Mapping[str, Any]) -> _Became:
    return _Became(_LED_TO[event["act"]], times.parse(event["at"]), _readable(str(event["reason"])))


def _readable(reason: str) -> str:
    """A reason as it was written; without characters that a text may not hold."""
    try:
        return clean_prose(reason, _("reason"))
    except MadangError:
        return clean_prose("".join(c if c.isprintable() else " " for c in reason)[:20_000], _("reason"))


def _by_list(certificate: Certificate, bits: set[int]) -> _Became:
    for offset, state in enumerate(("revoked", "suspended")):
        if 2 * certificate.place + offset in bits:
            return _Became(state, times.now(), _("The signed status list says so."))
    return _Became("issued", certificate.valid_from)


def _put_away(store: Store) -> None:
    """Keep the history under another name: nobody reads it any more."""
    path = store.folder / HISTORY
    with sentences("put the history of certificates away"):
        if path.exists():
            os.replace(path, path.with_name(PUT_AWAY))
            sync_folder(store.folder)
