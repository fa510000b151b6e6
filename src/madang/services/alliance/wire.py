"""Messages between nodes: bodies of JSON, or of Arrow where there are arrays, signed as RFC 9421 has it, with a digest
as in RFC 9530. Arrow and NumPy are imported where they are needed, so that a process that only waits stays small.

Trust rests on the signature, not on the connection. It covers method, path, type and digest of the body, to whom it
goes and which number it has; an answer's covers its status and the signature of the request that it answers.
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.home import Home

PATH = "/api/v1/alliance/messages"
ARROW, JSON = "application/vnd.apache.arrow.stream", "application/json"
VERSION = 1  # of the messages
LARGEST = 64 * 1024 * 1024  # bytes of a body
CLOCKS = 300  # seconds by which two clocks may differ
TAG = "madang-alliance"
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aiou"
_INPUT = re.compile(r'madang=\(([^)]*)\);created=(\d{1,12});keyid="([\w-]{43})";alg="ed25519";tag="madang-alliance"')
_SIGNATURE = re.compile(r"madang=:([A-Za-z0-9+/=]{88}):")
REQUEST = ("@method", "@path", "content-type", "content-digest", "madang-to", "madang-number")
ANSWER = ("@status", "content-type", "content-digest", "madang-to", "madang-number")


@dataclass(frozen=True)
class Identity:
    """The key with which this node speaks to its partners."""

    seed: bytes

    @property
    def public(self) -> str:
        """The public half, base64url."""
        return _public_of(self.seed)

    @property
    def name(self) -> str:
        """The key's thumbprint (RFC 7638)."""
        return thumbprint(self.public)

    def sign(self, data: bytes) -> bytes:
        """An Ed25519 signature."""
        return bytes(_private(self.seed).sign(data))


@lru_cache(maxsize=256)
def _private(seed: bytes) -> Any:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)


@lru_cache(maxsize=256)
def _public_of(seed: bytes) -> str:
    return _b64url(_private(seed).public_key().public_bytes_raw())


def identity(home: Home) -> Identity:
    """This node's key for partners; made at first use."""
    return Identity(home.key("alliance"))


@lru_cache(maxsize=4096)
def thumbprint(public: str) -> str:
    """The thumbprint of a public key: 43 characters."""
    shape = {"crv": "Ed25519", "kty": "OKP", "x": public}
    return _b64url(hashlib.sha256(canonical_json(shape)).digest())


def in_words(public: str) -> str:
    """A key's fingerprint to be read aloud: eight words of 16 bits each (proquints), 128 bits together."""
    data = hashlib.sha256(canonical_json({"crv": "Ed25519", "kty": "OKP", "x": public})).digest()
    found = []
    for at in range(0, 16, 2):
        bits = int.from_bytes(data[at : at + 2], "big")
        found.append(
            _CONSONANTS[bits >> 12]
            + _VOWELS[bits >> 10 & 3]
            + _CONSONANTS[bits >> 6 & 15]
            + _VOWELS[bits >> 4 & 3]
            + _CONSONANTS[bits & 15]
        )
    return " ".join(found)


def is_signed(public: str, data: bytes, signature: bytes) -> bool:
    """Whether this key signed exactly that."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.urlsafe_b64decode(public + "=" * (-len(public) % 4))
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def pack(meta: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> bytes:
    """A body: a JSON object, or with arrays of doubles (or bytes) by name an Arrow stream that holds it."""
    text = json.dumps(meta, ensure_ascii=False, allow_nan=False)
    if not arrays:
        return text.encode()
    import numpy as np
    import pyarrow as pa

    columns, fields = [], []
    for name, value in arrays.items():
        if isinstance(value, bytes):
            columns.append(pa.array([value], pa.large_binary()))
            fields.append(pa.field(name, pa.large_binary()))
        else:
            flat = np.ascontiguousarray(value, "<f8")
            shape = ",".join(map(str, np.shape(value)))  # that of `flat` has at least one dimension
            columns.append(pa.array([flat.ravel()], pa.list_(pa.float64())))
            fields.append(pa.field(name, pa.list_(pa.float64()), metadata={"shape": shape}))
    schema = pa.schema(fields, metadata={"madang": text})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch(columns, schema=schema))
    return bytes(sink.getvalue())


def content_type(body: bytes) -> str:
    """What a body is."""
    return JSON if body[:1] == b"{" else ARROW


def unpack(body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `pack` wrote. Errors: `alliance.body`, `alliance.version`."""
    if len(body) > LARGEST:
        raise _body(_("it is too large"))
    try:
        meta, arrays = (json.loads(body), {}) if content_type(body) == JSON else _from_arrow(body)
    except Exception:  # Arrow raises many kinds for what is no Arrow
        raise _body(_("it cannot be read")) from None
    if not isinstance(meta, dict):
        raise _body(_("it is no object"))
    if meta.get("version", VERSION) != VERSION:
        raise MadangError(
            "alliance.version",
            _("The partner speaks another version of the messages ({theirs}; here {ours}).").format(
                theirs=str(meta.get("version"))[:20], ours=VERSION
            ),
            _("Upgrade the older node."),
        )
    return meta, arrays


def _from_arrow(body: bytes) -> tuple[Any, dict[str, Any]]:
    import pyarrow as pa

    with pa.ipc.open_stream(pa.BufferReader(body)) as reader:
        schema = reader.schema
        batches = [reader.read_next_batch()] if len(schema) else []
    arrays: dict[str, Any] = {}
    for batch in batches:
        batch.validate(full=True)
        for field, column in zip(schema, batch.columns, strict=True):
            if len(column) != 1 or column.null_count or field.name in arrays:
                raise ValueError
            if field.type == pa.large_binary():
                arrays[field.name] = column[0].as_py()
                continue
            shape = tuple(int(each) for each in field.metadata[b"shape"].decode().split(",") if each)
            arrays[field.name] = column.flatten().to_numpy(zero_copy_only=False).astype(float).reshape(shape)
    return json.loads((schema.metadata or {})[b"madang"]), arrays


def digest_of(body: bytes) -> str:
    """The Content-Digest of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signed_request(me: Identity, to: str, number: int, body: bytes, path: str = PATH) -> dict[str, str]:
    """The headers of a request."""
    headers = {
        "content-type": content_type(body),
        "content-digest": digest_of(body),
        "madang-to": to,
        "madang-number": str(number),
    }
    return headers | _signature(me, REQUEST, {"@method": "POST", "@path": path, **headers})


def signed_answer(me: Identity, to: str, number: str, status: int, body: bytes, request: str) -> dict[str, str]:
    """The headers of an answer; `request` is the Signature header that it answers."""
    headers = {
        "content-type": content_type(body),
        "content-digest": digest_of(body),
        "madang-to": to,
        "madang-number": number,
    }
    return headers | _signature(me, ANSWER, {"@status": str(status), **headers}, request)


def _signature(me: Identity, parts: tuple[str, ...], values: Mapping[str, str], request: str = "") -> dict[str, str]:
    listed = " ".join(f'"{name}"' for name in parts) + (' "signature";req;key="madang"' if request else "")
    parameters = f'({listed});created={int(time.time())};keyid="{me.name}";alg="ed25519";tag="{TAG}"'
    signature = base64.b64encode(me.sign(_base(parts, values, parameters, request))).decode()
    return {"signature-input": f"madang={parameters}", "signature": f"madang=:{signature}:"}


def _base(parts: tuple[str, ...], values: Mapping[str, str], parameters: str, request: str) -> bytes:
    lines = [f'"{name}": {values[name]}' for name in parts]
    if request:
        lines.append(f'"signature";req;key="madang": {request.removeprefix("madang=")}')
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


def signer_of(headers: Mapping[str, str]) -> str:
    """Whose key a message names, before anything is believed. Errors: `alliance.signature`."""
    match = _INPUT.fullmatch(headers.get("signature-input", ""))
    if match is None:
        raise unsigned()
    return match[3]


def verify(
    public: str,
    me: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    path: str = PATH,
    status: int | None = None,
    request: str = "",
) -> None:
    """Believe a message, or say why not. Errors: `alliance.signature`, `alliance.clock`."""
    match = _INPUT.fullmatch(headers.get("signature-input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("signature", ""))
    parts = REQUEST if status is None else ANSWER
    listed = " ".join(f'"{name}"' for name in parts) + (' "signature";req;key="madang"' if request else "")
    if match is None or signature is None or match[1] != listed or match[3] != thumbprint(public):
        raise unsigned()
    given = {"@method": "POST", "@path": path, "@status": str(status)}
    values = {name: given.get(name) or headers.get(name, "") for name in parts}
    parameters = headers["signature-input"].removeprefix("madang=")
    raw = base64.b64decode(signature[1])
    if not is_signed(public, _base(parts, values, parameters, request), raw):
        raise unsigned()
    if headers.get("content-digest") != digest_of(body) or headers.get("madang-to") != me:
        raise unsigned()
    if abs(time.time() - int(match[2])) > CLOCKS:
        raise MadangError(
            "alliance.clock",
            _("The clocks of the two nodes differ by more than {minutes} minutes.").format(minutes=CLOCKS // 60),
            _("Set the clock of the one that is wrong (NTP)."),
        )


def unsigned() -> MadangError:
    """What is said of a message that is not believed; no more, so that nobody learns from it."""
    return MadangError("alliance.signature", _("This message is not signed as it has to be."))


def _body(why: str) -> MadangError:
    return MadangError("alliance.body", _("A message cannot be used: {why}.").format(why=why))


def sealed(me: Identity, kind: str, to: str, content: bytes) -> bytes:
    """A file for a courier: signed content that names its kind and to whom it goes."""
    head = {"madang": kind, "version": VERSION, "from": me.name, "to": to, "made": int(time.time())}
    head["sha256"] = hashlib.sha256(content).hexdigest()
    signature = base64.b64encode(me.sign(canonical_json(head))).decode()
    return json.dumps({**head, "signature": signature, "content": base64.b64encode(content).decode()}).encode()


def opened_file(data: bytes, kind: str, public: str, me: str) -> bytes:
    """The content of a courier's file, if this partner signed it for us."""
    head = head_of(data)
    try:
        content = base64.b64decode(head.pop("content"), validate=True)
        signature = base64.b64decode(head.pop("signature"), validate=True)
    except (KeyError, TypeError, ValueError):
        raise _file() from None
    if head.get("madang") != kind or hashlib.sha256(content).hexdigest() != head.get("sha256"):
        raise _file()
    if head.get("from") != thumbprint(public) or head.get("to") != me:
        raise MadangError("alliance.signature", _("This file is not for this node, or not from that partner."))
    if not is_signed(public, canonical_json(head), signature):
        raise unsigned()
    return content


def head_of(data: bytes) -> dict[str, Any]:
    """A courier's file, read and not yet believed. Errors: `alliance.file`."""
    try:
        found = json.loads(data) if len(data) <= 2 * LARGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("from"), str):
        raise _file()
    return found


def _file() -> MadangError:
    return MadangError(
        "alliance.file", _("This is no file of an alliance, or it was changed."), _("Have it carried again.")
    )


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
