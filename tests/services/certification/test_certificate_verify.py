"""Verification: the standards' shape, another implementation's opinion, every bit, every answer, who wins."""

import base64
import datetime
import gzip
import json
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from certificates import Issuance, assess, certify
from jwcrypto import jwk, jws

from madang.base.canonical import sha256_of
from madang.node import signing
from madang.services.certification import (
    Answer,
    Verification,
    current_status_list,
    data_in,
    load_scheme,
    reinstate,
    revoke,
    rotate_key,
    suspend,
    verify,
)
from madang.services.certification import status_list as lists
from madang.services.certification.evaluate import outcomes_of
from madang.services.certification.verification import Data
from portal_house import OWNER

DAY = datetime.timedelta(days=1)
SEED = datetime.date.today().isoformat()  # other bits every day


@pytest.fixture
def issued(tmp_path: Path) -> Issuance:
    return certify(tmp_path / "home")


def check(issued: Issuance, **changes: Any) -> Verification:
    """Verify as a stranger who has everything; what is given in `changes` differs."""
    values: dict[str, Any] = {
        "text": issued.entry.text,
        "keys": signing.public_keys(issued.home),
        "status": current_status_list(issued.node),
        "data": data_in(issued.home.path / "lake"),
    }
    values |= changes
    return verify(values.pop("text"), values.pop("keys"), **values)


def by_jwcrypto(text: str, public: signing.Jwk) -> dict[str, Any]:
    token = jws.JWS()
    token.deserialize(text, jwk.JWK(**public), alg="EdDSA")
    assert (token.jose_header["typ"], token.jose_header["cty"]) == ("vc+jwt", "vc")
    payload: dict[str, Any] = json.loads(token.payload)
    return payload


def test_the_certificate_is_a_credential_as_the_data_model_wants_it(issued: Issuance) -> None:
    [public] = signing.public_keys(issued.home)
    credential = by_jwcrypto(issued.entry.text, public)
    assert len(issued.entry.text) <= 1_200
    assert credential["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert "VerifiableCredential" in credential["type"]
    assert credential["iss"] == credential["issuer"]
    assert {"vc", "vp", "nbf"}.isdisjoint(credential)
    for name in ("validFrom", "validUntil"):
        assert datetime.datetime.fromisoformat(credential[name]).tzinfo == datetime.UTC
    data, report = credential["credentialSubject"]
    for subject, digest in ((data, issued.version.digest), (report, issued.entry.certificate.report)):
        scheme, _semicolon, value = subject["id"].partition(";")
        assert scheme == "ni:///sha-256" and base64.urlsafe_b64decode(value + "=").hex() == digest
    assert (data["name"], report["name"]) == ("synthetic@1", "omop-ready@1")
    assert [entry["statusPurpose"] for entry in credential["credentialStatus"]] == ["revocation", "suspension"]
    for entry in credential["credentialStatus"]:
        assert set(entry) == {"type", "statusPurpose", "statusListIndex", "statusListCredential"}
        assert entry["type"] == "BitstringStatusListEntry" and entry["statusListIndex"].isdigit()


def test_the_status_list_is_one_as_the_standard_wants_it(issued: Issuance) -> None:
    revoke(issued.node, OWNER, issued.entry.certificate.number)
    [public] = signing.public_keys(issued.home)
    credential = by_jwcrypto(current_status_list(issued.node), public)
    assert credential["type"] == ["VerifiableCredential", "BitstringStatusListCredential"]
    subject = credential["credentialSubject"]
    assert subject["type"] == "BitstringStatusList" and subject["statusPurpose"] == ["revocation", "suspension"]
    assert credential["id"] == issued.entry.certificate.status_list
    encoded = subject["encodedList"]
    assert encoded[0] == "u" and "=" not in encoded
    bits = gzip.decompress(base64.urlsafe_b64decode(encoded[1:] + "=" * (-len(encoded[1:]) % 4)))
    assert 8 * len(bits) == 131_072
    as_text = "".join(f"{byte:08b}" for byte in bits)  # index 0 is the leftmost bit
    assert [n for n, bit in enumerate(as_text) if bit == "1"] == [2 * issued.entry.certificate.place]


def test_the_list_in_the_standards_example_is_read() -> None:
    # Bitstring Status List 1.0, example 3: 131,072 bits, none of them set.
    bits = lists.decode("uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA")
    assert len(bits) == 16_384 and not any(bits)
    for broken in ("", "H4sIAAAAAAAAA", "uAAAA", lists.encode(set())[:-8], "u" + "A" * 100):
        with pytest.raises(ValueError, match=r"not |too short"):
            lists.decode(broken)
    bomb = base64.urlsafe_b64encode(gzip.compress(bytes(50_000_000))).rstrip(b"=").decode()
    with pytest.raises(ValueError, match="too long"):
        lists.decode("u" + bomb)


def test_the_report_beside_the_certificate_is_the_one_and_can_be_judged_again(issued: Issuance) -> None:
    report = json.loads((issued.entry.folder / "report.json").read_bytes())
    assert sha256_of(report) == issued.entry.certificate.report
    again = outcomes_of(load_scheme("omop-ready"), report)
    assert report["outcomes"] == [
        {"criterion": each.criterion.id, "verdict": each.verdict.value, "observed": each.observed} for each in again
    ]
    assert report["quality"] == assess(issued.version)


def test_with_one_bit_changed_it_is_never_valid(issued: Issuance) -> None:
    flip(issued, random.Random(SEED).sample(range(8 * len(issued.entry.text)), 600))


def test_the_loose_bits_of_the_encoding_are_not_loose(issued: Issuance) -> None:
    text = issued.entry.text
    ends = [place for place in range(len(text)) if (text + ".")[place + 1] == "." or text[place] == "."]
    flip(issued, [8 * place + bit for place in ends for bit in range(8)])


@pytest.mark.big
def test_with_any_bit_changed_it_is_never_valid(issued: Issuance) -> None:
    flip(issued, range(8 * len(issued.entry.text)))


def flip(issued: Issuance, places: Iterable[int]) -> None:
    """Verify with each of these bits changed, one at a time."""
    good = issued.entry.text.encode()
    values = {"keys": signing.public_keys(issued.home), "status": current_status_list(issued.node)}
    values["data"] = data_in(issued.home.path / "lake")
    assert check(issued, **values).answer is Answer.VALID
    for place in places:
        changed = bytearray(good)
        changed[place // 8] ^= 1 << place % 8
        answer = check(issued, text=changed.decode("utf-8", errors="replace"), **values).answer
        assert answer in (Answer.ALTERED, Answer.NOT_TRUSTED), place


def test_cut_doubled_or_swapped_parts_are_never_valid(issued: Issuance) -> None:
    other = issued.again("other").text
    header, payload, signature = issued.entry.text.split(".")
    their_header, their_payload, their_signature = other.split(".")
    rng = random.Random(7)
    cuts = [issued.entry.text[: rng.randrange(len(issued.entry.text))] for _ in range(50)]
    for text in (
        *cuts,
        f"{header}.{their_payload}.{signature}",
        f"{header}.{payload}.{their_signature}",
        f"{their_header}.{payload}.{their_signature}",
        issued.entry.text * 2,
        issued.entry.text + "\n",
        current_status_list(issued.node),  # signed by the same key, and no certificate
    ):
        assert check(issued, text=text).answer is Answer.ALTERED


def test_each_answer(issued: Issuance, tmp_path: Path) -> None:
    number, cert = issued.entry.certificate.number, issued.entry.certificate
    stranger = certify(tmp_path / "stranger")
    assert check(issued).answer is Answer.VALID
    assert check(issued, text="x" + issued.entry.text).answer is Answer.ALTERED
    assert check(issued, keys=signing.public_keys(stranger.home)).answer is Answer.NOT_TRUSTED
    assert check(issued, at=cert.valid_until + DAY).answer is Answer.EXPIRED
    assert check(issued, at=cert.valid_until, status=None).answer is Answer.STATUS_UNKNOWN
    minute = datetime.timedelta(minutes=1)
    assert check(issued, at=cert.valid_from - 6 * minute).answer is Answer.NOT_YET_VALID
    assert check(issued, at=cert.valid_from - 4 * minute).answer is Answer.VALID  # clocks differ a little
    assert check(issued, data=None).answer is Answer.DATA_NOT_CHECKED
    assert check(issued, status=None).answer is Answer.STATUS_UNKNOWN
    suspend(issued.node, OWNER, number, "looked at again")
    assert check(issued).answer is Answer.SUSPENDED
    reinstate(issued.node, OWNER, number)
    assert check(issued).answer is Answer.VALID
    revoke(issued.node, OWNER, number, "wrong source")
    assert check(issued).answer is Answer.REVOKED


def test_a_status_list_that_cannot_be_used_is_never_passed_over(issued: Issuance, tmp_path: Path) -> None:
    stranger = certify(tmp_path / "stranger")
    good = current_status_list(issued.node)
    signer, issuer, url = signing.signer(issued.home), signing.issuer(issued.home), issued.entry.certificate.status_list
    begin = issued.entry.certificate.valid_from
    lists_made = {
        "another issuer's": current_status_list(stranger.node),
        "another list": signer.sign(lists.make_list(issuer, url + "0", set(), begin), "vc+jwt"),
        "of another issuer, signed by ours": signer.sign(lists.make_list("madang:x", url, set(), begin), "vc+jwt"),
        "from the future": signer.sign(lists.make_list(issuer, url, set(), begin + DAY), "vc+jwt"),
        "a certificate": issued.entry.text,
        "nothing": "",
        "cut": good[:-9],
    }
    document = lists.make_list(issuer, url, set(), begin)
    for change in ({"encodedList": "uAAAA"}, {"statusPurpose": "message"}, {"type": "x"}, {"encodedList": 5}):
        broken = document | {"credentialSubject": document["credentialSubject"] | change}
        lists_made[str(change)] = signer.sign(broken, "vc+jwt")
    for what, text in lists_made.items():
        assert check(issued, status=text).answer is Answer.STATUS_UNKNOWN, what
    stale = issued.entry.certificate.valid_from + 31 * DAY
    assert check(issued, status=good, at=stale).answer is Answer.STATUS_UNKNOWN
    both = [*signing.public_keys(issued.home), *signing.public_keys(stranger.home)]
    assert check(issued, keys=both, status=current_status_list(stranger.node)).answer is Answer.STATUS_UNKNOWN


def test_a_stale_list_that_says_revoked_is_believed(issued: Issuance) -> None:
    revoke(issued.node, OWNER, issued.entry.certificate.number)
    stale = issued.entry.certificate.valid_from + 31 * DAY
    assert check(issued, status=current_status_list(issued.node), at=stale).answer is Answer.REVOKED


def test_what_is_certain_and_final_is_said_first(issued: Issuance) -> None:
    number, cert = issued.entry.certificate.number, issued.entry.certificate
    nothing = Data(())
    late = cert.valid_until + DAY
    assert check(issued, data=nothing, status=None).answer is Answer.NOT_ABOUT
    assert check(issued, data=nothing, status=None, at=late).answer is Answer.EXPIRED
    suspend(issued.node, OWNER, number)
    assert check(issued, data=nothing).answer is Answer.SUSPENDED
    revoke(issued.node, OWNER, number)
    assert check(issued, data=nothing, at=late).answer is Answer.REVOKED
    assert check(issued, data=nothing, at=late, keys=[]).answer is Answer.NOT_TRUSTED


def test_old_certificates_verify_after_rotation_and_new_ones_need_the_new_key(issued: Issuance) -> None:
    old_keys = signing.public_keys(issued.home)
    rotate_key(issued.node, OWNER)
    assert check(issued).answer is Answer.VALID
    assert check(issued, keys=old_keys).answer is Answer.STATUS_UNKNOWN  # the list has the new key's signature
    text = issued.again("next").text
    assert check(issued, text=text).answer is Answer.VALID
    assert check(issued, text=text, keys=old_keys).answer is Answer.NOT_TRUSTED


def test_one_changed_byte_in_any_table_and_it_is_not_about_these_data(issued: Issuance, tmp_path: Path) -> None:
    copy = tmp_path / "renamed"
    shutil.copytree(issued.version.dataset.folder, copy)
    shutil.rmtree(next(copy.glob("*/_delta_log")))  # a projection, which proves nothing
    assert check(issued, data=data_in(copy)).answer is Answer.VALID
    files = [*copy.glob("*/*.parquet"), copy / "_versions/1.json"]
    assert len(files) == 3
    rng = random.Random(11)
    for path in files:
        path.chmod(0o644)
        whole = path.read_bytes()
        for place in (0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(5))):
            changed = bytearray(whole)
            changed[place] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            found = check(issued, data=data_in(copy))
            assert found.answer is Answer.NOT_ABOUT and found.sentence
        path.write_bytes(whole[:-1])
        assert check(issued, data=data_in(copy)).answer is Answer.NOT_ABOUT
        path.unlink()
        assert check(issued, data=data_in(copy)).answer is Answer.NOT_ABOUT
        path.write_bytes(whole)
    assert check(issued, data=data_in(copy)).answer is Answer.VALID


def test_it_is_about_one_version_only(issued: Issuance) -> None:
    with issued.version.dataset.write(issued.version) as writer:
        writer.keep_all()
        writer.commit("test")
    folder = issued.version.dataset.folder
    assert check(issued).answer is Answer.VALID  # version 1 is still there
    assert check(issued, data=Data((folder,), 1)).answer is Answer.VALID
    assert check(issued, data=Data((folder,), 2)).answer is Answer.NOT_ABOUT
