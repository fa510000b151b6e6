"""The page of one table: every column with how far it is filled and a picture of what is in it.

The pictures were counted when the version was prepared, for the tier that held then (see `prepare`).
"""

from typing import Literal

import orjson

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node import files
from madang.node.permissions import may
from madang.services.catalog import service
from madang.services.catalog.disclosure import may_look
from madang.services.catalog.prepare import contents_kind
from madang.services.catalog.routes import Page, outline_of, room
from madang.web import Here, Number, View

COLUMNS = 50  # on a page


class BarView(View):
    """Records with a value; `name` is that of a concept."""

    value: str
    name: str
    records: int


class ColumnView(View):
    """A column. `bars` are its most frequent values (list), numbers (scale) or months or years (time) in their order.

    Without bars, `why`: empty, key, again, profile, text, few, other. What may not be told is None.
    """

    name: str
    type: str
    filled: int | None = None
    empty: int | None = None
    kind: Literal["", "list", "scale", "time"] = ""
    bars: tuple[BarView, ...] = ()
    why: str = ""


class TablePage(View):
    """One page of the columns of a table; `looks` is false where nothing of the content may be shown."""

    record: str
    title: str
    access: str
    version: int
    table: str
    columns: list[ColumnView]
    total: int
    page: int
    pages: int
    minimum: int
    looks: bool
    may_read: bool


@room.page("/records/{name}/tables/{table}", "table.html")
def table(visit: Here, name: str, table: str, version: Number | None = None, page: Page = 1) -> TablePage:
    """What is in the columns of a table, in pictures; nothing of data under embargo."""
    found = service.see(visit.node, visit.actor, name)
    chosen = service.version_of(visit.actor, found, version)
    tables = {each["name"]: each["columns"] for each in outline_of(visit, found, chosen)["tables"]}
    if table not in tables:
        raise MadangError(
            "catalog.no_table", _("There is no table {name}.").format(name=table), _("See the record's page.")
        )
    schema = tables[table]
    document = chosen.documents.get(contents_kind(table), "")
    looks = bool(document) and may_look(visit.actor, found, chosen)
    part = slice((page - 1) * COLUMNS, page * COLUMNS)
    if looks:
        visit.node.audit.read(visit.actor, "record.profile", f"record:{found.id}", {"table": table})
        columns = [ColumnView(**each) for each in orjson.loads(files.read(visit.node.home, document))[part]]
    else:
        columns = [ColumnView(name=column, type=kind) for column, kind in schema[part]]
    return TablePage(
        record=found.name,
        title=in_language(found.title, found.title_en),
        access=found.access,
        version=chosen.number,
        table=table,
        columns=columns,
        total=len(schema),
        page=page,
        pages=max(1, -(-len(schema) // COLUMNS)),
        minimum=chosen.minimum,
        looks=looks,
        may_read=may(visit.actor, "record.read", found),
    )


def why_not(why: str) -> str:
    """Why a column has no picture, in the reader's language."""
    return {
        "empty": _("Empty."),
        "key": _("A key: its values tell nothing by themselves."),
        "again": _("Tells again what another column tells; not shown."),
        "profile": _("Told with all pictures and numbers of the version."),
        "text": _("Free text; not shown."),
        "few": _("Too few persons share a value; not shown."),
        "other": _("No picture for this type."),
    }.get(why, "")


room.helpers["why_not"] = why_not
