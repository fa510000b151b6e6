"""SMART backend services: assertions signed by a client's key, and short-lived access tokens for them."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME, SKEW, REMEMBERED = 300, 30, 10_000
ALGORITHMS = ["RS384", "ES384"]


@dataclass
class Tokens:
    """The clients that are known with their public keys, and the tokens that are out."""

    clients: dict[str, dict[str, Any]]  # client id -> public JWK
    clock: Any = time.time
    _out: dict[str, float] = field(default_factory=dict)
    _seen: dict[str, float] = field(default_factory=dict)

    def exchange(self, form: dict[str, str], audience: str) -> tuple[int, dict[str, Any]]:
        """Answer a request for a token: status and JSON."""
        if form.get("grant_type") != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        if form.get("client_assertion_type") != ASSERTION:
            return 400, {"error": "invalid_request"}
        if not self._known(form.get("client_assertion", ""), audience):
            return 401, {"error": "invalid_client"}
        if not form.get("scope", "").startswith("system/"):
            return 400, {"error": "invalid_scope"}
        token = secrets.token_urlsafe(32)
        self._forget()
        self._out[token] = self.clock() + LIFETIME
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": LIFETIME, "scope": form["scope"]}

    def _known(self, assertion: str, audience: str) -> bool:
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import import_key

        claims: dict[str, Any] = {}
        for client, key in self.clients.items():
            try:
                claims = jwt.decode(assertion, import_key(key), algorithms=ALGORITHMS).claims
            except (JoseError, ValueError, TypeError):
                continue
            if claims.get("iss") == claims.get("sub") == client:
                break
        else:
            return False
        now = self.clock()
        expires, number = claims.get("exp"), claims.get("jti")
        if claims.get("aud") != audience or not isinstance(expires, int | float) or not isinstance(number, str):
            return False
        if not now - SKEW < expires <= now + LIFETIME + SKEW or number in self._seen:
            return False
        self._seen[number] = expires
        return True

    def _forget(self) -> None:
        now = self.clock()
        for kept in (self._out, self._seen):
            for key in [key for key, until in kept.items() if until < now - SKEW] if len(kept) > REMEMBERED else []:
                del kept[key]

    def good(self, header: str) -> bool:
        """Whether an Authorization header holds a token that is out and not over."""
        scheme, _gap, token = header.partition(" ")
        return scheme.lower() == "bearer" and self._out.get(token, 0) > self.clock()


def new_client() -> tuple[dict[str, Any], dict[str, Any]]:
    """A key pair for a client, (private, public) as JWK."""
    from joserfc.jwk import ECKey

    key = ECKey.generate_key("P-384", {"alg": "ES384", "use": "sig"}, private=True)
    return dict(key.as_dict(private=True)), dict(key.as_dict(private=False))


def assertion(client: str, key: dict[str, Any], audience: str, **changed: Any) -> str:
    """A client's signed assertion for a token; `changed` replaces claims, for tests of what must be refused."""
    from joserfc import jwt
    from joserfc.jwk import import_key

    claims = {
        "iss": client,
        "sub": client,
        "aud": audience,
        "exp": int(time.time()) + 240,
        "jti": secrets.token_hex(16),
    }
    header = {"alg": str(key.get("alg") or ("ES384" if key.get("kty") == "EC" else "RS384")), "typ": "JWT"}
    if key.get("kid"):
        header["kid"] = str(key["kid"])
    return jwt.encode(header, {**claims, **changed}, import_key(key), algorithms=ALGORITHMS)
