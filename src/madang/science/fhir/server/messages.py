"""A request and its answer, as the endpoint and the kit that tests one see them. No network here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

Transport = Callable[["Request"], "Response"]


@dataclass(frozen=True)
class Request:
    """One HTTP request; `url` is absolute for a client and the rest after the base for an endpoint."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.url.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The parameters of the URL, decoded."""
        return parse_qsl(self.url.partition("?")[2], keep_blank_values=True)

    def header(self, name: str) -> str:
        """A header by its name in any case; empty where it is absent."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")


@dataclass(frozen=True)
class Response:
    """An answer. `error` says why there is none, and then the status is 0."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""

    def header(self, name: str) -> str:
        """A header by its name in any case; empty where it is absent."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")
