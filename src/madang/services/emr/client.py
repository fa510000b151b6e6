"""The HTTP transport of the kit: bounded in time and size, no redirect followed, certificates checked."""

import ssl
import time
from pathlib import Path

import httpx

from madang.science.fhir.server.messages import Request, Response, Transport

CONNECT, SILENCE, WHOLE = 5.0, 10.0, 60.0  # seconds
LARGEST = 50_000_000  # bytes of an answer


def transport(authority: Path | None = None) -> Transport:
    """A transport over HTTP; `authority` is a file of certificates to trust besides the usual ones."""
    verify: ssl.SSLContext | bool = True
    if authority is not None:
        verify = ssl.create_default_context()
        verify.load_verify_locations(str(authority))
    client = httpx.Client(
        verify=verify, follow_redirects=False, timeout=httpx.Timeout(SILENCE, connect=CONNECT), trust_env=False
    )

    def send(request: Request) -> Response:
        try:
            return once(request)
        except httpx.RemoteProtocolError:  # a connection that was kept open and that the server has closed meanwhile
            try:
                return once(request)
            except httpx.RemoteProtocolError:
                return Response(0, error="broken connection")

    def once(request: Request) -> Response:
        until = time.monotonic() + WHOLE
        try:
            with client.stream(
                request.method, request.url, headers=request.headers, content=request.body or None
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
        except httpx.TimeoutException:
            return Response(0, error="no answer in time")
        except httpx.ConnectError as error:
            certificate = "certificate" in str(error).lower()
            return Response(0, error="bad certificate" if certificate else "no connection")
        except httpx.RemoteProtocolError:
            raise
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError):
            return Response(0, error="broken connection")

    return send
