"""The synthetic endpoint over HTTP, and the client that may use it: `madang fhir serve`."""

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import put_instead, sentences
from madang.node.home import Home
from madang.science.fhir.definitions import shipped
from madang.science.fhir.kit.session import Credentials
from madang.science.fhir.server.endpoint import LARGEST_BODY, Endpoint
from madang.science.fhir.server.messages import Request
from madang.science.fhir.server.tokens import Tokens, new_client

if TYPE_CHECKING:
    from collections.abc import Callable

CLIENT = "madang-kit"


def resources_of(home: Home, dataset: str, persons: int) -> list[dict[str, Any]]:
    """The resources to serve: of a folder as they are, of a dataset made up from its persons."""
    from madang.science.fhir.server.from_dataset import lives_of, resources_in
    from madang.science.fhir.server.made_up import resources

    folder = Path(dataset)
    if folder.is_dir():
        return list(resources_in(folder))
    return list(resources(lives_of(home.lake().find(dataset), persons)))


def client_file(home: Home, base: str) -> Path:
    """Where the key of the kit for an endpoint of this home is kept: for its owner alone, new at each start."""
    name = "".join(letter if letter.isalnum() else "-" for letter in urlsplit(base).netloc)
    return home.folder("run") / f"fhir-client-{name}.json"


def make_endpoint(home: Home, dataset: str, base: str, persons: int, open_to_all: bool) -> Endpoint:
    """An endpoint of a dataset; the kit's key for it is put into the home."""
    definitions = shipped("kr-core")
    tokens = None
    if not open_to_all:
        private, public = new_client()
        tokens = Tokens({CLIENT: public})
        with sentences("keep the key of the kit"):
            put_instead(client_file(home, base), json.dumps({"client": CLIENT, "key": private}).encode(), 0o600)
    return Endpoint(base, definitions, resources_of(home, dataset, persons), tokens)


def known_client(home: Home, base: str) -> Credentials | None:
    """The client for an endpoint that this home serves; None for any other."""
    path = client_file(home, base)
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return Credentials(client=said["client"], key=said["key"])


def application(endpoint: "Callable[[Request], Any]", prefix: str) -> Any:
    """The endpoint as an ASGI application under a path, and without it for who leaves it out."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more and len(body) <= LARGEST_BODY:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        path = scope["raw_path"].decode("ascii", "replace") if scope.get("raw_path") else scope["path"]
        query = scope["query_string"].decode("ascii", "replace")
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        inner = path[len(prefix) :] if path == prefix or path.startswith(prefix + "/") else path
        answer = endpoint(Request(scope["method"], (inner or "/") + (f"?{query}" if query else ""), headers, body))
        status, said, content = answer.status, answer.headers, answer.body
        fields = [(key.lower().encode(), value.encode("latin-1")) for key, value in said.items()]
        fields.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    return app


def listen(host: str, port: int) -> socket.socket:
    """A socket for the endpoint; port 0 takes any."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise MadangError(
            "fhir.port",
            _("Port {port} of {host} cannot be used: {error}.").format(
                port=port, host=host, error=os.strerror(error.errno or 0)
            ),
            _("Choose another one with --port."),
        ) from None
    return made


def run(endpoint: Endpoint, sock: socket.socket, prefix: str) -> None:
    """Serve until somebody stops it."""
    import uvicorn

    config = uvicorn.Config(
        application(endpoint, prefix), log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=[sock])
