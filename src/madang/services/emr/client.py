"""The HTTP transport of the kit: bounded in time and size, no redirect followed, certificates checked."""

import ssl
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from madang.base.errors import MadangError
from madang.node.outgoing import Outgoing
from madang.science.fhir.server.messages import Request, Response

CONNECT, SILENCE, WHOLE = 5.0, 10.0, 60.0  # seconds
LARGEST = 50_000_000  # bytes of an answer


class Connection:
    """A transport over HTTP; `authority` is a file of certificates to trust besides the usual ones.

    With `outgoing` only what it allows is reached, at the address to which each name resolved at its first request.
    """

    def __init__(self, authority: Path | None = None, outgoing: Outgoing | None = None) -> None:
        verify: ssl.SSLContext | bool = True
        if authority is not None:
            verify = ssl.create_default_context()
            verify.load_verify_locations(str(authority))
        self._client = httpx.Client(
            verify=verify, follow_redirects=False, timeout=httpx.Timeout(SILENCE, connect=CONNECT), trust_env=False
        )
        self._outgoing = outgoing
        self._pinned: dict[str, tuple[str, str]] = {}  # scheme and host -> address and port, the name

    def close(self) -> None:
        """Close what is open to the system."""
        self._client.close()

    def __call__(self, request: Request) -> Response:
        """Send a request; whatever happens, there is an answer."""
        try:
            return self._once(request)
        except httpx.RemoteProtocolError:  # a connection that was kept open and that the server has closed meanwhile
            try:
                return self._once(request)
            except httpx.RemoteProtocolError:
                return Response(0, error="broken connection")

    def _placed(self, request: Request) -> tuple[str, dict[str, str], dict[str, str]]:
        """Where a request goes: to the very address that was looked at."""
        if self._outgoing is None:
            return request.url, request.headers, {}
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._pinned:
            host, address, port = self._outgoing.check(request.url)
            self._pinned[origin] = f"[{address}]:{port}" if ":" in address else f"{address}:{port}", host
        there, host = self._pinned[origin]
        headers = {**request.headers, "Host": parts.netloc, "User-Agent": "madang"}
        return parts._replace(netloc=there).geturl(), headers, {"sni_hostname": host}

    def _once(self, request: Request) -> Response:
        until = time.monotonic() + WHOLE
        try:
            url, headers, extensions = self._placed(request)
            with self._client.stream(
                request.method, url, headers=headers, content=request.body or None, extensions=extensions
            ) as answer:
                parts, size = [], 0
                for part in answer.iter_bytes():
                    size += len(part)
                    if size > LARGEST:
                        return Response(0, error="too large")
                    if time.monotonic() > until:
                        return Response(0, error="too slow")
                    parts.append(part)
                return Response(answer.status_code, dict(answer.headers), b"".join(parts))
        except MadangError:
            return Response(0, error="not allowed")
        except httpx.TimeoutException:
            return Response(0, error="no answer in time")
        except httpx.ConnectError as error:
            certificate = "certificate" in str(error).lower()
            return Response(0, error="bad certificate" if certificate else "no connection")
        except httpx.RemoteProtocolError:
            raise
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
            return Response(0, error="broken connection")
