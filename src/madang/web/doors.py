"""Which room an address belongs to, found by its first word and not by asking all doors of all rooms in turn.

A hundred addresses a room and twenty rooms are two thousand patterns, which cost as much as a page.
"""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class Doors(APIRouter):
    """The router of one room. What its addresses do not begin with, it is not asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._words: set[str] = set()
        self._any = False  # an address begins with a parameter

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """As in FastAPI."""
        word = first_word(path)
        self._words.add(word)
        self._any |= "{" in word
        super().add_api_route(path, endpoint, **options)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As in Starlette."""
        if self._any or first_word(scope["path"]) in self._words:
            return super().matches(scope)
        return Match.NONE, {}


def first_word(path: str) -> str:
    """The first part of an address, of what programs ask for that after /api/v1."""
    parts = path.split("/", 4)
    if len(parts) > 3 and parts[1] == "api":
        return parts[3]
    return parts[1] if len(parts) > 1 else ""
