"""Signing in through the institution's own provider (OpenID Connect, authorization code flow with PKCE).

Identities are only linked: whoever the provider vouches for must have an account here that says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Identity, OpenIdRequest, Person
from madang.node.people.proof import Proof, own, prove
from madang.node.people.sessions import begin_session, hash_of
from madang.node.permissions import check
from madang.node.sealing import seal, unseal

_PATIENCE = timedelta(minutes=10)  # how long a person may take at the provider
_TIMEOUT = 10
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
_CLOCK = 60  # seconds by which the provider's clock may differ


@dataclass(frozen=True)
class Vouched:
    """Who the provider says that somebody is; `person_id` whose account asked for it, to be linked."""

    issuer: str
    subject: str
    name: str = ""
    email: str = ""
    person_id: int | None = None


def is_offered(node: Node) -> bool:
    """Whether the settings name a provider."""
    return bool(node.settings.openid.issuer and node.settings.openid.client_id)


def check_provider(node: Node) -> None:
    """Raise what hinders the provider from being used."""
    _provider(node)


def begin_link(node: Node, actor: Actor, proof: Proof, back: str) -> tuple[str, str]:
    """The same as `begin`, to link the identity to one's own account."""
    prove(node, actor, proof)
    return begin(node, back, actor.person_id)


def begin(node: Node, back: str, person_id: int | None = None) -> tuple[str, str]:
    """Where to send the browser, and the state that its cookie keeps; `back` is the address to which it returns."""
    from authlib.common.security import generate_token

    provider = _provider(node)
    state, nonce, verifier = generate_token(43), generate_token(43), generate_token(64)
    with _client(node, back) as client, _Answers(node):
        url, _state = client.create_authorization_url(
            provider["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
        )
    with node.write() as session:
        session.execute(delete(OpenIdRequest).where(OpenIdRequest.created < now() - _PATIENCE))
        session.add(
            OpenIdRequest(
                state=hash_of(state),
                nonce=hash_of(nonce),
                verifier=seal(node.home, verifier.encode(), "openid"),
                person_id=person_id,
            )
        )
    return url, state


def finish(node: Node, actor: Actor, back: str, kept: str, answer: Mapping[str, str]) -> Vouched:
    """Who came back from the provider: `kept` is the state of the browser's cookie, `answer` the query it brought.

    An answer counts once, and only in the browser that asked for it: that of a sign-in keeps its state, that of a link
    is signed in as whoever wants it. Anything that does not fit is `openid.refused`.
    """
    import httpx

    brought = answer.get("state", "")
    with node.write() as session:
        request = session.get(OpenIdRequest, hash_of(brought))
        if request is not None:
            ours = brought == kept if request.person_id is None else request.person_id == actor.person_id
            if ours:
                session.delete(request)
    if request is None or not ours or request.created < now() - _PATIENCE:
        raise _refused(_("this sign-in was not begun here, or too long ago"))
    if "code" not in answer:
        raise _refused(answer.get("error", _("the provider sent no code")))
    provider = _provider(node)
    if "iss" in answer and answer["iss"] != provider["issuer"]:
        raise _refused(_("the answer is from another provider"))
    verifier = unseal(node.home, request.verifier, "openid").decode()
    with _client(node, back) as client, _Answers(node):
        token = client.fetch_token(
            provider["token_endpoint"], code=answer["code"], code_verifier=verifier, grant_type="authorization_code"
        )
        keys = httpx.get(provider["jwks_uri"], timeout=_TIMEOUT).raise_for_status().json()
    vouched = _vouched(node, provider, str(token.get("id_token", "")), keys, request.nonce)
    return replace(vouched, person_id=request.person_id)


def sign_in_with_identity(node: Node, vouched: Vouched, *, address: str = "", browser: str = "") -> str:
    """Begin a session for the account that is linked to this identity; what the cookie holds."""
    if vouched.person_id is not None:
        raise _refused(_("it was begun to link an account"))
    with node.write() as session:
        found = session.scalar(select(Identity).filter_by(issuer=vouched.issuer, subject=vouched.subject))
        person = session.get(Person, found.person_id) if found is not None else None
        if person is None:
            raise MadangError(
                "openid.not_linked",
                _("No account here is linked to this identity."),
                _("Sign in with a password and link it, or ask an administrator."),
            )
        return begin_session(session, node, person, address=address, browser=browser, method="openid")


def link_identity(node: Node, actor: Actor, vouched: Vouched) -> None:
    """Link an identity, which was just proved for this account, to it."""
    if vouched.person_id is None or vouched.person_id != actor.person_id:
        raise _refused(_("it was not begun by this account"))
    with node.write() as session:
        person = own(session.get(Person, actor.person_id))
        check(actor, "account.edit", person)
        found = session.scalar(select(Identity).filter_by(issuer=vouched.issuer, subject=vouched.subject))
        if found is not None and found.person_id != person.id:
            raise MadangError("openid.taken", _("This identity is linked to another account."))
        if found is None:
            session.add(Identity(person_id=person.id, issuer=vouched.issuer, subject=vouched.subject))
            details = {"issuer": vouched.issuer, "subject": vouched.subject}
            node.audit.record(session, actor, "account.link", f"person:{person.id}", details)


def identities(node: Node, actor: Actor) -> Sequence[Identity]:
    """The identities that are linked to one's own account."""
    with node.read() as session:
        query = select(Identity).where(Identity.person_id == actor.person_id)
        return session.scalars(query.order_by(Identity.id)).all()


def unlink_identity(node: Node, actor: Actor, identity_id: int) -> None:
    """Take a link of one's own away."""
    with node.write() as session:
        found = session.get(Identity, identity_id)
        if found is None:
            return
        check(actor, "account.edit", session.get(Person, found.person_id))
        session.delete(found)
        node.audit.record(session, actor, "account.unlink", f"person:{found.person_id}", {"issuer": found.issuer})


def _vouched(node: Node, provider: Mapping[str, Any], id_token: str, keys: Any, nonce: str) -> Vouched:
    """What a signed ID token says, once everything about it was checked (OpenID Connect Core, 3.1.3.7)."""
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    client_id = node.settings.openid.client_id
    try:
        token = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)
        jwt.JWTClaimsRegistry(
            leeway=_CLOCK,
            iss={"essential": True, "value": provider["issuer"]},
            aud={"essential": True, "value": client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True},
        ).validate(token.claims)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise _refused(_("the ID token is not valid ({reason})").format(reason=error)) from None
    claims = token.claims
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client_id:
        raise _refused(_("the ID token is for somebody else"))
    if hash_of(str(claims["nonce"])) != nonce:
        raise _refused(_("the ID token belongs to another sign-in"))
    return Vouched(str(claims["iss"]), str(claims["sub"]), str(claims.get("name", "")), str(claims.get("email", "")))


def _provider(node: Node) -> Mapping[str, Any]:
    """The provider's description of itself (OpenID Connect Discovery)."""
    import httpx

    if not is_offered(node):
        raise MadangError(
            "openid.off",
            _("There is no sign-in through a provider here."),
            _("Set openid.issuer and openid.client_id."),
        )
    issuer = node.settings.openid.issuer
    with _Answers(node):
        answer = httpx.get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", timeout=_TIMEOUT)
        document = answer.raise_for_status().json()
        if document["issuer"] != issuer:
            raise ValueError(f"it calls itself {document['issuer']}")
        for needed in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not str(document[needed]).startswith(("https://", "http://")):
                raise ValueError(needed)
    return dict(document)


def _client(node: Node, back: str) -> Any:
    import warnings

    from authlib.deprecate import AuthlibDeprecationWarning

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", AuthlibDeprecationWarning
        )  # Authlib announces that it prefers the successor of httpx
        from authlib.integrations.httpx_client import OAuth2Client

    return OAuth2Client(
        node.settings.openid.client_id,
        node.settings.openid.client_secret.get_secret_value(),
        scope="openid profile email",
        redirect_uri=back,
        code_challenge_method="S256",
        timeout=_TIMEOUT,
    )


class _Answers:
    """Turns whatever a provider does wrong into one sentence."""

    def __init__(self, node: Node) -> None:
        self._issuer = node.settings.openid.issuer

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        import httpx
        from authlib.common.errors import AuthlibBaseError

        if isinstance(error, httpx.HTTPError | AuthlibBaseError | ValueError | KeyError | TypeError):
            raise MadangError(
                "openid.provider",
                _("The provider {issuer} does not answer as it should: {reason}.").format(
                    issuer=self._issuer, reason=str(error).rstrip(".") or type(error).__name__
                ),
                _("Try again later; if it goes on, tell an administrator."),
            ) from error


def _refused(reason: str) -> MadangError:
    return MadangError(
        "openid.refused",
        _("Signing in through the provider did not work: {reason}.").format(reason=reason),
        _("Begin again."),
    )
