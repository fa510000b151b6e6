"""The page on which data are asked by SQL: for whom their tier is, in a closed process, one SELECT at a time."""

import csv
import io
import json
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import Response
from pydantic import Field

from madang.base.translate import _, in_language
from madang.lake import Version
from madang.node import closed
from madang.node.permissions import check
from madang.services.catalog import service
from madang.services.catalog.asking.ask import ask
from madang.services.catalog.handout import FORMULA
from madang.services.catalog.models import Record
from madang.services.catalog.routes import COLUMNS, room
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
    columns_of: dict[str, list[str]]
    samples: list[tuple[str, str]]
    sql: str
    available: bool


class AnswerView(AskPage):
    """What came out of a question: names and types of columns, rows of JSON values, whether there were more."""

    columns: list[tuple[str, str]]
    rows: list[list[Any]]
    is_cut: bool
    seconds: float


@room.page("/records/{name}/ask", "ask.html")
def ask_page(
    visit: Here, name: str, version: Number | None = None, sql: Annotated[str, Query(max_length=4_000)] = ""
) -> AskPage:
    """Where the data of a record are asked by SQL; an address with `sql` holds a question, which is not asked yet."""
    return _page(*_opened(visit, name, version), sql)


@room.bytes("/records/{name}/answer.csv", "text/csv")
def answer_csv(
    visit: Here, name: str, sql: Annotated[str, Query(min_length=1, max_length=4_000)], version: Number | None = None
) -> Response:
    """The answer to one SELECT as CSV, with the limits of the page; formulas of spreadsheets are defused."""
    found, lake = _opened(visit, name, version)
    visit.node.audit.read(visit.actor, "record.ask", f"dataset:{found.dataset}", {"sql": sql[:2_000]})
    answer = ask(lake, sql)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_cell(column) for column, _kind in answer.columns)
    writer.writerows([_cell(value) for value in row] for row in answer.rows)
    headers = {"Content-Disposition": f'attachment; filename="{found.name}-{lake.number}-answer.csv"'}
    return Response(out.getvalue().encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


@room.act("/records/{name}/ask", at=ask_page)
def put_question(visit: Here, name: str, given: Question) -> AnswerView:
    """Ask one SELECT; it runs in a closed process with limits of time, memory and rows."""
    found, lake = _opened(visit, name, given.version)
    visit.node.audit.read(visit.actor, "record.ask", f"dataset:{found.dataset}", {"sql": given.sql[:2_000]})
    answer = ask(lake, given.sql)
    return AnswerView(
        **_page(found, lake, given.sql).model_dump(),
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


def _samples(tables: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Questions that these tables can answer, in words and in SQL."""
    said = [
        (
            _("How many persons, by sex"),
            "person",
            "gender_concept_id",
            "SELECT gender_concept_id, count(*) AS persons\nFROM person\nGROUP BY ALL ORDER BY persons DESC",
        ),
        (
            _("The most frequent diagnoses"),
            "condition_occurrence",
            "condition_concept_id",
            "SELECT condition_concept_id, count(DISTINCT person_id) AS persons\nFROM condition_occurrence\n"
            "GROUP BY ALL ORDER BY persons DESC LIMIT 20",
        ),
        (
            _("Visits by year"),
            "visit_occurrence",
            "visit_start_date",
            "SELECT year(visit_start_date) AS year, count(*) AS visits\nFROM visit_occurrence\n"
            "GROUP BY ALL ORDER BY year",
        ),
    ]
    return [(words, sql) for words, table, column, sql in said if column in tables.get(table, ())]


def _page(found: Record, lake: Version, sql: str = "") -> AskPage:
    columns = {name: [column for column, _kind in table.schema] for name, table in sorted(lake.tables.items())}
    return AskPage(
        name=found.name,
        title=in_language(found.title, found.title_en),
        version=lake.number,
        tables=sorted(lake.tables),
        columns_of={name: each[:COLUMNS] for name, each in columns.items() if lake.tables[name].rows},
        samples=_samples(columns),
        sql=sql,
        available=closed.is_available(),
    )
