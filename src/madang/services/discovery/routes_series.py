"""The pages of series: the structure-activity table with R groups and matched pairs, lots and samples."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from madang.base.translate import _
from madang.node.permissions import may
from madang.services.discovery import lots as register
from madang.services.discovery import service, tables
from madang.services.discovery.acts import ENTER
from madang.services.discovery.helpers import HELPERS
from madang.services.discovery.views import LotLine, LotsPage, LotTable, Name, PairView, Short, Table, Text
from madang.web import Done, Here, Room

room = Room("discovery", __package__)
MOST_SHOWN = 300  # rows that the page draws; the CSV has all
Bound = Annotated[float | None, Query()]


@room.page("/discovery/{name}/activity", "activity.html")
def activity(
    visit: Here,
    name: Name,
    sort: Short = "-pic50",
    column: Short = "",
    least: Annotated[str, Query(max_length=40)] = "",
    most: Annotated[str, Query(max_length=40)] = "",
    core: Text = "",
) -> Table:
    """The structure-activity table of a library: measured compounds, R groups of a core, matched pairs."""
    from madang.science.chemistry.depict import drawing

    found = service.see(visit.node, visit.actor, name)
    low, high = _bound(least), _bound(most)
    table = tables.activity(visit.node, visit.actor, name, sort=sort, column=column, least=low, most=high, core=core)
    asked = {"sort": sort, "column": column, "least": least, "most": most, "core": core}
    return Table(
        library=name,
        title=found.title,
        columns=list(table.columns),
        groups=list(table.groups),
        rows=[{**row, "svg": drawing(row["smiles"], core)} for row in table.rows[:MOST_SHOWN]],
        pairs=[
            PairView(**{key: getattr(each, key) for key in PairView.model_fields}) for each in tables.pairs(table.rows)
        ],
        unknown=list(table.unknown),
        sort=sort,
        column=column,
        least=low,
        most=high,
        core=core,
        query=urlencode({key: value for key, value in asked.items() if value}),
    )


@room.bytes("/discovery/{name}/activity.csv", "text/csv")
def activity_csv(
    visit: Here,
    name: Name,
    sort: Short = "-pic50",
    column: Short = "",
    least: Annotated[str, Query(max_length=40)] = "",
    most: Annotated[str, Query(max_length=40)] = "",
    core: Text = "",
) -> Response:
    """The structure-activity table as CSV."""
    table = tables.activity(
        visit.node, visit.actor, name, sort=sort, column=column, least=_bound(least), most=_bound(most), core=core
    )
    headers = {"content-disposition": f'attachment; filename="{name}-activity.csv"'}
    return Response("\ufeff" + tables.as_csv(table), media_type="text/csv", headers=headers)


@room.page("/discovery/{name}/lots", "lots.html")
def lots(visit: Here, name: Name) -> LotsPage:
    """The lots and samples of a library."""
    found = service.see(visit.node, visit.actor, name)
    visit.node.audit.read(visit.actor, "library.see", f"library:{found.id}")
    lines = [
        LotLine(**{key: getattr(lot, key) for key in LotLine.model_fields})
        for lot in register.lots(visit.node, visit.actor, name)
    ]
    return LotsPage(
        library=name, title=found.title, lots=lines, may_enter=may(visit.actor, ENTER, found) and found.state == "open"
    )


@room.act("/discovery/{name}/lots", at=lots)
def enter(visit: Here, name: Name, given: LotTable) -> Done:
    """Enter lots and samples; what is refused is said line by line."""
    entered = register.enter(visit.node, visit.actor, name, given.table.replace("\r\n", "\n"))
    text = _("{taken} lots and samples entered, {refused} lines not taken.")
    told = text.format(taken=entered.taken, refused=len(entered.refused))
    why = [_("Line {line}: {reason}").format(line=line, reason=reason) for line, reason in entered.refused[:3]]
    return Done(see=f"/discovery/{name}/lots", message=" ".join([told, *why]))


def _bound(text: str) -> float | None:
    from madang.base.errors import MadangError

    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise MadangError("chemistry.bound", _("{text} is no number.").format(text=repr(text))) from None


room.helpers |= HELPERS
