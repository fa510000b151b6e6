"""What a person can do here: begin a campaign, add results, compare past runs, name equipment."""

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing, label
from madang.node.node import Node
from madang.node.people import Actor, Project
from madang.node.people.projects import find_project
from madang.node.permissions import may, visible
from madang.node.text import clean_line
from madang.services.manufacturing.acts import (
    ADD,
    ADD_RUN,
    BEGIN,
    END,
    REGISTER,
    SEE,
    SEE_EQUIPMENT,
    SEE_RUN,
)
from madang.services.manufacturing.models import Campaign, Cultivation, Equipment
from madang.web.cards import Part, Row

LARGEST = 2_000_000  # characters of a description or a table
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ADDRESS = re.compile(r"opc\.tcp://[\w.:\[\]-]+(/[\w./-]*)?")


def begin_campaign(node: Node, actor: Actor, project: str, name: str, title: str, description: str) -> Campaign:
    """Begin a campaign of a project. Errors: those of descriptions, `manufacturing.name`, `campaign.taken`."""
    _checked_name(name)
    _checked_size(description)
    answer = _next(description, "")

    def new(session: Session) -> Campaign:
        of = find_project(session, project)
        taken = select(Campaign.id).where(Campaign.project_id == of.id, Campaign.name == name)
        if session.scalar(taken) is not None:
            raise MadangError("campaign.taken", _("The project has a campaign {name} already.").format(name=name))
        return Campaign(
            project_id=of.id,
            owner_id=actor.person_id,
            name=name,
            title=clean_line(title or name, _("The title"), 300, required=True),
            description=description,
            results="",
            answer=answer,
        )

    with doing(node, actor, BEGIN, new) as done:
        done.tell(name=name)
    return done.thing


def add_to_campaign(node: Node, actor: Actor, number: int, table: str) -> tuple[int, int, list[str]]:
    """Add a table of results; how many were taken, how many were there already, and why lines were refused.

    What comes next is computed before the transaction; whoever added meanwhile is told `campaign.changed`.
    """
    _checked_size(table)
    before = see_campaign(node, actor, number)
    from madang.science.bioprocess.campaign import add_results, read_campaign

    with tempfile.TemporaryDirectory(prefix="madang-campaign-") as folder:
        described = _files(Path(folder), before.description, before.results)
        given = Path(folder) / "given.csv"
        given.write_text(table)
        added = add_results(read_campaign(described), given)
        results = described.with_suffix(".results.csv").read_text() if added.taken else before.results
        answer = _next(before.description, results)
    with doing(node, actor, ADD, lambda session: _find(session, number)) as done:
        if done.thing.results != before.results:
            raise MadangError(
                "campaign.changed", _("Somebody else added results meanwhile."), _("Look, and add again.")
            )
        done.thing.results, done.thing.answer = results, answer
        done.tell(taken=added.taken, failed=added.failed)
    return added.taken, added.duplicates, [why for _line, why in added.refused]


def end_campaign(node: Node, actor: Actor, number: int) -> None:
    """End a campaign: nothing is added any more."""
    with doing(node, actor, END, lambda session: _find(session, number)):
        pass


def see_campaign(node: Node, actor: Actor, number: int) -> Campaign:
    """A campaign. Errors: `campaign.none`, also where one may not know of it."""
    with node.read() as session:
        found = _find(session, number)
        if not may(actor, SEE, found):
            raise MadangError("campaign.none", _("There is no such campaign."), _("Look at yours."))
    node.audit.read(actor, SEE.name, f"campaign:{found.id}")
    return found


def list_campaigns(node: Node, actor: Actor) -> Sequence[Campaign]:
    """The campaigns that one may see, the newest first."""
    _signed_in(actor)
    with node.read() as session:
        query = select(Campaign).where(visible(actor, SEE, Campaign)).order_by(Campaign.id.desc())
        return session.scalars(query.options(selectinload(Campaign.project))).all()


def add_run(node: Node, actor: Actor, project: str, name: str, table: str) -> Cultivation:
    """Add a past run to a project, a table with a column of hours. Errors: `compare.*`, `cultivation.taken`."""
    _checked_name(name)
    _checked_size(table)
    from madang.science.bioprocess.runs.compare import read_runs

    with tempfile.TemporaryDirectory(prefix="madang-run-") as folder:
        path = Path(folder) / f"{name}.csv"
        path.write_text(table)
        read_runs([path])

    def new(session: Session) -> Cultivation:
        of = find_project(session, project)
        taken = select(Cultivation.id).where(Cultivation.project_id == of.id, Cultivation.name == name)
        if session.scalar(taken) is not None:
            raise MadangError("cultivation.taken", _("The project has a run {name} already.").format(name=name))
        return Cultivation(project_id=of.id, owner_id=actor.person_id, name=name, table=table)

    with doing(node, actor, ADD_RUN, new) as done:
        done.tell(name=name)
    return done.thing


def add_runs(node: Node, actor: Actor, project: str, table: str) -> list[str]:
    """Add several past runs from one table with a column `run`; the names of those that were added."""
    import csv
    import io

    _checked_size(table)
    lines = list(csv.reader(io.StringIO(table), delimiter="\t" if "\t" in table.partition("\n")[0] else ","))
    header = [name.strip() for name in lines[0]] if lines else []
    if "run" not in header:
        raise MadangError("cultivation.runs", _("The table has no column run."))
    at = header.index("run")
    parts: dict[str, list[list[str]]] = {}
    for cells in lines[1:]:
        if any(cell.strip() for cell in cells):
            cells += [""] * (len(header) - len(cells))
            parts.setdefault(cells[at].strip(), []).append(cells[:at] + cells[at + 1 :])
    for name, rows in parts.items():
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([header[:at] + header[at + 1 :], *rows])
        add_run(node, actor, project, name, out.getvalue())
    return list(parts)


def add_sheet(node: Node, actor: Actor, project: str, sheet: str) -> list[str]:
    """Join a laboratory sheet (columns run, hours, and what was measured) with the past runs of a project; the names of
    the runs that it was joined with. Errors: `compare.sheet`."""
    import csv
    import io

    import numpy as np

    from madang.science.bioprocess.runs.compare import read_runs

    _checked_size(sheet)
    with doing(node, actor, ADD_RUN, lambda session: find_project(session, project)) as done:
        query = select(Cultivation).where(Cultivation.project_id == done.thing.id).order_by(Cultivation.id)
        held = {each.name: each for each in done.session.scalars(query)}
        with tempfile.TemporaryDirectory(prefix="madang-sheet-") as folder:
            paths = [Path(folder) / f"{name}.csv" for name in held]
            for path, each in zip(paths, held.values(), strict=True):
                path.write_text(each.table)
            given = Path(folder) / "laboratory-sheet.csv"
            given.write_text(sheet.replace("\t", ",") if "\t" in sheet.partition("\n")[0] else sheet)
            before, after = read_runs(paths), read_runs(paths, given)
        joined = []
        for old, new in zip(before, after, strict=True):
            fresh = [name for name in new.signals if name not in old.signals and np.isfinite(new.signals[name]).any()]
            if not fresh:
                continue
            names = [*old.signals, *fresh]
            out = io.StringIO()
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["hours", *names])
            for place, hour in enumerate(new.hours):
                values = [new.signals[name][place] for name in names]
                writer.writerow([f"{hour:g}", *("" if value != value else f"{value:.10g}" for value in values)])
            held[new.name].table = out.getvalue()
            joined.append(new.name)
        done.tell(name=", ".join(joined) or "-")
    return joined


def compare_runs(node: Node, actor: Actor, project: str, indicator: str = "") -> tuple[list[str], Any]:
    """The runs of a project by name, and their comparison; None with fewer than three. Errors: `project.none`."""
    from madang.science.bioprocess.runs.compare import compare, read_runs

    with node.read() as session:
        of = _project(session, actor, project)
        query = select(Cultivation).where(Cultivation.project_id == of.id).order_by(Cultivation.id)
        held = session.scalars(query).all()
    node.audit.read(actor, SEE_RUN.name, f"project:{of.id}")
    if len(held) < 3:
        return [each.name for each in held], None
    with tempfile.TemporaryDirectory(prefix="madang-runs-") as folder:
        paths = [Path(folder) / f"{each.name}.csv" for each in held]
        for path, each in zip(paths, held, strict=True):
            path.write_text(each.table)
        return [each.name for each in held], compare(read_runs(paths), 0, indicator)


def register_equipment(
    node: Node, actor: Actor, project: str, name: str, address: str, simulated: bool = False
) -> Equipment:
    """Name equipment that the project's runs are read from; it is only ever read. Errors: `equipment.address`."""
    _checked_name(name)
    if not _ADDRESS.fullmatch(address):
        raise MadangError("equipment.address", _("This is no address of OPC UA."), "opc.tcp://HOST:PORT/...")

    def new(session: Session) -> Equipment:
        of = find_project(session, project)
        taken = select(Equipment.id).where(Equipment.project_id == of.id, Equipment.name == name)
        if session.scalar(taken) is not None:
            raise MadangError("equipment.taken", _("The project has equipment {name} already.").format(name=name))
        return Equipment(project_id=of.id, owner_id=actor.person_id, name=name, address=address, simulated=simulated)

    with doing(node, actor, REGISTER, new) as done:
        done.tell(name=name)
    return done.thing


def list_equipment(node: Node, actor: Actor) -> Sequence[Equipment]:
    """The equipment that one may see."""
    _signed_in(actor)
    with node.read() as session:
        query = select(Equipment).where(visible(actor, SEE_EQUIPMENT, Equipment)).order_by(Equipment.id)
        return session.scalars(query.options(selectinload(Equipment.project))).all()


def of_project(node: Node, actor: Actor, project: int) -> list[Part]:
    """What this room has of a project, for its page."""
    with node.read() as session:
        campaigns = session.scalars(
            select(Campaign).where(Campaign.project_id == project, visible(actor, SEE, Campaign))
        )
        rows = [
            Row(each.title, f"/manufacturing/campaigns/{each.id}", label("campaign", each.state), each.created)
            for each in campaigns
        ]
        runs = session.scalars(
            select(Cultivation).where(Cultivation.project_id == project, visible(actor, SEE_RUN, Cultivation))
        ).all()
        name = session.get(Project, project)
        address = f"/manufacturing/runs/{name.name}" if name is not None else ""
        past = [Row(each.name, address, "", each.created) for each in runs]
    return [Part(_("Campaigns"), rows), Part(_("Past runs"), past)]


def _find(session: Session, number: int) -> Campaign:
    found = session.get(Campaign, number, options=[selectinload(Campaign.project)])
    if found is None:
        raise MadangError("campaign.none", _("There is no such campaign."), _("Look at yours."))
    return found


def _project(session: Session, actor: Actor, name: str) -> Project:
    of = find_project(session, name)
    if not may(actor, SEE_RUN, of):
        raise MadangError("project.none", _("There is no project {name}.").format(name=name), _("Look at yours."))
    return of


def _signed_in(actor: Actor) -> None:
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))


def _checked_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise MadangError(
            "manufacturing.name",
            _("{name!r} cannot be a name here.").format(name=name),
            _("Use small letters, digits and hyphens."),
        )


def _checked_size(text: str) -> None:
    if len(text) > LARGEST:
        raise MadangError("manufacturing.size", _("This text is too long."))


def _files(folder: Path, description: str, results: str) -> Path:
    described = folder / "campaign.toml"
    described.write_text(description)
    if results:
        described.with_suffix(".results.csv").write_text(results)
    return described


def _next(description: str, results: str) -> str:
    """What to try next, as JSON. A description that names earlier campaigns by file is for the command line only."""
    from madang.science.bioprocess.campaign import next_experiments, read_campaign, read_done
    from madang.services.manufacturing.commands_campaign import as_json

    with tempfile.TemporaryDirectory(prefix="madang-campaign-") as folder:
        described = read_campaign(_files(Path(folder), description, results))
        if described.earlier:
            raise MadangError("campaign.earlier", _("A campaign of a project cannot name files of earlier ones."))
        done = read_done(described)
        answer = as_json(described, done, next_experiments(described, done))
        aims = [aim for aim in described.aims if aim.maximize is not None]
        told = {aim.name: [None if v != v else float(v) for v in done.results[aim.name]] for aim in aims}
        answer["history"] = told
        answer["objectives"] = [{"name": a.name, "maximize": a.maximize, "unit": described.units[a.name]} for a in aims]
    for each in answer["suggestions"]:
        each["promise"] = None if each["promise"] is None or each["promise"] != each["promise"] else each["promise"]
    for each in answer["best"]:
        each["results"] = {n: (None if v != v else v) for n, v in each["results"].items()}
    return json.dumps(answer, ensure_ascii=False, allow_nan=False)
