"""What a person can do with certificates, as acts: checked, audited, and told to whoever shows them.

What was said is in signed files (`issuing`), which need no server; each act here does the work on files and writes its
event. After a kill the files say how far it came.
"""

from collections.abc import Mapping
from typing import Any

from madang.lake import Version
from madang.node import acts, signing
from madang.node.acts import Intent, intending
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import Act
from madang.services.certification import issuing
from madang.services.certification.acts import ISSUE, REINSTATE, REVOKE, ROTATE, SUSPEND
from madang.services.certification.issuing import Issued, in_force
from madang.services.certification.scheme import Scheme
from madang.services.certification.store import Entry, Store

_LEADS_TO = {REVOKE.name: "revoked", SUSPEND.name: "suspended", REINSTATE.name: "issued"}


def issue(node: Node, actor: Actor, version: Version, scheme: Scheme, quality: Mapping[str, Any]) -> Issued:
    """Certify a version by a scheme; `quality` is the document of its assessment.

    Where a certificate of this version by this scheme is in force, that one is returned and nothing is done.
    Errors: those of `issuing.issue` and of permissions.
    """
    about = {"dataset": version.name, "manifest": version.digest, "scheme": scheme.reference}
    acts_on = f"dataset:{version.dataset.name}"
    found = in_force(node.home, version, scheme)
    if found is not None and found.state == "issued":
        return Issued(found, new=False)
    with intending(node, actor, ISSUE, acts_on, about) as intent:
        done = issuing.issue(node.home, version, scheme, quality)
        with intent.done(**_told(done.entry)):
            pass
    return done


def revoke(node: Node, actor: Actor, number: str, reason: str = "") -> Entry:
    """Take a certificate back for good. Errors: `certificate.unknown`, `certificate.state`."""
    return _change(node, actor, REVOKE, number, reason)


def suspend(node: Node, actor: Actor, number: str, reason: str = "") -> Entry:
    """Let a certificate not hold until it is reinstated or revoked. Errors: as `revoke`."""
    return _change(node, actor, SUSPEND, number, reason)


def reinstate(node: Node, actor: Actor, number: str, reason: str = "") -> Entry:
    """Let a suspended certificate hold again. Errors: as `revoke`."""
    return _change(node, actor, REINSTATE, number, reason)


def rotate_key(node: Node, actor: Actor) -> signing.Signer:
    """Sign with a new key from now on; old certificates are verified with the old public key."""
    with intending(node, actor, ROTATE, "key:signing", {"reason": "rotated"}) as intent:
        signer = issuing.rotate_key(node.home)
        with intent.done(key=str(signer.public.get("kid", ""))):
            pass
    return signer


def _change(node: Node, actor: Actor, act: Act, number: str, reason: str) -> Entry:
    entry = Store(node.home).entry(number)
    about = {"manifest": entry.certificate.manifest, "dataset": entry.certificate.dataset, "reason": reason}
    with intending(node, actor, act, f"certificate:{entry.certificate.number}", about) as intent:
        changed = {REVOKE: issuing.revoke, SUSPEND: issuing.suspend, REINSTATE: issuing.reinstate}[act](
            node.home, number, reason
        )
        with intent.done(**_told(changed)):
            pass
    return changed


def _told(entry: Entry) -> dict[str, Any]:
    found = entry.certificate
    return {
        "number": found.number,
        "manifest": found.manifest,
        "state": entry.state,
        "until": found.valid_until.isoformat(),
    }


def settle(node: Node, intent: Intent) -> None:
    """Finish or withdraw what a killed process had begun: the signed files say how far it came."""
    told = intent.told
    entries = {entry.certificate.number: entry for entry in issuing.register(node.home)}
    done: Entry | None = None
    if intent.act == ISSUE.name:
        done = next(
            (
                entry
                for entry in entries.values()
                if (entry.certificate.manifest, entry.certificate.scheme) == (told["manifest"], told["scheme"])
            ),
            None,
        )
    elif intent.act in _LEADS_TO:
        entry = entries.get(intent.thing.partition(":")[2])
        done = entry if entry is not None and entry.state == _LEADS_TO[intent.act] else None
    if done is None:
        acts.withdraw(node, Actor.node(), intent.id, "killed before it was done")
        return
    with acts.complete(node, intent, **_told(done)):
        pass


def certificate_of(node: Node, manifest: str) -> Entry | None:
    """A certificate of a version that holds now, whichever scheme it is by."""
    from madang.services.certification import times

    now = times.now()
    for entry in issuing.register(node.home):
        found = entry.certificate
        if found.manifest == manifest and entry.state == "issued" and now <= found.valid_until:
            return entry
    return None
