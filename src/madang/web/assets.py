"""Our style, script and pictures: addresses that change with their content, so browsers keep them for good."""

import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _

FOLDER = Path(__file__).parent / "static"
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@cache
def _known() -> dict[str, tuple[bytes, str]]:
    """Content and hash by name."""
    files = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in _KINDS}
    return {name: (content, hashlib.sha256(content).hexdigest()[:12]) for name, content in files.items()}


def address_of_asset(name: str) -> str:
    """Where a page finds one of our files."""
    return f"/static/{_known()[name][1]}/{name}"


def asset(request: Request) -> Response:
    """Give one out."""
    name = request.path_params["name"]
    if name not in _known():
        raise MadangError("web.none", _("There is nothing at this address."))
    content, _hash = _known()[name]
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type=_KINDS[Path(name).suffix], headers=headers)
