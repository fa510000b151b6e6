"""The pages of series: the structure-activity table with R groups and matched pairs, lots and samples."""

from dataclasses import asdict
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from madang.base.translate import _
from madang.node.permissions import may
from madang.services.discovery import lots as register
from madang.services.discovery import service, tables
from madang.services.discovery.acts import ENTER, FILL
from madang.services.discovery.helpers import HELPERS
from madang.services.discovery.views import (
    LotLine,
    LotsPage,
    LotTable,
    Name,
    NewSequences,
    PairView,
    RiskView,
    SequencesPage,
    SequenceView,
    Short,
    Table,
    Text,
)
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


@room.page("/discovery/{name}/sequences", "sequences.html")
def sequences(visit: Here, name: Name, near: Text = "") -> SequencesPage:
    """The antibodies and peptides of a library: loops, liabilities, and which are alike."""
    from madang.science.chemistry.sequences import all_of, find_alike

    found = service.see(visit.node, visit.actor, name)
    visit.node.audit.read(visit.actor, "library.see", f"library:{found.id}")
    dataset = service.sequences_of(visit.node, name)
    held = all_of(dataset.version()) if dataset.exists else []
    shown = [
        SequenceView(**{**asdict(each), "risks": [RiskView(**asdict(risk)) for risk in each.risks], "alike": score})
        for each, score in find_alike(held, near, 100)
    ]
    return SequencesPage(
        library=name,
        title=found.title,
        version=dataset.version().number if dataset.exists else 0,
        count=len(held),
        near=near,
        sequences=shown,
        may_add=may(visit.actor, FILL, found) and found.state == "open",
    )


@room.act("/discovery/{name}/sequences", at=sequences)
def add_sequences(visit: Here, name: Name, given: NewSequences) -> Done:
    """Add antibodies and peptides; what is refused is said line by line."""
    text = given.file.decode("utf-8-sig", errors="replace") if given.file else given.text
    version, refused = service.add_sequences(visit.node, visit.actor, name, text)
    told = _("{count} sequences in all, {refused} not taken.").format(
        count=version.info["sequences"], refused=len(refused)
    )
    why = [_("Line {line}: {reason}").format(line=each.line, reason=each.problem) for each in refused[:3]]
    return Done(see=f"/discovery/{name}/sequences", message=" ".join([told, *why]))


def _bound(text: str) -> float | None:
    from madang.base.errors import MadangError

    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise MadangError("chemistry.bound", _("{text} is no number.").format(text=repr(text))) from None


room.helpers |= HELPERS
