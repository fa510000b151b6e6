"""The keys of an installation: closed, kept, rotated, and nothing but what they signed is believed."""

import json
from pathlib import Path

import pytest
from jwcrypto import jwk, jws

from madang.base.errors import MadangError
from madang.node import Home, signing


def test_keys_are_made_once_closed_and_rotated(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert signing.public_keys(home) == []
    first = signing.signer(home)
    issuer = signing.issuer(home)
    assert signing.signer(home) == first
    old = first.sign({"n": 1}, "test")
    second = signing.rotate(home)
    assert second.public != first.public
    assert signing.public_keys(home) == [second.public, first.public]
    assert signing.issuer(home) == issuer
    assert signing.read_signed(old, signing.public_keys(home), "test") == {"n": 1}
    keys = sorted(path.name for path in (tmp_path / "keys").iterdir())
    assert keys == ["signing-1.jwk", "signing-2.key"]  # nothing can be signed with the old one any more
    assert (tmp_path / "keys/signing-2.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_key_that_others_may_read_signs_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    signing.signer(home)
    (tmp_path / "keys/signing-1.key").chmod(0o644)
    with pytest.raises(MadangError) as caught:
        signing.signer(home)
    assert caught.value.code == "home.key_open"


def test_a_rotation_that_was_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    home = Home(tmp_path)
    signing.signer(home)
    home.key("signing-2")  # as if killed after the new key was made
    assert signing.signer(home).number == 2
    assert len(signing.public_keys(home)) == 2
    signing.rotate(home)
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == [
        "signing-1.jwk",
        "signing-2.jwk",
        "signing-3.key",
    ]


def test_another_implementation_agrees(tmp_path: Path) -> None:
    signer = signing.signer(Home(tmp_path))
    public = jwk.JWK(**signer.public)
    token = jws.JWS()
    token.deserialize(signer.sign({"text": "한글"}, "vc+jwt", "vc"), public, alg="EdDSA")
    assert json.loads(token.payload) == {"text": "한글"}
    assert token.jose_header == {"alg": "EdDSA", "kid": signer.public["kid"], "typ": "vc+jwt", "cty": "vc"}
    assert public.thumbprint() == signing.thumbprint(signer.public)
    foreign = jwk.JWK.generate(kty="OKP", crv="Ed25519")
    kid = signing.key_id(json.loads(foreign.export_public()))
    made = jws.JWS(b'{"a":1}')
    made.add_signature(foreign, protected=json.dumps({"alg": "EdDSA", "kid": kid, "typ": "vc+jwt"}))
    keys = signing.read_keys(foreign.export_public().encode(), "foreign.jwk")
    assert signing.read_signed(made.serialize(compact=True), keys, "vc+jwt") == {"a": 1}


def test_only_public_ed25519_keys_are_taken(tmp_path: Path) -> None:
    private = jwk.JWK.generate(kty="OKP", crv="Ed25519")
    rsa = jwk.JWK.generate(kty="RSA", size=2048)
    for data, code in (
        (private.export_private().encode(), "key.private"),
        (rsa.export_public().encode(), "key.kind"),
        (b'{"kty":"OKP","crv":"Ed25519","x":"AA"}', "key.kind"),
        (b'{"keys":[]}', "key.unreadable"),
        (b"[]", "key.unreadable"),
        (b"\x00", "key.unreadable"),
        (b"[" * 10_000, "key.unreadable"),
    ):
        with pytest.raises(MadangError) as caught:
            signing.read_keys(data, "file")
        assert caught.value.code == code


def test_a_token_that_names_its_own_algorithm_is_not_believed(tmp_path: Path) -> None:
    signer = signing.signer(Home(tmp_path))
    good = signer.sign({"a": 1}, "vc+jwt")
    header, payload, signature = good.split(".")
    none = signing._base64url(json.dumps({"alg": "none", "typ": "vc+jwt", "kid": signer.public["kid"]}).encode())
    symmetric = jws.JWS(b'{"a":1}')
    secret = jwk.JWK(kty="oct", k=signer.public["x"])  # the public key as if it were a shared secret
    symmetric.add_signature(
        secret, protected=json.dumps({"alg": "HS256", "typ": "vc+jwt", "kid": signer.public["kid"]})
    )
    for text in (
        f"{none}.{payload}.",
        f"{none}.{payload}.{signature}",
        symmetric.serialize(compact=True),
        f"{header}.{payload}",
        f"{good}.{signature}",
        good + "=",
        "",
        "ü.ü.ü",
        "." * 100,
        "A" * 2_000_000,
    ):
        with pytest.raises(signing.NotBelieved) as caught:
            signing.read_signed(text, [signer.public], "vc+jwt")
        assert caught.value.doubt is signing.Doubt.ALTERED
    with pytest.raises(signing.NotBelieved):
        signing.read_signed(good, [signer.public], "other")
