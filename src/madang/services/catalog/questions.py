"""The page on which data are asked by SQL: for whom their tier is, in a closed process, one SELECT at a time."""

from typing import Any

from pydantic import Field

from madang.node import closed
from madang.node.permissions import check
from madang.services.catalog import service
from madang.services.catalog.asking.ask import ask
from madang.services.catalog.handout import published
from madang.services.catalog.routes import room
from madang.web import Here, View


class Question(View):
    """One SELECT, over the newest published version unless another is named."""

    sql: str = Field(title="The question", min_length=1, max_length=100_000)
    version: int | None = Field(default=None, ge=1)


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
def ask_page(visit: Here, name: str, version: int | None = None) -> AskPage:
    """Where the data of a record are asked by SQL."""
    return AskPage(**_page(visit, name, version))


@room.act("/records/{name}/ask", at=ask_page)
def put_question(visit: Here, name: str, given: Question) -> AnswerView:
    """Ask one SELECT; it runs in a closed process with limits of time, memory and rows."""
    page = _page(visit, name, given.version)
    lake = visit.node.home.lake().dataset(service.see(visit.node, visit.actor, name).dataset)
    visit.node.audit.read(visit.actor, "record.ask", f"dataset:{lake.name}", {"sql": given.sql[:2_000]})
    answer = ask(lake.version(page["version"]), given.sql)
    return AnswerView(
        **page,
        columns=list(answer.columns),
        rows=[list(row) for row in answer.rows],
        is_cut=answer.is_cut,
        seconds=round(answer.seconds, 3),
    )


def _page(visit: Here, name: str, number: int | None) -> dict[str, Any]:
    found = service.see(visit.node, visit.actor, name)
    check(visit.actor, "record.read", found)
    version = published(found, number)
    lake = visit.node.home.lake().dataset(found.dataset).version(version.number)
    title = (found.title_en if visit.language == "en" else found.title) or found.title
    return {
        "name": name,
        "title": title,
        "version": version.number,
        "tables": sorted(lake.tables),
        "available": closed.is_available(),
    }
