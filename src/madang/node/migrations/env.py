"""How Alembic runs our revisions: on the connection that it is given, all in one transaction."""

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator

from madang.node.database import is_kept


def plain(kind: str, item: Any, _draft: Any) -> str | Literal[False]:
    """Our own column types in a draft as what they are in the database."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    render_item=plain,
    compare_type=True,
    include_name=lambda name, kind, _parents: kind != "table" or is_kept(str(name)),
)
context.run_migrations()
