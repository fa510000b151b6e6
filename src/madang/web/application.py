"""The web application of a node: rooms behind one set of doors."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from madang import __version__
from madang.node import jobs
from madang.node.node import Node
from madang.web import problems
from madang.web.assets import asset
from madang.web.doors import Doors
from madang.web.headers import Headers
from madang.web.language import Languages
from madang.web.origin import OwnOrigin
from madang.web.proxies import Proxies
from madang.web.rendered import Rendered
from madang.web.room import PREFIX, Room


def make_application(node: Node, rooms: Sequence[Room], *, keeper: bool = True) -> FastAPI:
    """The application that serves `rooms`; with `keeper` it looks after the node's jobs and mail while it runs."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        if not keeper:
            yield
            return
        with jobs.Keeper(node):
            yield

    settings = node.settings
    app = FastAPI(
        title=f"{settings.title} API",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # both would load scripts from another host
        redoc_url=None,
        lifespan=life,
        middleware=[  # the outermost first
            Middleware(Proxies, count=settings.web.proxies),
            Middleware(Headers, encrypted=settings.web.address.startswith("https:")),
            Middleware(Languages, default=settings.language),
            Middleware(OwnOrigin, foreign=frozenset(path for room in rooms for path in room.foreign)),
            Middleware(problems.Mistakes),
            Middleware(GZipMiddleware, minimum_size=2_000, compresslevel=4),
        ],
    )
    app.state.node = node
    app.state.rendered = Rendered()
    problems.install(app)
    app.add_route("/static/{hash}/{name}", asset, include_in_schema=False)
    doors = Doors(room.router for room in rooms)
    app.router.routes.append(doors)

    @cache
    def described() -> dict[str, Any]:
        found = get_openapi(
            title=app.title, version=app.version, openapi_version=app.openapi_version, routes=doors.routes
        )
        return dict(_without_tuples(found))

    app.openapi = described  # type: ignore[method-assign]  # how FastAPI is told
    return app


def _without_tuples(schema: Any) -> Any:
    """A description in which pairs and triples are arrays of what may stand in them: few tools read more."""
    if isinstance(schema, list):
        return [_without_tuples(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    told = {name: _without_tuples(value) for name, value in schema.items() if name != "prefixItems"}
    if isinstance(schema.get("prefixItems"), list):
        kinds = [each for n, each in enumerate(schema["prefixItems"]) if each not in schema["prefixItems"][:n]]
        told["items"] = _without_tuples(kinds[0] if len(kinds) == 1 else {"anyOf": kinds})
    return told
