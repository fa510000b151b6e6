"""Open Badges 3.0 (1EdTech), which are W3C Verifiable Credentials 2.0: made, and verified with no node and no network.

A badge is a compact JWS (VC-JOSE-COSE) with Ed25519. Its issuer is the `did:key` of the signing key, so that any
program can verify the signature with nothing of ours; whether the key is the institution's is for whoever trusts it to
say. Whether a badge was taken back stands in a Bitstring Status List 1.0.
"""

import base64
import binascii
import datetime
import gzip
import io
import json
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.signing import Jwk, NotBelieved, read_signed

CONTEXTS = ["https://www.w3.org/ns/credentials/v2", "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"]
TYP = "vc+jwt"
CTY = "vc"
BITS = 131_072  # of the status list, the least that its standard allows
LARGEST = 256 << 10  # bytes of a badge's file
NOTICE = (
    "This badge is no state qualification, and replaces no training in law or ethics that is required. "
    "이 배지는 국가자격이 아니며 법령이 정한 교육이나 윤리교육을 대신하지 않습니다."
)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(frozen=True)
class Earned:
    """What a badge says: whose it is, for which course exactly, with which scores of tasks."""

    uid: str
    holder: str
    course: str
    title: str
    description: str
    digest: str
    skills: tuple[str, ...]
    ncs: tuple[str, ...]
    scores: tuple[tuple[str, float, float], ...]  # task, score, largest score
    issuer_name: str
    begins: datetime.datetime
    until: datetime.datetime
    place: int
    status_list: str  # its address


@dataclass(frozen=True)
class Answer:
    """What can be said of a badge: it is valid, altered, expired, early, revoked, of unknown-issuer or other-holder."""

    state: str
    sentence: str
    holder: str = ""
    title: str = ""
    issuer: str = ""
    course: str = ""
    version: str = ""
    begins: str = ""
    until: str = ""
    scores: tuple[tuple[str, str], ...] = ()
    status_checked: bool = False

    @property
    def is_valid(self) -> bool:
        """Whether it holds."""
        return self.state == "valid"


def did_key(jwk: Jwk) -> str:
    """The `did:key` of an Ed25519 key: multibase base58btc of the multicodec 0xed and its 32 bytes."""
    raw = b"\xed\x01" + base64.urlsafe_b64decode(jwk["x"] + "=")
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return f"did:key:z{text}"


def credential(earned: Earned, key: Jwk) -> dict[str, Any]:
    """The unsigned credential, with the claims that a JWT has (iss, sub, jti, nbf, exp)."""
    issuer, uid = did_key(key), f"urn:uuid:{earned.uid}"
    subject = f"{uid}#holder"
    achievement: dict[str, Any] = {
        "id": f"urn:sha256:{earned.digest}",
        "type": ["Achievement"],
        "name": earned.title,
        "description": f"{earned.description} {NOTICE}",
        "criteria": {"narrative": f"Tasks of {earned.course}, version {earned.digest[:12]}, graded by Madang."},
        "tag": list(earned.skills),
    }
    if earned.ncs:
        achievement["alignment"] = [
            {"type": ["Alignment"], "targetName": code, "targetUrl": f"urn:ncs:{code}", "targetCode": code}
            for code in earned.ncs
        ]
    return {
        "@context": CONTEXTS,
        "id": uid,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": earned.title,
        "issuer": {"id": issuer, "type": ["Profile"], "name": earned.issuer_name},
        "validFrom": _iso(earned.begins),
        "validUntil": _iso(earned.until),
        "credentialSubject": {
            "id": subject,
            "type": ["AchievementSubject"],
            "identifier": [
                {"type": "IdentityObject", "hashed": False, "identityHash": earned.holder, "identityType": "name"}
            ],
            "achievement": achievement,
        },
        "evidence": [
            {"id": f"{uid}#{n}", "type": ["Evidence"], "name": name, "narrative": f"{score:g} / {largest:g}"}
            for n, (name, score, largest) in enumerate(earned.scores, 1)
        ],
        "credentialStatus": {
            "id": f"{earned.status_list}#{earned.place}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": "revocation",
            "statusListIndex": str(earned.place),
            "statusListCredential": earned.status_list,
        },
        "iss": issuer,
        "sub": subject,
        "jti": uid,
        "nbf": int(earned.begins.timestamp()),
        "exp": int(earned.until.timestamp()),
    }


def status_credential(issuer: str, url: str, places: Iterable[int], at: datetime.datetime) -> dict[str, Any]:
    """The unsigned list of what was taken back, good for 30 days."""
    bits = bytearray(BITS // 8)
    for place in places:
        bits[place // 8] |= 0x80 >> place % 8
    packed = base64.urlsafe_b64encode(gzip.compress(bytes(bits), 9, mtime=0)).rstrip(b"=").decode()
    until = at + datetime.timedelta(days=30)
    return {
        "@context": CONTEXTS[:1],
        "id": url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer,
        "validFrom": _iso(at),
        "validUntil": _iso(until),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": "revocation",
            "encodedList": f"u{packed}",
        },
        "iss": issuer,
        "nbf": int(at.timestamp()),
        "exp": int(until.timestamp()),
    }


def token_in(data: bytes) -> str:
    """The signed text in a badge's file: the text itself, or JSON with it. Errors: `badge.unreadable`."""
    try:
        text = data.decode("ascii").strip() if len(data) <= LARGEST else ""
        if text.startswith("{"):
            found = json.loads(text)
            text = found.get("credential", found.get("jwt", ""))
    except (UnicodeDecodeError, ValueError, RecursionError):
        text = ""
    if not isinstance(text, str) or text.count(".") != 2:
        raise MadangError(
            "badge.unreadable", _("This file holds no badge."), _("A badge is a text of three parts with dots, .jwt.")
        )
    return text


def uid_of(token: str) -> str:
    """The identifier of a badge that was verified."""
    part = token.split(".")[1]
    payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return str(payload["id"]).removeprefix("urn:uuid:")


def verify(
    token: str,
    keys: Iterable[Jwk],
    at: datetime.datetime,
    *,
    status: str = "",
    revoked: bool | None = None,
    holder: str = "",
) -> Answer:
    """Whether a badge holds at a moment, by these trusted keys.

    `status` is the signed list of what was taken back; `revoked` what the issuer's own register says, where it is
    known; `holder` the name of whom it should be.
    """
    trusted = list(keys)
    try:
        payload = read_signed(token, trusted, TYP)
    except NotBelieved as error:
        state = "unknown-issuer" if error.doubt.value == "unknown key" else "altered"
        return Answer(state, error.message)
    try:
        told = _told(payload, {did_key(each) for each in trusted})
        entry = payload["credentialStatus"]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return Answer("altered", _("What was signed is no Open Badge of this issuer."))
    if holder and not _same_name(holder, told["holder"]):
        return Answer("other-holder", _("It is the badge of {name}.").format(name=told["holder"]), **told)
    if at < datetime.datetime.fromisoformat(told["begins"]):
        return Answer("early", _("It does not hold yet."), **told)
    if at > datetime.datetime.fromisoformat(told["until"]):
        return Answer("expired", _("It has expired; it can be renewed."), **told)
    listed = _listed(status, trusted, entry, at) if status else revoked
    if listed:
        return Answer("revoked", _("It was taken back."), **told, status_checked=True)
    checked = listed is not None
    sentence = _("It holds.") if checked else _("It holds; whether it was taken back was not looked up.")
    return Answer("valid", sentence, **told, status_checked=checked)


def _told(payload: Mapping[str, Any], issuers: set[str]) -> dict[str, Any]:
    subject, issuer = payload["credentialSubject"], payload["issuer"]
    achievement = subject["achievement"]
    if "OpenBadgeCredential" not in payload["type"] or payload["@context"] != CONTEXTS:
        raise ValueError("no badge")
    if issuer["id"] not in issuers or payload["iss"] != issuer["id"]:
        raise ValueError("issuer")
    return {
        "holder": str(subject["identifier"][0]["identityHash"]),
        "title": str(achievement["name"]),
        "issuer": str(issuer["name"]),
        "course": str(achievement["criteria"]["narrative"]),
        "version": str(achievement["id"]).removeprefix("urn:sha256:"),
        "begins": _moment(payload["validFrom"]).isoformat(),
        "until": _moment(payload["validUntil"]).isoformat(),
        "scores": tuple((str(each["name"]), str(each["narrative"])) for each in payload["evidence"]),
    }


def _moment(text: Any) -> datetime.datetime:
    """A moment as a credential writes it. Errors: ValueError, also where it says no zone."""
    found = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    if found.tzinfo is None:
        raise ValueError("no zone")
    return found


def _same_name(one: str, other: str) -> bool:
    """Whether two names are one, however their letters are put together and their blanks are set."""
    first, second = (" ".join(unicodedata.normalize("NFC", each).split()) for each in (one, other))
    return first == second


def _listed(status: str, keys: list[Jwk], entry: Mapping[str, Any], at: datetime.datetime) -> bool:
    """Whether the list says that it was taken back. Errors: `badge.status` where the list cannot be believed."""
    try:
        document = read_signed(status.strip(), keys, TYP)
        until = _moment(document["validUntil"])
        place = int(entry["statusListIndex"])
        if document["id"] != entry["statusListCredential"] or at > until or not 0 <= place < BITS:
            raise ValueError("another list")
        packed = str(document["credentialSubject"]["encodedList"])
        data = base64.urlsafe_b64decode(packed[1:] + "=" * (-len(packed[1:]) % 4))
        with gzip.open(io.BytesIO(data)) as file:
            bits = file.read(BITS // 8)
        return bool(bits[place // 8] & 0x80 >> place % 8)
    except (NotBelieved, KeyError, TypeError, ValueError, OSError, EOFError, zlib.error, binascii.Error, IndexError):
        raise MadangError(
            "badge.status", _("The list of what was taken back cannot be believed, or is too old."), _("Get it again.")
        ) from None


def _iso(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
