"""Which door an address belongs to, found by its first word and not by asking all doors of all rooms in turn.

A hundred addresses a room and twenty rooms are two thousand patterns, which cost as much as a page. FastAPI's own way
to put routers together finds a route twice, and goes through all routes of a room at each request; here the routes that
each room's router has made are asked themselves.
"""

from collections.abc import Iterable

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

_FOUND = "madang.door"


class Doors(BaseRoute):
    """The routes of several routers, in their order, as one. `routes` are all of them."""

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        self.routes = [_route(each) for router in routers for each in router.routes]
        named = [(first_word(route.path), route) for route in self.routes]
        self._others = [route for word, route in named if "{" in word]  # an address begins with a parameter
        self._by_word = {
            wanted: [route for word, route in named if word == wanted or "{" in word] for wanted, _route in named
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As in Starlette: the first route that answers, else the first that answers to another method."""
        partial: Scope | None = None
        if scope["type"] == "http":
            for route in self._by_word.get(first_word(scope["path"]), self._others):
                match, child = route.matches(scope)
                if match == Match.FULL:
                    return match, {**child, _FOUND: route}
                if match == Match.PARTIAL and partial is None:
                    partial = {**child, _FOUND: route}
        return (Match.NONE, {}) if partial is None else (Match.PARTIAL, partial)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As in Starlette."""
        await scope[_FOUND].handle(scope, receive, send)


def _route(made: BaseRoute) -> Route:
    if not isinstance(made, Route):
        raise TypeError(f"{made!r} is no route with an address")
    return made


def first_word(path: str) -> str:
    """The first part of an address, of what programs ask for that after /api/v1."""
    parts = path.split("/", 4)
    if len(parts) > 3 and parts[1] == "api":
        return parts[3]
    return parts[1] if len(parts) > 1 else ""
