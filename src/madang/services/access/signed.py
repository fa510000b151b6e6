"""Permits as signed documents, and as GA4GH Passport visas.

The document is a JWS of the installation (EdDSA). A visa (GA4GH AAI profile and Passport v1) must be signed with RS256
or ES256: for those there is a P-256 key of its own, made from a secret of the home.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import signing
from madang.node.node import Node

PERMIT_TYPE = "madang-permit+jwt"
VISA_TYPE = "vnd.ga4gh.visa+jwt"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the points of P-256


def sign_permit(node: Node, payload: Mapping[str, Any]) -> str:
    """The permit's terms, signed."""
    return signing.signer(node.home).sign(payload, PERMIT_TYPE)


def read_permit(node: Node, text: str) -> dict[str, Any]:
    """The terms of a permit that this installation signed. Errors: `access.altered`."""
    try:
        return signing.read_signed(text.strip(), signing.public_keys(node.home), PERMIT_TYPE)
    except signing.NotBelieved as doubt:
        raise MadangError(
            "access.altered",
            _("This permit is not what was signed: {why}").format(why=doubt.message),
            _("Nothing is opened by it. Look at who changed it: madang audit list."),
        ) from None


def _visa_key(node: Node) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec

    secret = int.from_bytes(node.home.key("visa-1"), "big") % (_ORDER - 1) + 1
    return ec.derive_private_key(secret, ec.SECP256R1())


def _jwk(node: Node) -> Any:
    from cryptography.hazmat.primitives import serialization
    from joserfc.jwk import ECKey

    pem = _visa_key(node).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ECKey.import_key(pem)


def visa_keys(node: Node) -> dict[str, Any]:
    """The public key of visas, as a JWK Set."""
    key = _jwk(node)
    return {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"}]}


def address_of(node: Node) -> str:
    """Under which address people reach this installation."""
    web = node.settings.web
    return (web.address or f"http://{web.host}:{web.port}").rstrip("/")


def visa(
    node: Node,
    *,
    subject: str,
    permit: str,
    dataset: str,
    source: str,
    asserted: datetime,
    begins: datetime,
    ends: datetime,
) -> str:
    """A ControlledAccessGrants visa for one person: who may use which dataset, by whose decision, until when."""
    from joserfc import jwt

    address = address_of(node)
    key = _jwk(node)
    header = {"alg": "ES256", "typ": VISA_TYPE, "kid": key.thumbprint(), "jku": f"{address}/access/visa-keys.json"}
    claims = {
        "iss": address,
        "sub": subject,
        "iat": int(begins.timestamp()),
        "exp": int(ends.timestamp()),
        "jti": f"{permit}:{subject}",
        "ga4gh_visa_v1": {
            "type": "ControlledAccessGrants",
            "asserted": int(asserted.timestamp()),
            "value": f"{address}/permits/{permit}#{dataset}",
            "source": source if "://" in source else f"{address}/records?holder={source}",
            "by": "dac",
        },
    }
    return jwt.encode(header, claims, key, algorithms=["ES256"])


def read_visas(node: Node, tokens: Sequence[str]) -> list[tuple[str, str]]:
    """Of which permits, and for whom (account), visas of this installation are among these; others count for nothing.

    A token is a visa, or a passport that holds some; a passport is a wrapping that anybody can make, so nothing but the
    visas in it is believed. Whether a permit is in force is not in them alone: ask for it.
    """
    import json
    from base64 import urlsafe_b64decode

    from joserfc import jwt
    from joserfc.errors import JoseError

    found, waiting = [], [each for each in tokens if len(each) < _LONGEST][:_MOST]
    for token in waiting:
        try:
            claims = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
            waiting += [each for each in claims.get("ga4gh_passport_v1", []) if isinstance(each, str)][:_MOST]
        except (ValueError, IndexError, AttributeError, TypeError):
            continue
        if len(waiting) > _MOST:
            break
        try:
            read = jwt.decode(token, _jwk(node), algorithms=["ES256"])
            rules = jwt.JWTClaimsRegistry(iss={"essential": True, "value": address_of(node)}, exp={"essential": True})
            rules.validate(read.claims)
        except (JoseError, ValueError):
            continue
        visa_ = read.claims.get("ga4gh_visa_v1") or {}
        value = str(visa_.get("value", "")).removeprefix(f"{address_of(node)}/permits/")
        if read.header.get("typ") == VISA_TYPE and visa_.get("type") == "ControlledAccessGrants":
            found.append((value.partition("#")[0], str(read.claims["sub"])))
    return found


_LONGEST, _MOST = 16_000, 100  # characters of a token, and tokens
