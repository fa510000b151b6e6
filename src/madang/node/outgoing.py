"""The one way out: every request to an address that a user gave.

A request goes to hosts that an administrator listed, or to public addresses only: never to this machine or the
institution's own network. The name is resolved once, and the connection is made to that very address, so that a name
which resolves to something else at the second look leads nowhere. Redirects are checked like the first address; size,
time and count are bounded.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.settings import Settings

Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class Bounds:
    """What a request may take: seconds altogether, bytes of the answer, redirects."""

    seconds: float = 30.0
    bytes: int = 10_000_000
    redirects: int = 3


@dataclass(frozen=True)
class Answer:
    """What came back; `url` is where it came from in the end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


def outgoing_of(settings: Settings, *, only_listed: bool = False, bounds: Bounds | None = None) -> "Outgoing":
    """Requests as the settings of an installation allow them."""
    return Outgoing(frozenset(settings.outgoing.hosts.lower().split()), only_listed, bounds or Bounds())


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise MadangError(
            "outgoing.unknown_host", _("There is no host {host}.").format(host=host), _("Look at the address.")
        ) from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True)
class Outgoing:
    """Requests to hosts in `listed` ("host" or "host:port", any address, http too), and else to public ones by https.

    With `only_listed` nothing else is reached.
    """

    listed: frozenset[str] = frozenset()
    only_listed: bool = False
    bounds: Bounds = field(default_factory=Bounds)
    resolve: Resolve = resolve

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """Send a request.

        Errors: `outgoing.address`, `outgoing.unknown_host`, `outgoing.too_large`, `outgoing.failed`.
        """
        deadline = time.monotonic() + self.bounds.seconds
        sent = dict(headers or {})
        for _hop in range(self.bounds.redirects + 1):
            answer = self._once(method, url, sent, body, deadline)
            place = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or not place:
                return answer
            before, url = urlsplit(url), urljoin(url, place)
            if (before.scheme, before.netloc) != (urlsplit(url).scheme, urlsplit(url).netloc):
                sent.pop("Authorization", None)  # what was meant for one host goes to no other
            if answer.status in (301, 302, 303) and method != "HEAD":
                method, body = "GET", None
        raise MadangError("outgoing.failed", _("{url} leads on and on.").format(url=url), _("Look at the address."))

    def check(self, url: str) -> tuple[str, str, int]:
        """The host, the address to connect to and the port of a URL that may be reached."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise _refused(url) from None
        is_listed = host in self.listed or f"{host}:{port}" in self.listed
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
            raise _refused(url)
        if not is_listed and (self.only_listed or parts.scheme != "https"):
            raise _refused(url)
        addresses = self.resolve(host, port)
        if not is_listed and not all(_is_public(address) for address in addresses):
            raise _refused(url)
        if not addresses:
            raise _refused(url)
        return host, addresses[0], port

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, deadline: float) -> Answer:
        import httpx

        host, address, port = self.check(url)
        parts = urlsplit(url)
        there = f"[{address}]" if ":" in address else address
        pinned = parts._replace(netloc=f"{there}:{port}").geturl()
        sent = {"User-Agent": "madang", **headers, "Host": parts.netloc.rpartition("@")[2]}
        try:
            with (
                httpx.Client(trust_env=False, follow_redirects=False, timeout=max(0.1, self._left(deadline))) as client,
                client.stream(
                    method, pinned, headers=sent, content=body, extensions={"sni_hostname": host}
                ) as response,
            ):
                content = bytearray()
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > self.bounds.bytes:
                        raise MadangError(
                            "outgoing.too_large",
                            _("The answer of {host} is larger than {most} bytes.").format(
                                host=host, most=f"{self.bounds.bytes:,}"
                            ),
                        )
                    self._left(deadline)
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, found, bytes(content), url)
        except httpx.HTTPError as error:
            raise MadangError(
                "outgoing.failed",
                _("{host} does not answer as it should: {reason}.").format(host=host, reason=_why(error)),
                _("Try again later."),
            ) from None

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise MadangError(
                "outgoing.failed",
                _("The answer took longer than {seconds:g} seconds.").format(seconds=self.bounds.seconds),
                _("Try again later."),
            )
        return left


def _is_public(address: str) -> bool:
    """Whether an address is one of the open network: not of this machine, a private network, or for many at once."""
    found: Any = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if mapped is not None:
        found = mapped
    return bool(found.is_global) and not found.is_multicast


def _refused(url: str) -> MadangError:
    return MadangError(
        "outgoing.address",
        _("Requests from here do not go to {url}.").format(url=url[:200]),
        _("Public addresses by https are reached, and hosts that an administrator listed."),
    )


def _why(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
