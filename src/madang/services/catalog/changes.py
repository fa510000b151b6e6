"""What changed from one published version of a record to the next, told from the manifests."""

from typing import Annotated, Literal

from fastapi import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.compare import compare
from madang.node.permissions import check
from madang.services.catalog import contents, disclosure, service
from madang.services.catalog.acts import LOOK
from madang.services.catalog.routes import room
from madang.web import Here, View

Kind = Literal["added", "removed", "changed", "rewritten"]
NAMES = {
    "added": lambda: _("new table"),
    "removed": lambda: _("table is gone"),
    "changed": lambda: _("other rows or columns"),
    "rewritten": lambda: _("other files, same content"),
}


class Change(View):
    """A table that differs; rows are None where a version does not have it, or they may not be told."""

    table: str
    title: str
    kind: Kind
    rows_before: int | None
    rows_after: int | None
    columns_added: list[str]
    columns_removed: list[str]


class VersionChanges(View):
    """What a version has that the one before it did not, and the other way round."""

    name: str
    title: str
    before: int
    after: int
    changes: list[Change]
    same: int


@room.page("/records/{name}/versions/{number}", "changes_of_version.html")
def changes_of_version(visit: Here, name: str, number: Annotated[int, Path(ge=1, le=2**31 - 1)]) -> VersionChanges:
    """What changed from the version before to this one."""
    found = service.see(visit.node, visit.actor, name)
    check(visit.actor, LOOK, found)
    after = service.version_of(visit.actor, found, number)
    seen = [each for each in found.versions if each.state == "published" and each.number < number]
    before = max(seen, key=lambda each: each.number, default=None)
    if before is None:
        raise MadangError("catalog.no_version", _("There is no version before this one."), _("See the record's page."))
    dataset = visit.node.home.lake().dataset(found.dataset)
    differences = compare(dataset.version(before.number), dataset.version(after.number))
    # Two versions' rows side by side tell of the few people by whom they differ, so that no smallest number would hold:
    # they are for those who may read all of it.
    tells = disclosure.may_read(visit.actor, found, before) and disclosure.may_read(visit.actor, found, after)
    changes = [
        Change(
            table=each.table,
            title=contents.table_title(each.table),
            kind=each.kind,  # type: ignore[arg-type]  # `same` was left out
            rows_before=each.rows_before if tells else None,
            rows_after=each.rows_after if tells else None,
            columns_added=list(each.columns_added),
            columns_removed=list(each.columns_removed),
        )
        for each in differences
        if each.kind != "same"
    ]
    return VersionChanges(
        name=found.name,
        title=found.title,
        before=before.number,
        after=after.number,
        changes=changes,
        same=len(differences) - len(changes),
    )


room.helpers |= {"change_named": lambda kind: NAMES[kind]()}
