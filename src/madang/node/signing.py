"""The keys with which one installation signs, and how what it signed is read again.

Signing is JWS (RFC 7515) in its compact form with Ed25519 (RFC 8037, `alg` EdDSA). The private keys are secrets of the
home, `keys/signing-N.key`, 32 random bytes each as RFC 8032 wants them; the highest number signs. Rotation adds the
next number and keeps only the public half of the last, `keys/signing-N.jwk`, so that what it signed is still verified
and nothing new can be signed with it.
"""

import base64
import binascii
import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import put_if_absent, sentences
from madang.node.home import Home

ALGORITHM = "EdDSA"
KEY_ID_LENGTH = 12  # characters of the thumbprint, 72 bits: enough to find a key, and a QR code has little room
LONGEST = 1_000_000  # bytes of a signed text that anybody tries to read
_FILE = re.compile(r"signing-([1-9][0-9]{0,5})\.(key|jwk)")
_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")

Jwk = Mapping[str, str]


class Doubt(StrEnum):
    """Why a signed text is not believed."""

    ALTERED = "altered"  # it is not what the key signed, or no signed text at all
    UNKNOWN_KEY = "unknown key"  # none of the trusted keys has the identifier that it names


class NotBelieved(Exception):
    """A text is not signed by a trusted key; `doubt` says why, the message is one sentence for people."""

    def __init__(self, doubt: Doubt, message: str) -> None:
        super().__init__(message)
        self.doubt = doubt
        self.message = message


@dataclass(frozen=True)
class Signer:
    """The key that signs now. Its secret stays within this module."""

    number: int
    public: Jwk
    _seed: bytes

    def sign(self, payload: Mapping[str, Any], typ: str, cty: str = "") -> str:
        """`payload` as canonical JSON, signed: a compact JWS whose header has `alg`, `kid`, `typ` and, if given, `cty`.

        Raises `MadangError("canonical.value")` if the payload is no JSON.
        """
        from joserfc import jws
        from joserfc.jwk import OKPKey

        header = {"alg": ALGORITHM, "kid": self.public["kid"], "typ": typ} | ({"cty": cty} if cty else {})
        private = OKPKey.import_key({**_shape(self.public), "d": _base64url(self._seed)})
        return jws.serialize_compact(header, canonical_json(payload), private, registry=_registry())


def signer(home: Home) -> Signer:
    """The key that signs now; the first is made at first use."""
    number = max(_numbers(home).get("key", ()), default=1)
    seed = home.key(f"signing-{number}")
    return Signer(number, _public(seed), seed)


def public_keys(home: Home) -> list[Jwk]:
    """The public halves of all keys, newest first, as JWK (RFC 7517); empty if nothing was ever signed here."""
    found = _numbers(home)
    keys = []
    for number in sorted({*found.get("key", ()), *found.get("jwk", ())}, reverse=True):
        if number in found.get("key", ()):
            keys.append(_public(home.key(f"signing-{number}")))
        else:
            keys.extend(read_keys((home.path / "keys" / f"signing-{number}.jwk").read_bytes(), f"signing-{number}.jwk"))
    return keys


def issuer(home: Home) -> str:
    """The URI of this installation as an issuer: `madang:` and the identifier of its first key; rotation keeps it."""
    if not public_keys(home):
        signer(home)
    return f"madang:{public_keys(home)[-1]['kid']}"


def rotate(home: Home) -> Signer:
    """Sign with a new key from now on, and forget the private half of the one before; its public half stays."""
    home.key(f"signing-{signer(home).number + 1}")
    finish_rotation(home)
    return signer(home)


def finish_rotation(home: Home) -> None:
    """Forget the private halves of all keys but the newest, and keep their public ones; also what a kill left over."""
    newest, folder = signer(home).number, home.path / "keys"
    with sentences("rotate the signing key"):
        for number in _numbers(home).get("key", ()):
            if number < newest:
                public = _public(home.key(f"signing-{number}"))
                put_if_absent(folder / f"signing-{number}.jwk", canonical_json(public), 0o644)
                (folder / f"signing-{number}.key").unlink()


def key_id(jwk: Jwk) -> str:
    """The identifier of a public key: the beginning of its JWK thumbprint (RFC 7638, SHA-256, base64url)."""
    return thumbprint(jwk)[:KEY_ID_LENGTH]


def thumbprint(jwk: Jwk) -> str:
    """The JWK thumbprint of an Ed25519 key (RFC 7638, RFC 8037): base64url of the SHA-256 of its required members."""
    return _base64url(hashlib.sha256(canonical_json(_shape(jwk))).digest())


def read_keys(data: bytes, label: str) -> list[Jwk]:
    """The public keys in a file: one JWK, or a JWK Set; `label` names the file in messages.

    Errors: `key.unreadable`, `key.private` (a private key was handed out), `key.kind` (not Ed25519).
    """
    try:
        document = json.loads(data) if len(data) <= LONGEST else None
    except (ValueError, RecursionError):
        document = None
    entries = document.get("keys", [document]) if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise MadangError(
            "key.unreadable",
            _("{file} holds no public key.").format(file=label),
            _("A key is a JSON file (JWK or JWK Set), as `madang certificate key` writes it."),
        )
    if any("d" in entry for entry in entries):
        raise MadangError(
            "key.private",
            _("{file} holds a private key.").format(file=label),
            _("Delete it wherever it was sent, rotate the key, and hand out what `madang certificate key` writes."),
        )
    keys = [entry for entry in entries if _is_ed25519(entry)]
    if not keys:
        raise MadangError(
            "key.kind",
            _("{file} holds no Ed25519 key.").format(file=label),
            _("It needs kty OKP, crv Ed25519 and x; other kinds of keys are not used here."),
        )
    return [{**_shape(key), "alg": ALGORITHM, "kid": key_id(key), "use": "sig"} for key in keys]


def read_signed(text: str, keys: Iterable[Jwk], typ: str) -> dict[str, Any]:
    """The payload of a compact JWS of type `typ`, if one of `keys` signed it exactly so; else `NotBelieved`.

    Every part has to be spelled as base64url spells it (no padding, no loose bits), so that no other text passes.
    """
    from joserfc import jws
    from joserfc.errors import JoseError
    from joserfc.jwk import OKPKey

    parts = text.split(".") if len(text) <= LONGEST else []
    decoded = [_decoded(part) for part in parts]
    if len(parts) != 3 or None in decoded:
        raise NotBelieved(Doubt.ALTERED, _("It is not a signed text, or not a whole one."))
    header = _object(decoded[0] or b"")
    if header is None or header.get("alg") != ALGORITHM or header.get("typ") != typ:
        raise NotBelieved(Doubt.ALTERED, _("Its header is not that of a signed text of this kind."))
    trusted = {key_id(key): key for key in keys}
    key = trusted.get(header.get("kid", "")) if isinstance(header.get("kid"), str) else None
    if key is None:
        raise NotBelieved(Doubt.UNKNOWN_KEY, _("It names a key that is not among the trusted ones."))
    try:
        jws.deserialize_compact(text, OKPKey.import_key(_shape(key)), registry=_registry())
    except (JoseError, ValueError):
        raise NotBelieved(Doubt.ALTERED, _("Its signature does not fit: something in it was changed.")) from None
    payload = _object(decoded[1] or b"")
    if payload is None:
        raise NotBelieved(Doubt.ALTERED, _("What was signed is no JSON object."))
    return payload


def _numbers(home: Home) -> dict[str, list[int]]:
    """The numbers of the key files by ending."""
    found: dict[str, list[int]] = {}
    folder = home.path / "keys"
    with sentences("look for signing keys"):
        for match in map(_FILE.fullmatch, [path.name for path in folder.iterdir()] if folder.is_dir() else []):
            if match:
                found.setdefault(match[2], []).append(int(match[1]))
    return found


def _public(seed: bytes) -> Jwk:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    raw = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    shape = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    return {**shape, "alg": ALGORITHM, "kid": key_id(shape), "use": "sig"}


def _shape(jwk: Jwk) -> dict[str, Any]:
    """The members of an Ed25519 key that make it up."""
    return {"crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"]}


def _is_ed25519(entry: Mapping[str, Any]) -> bool:
    x = entry.get("x")
    raw = _decoded(x) if isinstance(x, str) else None
    return entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519" and raw is not None and len(raw) == 32


def _registry() -> Any:
    """What we ask of joserfc: EdDSA and no other algorithm."""
    from joserfc import jws

    # RFC 9864 wants the curve in the name of the algorithm. Here the key fixes the curve, and more programs know EdDSA.
    warnings.filterwarnings("ignore", "EdDSA is deprecated")
    return jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes | None:
    """The bytes of a base64url text; None if it is not exactly what encoding gives."""
    if not _SEGMENT.fullmatch(text):
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
    return data if _base64url(data) == text else None
