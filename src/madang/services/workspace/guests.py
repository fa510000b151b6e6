"""Who is in which workspace through the gateway: guests by their cookies, the spaces that are awake, what was shown."""

import json
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import SignInSession
from madang.services.workspace import door, service
from madang.services.workspace.spaces import Space

_FRESH = 1.0  # seconds for which an answer of the database is believed
_SESSION = 12 * 3600  # seconds
_AT_ONCE = 20  # browsers of one person; the oldest has to go in again


@dataclass
class Guest:
    """Who came with a ticket."""

    ticket: door.Ticket
    checked: float = 0.0
    seen: float = field(default_factory=time.monotonic)
    came: float = field(default_factory=time.monotonic)


@dataclass
class Shown:
    """What a person was shown in a workspace since it was last written down."""

    cells: int = 0
    size: int = 0
    pictures: int = 0
    refused: int = 0
    hour: deque[tuple[float, int]] = field(default_factory=deque)


class Gateway:
    """What the requests share: who is there, and which workspaces are awake."""

    def __init__(self, node: Node, hosts: Callable[[], set[str]]) -> None:
        self.node, self.hosts = node, hosts
        self.since = time.time()
        self.guests: dict[str, Guest] = {}
        self.nonces: dict[str, float] = {}
        self.spaces: dict[int, Space] = {}
        self.shown: dict[tuple[int, int], Shown] = {}
        self.lock = threading.RLock()

    # Who is there

    def enter(self, text: str) -> tuple[str, door.Ticket]:
        """A new guest by a ticket; their cookie. Errors: `workspace.ticket`, `workspace.closed`."""
        ticket = door.read_ticket(self.node, text, since=self.since)
        with self.lock:
            self.nonces = {nonce: at for nonce, at in self.nonces.items() if at > time.time() - 2 * door.TICKET}
            if ticket.nonce in self.nonces:
                raise MadangError("workspace.ticket", _("This way into the workspace was used already."))
            self.nonces[ticket.nonce] = time.time()
        self._check(ticket)
        cookie = secrets.token_urlsafe(32)
        with self.lock:
            self.guests[cookie] = Guest(ticket, time.monotonic())
            mine = [each for each, guest in self.guests.items() if guest.ticket.person == ticket.person]
            for old in mine[:-_AT_ONCE]:  # every guest is asked for again and again: nobody may be very many
                del self.guests[old]
        return cookie, ticket

    def guest(self, cookie: str) -> Guest:
        """Who a cookie stands for, if they may still be here. Errors: `permission.sign_in`, `workspace.closed`."""
        guest = self.guests.get(cookie)
        if guest is None or time.monotonic() - guest.came > _SESSION:
            raise MadangError("permission.sign_in", _("Go in from the workspace's page in the portal."))
        if time.monotonic() - guest.checked > _FRESH:
            try:
                self._check(guest.ticket)
            except MadangError:
                self.guests.pop(cookie, None)
                raise
            guest.checked = time.monotonic()
        guest.seen = time.monotonic()
        return guest

    def _check(self, ticket: door.Ticket) -> None:
        """Ask the database whether somebody may be in a workspace now: account, session, project, permit."""
        workspace = service.find(self.node, ticket.workspace)
        with self.node.read() as session:
            kept = session.get(SignInSession, ticket.session) if ticket.session is not None else None
            if ticket.session is not None and (kept is None or kept.ends <= now()):
                raise MadangError("permission.sign_in", _("You signed out of the portal."), _("Sign in again."))
            actor = Actor.person(session, ticket.person, session_id=ticket.session)
        reason = service.why_closed(self.node, actor, workspace)
        if reason:
            raise MadangError("workspace.closed", reason)
        if kept is not None and (now() - kept.seen).total_seconds() > 60:
            with self.node.write() as session:
                again = session.get(SignInSession, ticket.session)
                if again is not None:
                    again.seen = now()

    # Workspaces

    def space(self, guest: Guest) -> Space:
        """The workspace of a guest."""
        number = guest.ticket.workspace
        with self.lock:
            if number not in self.spaces:
                found = service.find(self.node, number)
                self.spaces[number] = Space(self.node, found, lambda *asked: self.spend(number, *asked))
            return self.spaces[number]

    def wake(self, space: Space) -> None:
        """Wake it, if not too many are awake. Errors: `workspace.busy`."""
        if space.is_awake:  # as before nearly every cell; whether it may be open was asked with the guest's cookie
            space.last = time.monotonic()
            return
        with self.lock:
            awake = [each for each in self.spaces.values() if each.is_awake and each is not space]
            if len(awake) >= self.node.settings.workspace.at_once:
                idle = [each for each in awake if not each.waiting and not each.listeners]
                if not idle:
                    raise MadangError(
                        "workspace.busy", _("Too many workspaces are awake."), _("Try again in a few minutes.")
                    )
                min(idle, key=lambda each: each.last).sleep()
            space.workspace = service.find(self.node, space.workspace.id)
            space.wake()

    def spend(self, number: int, person: int, size: int, pictures: int) -> bool:
        """Count what a person is shown; whether they may be shown it."""
        with self.lock:
            shown = self.shown.setdefault((number, person), Shown())
            while shown.hour and shown.hour[0][0] < time.monotonic() - 3600:
                shown.hour.popleft()
            if sum(each for _at, each in shown.hour) + size > self.node.settings.workspace.shown_mb << 20:
                shown.refused += 1
                return False
            shown.hour.append((time.monotonic(), size))
            if len(shown.hour) > 1000:  # put together what is old enough
                (at, first), (_other, second) = shown.hour.popleft(), shown.hour.popleft()
                shown.hour.appendleft((at, first + second))
            shown.size += size
            shown.pictures += pictures
            return True

    def look_after(self, stopped: threading.Event) -> None:
        """In a thread, for good: end what may not be open, put to sleep what is idle, write down what was shown."""
        last_sums = last_sweep = time.monotonic()
        while not stopped.wait(1):
            try:
                self._tend()
                if time.monotonic() - last_sweep > 60:
                    service.sweep(self.node)
                    last_sweep = time.monotonic()
                if time.monotonic() - last_sums > 300:
                    self.write_sums()
                    last_sums = time.monotonic()
                self._status()
            except Exception as error:  # tomorrow's database is not ours to choose; a space without an answer closes
                print(f"look after: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                for space in list(self.spaces.values()):
                    if space.is_awake and time.monotonic() - space.last > 600:
                        space.sleep()

    def _tend(self) -> None:
        idle = self.node.settings.workspace.idle_minutes * 60
        for cookie, guest in list(self.guests.items()):  # whoever listens asks nothing, so it is asked for them
            try:
                self.guest_still(cookie, guest)
            except MadangError:
                self.guests.pop(cookie, None)
        for number, space in list(self.spaces.items()):
            found = service.find(self.node, number)
            over = found.state != "open" or (found.permit is not None and not service.in_force(found.permit))
            asked = found.stopped is not None and found.stopped.timestamp() > self.woken(space)
            if over or asked or (space.is_awake and not space.waiting and time.monotonic() - space.last > idle):
                space.sleep(_("This workspace has ended.") if over else "")
            if over:
                space.say(say="over")
                del self.spaces[number]

    def woken(self, space: Space) -> float:
        """When a space last began something, in seconds since 1970."""
        return time.time() - (time.monotonic() - space.last)

    def guest_still(self, cookie: str, guest: Guest) -> None:
        """Ask again for somebody who only listens."""
        if time.monotonic() - guest.checked > 2:
            seen = guest.seen
            self.guest(cookie)
            guest.seen = seen

    def write_sums(self) -> None:
        """Write what was shown into the audit, in sums."""
        with self.lock:
            told = [(key, each) for key, each in self.shown.items() if each.cells or each.size or each.refused]
        for (number, person), each in told:
            service.used(self.node, number, person, each.cells, each.size, each.pictures, each.refused)
            each.cells = each.size = each.pictures = each.refused = 0

    def _status(self) -> None:
        awake = {}
        for number, space in self.spaces.items():
            if space.running is not None and space.is_awake:
                use = space.running.use
                awake[str(number)] = {
                    **{"memory": use.memory, "disk": use.disk, "processes": use.processes},
                    "people": len(
                        {guest.ticket.person for guest in self.guests.values() if guest.ticket.workspace == number}
                    ),
                }
        path = self.node.home.folder("run") / service.STATUS
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps({"at": time.time(), "awake": awake}))
        partial.replace(path)

    def close(self) -> None:
        """End all boxes."""
        for space in list(self.spaces.values()):
            space.sleep()
        self.write_sums()
