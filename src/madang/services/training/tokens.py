"""What platforms and we sign for each other in LTI 1.3: JSON Web Tokens with RSA, as its security framework asks.

Our key is `keys/lti-key.pem`, made at first use: platforms know no other kind than RS256, so that it is not the key of
`madang.node.signing`. Theirs are fetched from where the administrator said, and kept for some minutes.
"""

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import put_if_absent, sentences
from madang.node.home import Home
from madang.node.outgoing import Answer, Bounds, Outgoing
from madang.services.training.models import Platform

ALGORITHM = "RS256"
_KEPT = 300.0  # seconds for which a platform's keys are believed without a look
_SOONEST = 10.0  # seconds between two looks for a key that is not there
_LEEWAY = 60  # seconds by which the platform's clock may differ
_lock = threading.Lock()
_keys: dict[str, tuple[float, list[dict[str, Any]]]] = {}


def refused(reason: str) -> MadangError:
    """Why a launch is not believed."""
    return MadangError(
        "lti.refused",
        _("What the learning platform sent is not believed: {reason}.").format(reason=reason),
        _("Begin again from the course there."),
    )


def our_key(home: Home) -> Any:
    """Our RSA key, with its private half."""
    from joserfc.jwk import RSAKey

    path = home.folder("keys") / "lti-key.pem"
    with sentences("read or make the key for learning platforms"):
        if not path.exists():
            made = RSAKey.generate_key(2048, private=True).as_pem(private=True)
            put_if_absent(path, made, 0o600)
        if path.stat().st_mode & 0o077:
            raise MadangError("home.key_open", f"Others on this machine may read the key {path}.", f"chmod 600 {path}")
        data = path.read_bytes()
    key_id = hashlib.sha256(json.dumps(RSAKey.import_key(data).as_dict(private=False)).encode()).hexdigest()[:12]
    return RSAKey.import_key(data, {"kid": key_id, "use": "sig", "alg": ALGORITHM})


def our_public_keys(home: Home) -> dict[str, Any]:
    """The public half, as a JWK Set that platforms fetch."""
    return {"keys": [our_key(home).as_dict(private=False)]}


def sign(home: Home, claims: Mapping[str, Any]) -> str:
    """Claims as a token of ours."""
    from joserfc import jwt

    key = our_key(home)
    return jwt.encode({"alg": ALGORITHM, "typ": "JWT", "kid": key.kid}, dict(claims), key, algorithms=[ALGORITHM])


def hosts_of(platform: Platform) -> frozenset[str]:
    """The hosts that an administrator named for a platform: there are no others that are asked."""
    return frozenset(place_of(url) for url in (platform.sign_in, platform.tokens, platform.keys))


def place_of(url: str) -> str:
    """The host and port of an address; empty where it is none."""
    try:
        parts = urlsplit(url)
        return f"{(parts.hostname or '').lower()}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    except ValueError:
        return ""


def ask(
    platform: Platform, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Answer:
    """A request to a platform. Errors: those of `madang.node.outgoing`, `lti.platform_error`."""
    way = Outgoing(hosts_of(platform), only_listed=True, bounds=Bounds(seconds=15, bytes=1_000_000, redirects=0))
    answer = way.request(method, url, headers=headers, body=body)
    if not 200 <= answer.status < 300:
        raise MadangError(
            "lti.platform_error",
            _("The learning platform {title} answered {status}.").format(title=platform.title, status=answer.status),
            _("Look at how we are registered there."),
        )
    return answer


def claims_of(platform: Platform, token: str) -> dict[str, Any]:
    """What a token of a platform says, once its signature, issuer, audience and times were checked.

    Errors: `lti.refused`, and what hinders its keys from being fetched.
    """
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    if len(token) > 100_000:
        raise refused(_("it is too large"))
    try:
        header = json.loads(decoded(token.partition(".")[0]))
        key_id = header["kid"]
        if header["alg"] != ALGORITHM or not isinstance(key_id, str):
            raise ValueError("alg")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise refused(_("it is no token that {algorithm} signed").format(algorithm=ALGORITHM)) from None
    try:
        read = jwt.decode(token, KeySet.import_key_set({"keys": _keys_of(platform, key_id)}), algorithms=[ALGORITHM])
        jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": platform.issuer},
            aud={"essential": True, "value": platform.client},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True},
        ).validate(read.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise refused(str(error).rstrip(".") or type(error).__name__) from None
    audience = read.claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and read.claims.get("azp") != platform.client:
        raise refused(_("it is for somebody else"))
    if read.claims.get("azp", platform.client) != platform.client:
        raise refused(_("it is for somebody else"))
    return dict(read.claims)


def _keys_of(platform: Platform, key_id: str) -> list[dict[str, Any]]:
    """Its RSA keys of that name; fetched again where none is known, but not all the time."""
    with _lock:
        at, known = _keys.get(platform.keys, (0.0, []))
    age = time.monotonic() - at
    there = any(each.get("kid") == key_id for each in known)
    if at == 0.0 or age > _KEPT or (not there and age > _SOONEST):
        answer = ask(platform, "GET", platform.keys, headers={"Accept": "application/json"})
        try:
            known = [each for each in json.loads(answer.body)["keys"] if each.get("kty") == "RSA"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise refused(_("its keys cannot be read")) from None
        with _lock:
            _keys[platform.keys] = (time.monotonic(), known)
    found = [each for each in known if each.get("kid") == key_id]
    if not found:
        raise refused(_("it names a key that the platform does not have"))
    return found


def decoded(part: str) -> bytes:
    """The bytes of base64url. Errors: ValueError."""
    import base64

    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
