"""Whether register and signed files agree. Looks only: nothing is adopted, signed or repaired."""

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import open_intents
from madang.node.doctor import Finding
from madang.node.node import Node
from madang.services.certification.acts import ISSUE
from madang.services.certification.credential import Certificate, cut, number
from madang.services.certification.handed_out import told_in
from madang.services.certification.models import Registered
from madang.services.certification.store import REPORT, SHEET, Store

MOST = 5  # numbers that a sentence names


def look(node: Node) -> Iterator[Finding]:
    """What the doctor says of the certificates."""
    what, store = _("certificates"), Store(node.home)
    with node.read() as session:
        rows = {row.number: row for row in session.scalars(select(Registered))}
        begun = open_intents(session, ISSUE)
    there = store.numbers()
    if there and not rows and not begun:
        text = _("{count} certificates of an earlier release are not in the register yet.").format(count=len(there))
        yield Finding(
            what, "doubtful", text, _("They are taken into it at their first use: `madang certificate list`.")
        )
        return
    fine = True
    for found in (*_without_files(store, rows), *_without_rows(store, rows, begun), *_against_list(node, rows)):
        fine = False
        yield found
    if fine:
        yield Finding(what, "good", _("All {count} certificates are what the register says.").format(count=len(rows)))


def _without_files(store: Store, rows: dict[str, Registered]) -> Iterator[Finding]:
    """Rows whose files are gone, or say something else."""
    what, there = _("certificates"), set(store.numbers())
    hint = _("Restore the folder of certificates, and that of keys, from a backup.")
    gone = [name for name in sorted(rows) if name not in there]
    if gone:
        text = _("The register has certificates whose files are gone: {numbers}.").format(numbers=_some(gone))
        yield Finding(what, "bad", text, hint)
    other = [name for name in sorted(rows) if name in there and not _agrees(store, rows[name])]
    if other:
        text = _("Files of certificates are damaged, or not those that the register knows: {numbers}.")
        yield Finding(what, "bad", text.format(numbers=_some(other)), hint)


def _without_rows(store: Store, rows: dict[str, Registered], begun: set[str]) -> Iterator[Finding]:
    """Folders that the register knows nothing of; one that is being issued is none."""
    what = _("certificates")
    left = [name for name in store.numbers() if name not in rows and f"certificate:{name}" not in begun]
    signed = [name for name in left if _is_signed(store, name)]
    if signed:
        text = _("Certificates were signed here that the register does not have: {numbers}.")
        hint = _("`madang certificate adopt` takes them into it.")
        yield Finding(what, "bad", text.format(numbers=_some(signed)), hint)
    broken = [name for name in left if name not in signed]
    if broken:
        text = _("Files of certificates cannot be read, and the register does not have them: {numbers}.")
        hint = _("Restore the folder of certificates, and that of keys, from a backup.")
        yield Finding(what, "bad", text.format(numbers=_some(broken)), hint)


def _against_list(node: Node, rows: dict[str, Registered]) -> Iterator[Finding]:
    """What the signed list says and the register does not, and the other way round."""
    what, told = _("certificates"), told_in(node.home)
    if told is None:
        return
    bits = told.bits
    revoked = [name for name in sorted(rows) if 2 * int(name) in bits and rows[name].state != "revoked"]
    if revoked:
        text = _("The signed status list says that certificates are revoked which the register does not: {numbers}.")
        hint = _("Revoke them again, or restore a newer backup; the list goes on to say it.")
        yield Finding(what, "bad", text.format(numbers=_some(revoked)), hint)
    expected = {2 * int(name) + (row.state == "suspended") for name, row in rows.items() if row.state != "issued"}
    late = sorted({number(bit // 2) for bit in expected - bits})
    if late:
        text = _("The signed status list does not say yet what the register says of {numbers}.")
        yield Finding(what, "doubtful", text.format(numbers=_some(late)), _("Run `madang certificate status`."))


def _agrees(store: Store, row: Registered) -> bool:
    """Whether the files are whole and say what the row says."""
    try:
        said, text = store.read(row.number)
        store.bytes(row.number, REPORT, row.report)
        store.bytes(row.number, SHEET)
    except MadangError:
        return False
    return hashlib.sha256(text.encode()).hexdigest() == row.digest and said == _as_certificate(row)


def _as_certificate(row: Registered) -> Certificate:
    return Certificate(
        int(row.number),
        row.issuer,
        row.status_list,
        cut(f"{row.dataset}@{row.version}"),
        row.manifest,
        row.scheme,
        row.report,
        row.valid_from,
        row.valid_until,
    )


def _is_signed(store: Store, name: str) -> bool:
    try:
        store.read(name)
    except MadangError:
        return False
    return True


def _some(numbers: Sequence[str]) -> str:
    more = len(numbers) - MOST
    return ", ".join(numbers[:MOST]) + (_(" and {count} more").format(count=more) if more > 0 else "")
