"""What the pages that list records show."""

from datetime import datetime

from madang.web import View


class Holder(View):
    """An organization that answers for data."""

    name: str
    title: str


class Hit(View):
    """A record in a list."""

    name: str
    title: str
    description: str
    holder: Holder
    kind: str
    access: str
    verdict: str
    certificate: str
    rows: int | None
    published: datetime | None
    synthetic: bool
    persons: int | None
    first: int | None
    last: int | None


class Way(View):
    """A way out of an empty answer."""

    question: str
    kind: str
    changed: str
    total: int


class Elsewhere(View):
    """Data that somebody else keeps, as they told of them; `people` are at least so many, 0 where it is not told."""

    name: str
    source: str
    people: int
    columns: list[str]
    country: str
    vocabulary: str
    address: str


class Hits(View):
    """One page of a search; with its first what partners keep, which is never among the `hits`."""

    question: str
    total: int
    page: int
    pages: int
    hits: list[Hit]
    holders: list[Holder]
    filters: dict[str, str]
    ways: list[Way]
    elsewhere: list[Elsewhere]
