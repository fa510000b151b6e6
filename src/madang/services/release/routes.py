"""The pages of the release desk: ask, the list, one request with findings, votes, questions, and the taking."""

import io
import lzma
import zipfile
import zlib
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import Field
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, later
from madang.node.acts import label
from madang.node.people import projects
from madang.node.permissions import may
from madang.science.privacy.outputs.said import from_document
from madang.services.release import service
from madang.services.release.acts import QUESTION, TAKE, VOTE, WITHDRAW
from madang.services.release.examine import MOST_FILES, Upload
from madang.services.release.looking import looked_at
from madang.services.release.models import Release, ReleaseFile
from madang.web import Done, Here, Room, View

room = Room("release", __package__)
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
KINDS = {
    "table": later("table"),
    "workbook": later("workbook"),
    "picture": later("picture"),
    "figure": later("figure"),
    "program": later("program", "file"),
    "notebook": later("notebook"),
    "model": later("fitted model"),
    "counts": later("table of counts"),
    "genome-wide summary": later("summary statistics of a genome-wide study"),
    "object": later("serialized object"),
}
LARGEST = 64 * 1024 * 1024


class Line(View):
    """A request in a list."""

    number: int
    files: list[str]
    project: str
    asked_by: str
    state: str
    state_name: str
    asked: datetime


class Releases(View):
    """The requests that one may see, and the projects for which one can ask."""

    releases: list[Line]
    projects: list[tuple[str, str]]


class FindingView(View):
    """A criterion that was applied to a file."""

    criterion: str
    status: str
    message: str
    cells: int


class FileView(View):
    """A file with what was found in it; cells that would open are there for checkers only."""

    name: str
    says: str
    kind: str
    kind_name: str
    sha256: str
    size: int
    status: str
    computed_again: str
    query: dict[str, Any] | None
    findings: list[FindingView]
    opens: list[dict[str, Any]]
    proposal: dict[str, Any] | None
    looks: bool  # at all that is in it: on the page of the file


class WholeFile(View):
    """A file as whoever judges it sees it: its tables, its text, its picture."""

    number: int
    place: int
    name: str
    says: str
    tables: list[list[list[str]]]
    text: str
    picture: str  # an address with the picture in it
    left_out: int  # cells and characters that are too many for a page


class VoteView(View):
    """A vote, shown once all are in."""

    agrees: bool
    words: str
    at: datetime


class SaidView(View):
    """A question or an answer."""

    by_checker: bool
    text: str
    at: datetime


class One(View):
    """A request for release."""

    number: int
    project: str
    dataset: str
    purpose: str
    state: str
    state_name: str
    asked_by: str
    asked: datetime
    decided: datetime | None
    taken: datetime | None
    rules: str
    checkers: int
    second_drawn: bool
    recipients: list[str]
    files: list[FileView]
    votes_in: int
    votes: list[VoteView]
    questions: list[SaidView]
    can_vote: bool
    can_ask: bool
    can_take: bool
    can_withdraw: bool


class Asking(View):
    """Files to take away."""

    name: str = Field(title="The name of the file", min_length=1, max_length=200)
    file: bytes = Field(title="The file", max_length=LARGEST)
    says: str = Field(default="", title="What it is", max_length=1_000)
    query: str = Field(default="", title="The declared query", max_length=100_000)
    project: str = Field(default="", title="The project", max_length=63)
    dataset: str = Field(default="", title="The dataset", max_length=200)
    purpose: str = Field(default="", title="The purpose", max_length=5_000)
    recipients: str = Field(default="", title="Who takes it", max_length=1_000)


class Voting(View):
    """A vote."""

    agrees: bool = Field(title="The vote")
    words: str = Field(default="", title="The reason", max_length=2_000)


class Saying(View):
    """A question or an answer."""

    text: str = Field(title="The text", min_length=1, max_length=2_000)


@room.page("/releases", "releases.html")
def releases(visit: Here) -> Releases:
    """Requests for release that you may see."""
    found = service.listed(visit.node, visit.actor)
    mine = [each for each in projects.list_projects(visit.node, visit.actor) if each.id in visit.actor.projects]
    return Releases(releases=[_line(each) for each in found], projects=[(each.name, each.title) for each in mine])


def _line(each: Release) -> Line:
    return Line(
        number=each.id,
        files=[file.name for file in each.files],
        project=each.project.title if each.project is not None else "",
        asked_by=each.owner.name if each.owner is not None else "",
        state=each.state,
        state_name=label("release", each.state),
        asked=each.asked,
    )


@room.act("/releases", at=releases, largest=LARGEST)
def ask(visit: Here, given: Asking) -> Done:
    """Ask for release of a file, or of the files in a ZIP."""
    uploads = _unpacked(given)
    if given.query.strip():
        stem = given.name.removesuffix(".csv").removesuffix(".vl.json").removesuffix(".xlsx")
        uploads.append(Upload(f"{stem}.query.json", given.query.encode()))
    number = service.ask(
        visit.node,
        visit.actor,
        uploads,
        project=given.project,
        dataset=given.dataset.strip(),
        purpose=given.purpose,
        recipients=given.recipients.replace(",", " ").split(),
    )
    return Done(see=f"/releases/{number}", message=_("The request is made; what the rules say is below."))


def _unpacked(given: Asking) -> list[Upload]:
    if not given.name.lower().endswith(".zip"):
        return [Upload(given.name, given.file, given.says)]
    try:
        with zipfile.ZipFile(io.BytesIO(given.file)) as parcel:
            items = [item for item in parcel.infolist() if not item.is_dir()]
            if len(items) > 2 * MOST_FILES or sum(item.file_size for item in items) > service.LARGEST:
                raise MadangError("release.files", _("The files are too large."), _("Bring fewer at a time."))
            return [Upload(item.filename, parcel.read(item), given.says) for item in items]
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise MadangError("release.files", _("The ZIP cannot be read."), str(error)[:100]) from None


@room.page("/releases/{number}", "release.html")
def release(visit: Here, number: Number) -> One:
    """A request for release: its files with every criterion that was applied, questions, and how it stands."""
    found = service.see(visit.node, visit.actor, number)
    checker = service.judges(visit.actor, found)
    voted = any(each.checker_id == visit.actor.person_id for each in found.votes)
    rules = found_rules(found)
    waiting = found.state == "asked"
    return One(
        number=found.id,
        project=found.project.title if found.project is not None else "",
        dataset=found.dataset,
        purpose=found.purpose,
        state=found.state,
        state_name=label("release", found.state),
        asked_by=found.owner.name if found.owner is not None else "",
        asked=found.asked,
        decided=found.decided,
        taken=found.taken,
        rules=rules,
        checkers=found.checkers,
        second_drawn=found.sampled,
        recipients=[each.person.name for each in found.recipients],
        files=[_file(visit, found, each) for each in found.files],
        votes_in=len(found.votes),
        votes=[] if waiting else [VoteView(agrees=each.agrees, words=each.words, at=each.at) for each in found.votes],
        questions=[SaidView(by_checker=each.by_checker, text=each.text, at=each.at) for each in found.questions],
        can_vote=waiting and checker and not voted and may(visit.actor, VOTE, found),
        can_ask=waiting and may(visit.actor, QUESTION, found),
        can_take=found.state == "approved" and may(visit.actor, TAKE, found) and service.receives(visit.actor, found),
        can_withdraw=waiting and not checker and may(visit.actor, WITHDRAW, found),
    )


def found_rules(found: Release) -> str:
    """The rules by which a request was judged, by name and version."""
    import json

    given = json.loads(found.rules)
    return f"{given.get('name', '')}-{given.get('version', '')}"


def _file(visit: Any, found: Release, each: ReleaseFile) -> FileView:
    checker, known = service.judges(visit.actor, found), service.knows(visit.actor, found)
    return FileView(
        name=each.name,
        says=each.says,
        kind=each.kind,
        kind_name=_(KINDS[each.kind]) if each.kind in KINDS else each.kind,
        sha256=each.leaves if known else "",
        size=each.size if known else 0,
        status=each.status,
        computed_again=each.match,
        query=each.read("query"),
        findings=[_finding(finding) for finding in each.read("findings")],
        opens=each.read("opens") if checker else [],
        proposal=each.read("proposal") if known else None,
        looks=checker,
    )


def _finding(document: dict[str, Any]) -> FindingView:
    names = ("criterion", "status", "cells")
    return FindingView(message=from_document(document), **{name: document[name] for name in names})


@room.page("/releases/{number}/files/{place}", "release_file.html")
def release_file(visit: Here, number: Number, place: Number) -> WholeFile:
    """All that a file holds, for who judges it: nothing leaves that a checker could not read."""
    file, leaves, came = service.shown_file(visit.node, visit.actor, number, place)
    return WholeFile(number=number, place=place, name=file.name, says=file.says, **looked_at(file.kind, leaves, came))


@room.act("/releases/{number}/vote", at=release)
def vote(visit: Here, number: Number, given: Voting) -> Done:
    """Vote on a request; the other checker's vote is not shown before yours is in."""
    service.vote(visit.node, visit.actor, number, given.agrees, given.words)
    return Done(see=f"/releases/{number}", message=_("Your vote is in."))


@room.act("/releases/{number}/questions", at=release)
def say(visit: Here, number: Number, given: Saying) -> Done:
    """Ask the applicant, or answer the checkers."""
    service.say(visit.node, visit.actor, number, given.text)
    return Done(see=f"/releases/{number}", message=_("It is sent."))


@room.act("/releases/{number}/withdraw", at=release)
def withdraw(visit: Here, number: Number) -> Done:
    """Take the request back."""
    service.withdraw(visit.node, visit.actor, number)
    return Done(see=f"/releases/{number}", message=_("The request is withdrawn."))


@room.act("/releases/{number}/take", at=release)
def take(visit: Here, number: Number) -> Response:
    """Take what was released, as a ZIP; once, and only who is named."""
    name, content = service.take(visit.node, visit.actor, number)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/zip", headers=headers)
