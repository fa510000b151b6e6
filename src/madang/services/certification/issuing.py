"""What a certificate will say: a version held against a scheme, and the certificate signed. Nothing is kept here: the
acts, with permission and audit, are in `service`."""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.node import signing
from madang.node.home import Home
from madang.services.certification import status_list, times
from madang.services.certification.credential import CTY, LONGEST, TYP, Certificate, number
from madang.services.certification.evaluate import Outcome, Verdict, make_report, outcomes_of
from madang.services.certification.scheme import Automatic, Scheme
from madang.services.certification.sheet import sheet
from madang.services.certification.store import CERTIFICATE, REPORT, SHEET, Store


@dataclass(frozen=True)
class Draft:
    """A certificate that is signed, and its files by name."""

    certificate: Certificate
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 of its bytes, by which the register knows it."""
        return hashlib.sha256(self.files[CERTIFICATE]).hexdigest()


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


def hold_against(scheme: Scheme, version: Version, quality: Mapping[str, Any]) -> list[Outcome]:
    """What every criterion says about a version, from the document of its assessment; nothing is issued.

    Errors: `certificate.other_report` if the assessment is of another version or of a cohort only.
    """
    check_for_data(scheme)
    _check_report(version, quality)
    return outcomes_of(scheme, make_report(scheme, version, quality))


def outcomes_met(scheme: Scheme, version: Version, quality: Mapping[str, Any]) -> list[Outcome]:
    """What every criterion says, if each is met.

    Errors: those of `hold_against`, `certificate.not_met` (some criterion is not met).
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
    return outcomes


def draft(
    home: Home,
    version: Version,
    scheme: Scheme,
    quality: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    taken: Collection[str],
) -> Draft:
    """Sign a certificate with a number that is not `taken`; nothing is kept.

    Errors: `certificate.full`, `certificate.too_long`.
    """
    report = canonical_json(make_report(scheme, version, quality))
    certificate = _certificate(home, version, scheme, hashlib.sha256(report).hexdigest(), taken)
    text = signing.signer(home).sign(certificate.as_credential(), TYP, CTY)
    if len(text) > LONGEST:
        raise MadangError(
            "certificate.too_long",
            _("The certificate has {size} bytes, too many for a QR code.").format(size=len(text)),
        )
    page = sheet(certificate, text, scheme, outcomes, quality["about"])
    return Draft(certificate, {CERTIFICATE: text.encode(), REPORT: report, SHEET: page.encode()})


def _check_report(version: Version, quality: Mapping[str, Any]) -> None:
    named = (quality["dataset"], quality["version"], quality["manifest"], quality["cohort"])
    if named != (version.dataset.name, version.number, version.digest, None):
        raise MadangError(
            "certificate.other_report",
            _("The quality report is not one of {version} as a whole.").format(version=version.name),
            _("A certificate is about one version, and a cohort says nothing about the others."),
        )


def _certificate(home: Home, version: Version, scheme: Scheme, report: str, taken: Collection[str]) -> Certificate:
    """A certificate at a place that nobody has, drawn at random so that it says nothing about how many there are."""
    free = [place for place in range(status_list.PLACES) if number(place) not in taken]
    if not free:
        raise MadangError("certificate.full", _("The status list has no free place for another certificate."))
    now = times.now()
    return Certificate(
        secrets.choice(free),
        signing.issuer(home),
        Store(home).url,
        version.name,
        version.digest,
        scheme.reference,
        report,
        now,
        times.add_months(now, scheme.months),
    )
