"""Reading an S3-compatible store: what is in a bucket, and bytes of it.

Two requests of the protocol, signed by AWS Signature Version 4, through the one way out (`node.outgoing`): to listed
hosts only, and on to no other. obstore would follow a redirect to any host, also of this machine.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit
from xml.etree import ElementTree

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.outgoing import Answer, Bounds, Outgoing

PIECE = 16 << 20  # bytes of one request
BOUNDS = Bounds(seconds=300, bytes=PIECE + 1, redirects=0)
_EMPTY = hashlib.sha256(b"").hexdigest()
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Keys:
    """Of whom the store knows; kept in memory only, and never shown."""

    name: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Thing:
    """An object of a bucket: its key, how many bytes, and the mark that changes with its content."""

    key: str
    bytes: int
    mark: str


@dataclass(frozen=True)
class Bucket:
    """A bucket of a store at `address` (https://host, with a port where it has one); without keys nothing is signed."""

    address: str
    name: str
    region: str
    keys: Keys | None
    outgoing: Outgoing

    def __post_init__(self) -> None:
        if not _BUCKET.fullmatch(self.name) or urlsplit(self.address).path.strip("/"):
            raise MadangError(
                "deposit.store",
                _("There can be no bucket {name} at {address}.").format(name=self.name[:80], address=self.address[:80]),
                _("Write it as s3://BUCKET/FOLDER, and the address of the store as https://HOST."),
            )

    def things(self, prefix: str) -> Iterator[Thing]:
        """Everything whose key begins with `prefix`, without markers of folders. Errors: those of `_ask`."""
        asked = {"list-type": "2", "prefix": prefix}
        while True:
            root = _parsed(self._ask("", asked).body)
            for each in root.iter(_tag(root, "Contents")):
                found = {child.tag.rpartition("}")[2]: child.text or "" for child in each}
                if not found["Key"].endswith("/"):
                    yield Thing(found["Key"], int(found["Size"]), found.get("ETag", ""))
            more = root.findtext(_tag(root, "NextContinuationToken"))
            if not more:
                return
            asked["continuation-token"] = more

    def read(self, thing: Thing, at: int) -> bytes:
        """The next bytes of an object from an offset, at most `PIECE`; of another content than was listed none.

        Errors: `deposit.changed`, those of `_ask`.
        """
        end = min(at + PIECE, thing.bytes)
        headers = {"range": f"bytes={at}-{end - 1}"} | ({"if-match": thing.mark} if thing.mark else {})
        answer = self._ask(thing.key, {}, headers)
        if answer.status != 206 and not (answer.status == 200 and at == 0 and end == thing.bytes):
            raise _refused(self, answer)
        if len(answer.body) != end - at or (thing.mark and answer.headers.get("etag", thing.mark) != thing.mark):
            raise MadangError("deposit.changed", _("{name} changed in the store.").format(name=thing.key), _again())
        return answer.body

    def _ask(self, key: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Errors: `deposit.store` where the store refuses, `deposit.changed`, those of `outgoing`."""
        path = quote(f"/{self.name}" + (f"/{key}" if key else ""), safe="/-_.~")
        asked = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        url = self.address.rstrip("/") + path
        sent = dict(headers or {})
        if self.keys is not None:
            sent |= signed(self.keys, self.region, urlsplit(url).netloc, path, asked, sent, datetime.now(UTC))
        answer = self.outgoing.request("GET", url + (f"?{asked}" if asked else ""), headers=sent)
        if answer.status == 412:
            raise MadangError("deposit.changed", _("{name} changed in the store.").format(name=key), _again())
        if answer.status not in (200, 206):
            raise _refused(self, answer)
        return answer


def signed(
    keys: Keys, region: str, host: str, path: str, query: str, headers: Mapping[str, str], at: datetime
) -> dict[str, str]:
    """The headers that sign a GET request without a body (AWS Signature Version 4 for S3). `path` and `query` are
    quoted already, the query sorted; `headers` are those that are to be signed besides."""
    moment = at.strftime("%Y%m%dT%H%M%SZ")
    own = {"x-amz-content-sha256": _EMPTY, "x-amz-date": moment}
    if keys.token:
        own["x-amz-security-token"] = keys.token
    every = dict(sorted({"host": host, **{name.lower(): value for name, value in headers.items()}, **own}.items()))
    names = ";".join(every)
    lines = [f"{name}:{value.strip()}\n" for name, value in every.items()]
    request = "\n".join(("GET", path, query, "".join(lines), names, _EMPTY))
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    given = f"AWS4-HMAC-SHA256 Credential={keys.name}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return own | {"Authorization": given}


def _again() -> str:
    return _("Fetch it again once nobody writes there.")


def _parsed(body: bytes) -> ElementTree.Element:
    try:
        if b"<!" in body:  # no entities: they could unfold without end
            raise ElementTree.ParseError
        return ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise MadangError(
            "deposit.store", _("The store answers as no S3-compatible one does."), _("Look at its address.")
        ) from None


def _tag(root: ElementTree.Element, name: str) -> str:
    return root.tag.rpartition("}")[0] + "}" + name if "}" in root.tag else name


def _refused(bucket: Bucket, answer: Answer) -> MadangError:
    """What the store says is told by its code alone."""
    code = re.search(rb"<Code>([A-Za-z]{1,60})</Code>", answer.body)
    return MadangError(
        "deposit.store",
        _("The store refuses {name}: {why}.").format(
            name=bucket.name, why=code[1].decode() if code else str(answer.status)
        ),
        _("Look at the name of the bucket, its region, and the keys."),
    )
