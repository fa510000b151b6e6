"""What a person can do with certificates, as acts: checked, audited, and told to whoever shows them.

What was said is in signed files, whether it holds in a row of the register. Issuing writes the files first and the row
with the event; after a kill in between, the row is added by what the files say. All else is the row alone, and the
signed status list follows it.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node import acts, signing
from madang.node.acts import Intent, doing, intending, open_intents
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.permissions import Act, check
from madang.services.certification import times
from madang.services.certification.acts import ISSUE, REINSTATE, REVOKE, ROTATE, SUSPEND
from madang.services.certification.adopting import taken_in
from madang.services.certification.entries import Entry, Issued, entry, in_force, row_of
from madang.services.certification.issuing import draft, outcomes_met
from madang.services.certification.models import Registered
from madang.services.certification.projecting import current_status_list, refresh
from madang.services.certification.scheme import Scheme
from madang.services.certification.store import Store, busy


def issue(node: Node, actor: Actor, version: Version, scheme: Scheme, quality: Mapping[str, Any]) -> Issued:
    """Certify a version by a scheme; `quality` is the document of its assessment.

    Where a certificate of this version by this scheme is in force, that one is returned and nothing is done.
    Errors: those of permissions and of `issuing.outcomes_met`, `certificate.suspended` (there is one that is
    suspended), `certificate.full`, `certificate.too_long`, `certificate.busy`.
    """
    found = in_force(node, version, scheme)
    if found is not None and found.state == "issued":
        return Issued(found, new=False)
    check(actor, ISSUE)
    outcomes = outcomes_met(scheme, version, quality)
    store = Store(node.home)
    if _is_begun(node):
        acts.settle(node)  # what another process began and did not end, so that nothing is certified twice
    with store.lock():
        if _is_begun(node):
            raise busy()
        refresh(node)
        found = in_force(node, version, scheme)
        if found is not None:
            return _there_already(found)
        taken = {*_registered(node), *store.numbers()}
        made = draft(node.home, version, scheme, quality, outcomes, taken)
        row = Registered.of(made.certificate, made.digest, version.dataset.name, version.number)
        with (
            _or_nothing(node, store, row.number),
            intending(node, actor, ISSUE, row.reference, row.told("issued")) as intent,
        ):
            store.put(made.certificate.place, made.files)
            with intent.done(row):
                pass
    return Issued(entry(node, made.certificate.number), new=True)


def revoke(node: Node, actor: Actor, number: str, reason: str = "") -> Entry:
    """Take a certificate back for good. Errors: `certificate.unknown`, `act.state`, those of permissions."""
    return _change(node, actor, REVOKE, number, reason)


def suspend(node: Node, actor: Actor, number: str, reason: str = "") -> Entry:
    """Let a certificate not hold until it is reinstated or revoked. Errors: as `revoke`."""
    return _change(node, actor, SUSPEND, number, reason)


def reinstate(node: Node, actor: Actor, number: str, reason: str = "") -> Entry:
    """Let a suspended certificate hold again. Errors: as `revoke`."""
    return _change(node, actor, REINSTATE, number, reason)


def rotate_key(node: Node, actor: Actor) -> signing.Signer:
    """Sign with a new key from now on, the status list too; old certificates are verified with the old public key."""
    check(actor, ROTATE)
    with Store(node.home).lock():
        about = {"before": _key_that_signs(node), "reason": "rotated"}
        with intending(node, actor, ROTATE, "key:signing", about) as intent:
            signer = signing.rotate(node.home)
            refresh(node)
            with intent.done(key=str(signer.public.get("kid", ""))):
                pass
    return signer


def settle(node: Node, intent: Intent) -> None:
    """Finish or withdraw what a killed process had begun: the files say how far it came."""
    with Store(node.home).lock():
        if intent.act == ROTATE.name:
            _settle_rotation(node, intent)
        elif intent.act == ISSUE.name:
            _settle_issue(node, intent)
        else:  # of an earlier release: its history is adopted, and says whether it was done
            acts.withdraw(node, Actor.node(), intent.id, "begun by an earlier release; the register says what is so")


def _change(node: Node, actor: Actor, act: Act, number: str, reason: str) -> Entry:
    known = entry(node, number)
    with doing(node, actor, act, lambda session: row_of(session, number)) as done:
        row = done.thing
        row.since, row.reason = times.now(), reason
        done.tell(**row.told(act.to[0]))
    current_status_list(node)
    return entry(node, known.certificate.number)


@contextlib.contextmanager
def _or_nothing(node: Node, store: Store, number: str) -> Iterator[None]:
    """Have files that were put go again where an error kept their row out of the register."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(MadangError):  # where nobody can tell, they stay, and the doctor says so
            if number not in _registered(node):
                store.drop(number)
        raise


def _there_already(found: Entry) -> Issued:
    if found.state == "suspended":
        raise MadangError(
            "certificate.suspended",
            _("Certificate {number} of this version is suspended.").format(number=found.certificate.number),
            _("Reinstate it, or revoke it first."),
        )
    return Issued(found, new=False)


def _registered(node: Node) -> set[str]:
    with node.read() as session:
        return set(session.scalars(select(Registered.number)))


def _is_begun(node: Node) -> bool:
    """Whether something is being issued; nobody does who lives while we hold the lock."""
    with node.read() as session:
        return bool(open_intents(session, ISSUE))


def _key_that_signs(node: Node) -> str:
    return str(signing.signer(node.home).public.get("kid", ""))


def _settle_rotation(node: Node, intent: Intent) -> None:
    before, now = intent.told.get("before", ""), _key_that_signs(node)
    if not before or now == before:
        acts.withdraw(node, Actor.node(), intent.id, "killed before it was done")
        return
    signing.finish_rotation(node.home)
    refresh(node)
    with acts.complete(node, intent, key=now):
        pass


def _settle_issue(node: Node, intent: Intent) -> None:
    """Add the row where the files are there; the intent of an earlier release names no number."""
    wanted = (intent.told["manifest"], intent.told["scheme"])
    with node.read() as session:
        mine = (Registered.manifest == wanted[0], Registered.scheme == wanted[1])
        known = session.scalars(select(Registered).where(*mine)).all()
    number = intent.told.get("number", "")
    for row in known:
        if number in ("", row.number):  # adopted meanwhile, or the kill came after the commit
            with acts.complete(node, intent, **row.told(row.state)):
                return
    for certificate, made in taken_in(node, {number} if number else None):
        if (certificate.manifest, certificate.scheme) == wanted:
            with acts.complete(node, intent, made, **made.told("issued")):
                return
    acts.withdraw(node, Actor.node(), intent.id, "killed before it was done")
