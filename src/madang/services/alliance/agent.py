"""The way out: a site asks its partners for work and brings answers; nobody has to reach it.

Every message has a number and is kept until it was answered, so that a process that is killed goes on where it was. The
process that waits imports no science; what there is to do is done by a child (`child`), which ends with it.
"""

import contextlib
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked, write_partial
from madang.node.node import Node
from madang.node.outgoing import Outgoing, outgoing_of
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.services.alliance import discover, partners, wire
from madang.services.alliance.acts import JOIN
from madang.services.alliance.models import AllianceStudy, Partner

if TYPE_CHECKING:
    from sqlalchemy import CursorResult

TO_DO = ("studies", "question", "ledger_wanted", "catalog_wanted")  # what a partner may tell that is work
SECONDS = 60.0  # that an answer may take, the wait for a question included


def own_certificate(node: Node) -> Path:
    """Where the certificate is that this node shows to partners that ask for one (mutual TLS), with its key."""
    return node.home.folder("alliance") / "client.pem"


def show_certificate(node: Node, actor: Actor, certificate: bytes, key: bytes) -> None:
    """Have this certificate shown to partners that ask for one. Errors: `alliance.authority` where the two are none."""
    check(actor, JOIN)
    partial = write_partial(own_certificate(node).parent, certificate.rstrip() + b"\n" + key, 0o600)
    try:
        ssl.create_default_context().load_cert_chain(partial)
    except (ssl.SSLError, ValueError):
        partial.unlink()
        raise MadangError(
            "alliance.authority",
            _("This is no certificate with its key."),
            _("Both are PEM files; the key has no password."),
        ) from None
    partial.replace(own_certificate(node))


class Line:
    """A kept connection to one partner, to the very address that the settings allow (`node.outgoing`)."""

    def __init__(self, node: Node, address: str, authority: str = "") -> None:
        self.address = address.rstrip("/")
        self.outgoing: Outgoing = outgoing_of(node.settings)
        self.authority = authority
        self.ours = own_certificate(node)
        self._client: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._client is not None:
            self._client.close()

    def send(self, me: wire.Identity, key: str, number: int, body: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
        """Send a message to the partner with that key, and believe its answer only if it is signed.

        Errors: `outgoing.*`, `alliance.signature`, and what the partner says is wrong.
        """
        from urllib.parse import urlsplit

        import httpx

        url = self.address + wire.PATH
        host, address, port = self.outgoing.check(url)
        parts = urlsplit(url)
        there = f"[{address}]" if ":" in address else address
        pinned = parts._replace(netloc=f"{there}:{port}").geturl()
        headers = wire.signed_request(me, key, number, body, parts.path)
        if self._client is None:
            self._client = httpx.Client(trust_env=False, follow_redirects=False, timeout=SECONDS, verify=self._trust())
        try:
            with self._client.stream(
                "POST",
                pinned,
                headers={**headers, "Host": parts.netloc, "User-Agent": "madang"},
                content=body,
                extensions={"sni_hostname": host},
            ) as response:
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > wire.LARGEST:
                        raise MadangError(
                            "outgoing.too_large", _("The answer of {host} is too large.").format(host=host)
                        )
        except httpx.HTTPError as error:
            self._client.close()
            self._client = None
            raise MadangError(
                "outgoing.failed",
                _("{host} does not answer as it should: {reason}.").format(
                    host=host, reason=str(error).rstrip(".") or type(error).__name__
                ),
                _("Try again later."),
            ) from None
        if response.status_code != 200:
            code, message, hint = "outgoing.failed", "", ""
            with contextlib.suppress(ValueError, AttributeError):
                told = json.loads(bytes(content[:10_000]))
                code, message, hint = (
                    str(told.get("code", code)),
                    str(told.get("detail", "")),
                    str(told.get("hint", "")),
                )
            known = code if code.startswith("alliance.") and len(code) < 60 else "outgoing.failed"
            message = message[:500] or _("{host} answers with status {status}.").format(
                host=host, status=response.status_code
            )
            raise MadangError(known, message, hint[:300])
        given = {name.lower(): value for name, value in response.headers.items()}
        return self.believed(me, key, number, headers, given, bytes(content))

    def believed(
        self, me: wire.Identity, key: str, number: int, request: dict[str, str], given: dict[str, str], content: bytes
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What an answer tells, if the partner signed it for this very request. Errors: `alliance.signature`."""
        if wire.signer_of(given) != key:
            raise wire.unsigned()
        meta, arrays = wire.unpack(content)
        public = str(meta.get("key", "")) if meta.get("kind") == "joined" else self._public
        if wire.thumbprint(public) != key or given.get("madang-number") != str(number):
            raise wire.unsigned()
        wire.verify(public, me.name, given, content, status=200, request=request["signature"])
        return meta, arrays

    _public = ""
    answered = -1  # number of the last message that was answered here and is not written down as such

    def to(self, public: str) -> Self:
        """Say whose answers are believed."""
        self._public = public
        return self

    def _trust(self) -> Any:
        """By whom the partner's certificate is vouched for, and our own one, if there is one to show."""
        if not self.authority and not self.ours.exists():
            return True
        try:
            trusted = ssl.create_default_context(cadata=self.authority or None)
        except (ssl.SSLError, ValueError):
            raise MadangError("alliance.authority", _("The certificate of the partner cannot be read.")) from None
        if self.ours.exists():
            trusted.load_cert_chain(self.ours)
        return trusted


def send(
    node: Node,
    line: Line,
    partner_id: int,
    meta: dict[str, Any],
    body: bytes | None = None,
    *,
    along: Callable[[Session], None] | None = None,
    settle: bool = True,
) -> dict[str, Any]:
    """Send the next message to a partner; one that was begun before a kill goes first.

    `along` is done in the transaction that keeps the message, before it leaves. Without `settle` it is written down
    with the next message only that this one was answered (or by `settled`): who is killed meanwhile sends it again, and
    is answered the same.
    """
    me = wire.identity(node.home)
    with _alone(node, partner_id):
        partner = _ready(node, line, me, partner_id)
        number = partner.sent + (1 if partner.pending is None else 2)
        waiting = body or wire.pack(meta)
        with node.write() as session:
            if along is not None:
                along(session)
            put = update(Partner).where(Partner.id == partner_id, Partner.state != "left")
            if not cast("CursorResult[Any]", session.execute(put.values(sent=number - 1, pending=waiting))).rowcount:
                raise _left(partner.name)
        told = _say(node, line, me, partner, number, waiting)
        if settle:
            settled(node, line, partner_id)
    return told


def _ready(node: Node, line: Line, me: wire.Identity, partner_id: int) -> Any:
    """The partner, once it has answered what was begun before."""
    columns = Partner.id, Partner.name, Partner.state, Partner.key, Partner.sent, Partner.pending
    while True:
        with node.read() as session:
            partner = session.execute(select(*columns).where(Partner.id == partner_id)).one()
        if partner.state == "left":
            raise _left(partner.name)
        if partner.pending is None or line.answered == partner.sent + 1:
            return partner
        _say(node, line, me, partner, partner.sent + 1, partner.pending)
        settled(node, line, partner_id)


def _left(name: str) -> MadangError:
    return MadangError("alliance.left", _("{name} was left.").format(name=name))


def _say(node: Node, line: Line, me: wire.Identity, partner: Any, number: int, body: bytes) -> dict[str, Any]:
    told, _arrays = line.to(partner.key).send(me, wire.thumbprint(partner.key), number, body)
    line.answered = number
    if "agreements" in told:
        with node.read() as session:
            known = partners.knows(partners.by_id(session, partner.id), told["agreements"])
        if not known:
            with node.write() as session:
                held = partners.by_id(session, partner.id)
                if held.state != "left":
                    partners.told_agreements(node, held, told["agreements"])
    return told


def settled(node: Node, line: Line, partner_id: int) -> None:
    """Write down that the last message on this line was answered, if nobody has done so meanwhile."""
    if line.answered < 0:
        return
    which = Partner.id == partner_id, Partner.sent == line.answered - 1
    with node.write() as session:
        session.execute(update(Partner).where(*which).values(sent=line.answered, pending=None))
    line.answered = -1


@contextlib.contextmanager
def _alone(node: Node, partner_id: int) -> Iterator[None]:
    busy = MadangError(
        "alliance.busy", _("Another process speaks with this partner."), _("Wait, or stop `madang alliance wait`.")
    )
    path = node.home.folder("run") / f"alliance-{partner_id}.lock"
    with locked(path, exclusive=True, patience=90, busy=busy):
        yield


def goodbye(node: Node, actor: Actor, name: str, reason: str = "") -> Partner:
    """Leave a partner: here at once, and tell it where it can be reached."""
    with node.read() as session:
        partner = partners.find(session, name)
    if partner.address and partner.state == "confirmed":
        with contextlib.suppress(MadangError), Line(node, partner.address, partner.authority) as line:
            send(node, line, partner.id, {"kind": "leave"})
    return partners.leave(node, actor, name, reason)


def poll(node: Node, partner_id: int, wait: float) -> dict[str, Any]:
    """The message by which a site asks for work: what we signed, and which studies we have already."""
    with node.read() as session:
        partner = partners.by_id(session, partner_id)
        return {
            "kind": "poll",
            "version": wire.VERSION,
            "wait": wait,
            "agreements": partners.ours_signed(partner),
            "have": having(session, partner_id),
            "catalog": discover.hash_of(discover.catalog_of(session, partner)),
            "knows": discover.hash_of(discover.kept(node, partner_id)),
        }


def having(session: Session, partner_id: int) -> list[str]:
    """The studies of a partner that wait for a decision here, so that it does not tell them again."""
    waiting = AllianceStudy.partner_id == partner_id, AllianceStudy.state == "waiting"
    return list(session.scalars(select(AllianceStudy.uid).where(*waiting)))


def undecided(node: Node, partner_id: int) -> list[AllianceStudy]:
    """Studies that were decided on, of which the asking node does not know yet."""
    with node.read() as session:
        return list(
            session.scalars(
                select(AllianceStudy).where(
                    AllianceStudy.partner_id == partner_id,
                    AllianceStudy.state.in_(("approved", "refused")),
                    AllianceStudy.decided.is_(False),
                )
            )
        )


def keep_waiting(node: Node, *, seconds: float | None = None, wait: float = 5.0) -> None:
    """Ask all partners with an address for work, again and again, until Ctrl-C or so long."""
    end = None if seconds is None else time.monotonic() + seconds
    lines: dict[int, Line] = {}
    worker = Worker(node.home.path)
    try:
        while end is None or time.monotonic() < end:
            with node.read() as session:
                found = session.scalars(
                    select(Partner).where(Partner.address != "", Partner.state == "confirmed")
                ).all()
            each_wait = wait if len(found) == 1 else min(wait, 1.0)
            for partner in found:
                line = lines.setdefault(partner.id, Line(node, partner.address, partner.authority))
                left = each_wait if end is None else max(0.0, min(each_wait, end - time.monotonic()))
                try:
                    told = {}
                    if not undecided(node, partner.id):
                        told = send(node, line, partner.id, poll(node, partner.id, left))
                    if not told or any(told.get(name) for name in TO_DO):
                        worker.work(partner.id, told)
                except MadangError as error:
                    from madang.base.console import console

                    console().print(f"{partner.name}: {error.message}", markup=False)
                    time.sleep(1.0)
            worker.rest()
            if not found:
                time.sleep(1.0)
    finally:
        for line in lines.values():
            line.__exit__()
        worker.close()


class Worker:
    """The child that does what there is to do: lines of JSON to it and back. It ends when its input does."""

    IDLE = 600.0  # seconds after which it is let go

    def __init__(self, home: Path) -> None:
        self.home = home
        self._child: subprocess.Popen[str] | None = None
        self._used = 0.0

    def work(self, partner_id: int, told: dict[str, Any]) -> int:
        """Have everything done that a partner asks, `told` being what it told last; how many questions were answered.

        Errors: those of the work, and `alliance.child` where the child died; nothing is lost then, and what was not
        answered comes again.
        """
        if self._child is None or self._child.poll() is not None:
            command = [sys.executable, "-m", "madang.services.alliance.child", str(self.home)]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._used = time.monotonic()
        assert self._child.stdin is not None and self._child.stdout is not None  # they were asked for
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(json.dumps({"partner": partner_id, "told": told}) + "\n")
            self._child.stdin.flush()
            answer = self._child.stdout.readline()
        if not answer:
            self.close()
            raise MadangError("alliance.child", _("The process that computes ended; it is begun again."))
        found = json.loads(answer)
        if "error" in found:
            raise MadangError(found["error"]["code"], found["error"]["message"], found["error"]["hint"])
        return int(found["count"])

    def rest(self) -> None:
        """Let the child go, with the rows it has read, once nothing was asked for long."""
        if self._child is not None and time.monotonic() - self._used > self.IDLE:
            self.close()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


__all__ = ["Line", "Worker", "goodbye", "having", "keep_waiting", "poll", "send", "settled", "undecided"]
