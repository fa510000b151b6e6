"""What a person can do here: begin a campaign, add results, compare past runs, name equipment."""

import csv
import io
import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

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
    checked_name(name)
    checked_size(description)
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


def results_of(campaign: Campaign) -> dict[str, str]:
    """The results that a campaign asks for, each with its unit."""
    from madang.science.bioprocess.campaign import read_campaign

    with tempfile.TemporaryDirectory(prefix="madang-campaign-") as folder:
        described = read_campaign(_files(Path(folder), campaign.description, ""))
    return {aim.name: described.units[aim.name] for aim in described.aims}


def next_table(campaign: Campaign, values: Sequence[Sequence[str]] = ()) -> str:
    """What to try next as CSV: an experiment a line, with what was measured of it or empty cells; lines with nothing
    measured are left out where there are any values."""
    names = list(results_of(campaign))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for place, each in enumerate(json.loads(campaign.answer)["suggestions"]):
        factors = each["factors"]
        if place == 0:
            writer.writerow([*factors, *names])
        if not values:
            writer.writerow([*factors.values(), *("" for _name in names)])
        elif any(cell.strip() for cell in values[place]):
            writer.writerow([*factors.values(), *values[place]])
    return out.getvalue()


def add_measured(node: Node, actor: Actor, number: int, done: int, values: Sequence[str]) -> tuple[int, int, list[str]]:
    """Add results of the suggested experiments: for each, every result in turn; empty ones are not measured yet.

    `done` is how many experiments were done when they were suggested. Answers and errors as `add_to_campaign`.
    """
    campaign = see_campaign(node, actor, number)
    answer, width = json.loads(campaign.answer), len(results_of(campaign))
    if answer["done"] != done or len(values) != width * len(answer["suggestions"]):
        raise _changed()
    if not any(value.strip() for value in values):
        raise MadangError("campaign.results", _("No result is filled in."), _("Fill in one, or write failed."))
    rows = [values[begin : begin + width] for begin in range(0, len(values), width)]
    return add_to_campaign(node, actor, number, next_table(campaign, rows))


def add_to_campaign(node: Node, actor: Actor, number: int, table: str | bytes) -> tuple[int, int, list[str]]:
    """Add a table of results, as text or as the bytes of a CSV or XLSX file; how many were taken, how many were there
    already, and why lines were refused.

    What comes next is computed before the transaction; whoever added meanwhile is told `campaign.changed`.
    """
    if not table:
        raise no_table()
    if isinstance(table, str):
        checked_size(table)
        table = table.replace("\r\n", "\n").encode()
    before = see_campaign(node, actor, number)
    from madang.science.bioprocess.campaign import add_results, read_campaign

    with tempfile.TemporaryDirectory(prefix="madang-campaign-") as folder:
        described = _files(Path(folder), before.description, before.results)
        given = Path(folder) / "given.csv"
        given.write_bytes(table)
        added = add_results(read_campaign(described), given)
        results = described.with_suffix(".results.csv").read_text() if added.taken else before.results
        answer = _next(before.description, results)
    with doing(node, actor, ADD, lambda session: _find(session, number)) as done:
        if done.thing.results != before.results:
            raise _changed()
        done.thing.results, done.thing.answer = results, answer
        done.tell(taken=added.taken, failed=added.failed)
    return added.taken, added.duplicates, [why for _line, why in added.refused]


def _changed() -> MadangError:
    return MadangError("campaign.changed", _("Somebody else added results meanwhile."), _("Look, and add again."))


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


def register_equipment(
    node: Node, actor: Actor, project: str, name: str, address: str, simulated: bool = False
) -> Equipment:
    """Name equipment that the project's runs are read from; it is only ever read. Errors: `equipment.address`."""
    checked_name(name)
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


def no_table() -> MadangError:
    """What is said where neither text nor a file came."""
    return MadangError("table.read", _("There is no table."), _("Paste one, or choose a file."))


def _find(session: Session, number: int) -> Campaign:
    found = session.get(Campaign, number, options=[selectinload(Campaign.project)])
    if found is None:
        raise MadangError("campaign.none", _("There is no such campaign."), _("Look at yours."))
    return found


def project_of(session: Session, actor: Actor, name: str) -> Project:
    """A project whose runs one may see. Errors: `project.none`."""
    of = find_project(session, name)
    if not may(actor, SEE_RUN, of):
        raise MadangError("project.none", _("There is no project {name}.").format(name=name), _("Look at yours."))
    return of


def _signed_in(actor: Actor) -> None:
    if not actor.is_signed_in:
        raise MadangError("permission.sign_in", _("This needs an account."), _("Sign in first."))


def checked_name(name: str) -> None:
    """Errors: `manufacturing.name`."""
    if not _NAME.fullmatch(name):
        raise MadangError(
            "manufacturing.name",
            _("{name!r} cannot be a name here.").format(name=name),
            _("Use small letters, digits and hyphens."),
        )


def checked_size(text: str) -> None:
    """Errors: `manufacturing.size`."""
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
