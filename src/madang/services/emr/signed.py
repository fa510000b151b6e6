"""Signed conformance reports: a report bound by its hash, signed by the node that made it, and read again."""

import datetime
from pathlib import Path
from typing import Any

import orjson

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home

TYPE = "madang-conformance+jwt"
KINDS = ("self-declaration", "assessment")


def now() -> str:
    """The time in UTC, in seconds."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sign_report(home: Home, report: dict[str, Any]) -> str:
    """A compact signature over the hash of a report and of its evidence, each test's requests and outcome."""
    from madang.node.signing import issuer, signer

    made = signer(home)
    return made.sign(claims_of(report) | {"iss": issuer(home)}, TYPE)


def claims_of(report: dict[str, Any]) -> dict[str, Any]:
    """What a signature of a report says."""
    return {
        "iat": report["date"],
        "kind": report["kind"],
        "guide": report["guide"],
        "target": report["target"],
        "summary": report["summary"],
        "report_sha256": sha256_of(bare(report)),
        "evidence_sha256": sha256_of([each["requests"] for each in report["tests"]]),
    }


def bare(report: dict[str, Any]) -> dict[str, Any]:
    """A report without its signature."""
    return {key: value for key, value in report.items() if key not in ("signature", "keys")}


def sealed(home: Home, report: dict[str, Any]) -> dict[str, Any]:
    """The report with its signature, and the public keys that it can be checked with."""
    from madang.node.signing import public_keys

    signature = sign_report(home, report)
    return report | {"signature": signature, "keys": [dict(each) for each in public_keys(home)]}


def verify_report(report: dict[str, Any], keys: list[Any]) -> tuple[bool, str]:
    """Whether a report is what one of these keys signed, and a sentence that says so."""
    from madang.node.signing import NotBelieved, read_signed

    signature = report.get("signature")
    if not isinstance(signature, str):
        return False, _("The report is not signed.")
    try:
        claims = read_signed(signature, keys, TYPE)
    except NotBelieved as doubt:
        return False, doubt.message
    try:
        wanted = claims_of(report)
    except (KeyError, TypeError, MadangError):
        return False, _("The report was changed after it was signed.")
    if any(claims.get(name) != value for name, value in wanted.items()):
        return False, _("The report was changed after it was signed.")
    return True, _("The report is what {issuer} signed on {date}.").format(
        issuer=claims.get("iss", "?"), date=claims.get("iat", "?")
    )


def read_report(path: Path) -> dict[str, Any]:
    """A report from its file."""
    try:
        read = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise MadangError(
            "fhir.report", _("The report {path} cannot be read: {error}.").format(path=path, error=error)
        ) from None
    if not isinstance(read, dict) or not str(read.get("format", "")).startswith("madang.fhir.kit/"):
        raise MadangError("fhir.report", _("{path} is no conformance report.").format(path=path))
    return read
