"""E-mail: with the act that it tells of, to a file by default, to a real SMTP server if one is set."""

import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import select, update

from madang.base.errors import MadangError
from madang.node import mail
from madang.node.database import now
from madang.node.home import Home
from madang.node.node import Node


class Server(socketserver.ThreadingTCPServer):
    """Takes e-mails as RFC 5321 says, and refuses those to `nobody@`."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.taken: list[bytes] = []


class Talk(socketserver.StreamRequestHandler):
    server: Server

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def handle(self) -> None:
        self.say("220 here")
        while line := self.rfile.readline().decode().strip():
            verb = line.upper().split(":")[0].split(" ")[0]
            if verb == "DATA":
                self.say("354 go on")
                lines = []
                while (data := self.rfile.readline()) != b".\r\n":
                    lines.append(data.removeprefix(b".") if data.startswith(b"..") else data)
                self.server.taken.append(b"".join(lines))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            elif verb == "RCPT" and "nobody@" in line:
                self.say("550 nobody of that name")
            else:
                self.say("250 fine")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv("MADANG_MAIL_SERVER", "127.0.0.1")
        monkeypatch.setenv("MADANG_MAIL_PORT", str(running.server_address[1]))
        monkeypatch.setenv("MADANG_MAIL_SECURITY", "none")
        yield running
        running.shutdown()


def test_without_a_server_an_email_is_a_file(node: Node) -> None:
    with pytest.raises(ZeroDivisionError), node.write() as session:
        mail.write(session, "kim@example.org", "Lost", "")
        raise ZeroDivisionError
    with node.write() as session:
        mail.write(session, "kim@example.org", "신청이 도착했습니다", "줄 하나\n.\n줄 둘")
    assert (mail.deliver(node), mail.deliver(node)) == (1, 0)
    (path,) = (node.home.path / "outbox").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert (message["To"], message["Subject"]) == ("kim@example.org", "신청이 도착했습니다")
    assert message.get_content().splitlines() == ["줄 하나", ".", "줄 둘"]


def test_nobody_can_slip_a_header_in(node: Node) -> None:
    for recipient, subject in [("kim@example.org\nBcc: all@example.org", "x"), ("kim@example.org", "x\r\nBcc: y")]:
        with pytest.raises(MadangError, check=lambda error: error.code == "text.character"), node.write() as session:
            mail.write(session, recipient, subject, "")


def test_a_server_takes_it_once_and_a_refusal_is_kept(tmp_path: Path, server: Server) -> None:
    node = Node.open(Home(tmp_path))
    with node.write() as session:
        mail.write(session, "nobody@example.org", "Refused", "body")
        mail.write(session, "kim@example.org", "Taken", "한 줄")
    assert (mail.deliver(node), mail.deliver(node)) == (1, 0)
    (taken,) = server.taken
    message = message_from_bytes(taken, policy=policy.default)
    assert (message["Subject"], message.get_content().strip()) == ("Taken", "한 줄")
    with node.read() as session:
        refused = session.scalars(select(mail.Mail).where(mail.Mail.sent.is_(None))).one()
    assert "nobody of that name" in refused.error and refused.not_before > now() + timedelta(seconds=90)
    for _attempt in range(12):
        with node.write() as session:
            session.execute(update(mail.Mail).values(not_before=now()))
        mail.deliver(node)
    with node.read() as session:
        assert session.scalars(select(mail.Mail.attempts).where(mail.Mail.sent.is_(None))).one() == 10
    mail.check_server(node)
    node.close()


def test_a_server_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MADANG_MAIL_SERVER", "127.0.0.1")
    monkeypatch.setenv("MADANG_MAIL_PORT", "1")
    node = Node.open(Home(tmp_path))
    with node.write() as session:
        mail.write(session, "kim@example.org", "Later", "")
    assert mail.deliver(node) == 0
    with pytest.raises(MadangError, check=lambda error: error.code == "mail.server"):
        mail.check_server(node)
    node.close()
