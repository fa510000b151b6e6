"""The certificate as a W3C Verifiable Credential (data model 2.0), secured with JOSE: what its few bytes say.

Every term is one of the base context, so no vocabulary of ours has to be looked up anywhere. There are two subjects,
each named by its hash as RFC 6920 writes it (`ni:///sha-256;...`): the dataset version, by the SHA-256 of its manifest,
and the report, by the SHA-256 of its canonical JSON. The name of the first is `NAME@VERSION` of the dataset, that of
the second `NAME@VERSION` of the scheme. The certificate's own number is its place in the status list.
"""

import base64
import binascii
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from madang.services.certification import status_list
from madang.services.certification.times import iso, parse

CONTEXT = "https://www.w3.org/ns/credentials/v2"
TYP = "vc+jwt"
CTY = "vc"
LONGEST = 1_200  # bytes, so that a QR code holds it
LONGEST_NAME = 30  # characters of a dataset's name; the rest is left out, the hash says which dataset it is
_NI = re.compile(r"ni:///sha-256;([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class Certificate:
    """What a certificate says. Hashes are hex SHA-256; times are UTC."""

    place: int
    issuer: str
    status_list: str
    dataset: str
    manifest: str
    scheme: str
    report: str
    valid_from: datetime.datetime
    valid_until: datetime.datetime

    @property
    def number(self) -> str:
        """The number that people call it by."""
        return number(self.place)

    @property
    def status(self) -> list[dict[str, str]]:
        """Its entries in the status list: revocation, suspension."""
        return status_list.entries(self.place, self.status_list)

    def as_credential(self) -> dict[str, Any]:
        """The unsigned credential."""
        return {
            "@context": [CONTEXT],
            "type": ["VerifiableCredential"],
            "iss": self.issuer,
            "issuer": self.issuer,
            "validFrom": iso(self.valid_from),
            "validUntil": iso(self.valid_until),
            "credentialStatus": self.status,
            "credentialSubject": [
                {"id": _ni(self.manifest), "name": cut(self.dataset)},
                {"id": _ni(self.report), "name": self.scheme},
            ],
        }


def number(place: int) -> str:
    """The number of the certificate at a place of the status list, as people write it."""
    return f"{place:05}"


def read_credential(payload: Mapping[str, Any]) -> Certificate:
    """The certificate that a signed payload says; ValueError, with the reason, if it is none."""
    try:
        data, report = payload["credentialSubject"]
        revocation, suspension = payload["credentialStatus"]
        place, odd = divmod(int(revocation["statusListIndex"]), 2)
        if odd or payload["@context"][0] != CONTEXT or "VerifiableCredential" not in payload["type"]:
            raise ValueError("not a certificate")
        certificate = Certificate(
            place,
            _text(payload["issuer"]),
            _text(revocation["statusListCredential"]),
            _text(data["name"]),
            _sha256(data["id"]),
            _text(report["name"]),
            _sha256(report["id"]),
            parse(payload["validFrom"]),
            parse(payload["validUntil"]),
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError("not a certificate") from error
    if certificate.status != [revocation, suspension] or payload.get("iss") != certificate.issuer:
        raise ValueError("its parts contradict each other")
    return certificate


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a certificate")
    return value


def cut(dataset: str) -> str:
    """`NAME@VERSION`, with the end of a very long name left out."""
    name, _at, version = dataset.partition("@")
    return dataset if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…@{version}"


def _ni(sha256: str) -> str:
    return "ni:///sha-256;" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode()


def _sha256(uri: Any) -> str:
    found = _NI.fullmatch(_text(uri))
    if not found:
        raise ValueError("not a SHA-256")
    try:
        raw = base64.urlsafe_b64decode(found[1] + "=")
    except (ValueError, binascii.Error) as error:
        raise ValueError("not a SHA-256") from error
    if _ni(raw.hex()) != uri:
        raise ValueError("not a SHA-256")
    return raw.hex()
