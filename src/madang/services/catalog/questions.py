"""The page on which data are asked by SQL: for whom their tier is, in a closed process, one SELECT at a time."""

from typing import Any

from pydantic import Field

from madang.base.translate import in_language
from madang.lake import Version
from madang.node import closed
from madang.node.permissions import check
from madang.services.catalog import service
from madang.services.catalog.asking.ask import ask
from madang.services.catalog.models import Record
from madang.services.catalog.routes import room
from madang.web import Here, Number, View


class Question(View):
    """One SELECT, over the newest published version unless another is named."""

    sql: str = Field(title="The question", min_length=1, max_length=100_000)
    version: Number | None = None


class AskPage(View):
    """Where a record's data are asked; `available` is false where this machine cannot close a process in."""

    name: str
    title: str
    version: int
    tables: list[str]
    available: bool


class AnswerView(AskPage):
    """What came out of a question: names and types of columns, rows of JSON values, whether there were more."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    is_cut: bool
    seconds: float


@room.page("/records/{name}/ask", "ask.html")
def ask_page(visit: Here, name: str, version: Number | None = None) -> AskPage:
    """Where the data of a record are asked by SQL."""
    return _page(*_opened(visit, name, version))


@room.act("/records/{name}/ask", at=ask_page)
def put_question(visit: Here, name: str, given: Question) -> AnswerView:
    """Ask one SELECT; it runs in a closed process with limits of time, memory and rows."""
    found, lake = _opened(visit, name, given.version)
    visit.node.audit.read(visit.actor, "record.ask", f"dataset:{found.dataset}", {"sql": given.sql[:2_000]})
    answer = ask(lake, given.sql)
    return AnswerView(
        **_page(found, lake).model_dump(),
        columns=list(answer.columns),
        rows=[list(row) for row in answer.rows],
        is_cut=answer.is_cut,
        seconds=round(answer.seconds, 3),
    )


def _opened(visit: Here, name: str, number: int | None) -> tuple[Record, Version]:
    """The record, and its version in the lake, for whoever may read the data."""
    found = service.see(visit.node, visit.actor, name)
    check(visit.actor, "record.read", found)
    return found, visit.node.home.lake().dataset(found.dataset).version(service.published_version(found, number).number)


def _page(found: Record, lake: Version) -> AskPage:
    return AskPage(
        name=found.name,
        title=in_language(found.title, found.title_en),
        version=lake.number,
        tables=sorted(lake.tables),
        available=closed.is_available(),
    )
