"""Files of an S3-compatible store into a deposit: a stand-in on loopback, and the signatures that AWS documents."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from madang.base.errors import MadangError
from madang.node.outgoing import Outgoing
from madang.services.deposits import fetching, s3, service, store
from portal_house import OWNER, House

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = s3.Keys("AKIAIOSFODNN7EXAMPLE", SECRET, "the-token-of-the-session")


@dataclass
class Standin:
    """What a store holds, what it was asked, and what it does at a request: its number to a status."""

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # path, range, authorization
    failing: dict[int, int] = field(default_factory=dict)
    says: bytes = b""
    port: int = 0

    @property
    def bucket(self) -> s3.Bucket:
        outgoing = Outgoing(frozenset({f"127.0.0.1:{self.port}"}), True, s3.BOUNDS)
        return s3.Bucket(f"http://127.0.0.1:{self.port}", "reads", "us-east-1", KEYS, outgoing)

    def ranges(self, key: str) -> list[str]:
        return [ranged for path, ranged, _given in self.asked if path == f"/reads/{key}"]

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(path)
        self.asked.append((unquote(parts.path), headers.get("range", ""), headers.get("authorization", "")))
        if status := self.failing.pop(len(self.asked), 0):
            return status, {"Location": "http://127.0.0.1:1/"} if status == 307 else {}, self.says
        if parts.path == "/reads":
            return 200, {}, self._listed(parse_qs(parts.query))
        content = self.objects[unquote(parts.path).removeprefix("/reads/")]
        mark = f'"{hashlib.sha256(content).hexdigest()[:16]}-2"'
        if headers.get("if-match", mark) != mark:
            return 412, {}, b""
        first, last = map(int, headers["range"].removeprefix("bytes=").split("-"))
        return 206, {"ETag": mark}, content[first : last + 1]

    def _listed(self, query: dict[str, list[str]]) -> bytes:
        keys = sorted(key for key in self.objects if key.startswith(query.get("prefix", [""])[0]))
        at = int(query.get("continuation-token", ["0"])[0])
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size><ETag>"
            f"&quot;{hashlib.sha256(self.objects[key]).hexdigest()[:16]}-2&quot;</ETag></Contents>"
            for key in keys[at : at + 2]
        )
        more = f"<NextContinuationToken>{at + 2}</NextContinuationToken>" if at + 2 < len(keys) else ""
        name = "http://s3.amazonaws.com/doc/2006-03-01/"
        return f'<?xml version="1.0"?><ListBucketResult xmlns="{name}">{rows}{more}</ListBucketResult>'.encode()


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    made = Standin()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = made.answer(self.path, {k.lower(): v for k, v in self.headers.items()})
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(s3, "PIECE", 1000)
    yield made
    server.shutdown()
    server.server_close()


def begun(house: House) -> None:
    service.begin(house.node, OWNER, "mine", "table", "hospital")


def test_signatures_are_those_of_the_documentation_of_aws() -> None:
    keys, at = s3.Keys("AKIAIOSFODNN7EXAMPLE", SECRET), datetime(2013, 5, 24, tzinfo=UTC)
    host = "examplebucket.s3.amazonaws.com"
    one = s3.signed(keys, "us-east-1", host, "/test.txt", "", {"range": "bytes=0-9"}, at)
    assert one["Authorization"].endswith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    two = s3.signed(keys, "us-east-1", host, "/", "max-keys=2&prefix=J", {}, at)
    assert two["Authorization"].endswith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


def test_a_folder_of_a_bucket_comes_whole_and_no_key_is_written_down(
    house: House, standin: Standin, caplog: pytest.LogCaptureFixture
) -> None:
    contents = {f"run 1/{name}": f"{name},".encode() * 700 for name in ("가.csv", "b+c.csv", "d/e.csv")}
    lists = "".join(f"{hashlib.md5(each).hexdigest()}  {key[6:]}\n" for key, each in contents.items())
    standin.objects = contents | {"run 1/empty.csv": b"", "run 1/md5sum.txt": lists.encode(), "run 2/x.csv": b"1"}
    standin.objects["run 1/d/"] = b""
    begun(house)
    with caplog.at_level("DEBUG"):
        assert fetching.fetch(house.node, OWNER, "mine", standin.bucket, "run 1").new == 4
    files = {each.name: each for each in service.see(house.node, OWNER, "mine").files}
    assert set(files) == {"가.csv", "b+c.csv", "d/e.csv", "empty.csv"}
    for key, content in contents.items():
        assert store.whole(house.node.home, files[key[6:]].sha256).read_bytes() == content
    assert all(given.startswith("AWS4-HMAC-SHA256 Credential=AKIA") for _path, _range, given in standin.asked)
    asked = len(standin.asked)
    again = fetching.fetch(house.node, OWNER, "mine", standin.bucket, "run 1")
    assert (again.new, again.old) == (0, 4) and len(standin.asked) == asked + 4  # the listing and a list of hashes
    with house.node.read() as session:
        events = "".join(str(each) for each in house.node.audit.events(session))
    written = events + caplog.text + repr(standin.bucket)
    for secret in (SECRET, KEYS.token, KEYS.name):
        assert secret not in written
    assert "from s3://reads" in written


def test_what_was_stopped_goes_on_and_what_changed_meanwhile_begins_anew(house: House, standin: Standin) -> None:
    content = bytes(range(256)) * 20
    standin.objects = {"a.bin": content}
    begun(house)
    standin.failing = {4: 503}  # the listing and two pieces came
    with pytest.raises(MadangError, match="The store refuses reads: 503"):
        fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    assert fetching.fetch(house.node, OWNER, "mine", standin.bucket, "").new == 1
    assert [each.split("=")[1].split("-")[0] for each in standin.ranges("a.bin")] == [
        *("0", "1000", "2000"),
        *("2000", "3000", "4000", "5000"),
    ]
    file = service.see(house.node, OWNER, "mine").files[0]
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    standin.objects = {"b.bin": content}
    standin.failing = {len(standin.asked) + 4: 503}
    with pytest.raises(MadangError, match="503"):
        fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    standin.objects = {"b.bin": content[::-1]}  # as long as before
    fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    found = {each.name: each.sha256 for each in service.see(house.node, OWNER, "mine").files}
    assert found["b.bin"] == hashlib.sha256(content[::-1]).hexdigest()


def test_what_changes_while_it_is_read_is_not_mixed(house: House, standin: Standin) -> None:
    standin.objects = {"a.bin": b"a" * 3000}
    begun(house)
    bucket = standin.bucket
    (thing,) = bucket.things("")
    bucket.read(thing, 0)
    standin.objects = {"a.bin": b"b" * 3000}
    with pytest.raises(MadangError, match="changed in the store"):
        bucket.read(thing, 1000)


@pytest.mark.parametrize(("key", "sentence"), [("../x.csv", "cannot name a file"), ("a//b", "cannot name a file")])
def test_keys_that_name_no_file_are_refused(house: House, standin: Standin, key: str, sentence: str) -> None:
    standin.objects = {key: b"1"}
    begun(house)
    with pytest.raises(MadangError, match=sentence):
        fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    assert service.see(house.node, OWNER, "mine").files == []


def test_hosts_that_nobody_listed_are_not_asked_and_no_redirect_is_followed(house: House, standin: Standin) -> None:
    begun(house)
    standin.objects = {"a.csv": b"1"}
    strange = replace(standin.bucket, outgoing=Outgoing(frozenset(), True, s3.BOUNDS))
    with pytest.raises(MadangError, match="do not go to"):
        fetching.fetch(house.node, OWNER, "mine", strange, "")
    assert standin.asked == []
    standin.failing = {1: 307}
    with pytest.raises(MadangError, match="leads on and on"):
        fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    for name, address in (("UPPER", "http://127.0.0.1"), ("reads", "http://127.0.0.1/inside")):
        with pytest.raises(MadangError, match="There can be no bucket"):
            replace(standin.bucket, name=name, address=address)


def test_answers_that_are_none_are_one_sentence(house: House, standin: Standin) -> None:
    begun(house)
    for body, sentence in (
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "answers as no S3-compatible one does"),
        (b"no xml", "answers as no S3-compatible one does"),
        (b"<ListBucketResult></ListBucketResult>", "There is nothing in reads"),
    ):
        standin.failing, standin.says = {len(standin.asked) + 1: 200}, body
        with pytest.raises(MadangError, match=sentence):
            fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    standin.failing = {len(standin.asked) + 1: 403}
    standin.says = b"<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>"
    with pytest.raises(MadangError, match="SignatureDoesNotMatch") as refused:
        fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    assert "AKIA" not in str(refused.value)


def test_another_file_than_the_list_says_is_not_kept(house: House, standin: Standin) -> None:
    standin.objects = {"a.csv": b"1", "md5sum.txt": f"{'0' * 32}  a.csv\n".encode()}
    begun(house)
    with pytest.raises(MadangError, match="another one than its hash says"):
        fetching.fetch(house.node, OWNER, "mine", standin.bucket, "")
    assert service.see(house.node, OWNER, "mine").files == []


def test_by_command_with_keys_of_the_environment(
    house: House, standin: Standin, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from typer.testing import CliRunner

    from madang.services.deposits.commands import app

    standin.objects = {"a.csv": b"a,b\n1,2\n"}
    begun(house)
    monkeypatch.setenv("MADANG_HOME", str(house.node.home.path))
    monkeypatch.setenv("MADANG_OUTGOING_HOSTS", f"127.0.0.1:{standin.port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    words = ["fetch", "s3://reads/", "--endpoint", f"http://127.0.0.1:{standin.port}", "--to", "mine"]
    refused = CliRunner().invoke(app, words)
    assert isinstance(refused.exception, MadangError) and "AWS_ACCESS_KEY_ID" in refused.exception.hint
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS.name)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS.secret)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    file = service.see(house.node, OWNER, "mine").files[0]
    assert file.sha256 and json.loads(file.facts)["mark"]
