"""Anchors: how far the chain of events reached at a moment, signed, to be kept where nobody here can reach it.

Whoever holds the keys can rewrite everything in this installation, but not an anchor that others have. So a change
before the last anchor that was given away is found, whoever made it.
"""

from collections.abc import Iterable
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import sentences
from madang.node.audit.chain import Report
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.node.signing import NotBelieved, public_keys, read_signed, signer

TYPE = "madang-audit-anchor+jws"


def make_anchor(node: Node, actor: Actor) -> str:
    """A signed anchor of all events so far; refuses where the events are not what was written."""
    check(actor, "audit.anchor")
    with node.write() as session:
        node.audit.record(session, actor, "audit.anchor")
    report = node.audit.verify()
    refuse_findings(report)
    at = now().isoformat(timespec="seconds").replace("+00:00", "Z")
    return signer(node.home).sign({"at": at, "digest": report.digest, "length": report.length}, TYPE)


def read_anchors(node: Node, texts: Iterable[str]) -> dict[int, str]:
    """What anchors of this installation say: {length: digest}; `anchor.unknown` for any other text."""
    keys = public_keys(node.home)
    found = {}
    for text in texts:
        try:
            said = read_signed(text.strip(), keys, TYPE)
        except NotBelieved as error:
            raise MadangError(
                "anchor.unknown",
                _("This is no anchor of this installation: {reason}").format(reason=error.message),
                _("If it was one before, somebody replaced the keys or the anchor."),
            ) from None
        found[int(said["length"])] = str(said["digest"])
    return found


def verify(node: Node, actor: Actor, anchors: Iterable[Path] = ()) -> Report:
    """Check all events, against these anchors too."""
    check(actor, "audit.read")
    texts = []
    for path in anchors:
        with sentences(f"read the anchor {path}"):
            texts.append(path.read_text("utf-8", "replace"))
    return node.audit.verify(read_anchors(node, texts))


def export(node: Node, actor: Actor, path: Path) -> int:
    """Write every event to a new file, one canonical JSON text per line; how many.

    Anybody can compute from it the digest that an anchor names, without any key.
    """
    check(actor, "audit.read")
    node.audit.read(actor, "audit.export")
    count = 0
    with sentences(f"write {path}"), path.open("x", encoding="utf-8") as file, node.read() as session:
        path.chmod(0o600)
        for text in node.audit.texts(session):
            file.write(text + "\n")
            count += 1
    return count


def refuse_findings(report: Report) -> None:
    """Raise the first finding as a sentence."""
    if report.findings:
        first = report.findings[0]
        where = _("event {number}").format(number=first.number) if first.number else _("the end")
        raise MadangError(
            "chain.changed",
            _("The events are not what was written ({count} findings; {where}: {problem})").format(
                count=len(report.findings), where=where, problem=first.problem
            ),
            _("`madang audit verify` lists them; compare with a backup."),
        )
