"""Everything that a browser, another site, a stolen cookie or a hostile kernel may try at the gateway to notebooks."""

import base64
import json
import shutil
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from attacks.conftest import Guest, Spaces
from madang.base.errors import MadangError
from madang.node.acts import doing
from madang.node.database import now
from madang.node.people.actor import Actor
from madang.node.people.models import Permit, Person, ProjectMember, SignInSession
from madang.services.workspace import bring, door, notebooks, outputs, service
from madang.services.workspace.acts import STOP

SECRET = "only inside 7c1f"
# What a stock notebook server answers, and how a filter before one is got round.
PATHS = """
/files/secret.txt /files/workspace/secret.txt /api/contents /api/contents/secret.txt /api/contents/secret.txt?content=1
/api/contents/secret.txt?format=base64 /api/contents/checkpoints /api/kernels /api/kernels/1/channels /api/sessions
/api/terminals /terminals/1 /terminals/websocket/1 /nbconvert/html/n0.ipynb /nbconvert/script/n0.ipynb /view/secret.txt
/edit/secret.txt /tree /tree/secret.txt /lab /lab/api/settings /lab/tree/secret.txt /notebooks/n0.ipynb /doc/tree/n0
/api/kernelspecs /kernelspecs/python3/logo-64x64.png /custom/custom.css /nbextensions/x.js /lsp/ws/pylsp /proxy/8000/
/proxy/absolute/8000/ /user/lee/files/secret.txt /hub/api/users /metrics /api/me /api/status /api/shutdown /login
/logout
/api/config/notebook /api/nbconvert /voila/render/n0.ipynb /debugger /api/spec.yaml /files/..%2fsecret.txt
/static/../secret.txt /static/%2e%2e/secret.txt /static/..%2f..%2fservice.py /static/%252e%252e%252fservice.py
/static/..%5cservice.py /static//etc/passwd /static/notebook.js%00.txt /do/../files/secret.txt
/do/%2e%2e/files/secret.txt
//files/secret.txt /./files/secret.txt /FILES/secret.txt /Api/Contents /files;x/secret.txt /%66iles/secret.txt
/%2566iles/secret.txt /files%2fsecret.txt /events/../files/secret.txt /enter/../files/secret.txt /do /do/ /do/list/..
/do/download /do/read /do/files /do/export /do/terminal /do/exec /do/kernel /do/LIST /static/ /static /.git/config
/openapi.json /docs /redoc /api/v1/workspaces /workspaces
""".split()


@pytest.fixture
def guest(spaces: Spaces) -> Iterator[Guest]:
    folder = service.folder_of(spaces.house.node, spaces.workspace.id)
    (folder / "files" / "secret.txt").write_text(SECRET)
    found = spaces.enter()
    yield found
    found.client.close()


def test_no_path_of_a_stock_server_is_answered(spaces: Spaces, guest: Guest) -> None:
    assert len(PATHS) > 70
    for path in PATHS:
        for method in ("GET", "POST"):
            answer = raw(spaces, guest, f"{method} {path} HTTP/1.1", body=b"{}" if method == "POST" else b"")
            status = int(answer.split(b" ", 2)[1])
            assert status in (400, 403, 404, 405, 421), (method, path, status)
            assert SECRET.encode() not in answer


def raw(spaces: Spaces, guest: Guest, line: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """One request, byte for byte, with everything that a page would bring."""
    host = spaces.served.address.partition("://")[2]
    cookie = "; ".join(f"{name}={value}" for name, value in guest.client.cookies.items())
    sent = {"Host": host, "Cookie": cookie, "Origin": guest.origin, "Sec-Fetch-Site": "same-origin"}
    sent |= {"Content-Length": str(len(body)), "Connection": "close"} | (headers or {})
    with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), 10) as end:
        end.sendall(
            f"{line}\r\n".encode() + b"".join(f"{n}: {v}\r\n".encode() for n, v in sent.items()) + b"\r\n" + body
        )
        end.settimeout(10)
        answer = b""
        while len(answer) < 1 << 16:
            try:
                part = end.recv(1 << 14)
            except (TimeoutError, ConnectionError):
                break
            if not part:
                break
            answer += part
    return answer


def test_other_methods_and_websockets_are_refused(spaces: Spaces, guest: Guest) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MOVE"):
        for path in ("/do/list", "/", "/events", "/files/secret.txt"):
            assert b" 405 " in raw(spaces, guest, f"{method} {path} HTTP/1.1").split(b"\r\n")[0] + b" "
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(b"0123456789abcdef").decode(),
    }
    for path in ("/events", "/", "/api/kernels/1/channels", "/terminals/websocket/1", "/lsp/ws/pylsp", "/do/run"):
        for origin in (guest.origin, "http://evil.example", "null"):
            answer = raw(spaces, guest, f"GET {path} HTTP/1.1", headers={**upgrade, "Origin": origin})
            assert b" 101 " not in answer.split(b"\r\n")[0], path


def test_another_site_can_ask_nothing(spaces: Spaces, guest: Guest) -> None:
    for origin in ("http://evil.example", "null", "", f"{guest.origin}.evil.example", "http://127.0.0.1", "file://"):
        assert guest.ask("list", **{"Origin": origin}).status_code == 403
    for site in ("cross-site", "same-site", "none"):
        assert guest.ask("list", **{"Sec-Fetch-Site": site}).status_code == 403
        if site != "none":
            assert guest.client.get("/events", headers={"Sec-Fetch-Site": site}).status_code == 403
            assert guest.client.get("/", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert (
        guest.client.post("/do/list", content=b"{}").status_code == 403
    )  # a form of another site has no Origin of ours
    assert guest.client.get("/events", headers={"Origin": "http://evil.example"}).status_code == 403
    for host in ("evil.example", "127.0.0.1", "localhost", "127.0.0.1:1", "0.0.0.0", "[::1]"):
        assert guest.client.get("/", headers={"Host": host}).status_code == 421  # a name that was bent to us


def test_every_answer_forbids_what_pages_do_not_need(spaces: Spaces, guest: Guest) -> None:
    for answer in (
        guest.client.get("/"),
        guest.ask("list"),
        guest.client.get("/nothing"),
        guest.ask("list", Origin="x"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers
        assert "content-disposition" not in answer.headers


def test_cookies_and_tickets_that_were_stolen_forged_or_used(spaces: Spaces, guest: Guest) -> None:
    own = guest.client.cookies["madang-notebooks"]
    for cookie in ("", "x", own[:-1], own + "a", own.upper(), "null", spaces.house.cookies["member"]):
        client = spaces.client()
        client.cookies.set("madang-notebooks", cookie)
        assert Guest(client, guest.origin).ask("list").status_code == 401
        assert client.get("/events").status_code == 401
        assert SECRET not in client.get("/").text
    used = spaces.ticket("lee")
    assert spaces.client().get("/enter", params={"ticket": used}).status_code == 200
    body, _dot, signature = spaces.ticket("lee").partition(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=="))
    other = base64.urlsafe_b64encode(json.dumps(told | {"p": spaces.people["park"]}).encode()).decode().rstrip("=")
    bad = [
        used,
        "",
        "x",
        ".",
        body,
        f"{body}.",
        f"{body}.{signature[:-1]}",
        f"{other}.{signature}",
        f"{body}.{signature}é",
    ]
    bad += [spaces.ticket("park"), spaces.ticket("lee", 99), spaces.house.cookies["member"]]
    for ticket in bad:
        assert spaces.client().get("/enter", params={"ticket": ticket}).status_code in (403, 422), ticket
    with pytest.raises(MadangError):
        door.read_ticket(spaces.house.node, spaces.ticket("lee"), since=time.time() + 10)


def test_requests_that_are_none(spaces: Spaces, guest: Guest) -> None:
    made = guest.ask("create", {"name": "mine"}).json()
    cell = made["cells"][0]["id"]
    bodies = [
        b"",
        b"[]",
        b"null",
        b"1",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"{}" * 3,
        b"x" * (5 << 20),
    ]
    for name in ("load", "create", "save", "run", "remove"):
        for body in bodies:
            assert guest.ask(name, body).status_code == 422
    for name in (
        "../x",
        "..",
        ".",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "x\0",
        "a" * 61,
        "",
        " ",
        "n0.ipynb",
        "-",
        1,
        None,
        ["x"],
        {},
    ):
        for what in ("create", "load", "remove"):
            assert guest.ask(what, {"name": name}).status_code == 422, name
    good = {"id": cell, "kind": "code", "source": "1"}
    for cells in ([{**good, "id": "../x"}], [good, good], [{**good, "source": 1}], [None], "x", [{}], [good] * 600):
        assert guest.ask("save", {"name": "mine", "version": 1, "cells": cells}).status_code == 422
    for given in (
        {"code": 1},
        {"cell": "other"},
        {"notebook": "other"},
        {"code": "x" * 300_000},
        {"notebook": "../mine"},
    ):
        assert guest.ask("run", {"notebook": "mine", "cell": cell, "code": "1"} | given).status_code == 422
    saved = guest.ask(
        "save", {"name": "mine", "version": 1, "cells": [{**good, "metadata": {"x": "y"}, "outputs": ["z"]}]}
    )
    assert saved.json() == {"version": 2}
    kept = notebooks.load(service.folder_of(spaces.house.node, spaces.workspace.id) / "notebooks", "mine")
    assert kept["cells"] == [{**good, "outputs": [], "count": None}]


HOSTILE = Path(__file__).with_name("hostile_cell.py").read_text()


def test_what_a_hostile_kernel_says_is_dropped(spaces: Spaces, guest: Guest) -> None:
    heard = guest.run(HOSTILE)
    mine = [message for message in heard if "cell" in message]
    assert {message["notebook"] for message in mine} == {"n0"}
    assert len({message["cell"] for message in mine}) == 1
    assert {message["say"] for message in heard} <= {"waking", "ready", "waits", *outputs.MESSAGES}
    text = json.dumps(heard)
    for word in (
        "script",
        "svg",
        "evil.example",
        "hidden",
        "payload",
        "data:",
        "PHN2Zz4",
        "JVBERi0",
        "R0lGOD",
        "other",
    ):
        assert word not in text
    shown = "".join(message["text"] for message in mine if message["say"] == "text")
    assert shown == "visible[2J"
    assert [message for message in mine if message["say"] == "show"] == []


def test_what_is_shown_is_bounded_by_cell_line_and_hour(spaces: Spaces, guest: Guest) -> None:
    heard = guest.run("print('x' * 50_000_000)", 60)
    assert sum(len(message.get("text", "")) for message in heard) <= outputs.TEXT + 100
    heard = guest.run(HOSTILE.replace('WHAT = "lines"\n\n\n', 'WHAT = "endless"\n\n\n'), 60)
    assert heard[-1]["say"] == "asleep"  # it was ended
    spaces.gateway.shown.clear()
    settings = spaces.house.node.settings
    monthly = settings.model_copy(update={"workspace": settings.workspace.model_copy(update={"shown_mb": 1})})
    object.__setattr__(spaces.house.node, "settings", monthly)
    total = sum(len(json.dumps(guest.run("print('y' * 190_000)"))) for _ in range(9))
    assert total < 1.3 * (1 << 20)
    spaces.gateway.write_sums()
    with spaces.house.node.read() as session:
        sums = [event for event in spaces.house.node.audit.events(session, act="workspace.use")]
    assert sums and sums[0].details["refused"] > 0 and sums[0].details["cells"] >= 9


def png(*chunks: tuple[bytes, bytes], tail: bytes = b"") -> bytes:
    packed = b"".join(struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    return b"\x89PNG\r\n\x1a\n" + packed + tail


HEAD = (b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
BOMB = zlib.compress(bytes(20 << 20))
PIXELS = b"\0\1\2\3\4\5\6" * 2
GOOD = (b"IDAT", zlib.compress(PIXELS))
END = (b"IEND", b"")


def test_a_picture_carries_nothing_but_its_pixels() -> None:
    plain = outputs.clean_picture(png(HEAD, GOOD, END))
    carriers = [
        png(HEAD, (b"tEXt", b"key\0" + SECRET.encode()), GOOD, END),
        png(HEAD, (b"iTXt", SECRET.encode()), (b"eXIf", SECRET.encode()), GOOD, END),
        png(HEAD, GOOD, END, tail=b"PK\3\4" + SECRET.encode()),
        png(HEAD, (b"acTL", SECRET.encode()), GOOD, (b"fdAT", SECRET.encode()), END),
        png(HEAD, (b"IDAT", zlib.compress(PIXELS) + SECRET.encode()), END),
        png(HEAD, GOOD, (b"maDg", SECRET.encode()), END),
    ]
    for each in carriers:
        assert outputs.clean_picture(each) == plain
    refused = [
        *(b"", b"GIF89a", b"<svg/>", png(HEAD), png(GOOD, END), png(HEAD, (b"IDAT", zlib.compress(PIXELS * 2)), END)),
        *(
            png(HEAD, (b"IDAT", zlib.compress(PIXELS[:-1])), END),
            png(HEAD, GOOD)[:-8],
            png(HEAD, GOOD, END) + bytes(2 << 20),
        ),
        png((b"IHDR", struct.pack(">IIBBBBB", 9999, 2, 8, 2, 0, 0, 0)), GOOD, END),
        png((b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 1)), GOOD, END),
        png(
            (b"IHDR", struct.pack(">IIBBBBB", 2000, 2000, 8, 6, 0, 0, 0)),
            (b"IDAT", zlib.compress(bytes(20 << 20))),
            END,
        ),
        png((b"IHDR", b"x"), GOOD, END),
        png(HEAD, (b"IDAT", zlib.compress(b"\x09" + PIXELS[1:])), END),
    ]
    for each in refused:
        with pytest.raises((ValueError, zlib.error, struct.error)):
            outputs.clean_picture(each)


def test_whoever_may_no_longer_be_there_is_put_out_with_the_kernel_running(spaces: Spaces, guest: Guest) -> None:
    """A member who left, who signed out, whose account is closed; a permit that is suspended, or over."""

    def leave(session: Any) -> None:
        for each in session.query(ProjectMember).filter_by(person_id=spaces.people["lee"]):
            each.ends = now() - timedelta(seconds=1)

    def sign_out(session: Any) -> None:
        session.delete(session.get(SignInSession, spaces.sessions["kim"]))

    assert guest.ask("wake").json() == {"awake": True}
    assert spaces.gateway.spaces[spaces.workspace.id].is_awake
    ended: list[str] = []

    def follow() -> None:
        with guest.client.stream("GET", "/events", timeout=30) as events:
            ended.extend(line for line in events.iter_lines() if "over" in line)

    watching = threading.Thread(target=follow)
    watching.start()
    listeners = spaces.gateway.spaces[spaces.workspace.id].listeners
    end = time.monotonic() + 20
    while not listeners and time.monotonic() < end:
        time.sleep(0.01)
    kim = spaces.enter("kim")
    spaces.change(leave)
    spaces.gateway._tend()
    watching.join(20)
    assert ended and not watching.is_alive()
    assert guest.ask("list").status_code == 401
    assert spaces.client().get("/enter", params={"ticket": spaces.ticket("lee")}).status_code == 403
    assert kim.ask("list").status_code == 200  # a colleague is not disturbed
    spaces.change(sign_out)
    assert kim.ask("list").status_code == 401


@pytest.mark.parametrize("state", ["ended", "suspended", "clock"])
def test_a_permit_that_ends_ends_the_kernel(spaces: Spaces, guest: Guest, state: str) -> None:
    def over(session: Any) -> None:
        permit = session.get(Permit, spaces.permit)
        if state == "clock":
            permit.ends = now() - timedelta(seconds=1)
        else:
            permit.state = state

    assert guest.ask("wake").json() == {"awake": True}
    running = spaces.gateway.spaces[spaces.workspace.id].running
    spaces.change(over)
    assert guest.ask("run", {}).status_code in (401, 403)
    spaces.gateway._tend()
    assert running is not None and not running.is_alive
    service.sweep(spaces.house.node)
    expected = "open" if state == "suspended" else "dormant"
    assert service.find(spaces.house.node, spaces.workspace.id).state == expected


def test_an_account_that_is_closed_and_a_space_that_is_stopped(spaces: Spaces, guest: Guest) -> None:
    assert guest.ask("wake").json() == {"awake": True}
    node = spaces.house.node
    with doing(node, Actor.owner(), STOP, lambda s: s.get(type(spaces.workspace), spaces.workspace.id)) as done:
        done.thing.stopped = now() + timedelta(seconds=5)
        done.tell(reason="test")
    spaces.gateway._tend()
    assert not spaces.gateway.spaces[spaces.workspace.id].is_awake

    def close(session: Any) -> None:
        session.get(Person, spaces.people["lee"]).disabled = now()

    spaces.change(close)
    assert guest.ask("list").status_code in (401, 403, 422)
    assert guest.ask("list").status_code == 401


def test_inside_only_the_own_folder_can_be_written(spaces: Spaces, guest: Guest) -> None:
    port = int(spaces.served.address.rpartition(":")[2])
    code = (
        "import os, socket\n"
        "for path in ('/data/person.parquet', '/brought/x', '/notebooks/n0.ipynb', '/opt/kernel/kernel.py', '/x'):\n"
        "    try: open(path, 'w').write('x'); print('WROTE', path)\n"
        "    except OSError: pass\n"
        f"try: socket.create_connection(('127.0.0.1', {port}), 2); print('CONNECTED')\n"
        "except OSError: pass\n"
        "os.symlink('/etc/passwd', '/workspace/passwd'); os.symlink('/', '/workspace/root')\n"
        "found = [p for p, d, f in os.walk('/') if 'task.toml' in f]; import madang.research\n"
        "print(sorted(os.listdir('/')), os.path.exists('/proc/1'), len(table('person')), found)\n"
    )
    heard = guest.run(code)
    shown = "".join(message.get("text", "") for message in heard)
    assert "WROTE" not in shown and "CONNECTED" not in shown
    assert "False 20 []" in shown  # nor what is expected of answers in training
    assert service.disk_of(spaces.house.node, spaces.workspace.id) < 10 << 20  # links are not followed


def test_what_is_brought_in_as_an_attack(spaces: Spaces) -> None:
    node = spaces.house.node
    with node.read() as session:
        lee, park = (Actor.person(session, spaces.people[name]) for name in ("lee", "park"))
    number = spaces.workspace.id
    bad = [
        "",
        "x",
        "x.exe",
        "x.html",
        "x.svg",
        ".csv",
        "a\0.csv",
        "x\n.csv",
        "\u202e.csv",
        "a" * 200 + ".csv",
        "-x.csv",
        "..",
        "/",
    ]
    for name in bad:
        with pytest.raises(MadangError) as error:
            bring.bring(node, lee, number, name, b"x", "")
        assert error.value.code == "workspace.file_name", name
    for data in (b"", bytes(bring.LARGEST + 1)):
        with pytest.raises(MadangError):
            bring.bring(node, lee, number, "x.csv", data, "")
    for name in ("../../x.csv", "/etc/x.csv", "..\\x.csv"):
        brought = bring.bring(node, lee, number, name, name.encode(), "")
        assert brought.name == "x.csv" and brought.state == "asked"
        assert not (service.folder_of(node, number) / "brought" / "x.csv").exists()  # nobody has looked at it
        bring.decide(node, Actor.owner(), brought.id, accept=False)
    with pytest.raises(MadangError) as error:
        bring.bring(node, park, number, "x.csv", b"x", "")
    assert error.value.code == "workspace.none"
    made = bring.bring(node, lee, number, "codes.csv", b"a,b", "codes")
    with pytest.raises(MadangError):
        bring.decide(node, lee, made.id, accept=True)  # not by who brings it
    bring.decide(node, Actor.owner(), made.id, accept=True)
    kept = service.folder_of(node, number) / "brought" / "codes.csv"
    assert kept.read_bytes() == b"a,b" and kept.stat().st_mode & 0o222 == 0
    with pytest.raises(MadangError):
        bring.bring(node, lee, number, "codes.csv", b"other", "")


def test_another_project_sees_nothing(spaces: Spaces) -> None:
    node = spaces.house.node
    with node.read() as session:
        park = Actor.person(session, spaces.people["park"])
    assert service.list_workspaces(node, park) == []
    for act in (service.see, service.stop, service.end, service.destroy):
        with pytest.raises(MadangError) as error:
            act(node, park, spaces.workspace.id)
        assert error.value.code == "workspace.none"
    with pytest.raises(MadangError):
        service.open_workspace(node, park, "P-first")
    theirs = service.open_workspace(node, park, "P-second")
    assert theirs.id != spaces.workspace.id
    shutil.rmtree(service.folder_of(node, theirs.id))
