"""Issuing and changing certificates as signed files: no server has to run. Acts, with permission and audit, are in
`service`."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node import signing
from madang.node.home import Home
from madang.services.certification import status_list, times
from madang.services.certification.credential import CTY, LONGEST, TYP, Certificate
from madang.services.certification.evaluate import Outcome, Verdict, make_report, outcomes_of
from madang.services.certification.scheme import Automatic, Scheme
from madang.services.certification.sheet import sheet
from madang.services.certification.store import CERTIFICATE, REPORT, SHEET, Entry, Store


@dataclass(frozen=True)
class Issued:
    """A certificate of the register; `new` is false if there was one for this version and scheme already."""

    entry: Entry
    new: bool


def check_for_data(scheme: Scheme) -> None:
    """Refuse a scheme that people have to judge by, or that is not about dataset versions.

    Errors: `scheme.not_for_data`, `scheme.needs_people`.
    """
    if scheme.about != "dataset version":
        raise MadangError(
            "scheme.not_for_data",
            _("The scheme {name} is not about dataset versions.").format(name=scheme.name),
            _("Products and their use are assessed by people, not by this command."),
        )
    for criterion in scheme.criteria:
        if not isinstance(criterion, Automatic):
            raise MadangError(
                "scheme.needs_people",
                _("The criterion {name} has to be shown by people ({how}).").format(
                    name=criterion.id, how=criterion.shown
                ),
                _("This command issues by schemes that are automatic altogether."),
            )


def in_force(home: Home, version: Version, scheme: Scheme) -> Entry | None:
    """The certificate of this version by this scheme that is neither revoked nor expired, if there is one."""
    now = times.now()
    for entry in Store(home).entries():
        same = (entry.certificate.manifest, entry.certificate.scheme) == (version.digest, scheme.reference)
        if same and entry.state != "revoked" and now <= entry.certificate.valid_until:
            return entry
    return None


def hold_against(scheme: Scheme, version: Version, quality: Mapping[str, Any]) -> list[Outcome]:
    """What every criterion says about a version, from the document of its assessment; nothing is issued.

    Errors: `certificate.other_report` if the assessment is of another version or of a cohort only.
    """
    check_for_data(scheme)
    _check_report(version, quality)
    return outcomes_of(scheme, make_report(scheme, version, quality))


def issue(home: Home, version: Version, scheme: Scheme, quality: Mapping[str, Any]) -> Issued:
    """Certify a version by a scheme; `quality` is the document of its assessment.

    Where a certificate of this version by this scheme is in force, that one is returned and nothing is written.
    Errors: those of `hold_against`, and `certificate.not_met` (some criterion is not met),
    `certificate.suspended` (there is one that is suspended), `certificate.full`, `certificate.too_long`.
    """
    outcomes = hold_against(scheme, version, quality)
    missing = [outcome for outcome in outcomes if outcome.verdict is not Verdict.MET]
    if missing:
        raise MadangError(
            "certificate.not_met",
            _("{version} does not meet {count} of {all} criteria of {scheme}.").format(
                version=version.name, count=len(missing), all=len(outcomes), scheme=scheme.name
            ),
            missing[0].sentence,
        )
    store = Store(home)
    with store.lock():
        store.refresh()
        found = in_force(home, version, scheme)
        if found and found.state == "suspended":
            raise MadangError(
                "certificate.suspended",
                _("Certificate {number} of this version is suspended.").format(number=found.certificate.number),
                _("Reinstate it, or revoke it first."),
            )
        if found:
            return Issued(found, new=False)
        report = canonical_json(make_report(scheme, version, quality))
        certificate = _draft(store, version, scheme, hashlib.sha256(report).hexdigest())
        text = signing.signer(home).sign(certificate.as_credential(), TYP, CTY)
        if len(text) > LONGEST:
            raise MadangError(
                "certificate.too_long",
                _("The certificate has {size} bytes, too many for a QR code.").format(size=len(text)),
            )
        page = sheet(certificate, text, scheme, outcomes, quality["about"])
        store.put(certificate.place, {CERTIFICATE: text.encode(), REPORT: report, SHEET: page.encode()})
        return Issued(store.entry(certificate.number), new=True)


def revoke(home: Home, number: str, reason: str = "") -> Entry:
    """Take a certificate back for good. Errors: `certificate.unknown`, `certificate.state`."""
    return _change(home, number, "revoke", ("issued", "suspended"), reason)


def suspend(home: Home, number: str, reason: str = "") -> Entry:
    """Let a certificate not hold until it is reinstated or revoked. Errors: as `revoke`."""
    return _change(home, number, "suspend", ("issued",), reason)


def reinstate(home: Home, number: str, reason: str = "") -> Entry:
    """Let a suspended certificate hold again. Errors: as `revoke`."""
    return _change(home, number, "reinstate", ("suspended",), reason)


def register(home: Home) -> list[Entry]:
    """All certificates that were issued here, whatever became of them."""
    return Store(home).entries()


def current_status_list(home: Home) -> str:
    """The signed status list, made anew if it is old; to be handed out beside certificates and the public key."""
    store = Store(home)
    with store.lock():
        return store.refresh()


def rotate_key(home: Home) -> signing.Signer:
    """Sign with a new key from now on, the status list too; old certificates are verified with the old public key."""
    store = Store(home)
    with store.lock():
        signer = signing.rotate(home)
        store.refresh()
    return signer


def _change(home: Home, number: str, act: str, allowed: tuple[str, ...], reason: str) -> Entry:
    store = Store(home)
    store.entry(number)  # before anything is made
    with store.lock():
        entry = store.entry(number)
        if entry.state not in allowed:
            raise MadangError(
                "certificate.state",
                _("Certificate {number} is {state}, so this cannot be done to it.").format(
                    number=entry.certificate.number, state=_(entry.state)
                ),
                _("A revoked certificate stays revoked; only a suspended one is reinstated."),
            )
        store.record(entry.certificate.number, act, reason)
        return store.entry(number)


def _check_report(version: Version, quality: Mapping[str, Any]) -> None:
    named = (quality["dataset"], quality["version"], quality["manifest"], quality["cohort"])
    if named != (version.dataset.name, version.number, version.digest, None):
        raise MadangError(
            "certificate.other_report",
            _("The quality report is not one of {version} as a whole.").format(version=version.name),
            _("A certificate is about one version, and a cohort says nothing about the others."),
        )


def _draft(store: Store, version: Version, scheme: Scheme, report: str) -> Certificate:
    """A certificate at a place that nobody has, drawn at random so that it says nothing about how many there are."""
    taken = {entry.certificate.place for entry in store.entries()}
    free = [place for place in range(status_list.PLACES) if place not in taken]
    if not free:
        raise MadangError("certificate.full", _("The status list has no free place for another certificate."))
    now = times.now()
    return Certificate(
        secrets.choice(free),
        signing.issuer(store.home),
        store.url,
        version.name,
        version.digest,
        scheme.reference,
        report,
        now,
        times.add_months(now, scheme.months),
    )
