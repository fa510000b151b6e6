"""The way out: a site asks its partners for work and brings answers; nobody has to reach it.

Every message has a number and is kept until it was answered, so that a process that is killed goes on where it was.
"""

import contextlib
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, Self

from sqlalchemy import select

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import locked
from madang.node.node import Node
from madang.node.outgoing import Outgoing, outgoing_of
from madang.node.people.actor import Actor
from madang.services.alliance import answering, partners, wire
from madang.services.alliance.models import AllianceStudy, Partner

SECONDS = 60.0  # that an answer may take, the wait for a question included


class Line:
    """A kept connection to one partner, to the very address that the settings allow (`node.outgoing`)."""

    def __init__(self, node: Node, address: str, authority: str = "") -> None:
        self.address = address.rstrip("/")
        self.outgoing: Outgoing = outgoing_of(node.settings)
        self.authority = authority
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
        import json
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
        if wire.signer_of(given) != key:
            raise wire.unsigned()
        meta, arrays = wire.unpack(bytes(content))
        public = str(meta.get("key", "")) if meta.get("kind") == "joined" else self._public
        if wire.thumbprint(public) != key or given.get("madang-number") != str(number):
            raise wire.unsigned()
        wire.verify(public, me.name, given, bytes(content), status=200, request=headers["signature"])
        return meta, arrays

    _public = ""

    def to(self, public: str) -> Self:
        """Say whose answers are believed."""
        self._public = public
        return self

    def _trust(self) -> Any:
        if not self.authority:
            return True
        try:
            return ssl.create_default_context(cadata=self.authority)
        except (ssl.SSLError, ValueError):
            raise MadangError("alliance.authority", _("The certificate of the partner cannot be read.")) from None


def send(node: Node, line: Line, partner_id: int, meta: dict[str, Any], body: bytes | None = None) -> dict[str, Any]:
    """Send the next message to a partner; one that was begun before a kill goes first."""
    me = wire.identity(node.home)
    with _alone(node, partner_id):
        for fresh in (False, True):
            with node.read() as session:
                partner = partners.find(session, str(partner_id))
            if partner.state == "left":
                raise MadangError("alliance.left", _("{name} was left.").format(name=partner.name))
            waiting = partner.pending
            if waiting is None and not fresh:
                continue
            if waiting is None or fresh:
                waiting = body or wire.pack(meta)
                with node.write() as session:
                    partners.find(session, str(partner_id)).pending = waiting
            number = partner.sent + 1
            told, _arrays = line.to(partner.key).send(me, wire.thumbprint(partner.key), number, waiting)
            with node.write() as session:
                held = partners.find(session, str(partner_id))
                held.sent, held.pending = number, None
                if held.state != "left":
                    partners.told_agreements(node, held, told.get("agreements"))
    return told


@contextlib.contextmanager
def _alone(node: Node, partner_id: int) -> Iterator[None]:
    busy = MadangError(
        "alliance.busy", _("Another process speaks with this partner."), _("Wait, or stop `madang alliance wait`.")
    )
    path = node.home.folder("run") / f"alliance-{partner_id}.lock"
    with locked(path, exclusive=True, patience=90, busy=busy):
        yield


Compute = Callable[[int, dict[str, Any]], bytes]


def turn(node: Node, line: Line, partner_id: int, wait: float = 0.0, compute: Compute | None = None) -> int:
    """Bring decisions, take studies in, answer questions until there is none; how many were answered."""
    actor = Actor.node()
    work = compute or (lambda number, question: answering.answer(node, actor, number, question))
    for study in _undecided(node, partner_id):
        _decide(node, line, partner_id, study)
    told = send(node, line, partner_id, _poll(node, partner_id, wait))
    count = 0
    while True:
        fresh = False
        if told.get("ledger_wanted") is True:
            told = tell_ledger(node, line, partner_id)
        for each in told.get("studies") or []:
            with node.read() as session:
                known = session.scalar(select(AllianceStudy.id).where(AllianceStudy.uid == str(each.get("uid"))))
            try:
                answering.receive(node, actor, partner_id, each)
            except MadangError as error:
                if known is None:
                    node.audit.read(actor, "alliance.see", f"partner:{partner_id}", {"refused": error.code})
                    told_off = {"reason": error.message}
                    meta = {"kind": "decide", "study": each.get("uid"), "digest": each.get("digest"),
                            "decision": "refused", "told": told_off}  # fmt: skip
                    send(node, line, partner_id, meta)
            fresh = fresh or known is None
        for study in _undecided(node, partner_id):
            _decide(node, line, partner_id, study)
            fresh = True
        question = told.get("question")
        if question:
            with node.read() as session:
                number = session.scalar(
                    select(AllianceStudy.id).where(
                        AllianceStudy.uid == str(question.get("study")), AllianceStudy.partner_id == partner_id
                    )
                )
            if number is None:
                return count
            body = work(number, question)
            meta, arrays = wire.unpack(body)
            told = send(node, line, partner_id, {}, wire.pack({**meta, "wait": wait}, arrays))
            count += 1
        elif fresh:
            told = send(node, line, partner_id, _poll(node, partner_id, 0.0))
        else:
            return count


def tell_ledger(node: Node, line: Line, partner_id: int) -> dict[str, Any]:
    """Tell a partner our side of the audit; its own is in the answer, and kept."""
    from madang.services.alliance.reconciling import kept, ledger

    with node.read() as session:
        partner = partners.find(session, str(partner_id))
    told = send(node, line, partner_id, {"kind": "ledger", "ledger": ledger(node, partner)})
    kept(node, partner, told.get("ledger"))
    return told


def _poll(node: Node, partner_id: int, wait: float) -> dict[str, Any]:
    with node.read() as session:
        partner = partners.find(session, str(partner_id))
        return {"kind": "poll", "version": wire.VERSION, "wait": wait, "agreements": partners.ours_signed(partner)}


def _undecided(node: Node, partner_id: int) -> list[AllianceStudy]:
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


def _decide(node: Node, line: Line, partner_id: int, study: AllianceStudy) -> None:
    """Tell the asking node what was decided."""
    told: dict[str, Any] = {"reason": study.problem}
    if study.state == "approved":
        told = {**answering.versions_of(node, study), **answering.mask_key(node, study.uid)}
    meta = {"kind": "decide", "study": study.uid, "digest": study.digest, "decision": study.state, "told": told}
    send(node, line, partner_id, meta)
    with node.write() as session:
        held = session.get(AllianceStudy, study.id)
        if held is not None and held.state == study.state:
            held.decided = True


def goodbye(node: Node, actor: Actor, name: str, reason: str = "") -> Partner:
    """Leave a partner: here at once, and tell it where it can be reached."""
    with node.read() as session:
        partner = partners.find(session, name)
    if partner.address and partner.state == "confirmed":
        with contextlib.suppress(MadangError), Line(node, partner.address, partner.authority) as line:
            send(node, line, partner.id, {"kind": "leave"})
    return partners.leave(node, actor, name, reason)


def keep_waiting(node: Node, *, seconds: float | None = None, wait: float = 15.0, alone: bool = True) -> None:
    """Ask all partners with an address for work, again and again; computing is done in a child that ends with it."""
    import threading

    stop = threading.Event()
    compute = ChildWork(node) if alone else None
    end = None if seconds is None else time.monotonic() + seconds
    lines: dict[int, Line] = {}
    try:
        while not stop.is_set() and (end is None or time.monotonic() < end):
            with node.read() as session:
                found = session.scalars(
                    select(Partner).where(Partner.address != "", Partner.state == "confirmed")
                ).all()
            each_wait = wait if len(found) == 1 else min(wait, 1.0)
            for partner in found:
                line = lines.setdefault(partner.id, Line(node, partner.address, partner.authority))
                left = each_wait if end is None else max(0.0, min(each_wait, end - time.monotonic()))
                try:
                    turn(node, line, partner.id, left, compute)
                except MadangError as error:
                    from madang.base.console import console

                    console().print(f"{partner.name}: {error.message}", markup=False)
                    stop.wait(1.0)
            if not found:
                stop.wait(1.0)
    finally:
        for line in lines.values():
            line.__exit__()
        if compute is not None:
            compute.close()


class ChildWork:
    """Answers computed in a process of its own, so that the one that waits stays small."""

    def __init__(self, node: Node) -> None:
        self.home = str(node.home.path)
        self._pool: Any = None

    def __call__(self, number: int, question: dict[str, Any]) -> bytes:
        """As `answering.answer`."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        try:
            return bytes(self._pool.submit(in_child, self.home, number, question).result())
        except MadangError:
            raise
        except Exception as error:  # the child died: nothing was lost, the question comes again
            self.close()
            raise MadangError(
                "alliance.child", _("The process that computes ended: {reason}.").format(reason=error)
            ) from None

    def close(self) -> None:
        """End the child."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


_nodes: dict[str, Node] = {}


def in_child(home: str, number: int, question: dict[str, Any]) -> bytes:
    """Within the child: the answer, by a node that stays open."""
    from pathlib import Path

    from madang.node.home import Home

    node = _nodes.setdefault(home, Node.open(Home(Path(home)))) if home not in _nodes else _nodes[home]
    return answering.answer(node, Actor.node(), number, question)


__all__ = ["ChildWork", "Line", "goodbye", "keep_waiting", "send", "turn"]
