"""The pages of deposits."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import FileResponse
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node import jobs
from madang.node.acts import label
from madang.node.permissions import check, may
from madang.services import grants
from madang.services.deposits import checking, checks, handing, pairs, publishing, service, sources, store
from madang.services.deposits.checklists import MODELS, checklists, find_checklist, sheet
from madang.services.deposits.lists import is_list
from madang.services.deposits.models import Deposit
from madang.services.deposits.runs import run_sheet, runs_of
from madang.services.deposits.views import (
    Accession,
    Begun,
    CheckJob,
    DepositView,
    Described,
    File,
    FileView,
    FindingView,
    Holder,
    ListView,
    Nothing,
    Pair,
    PromiseChoice,
    Promised,
    PromiseLacks,
    Question,
    Row,
    RunView,
    Sheet,
    WrongCell,
)
from madang.web import Done, Here, Number, Room

room = Room("deposits", __package__)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEET = 8 * 1024 * 1024  # bytes of a sample sheet
SMALL = 32 * 1024 * 1024  # bytes of a file that is sent whole


@room.page("/deposits", "deposits.html")
def deposits(visit: Here) -> ListView:
    """The deposits that you may see, and the form to begin one."""
    check(visit.actor, "deposit.begin")
    found = service.listed(visit.node, visit.actor)
    visit.node.audit.read(visit.actor, "deposit.list")
    rows = [
        Row(
            name=each.name,
            title=in_language(each.title, each.title_en),
            state=each.state,
            files=len(each.files),
            changed=each.changed,
        )
        for each in found
    ]
    holders = [
        Holder(name=each.name, title=in_language(each.title, each.title_en)) for each in service.holders(visit.node)
    ]
    return ListView(deposits=rows, models=list(MODELS), organizations=holders)


@room.page("/deposits/{name}", "deposit.html")
def deposit(visit: Here, name: str) -> DepositView:
    """A deposit with its files, its samples and what the checks found."""
    return _view(visit, service.see(visit.node, visit.actor, name))


@room.act("/deposits", at=deposits)
def begin(visit: Here, given: Begun) -> Done:
    """Begin a deposit."""
    made = service.begin(visit.node, visit.actor, given.name, given.model, given.organization, given.title)
    return Done(see=f"/deposits/{made.name}")


@room.act("/deposits/{name}", at=deposit)
def describe(visit: Here, name: str, given: Described) -> Done:
    """Describe a deposit, and submit it where that is all."""
    told = {field: value for field, value in given.model_dump().items() if field in given.model_fields_set}
    told.pop("then", None)
    service.describe(visit.node, visit.actor, name, **told)
    if given.then == "submit":
        service.submit(visit.node, visit.actor, name)
        return Done(see=f"/deposits/{name}", message=_("Submitted."))
    return Done(see=f"/deposits/{name}", message=_("Saved."))


@room.act("/deposits/{name}/samples", at=deposit, largest=SHEET + 4096)
def samples(visit: Here, name: str, given: Sheet) -> Done:
    """Upload a sheet of samples or runs; every wrong cell is shown in place."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sheet.xlsx"
        path.write_bytes(given.sheet)
        wrong = service.put_sheet(visit.node, visit.actor, name, path, given.kind)
    if wrong:
        told = " ".join(f"[{each['row']}, {each['column']}] {each['reason']}" for each in wrong[:3])
        message = _("{count} cells are wrong: {cells}").format(count=len(wrong), cells=told)
        raise MadangError("deposit.cells", message, _("All of them stand below, each in its place."))
    return Done(see=f"/deposits/{name}", message=_("The sheet was taken in."))


@room.act("/deposits/{name}/files", at=deposit, largest=SMALL + 4096)
def send(visit: Here, name: str, given: File) -> Done:
    """Put one small file into a draft whole, as browsers without scripts do."""
    service.put_bytes(visit.node, visit.actor, name, given.file_name, given.file)
    return Done(see=f"/deposits/{name}", message=_("Saved."))


@room.act("/deposits/{name}/files/{number}/remove", at=deposit)
def remove(visit: Here, name: str, number: Number, given: Nothing) -> Done:
    """Take a file out of a draft."""
    found = service.file_of(service.see(visit.node, visit.actor, name), number)
    service.remove(visit.node, visit.actor, name, found.name)
    return Done(see=f"/deposits/{name}", message=_("Removed."))


@room.act("/deposits/{name}/swap", at=deposit)
def swap(visit: Here, name: str, given: Pair) -> Done:
    """Exchange the names of the two files of a pair, where mates came swapped; nothing is sent again."""
    service.swap(visit.node, visit.actor, name, given.file)
    return Done(see=f"/deposits/{name}", message=_("The two files have each other's names now."))


@room.act("/deposits/{name}/promise", at=deposit)
def keeps(visit: Here, name: str, given: Promised) -> Done:
    """Say that a deposit keeps a promise of a grant; what is still missing for it to count is said at once."""
    lacking = service.link_promise(visit.node, visit.actor, name, given.promise)
    return Done(see=f"/deposits/{name}", message=" ".join([_("It is linked to the promise."), *lacking]))


@room.act("/deposits/{name}/check", at=deposit)
def checked(visit: Here, name: str, given: Nothing) -> Done:
    """Have every file read and everything checked."""
    if checks.begin(visit.node, visit.actor, name) is not None:
        return Done(see=f"/deposits/{name}", message=_("The check began; this page shows how far it is."))
    found = checking.findings(service.see(visit.node, visit.actor, name))
    told = _("{count} things were found, they stand below.") if found else _("Nothing was found.")
    return Done(see=f"/deposits/{name}", message=told.format(count=len(found)))


@room.act("/deposits/{name}/submit", at=deposit)
def submit(visit: Here, name: str, given: Nothing) -> Done:
    """Submit a deposit to the curators."""
    service.submit(visit.node, visit.actor, name)
    return Done(see=f"/deposits/{name}", message=_("Submitted."))


@room.act("/deposits/{name}/return", at=deposit)
def give_back(visit: Here, name: str, given: Question) -> Done:
    """Give a deposit back with a question."""
    service.give_back(visit.node, visit.actor, name, given.question)
    return Done(see=f"/deposits/{name}")


@room.act("/deposits/{name}/accession", at=deposit)
def accession(visit: Here, name: str, given: Accession) -> Done:
    """Note the accession or certificate that a national station gave."""
    service.note(visit.node, visit.actor, name, given.accession)
    return Done(see=f"/deposits/{name}", message=_("Saved."))


@room.act("/deposits/{name}/approve", at=deposit)
def approve(visit: Here, name: str, given: Nothing) -> Done:
    """Approve a deposit: the draft of its record is begun."""
    record = service.approve(visit.node, visit.actor, name)
    return Done(see=f"/steward/{record}")


@room.bytes("/deposits/{name}/sheet.xlsx", XLSX)
def template(visit: Here, name: str, checklist: Annotated[str, Query(max_length=100)] = "") -> Response:
    """The empty sample sheet of the deposit's checklist."""
    found = service.see(visit.node, visit.actor, name)
    list_ = find_checklist(visit.node.home, checklist or found.checklist or "basic")
    disposition = {"Content-Disposition": f'attachment; filename="{list_.name}.xlsx"'}
    return Response(sheet(list_), media_type=XLSX, headers=disposition)


@room.bytes("/deposits/{name}/runs.xlsx", XLSX)
def run_template(visit: Here, name: str) -> Response:
    """The sheet of runs, filled in as far as the names of the files tell."""
    found = service.see(visit.node, visit.actor, name)
    disposition = {"Content-Disposition": 'attachment; filename="runs.xlsx"'}
    return Response(run_sheet(found), media_type=XLSX, headers=disposition)


@room.bytes("/deposits/{name}/package.zip", "application/zip")
def station_package(visit: Here, name: str) -> Response:
    """What the form of the national station asks, without the files themselves, as a zip."""
    found = service.see(visit.node, visit.actor, name)
    content = publishing.package_zip(visit.node, found, "k-bds")
    disposition = {"Content-Disposition": f'attachment; filename="{name}-k-bds.zip"'}
    return Response(content, media_type="application/zip", headers=disposition)


@room.bytes("/deposited/{name}/{number}", "application/octet-stream")
def published_file(visit: Here, name: str, number: Number) -> Response:
    """A deposited file of a published record, for whoever may read the record: everybody where it is open."""
    path, file = handing.path_of(visit.node, visit.actor, name, number)
    return FileResponse(path, media_type="application/octet-stream", filename=file)


@room.bytes("/deposits/{name}/files/{number}", "application/octet-stream")
def file(visit: Here, name: str, number: Number) -> Response:
    """A file of a deposit, for whoever may see the deposit."""
    found = service.file_of(service.see(visit.node, visit.actor, name), number)
    if not found.sha256:
        raise MadangError("deposit.offset", _("The file {name} is not all there yet.").format(name=found.name))
    path = sources.path_of(visit.node.home, found)
    return FileResponse(path, media_type="application/octet-stream", filename=Path(found.name).name)


def _view(visit: Here, found: Deposit) -> DepositView:
    home, sheets = visit.node.home, found.sheets
    kept = {field: getattr(found, field) for field in DepositView.model_fields if hasattr(found, field)}
    kept |= {
        "checklists": list(checklists(home)),
        "tier": checking.tier(found),
        "samples": sheets.samples,
        "runs": [RunView(**asdict(run)) for run in runs_of(found)],
        "umbrella": sheets.umbrella,
        "creators": sheets.creators,
        "projects": service.names_within(visit.node, found),
        "holds_files": not MODELS[found.model].umbrella,
        "has_samples": MODELS[found.model].samples,
        "wrong": [WrongCell(**each) for each in sheets.wrong[:500]],
        "files": [
            FileView(
                **{field: getattr(each, field) for field in FileView.model_fields if hasattr(each, field)},
                stays=bool(each.source),
                is_list=is_list(each.name),
                there=each.bytes if each.sha256 else store.offset(home, each.id),
            )
            for each in found.files
        ],
        "findings": [
            FindingView(
                severity=each["severity"],
                file=each["file"],
                message=each["message"],
                may_swap=each["code"] == pairs.SWAPPED and found.state == "draft",
            )
            for each in (checking.findings(found) if found.checked else [])
        ],
        "job": _job(visit, found),
        "promises": [
            PromiseChoice(number=number, title=title, linked=linked)
            for number, title, linked in grants.choices(visit.node, visit.actor, service.record_name(found))
        ],
        "lacks": [
            PromiseLacks(number=number, title=title, missing=missing)
            for number, title, missing in grants.missing(visit.node, visit.actor, service.record_name(found))
        ],
        "may_edit": found.state == "draft" and may(visit.actor, "deposit.describe", found),
        "may_review": found.state == "submitted" and may(visit.actor, "deposit.approve", found),
    }
    return DepositView(**kept)


def _job(visit: Here, found: Deposit) -> CheckJob | None:
    """The job of a check, for those who may see it, unless it is done."""
    if found.job_id is None:
        return None
    try:
        job = jobs.find(visit.node, visit.actor, found.job_id)
        events = jobs.events_after(visit.node, visit.actor, found.job_id)
    except MadangError:  # somebody else's: that it is on its way is all that is told
        with visit.node.read() as session:
            begun = session.get(jobs.Job, found.job_id)
            state = begun.state if begun is not None else "done"
        if state not in ("waiting", "running"):
            return None
        return CheckJob(number=0, state=state, text="", done=0, total=None, error="")
    if job.state in ("done", "cancelled"):
        return None
    last = next((each for each in reversed(events) if each.text), None)
    return CheckJob(
        number=job.id,
        state=job.state,
        text=last.said if last else "",
        done=last.done if last else 0,
        total=last.total if last else None,
        error=job.why,
    )


def state_name(state: str) -> str:
    """A state in the reader's language."""
    return label("deposit", state)


def severity_name(severity: str) -> str:
    """What a finding is, in the reader's language."""
    return _("wrong", "finding") if severity == "wrong" else _("to look at", "finding")


def tier_name(tier: str) -> str:
    """A tier in the reader's language."""
    if tier == "both":
        return _("those of people on request, the others open to all")
    return _("on request") if tier == "controlled" else _("open to all")


def models_named(names: list[str]) -> list[tuple[str, str]]:
    """Models for a choice."""
    told = {
        "insdc": "INSDC",
        "k-bds": "K-BDS",
        "table": _("a table, in short"),
        "umbrella": _("an umbrella of projects"),
    }
    return [(name, told.get(name, name)) for name in names]


def lists_named(names: list[str]) -> list[tuple[str, str]]:
    """Checklists for a choice."""
    return [(name, name) for name in names]


def told_columns(samples: list[dict[str, str]]) -> list[str]:
    """The columns of a sheet in which something stands."""
    return [name for name in samples[0] if any(each.get(name) for each in samples)]


def open_if(rows: list[Any]) -> str:
    """A table of many rows is folded away."""
    return " open" if len(rows) <= 12 else ""


def organizations_named(holders: list[Holder]) -> list[tuple[str, str]]:
    """Organizations for a choice."""
    return [(each.name, each.title) for each in holders]


def promises_named(choices: list[PromiseChoice]) -> list[tuple[int, str]]:
    """Promises for a choice."""
    return [(each.number, each.title) for each in choices if not each.linked]


room.helpers |= {
    "told_columns": told_columns,
    "open_if": open_if,
    "organizations_named": organizations_named,
    "promises_named": promises_named,
    "deposit_state": state_name,
    "deposit_severity": severity_name,
    "deposit_tier": tier_name,
    "models_named": models_named,
    "lists_named": lists_named,
}
