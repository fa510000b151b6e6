"""The table of events. Only `text`, `digest` and `mac` are ever written; the database computes the rest from `text`."""

from typing import Any

from sqlalchemy import BigInteger, Column, Computed, Connection, Index, Table
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from madang.node.database import Base
from madang.node.text import Machine


class _Member(FunctionElement[Any]):
    """The member `key` of the JSON object in the column `text`."""

    inherit_cache = False

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


@compiles(_Member)
def _on_postgresql(element: _Member, compiler: Any, **options: Any) -> str:
    member = f"((text::jsonb) ->> '{element.key}')"
    return f"{member}::bigint" if element.key == "number" else member


@compiles(_Member, "sqlite")
def _on_sqlite(element: _Member, compiler: Any, **options: Any) -> str:
    return f"json_extract(text, '$.{element.key}')"


def _member(key: str) -> Computed:
    return Computed(_Member(key), persisted=True)


GENERATED = ("number", "at", "act", "actor", "thing")

audit_events = Table(
    "audit_events",
    Base.metadata,
    Column("text", Machine, nullable=False),
    Column("digest", Machine, nullable=False),
    Column("mac", Machine, nullable=False),
    Column("number", BigInteger, _member("number")),
    *(Column(key, Machine, _member(key)) for key in GENERATED[1:]),
    Index("uq_audit_events_number", "number", unique=True),
    Index("ix_audit_events_actor", "actor", "number"),
    Index("ix_audit_events_thing", "thing", "number"),
    Index("ix_audit_events_act", "act", "number"),
)


def columns_differ(connection: Connection) -> bool:
    """Whether the columns of any row do not say what its text says; a text that is no JSON is an error."""
    if connection.dialect.name == "sqlite":
        rows, differ = "audit_events", "{key} IS NOT json_extract(text, '$.{key}')"
    else:  # each text is parsed once
        rows = "audit_events, LATERAL (SELECT text::jsonb AS said OFFSET 0) AS parsed"
        differ = "{key}::text IS DISTINCT FROM (said ->> '{key}')"
    condition = " OR ".join(differ.format(key=key) for key in GENERATED)
    return bool(connection.exec_driver_sql(f"SELECT EXISTS (SELECT 1 FROM {rows} WHERE {condition})").scalar())
