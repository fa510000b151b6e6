"""The pages of the catalog for whoever looks for data."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from fastapi import Query
from fastapi.responses import FileResponse
from markupsafe import Markup
from starlette.responses import Response

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.node import files
from madang.node.people.models import Organization
from madang.node.permissions import check, may
from madang.services.catalog import contents, disclosure, finding, front_of_house, holding, service, shown
from madang.services.catalog.description import Description
from madang.services.catalog.handout import Bytes, hand_out
from madang.services.catalog.list_views import Elsewhere, Hit, Hits, Holder, Way
from madang.services.catalog.models import Record, RecordFile, RecordVersion
from madang.services.catalog.prepare import outline
from madang.web import Here, Number, Room, View
from madang.web import pages as made_page
from madang.web.resuming import resumable

room = Room("catalog", __package__)
_HEADING = re.compile("<h1>.*?</h1>", re.DOTALL)  # of a document, which its page says in other words
COLUMNS = 100  # of a table on its record's page; its own page has all
Page = Annotated[int, Query(ge=1, le=100_000)]


class Link(View):
    """One line of where a number comes from; without an address it stands for itself."""

    kind: str
    name: str
    address: str = ""


class Told(View):
    """A number and where it comes from, one link after another."""

    number: str
    links: list[Link]


class Front(View):
    """The front page; `examples` are words that find something."""

    records: int
    certified: int
    rows: int
    newest: list[Hit]
    examples: list[str]
    told: Told | None
    median_days: float | None
    decided: int


class VersionView(View):
    """A version of a record."""

    number: int
    state: str
    manifest: str
    published: datetime | None
    tables: int | None
    files: int | None
    rows: int | None
    bytes: int | None
    verdict: str
    passed: int | None
    failed: int | None
    fatal: int | None
    certificate: str
    job: int | None


class FileView(View):
    """A file of a version; `rows` is None where the content may not be shown."""

    table: str
    name: str
    rows: int | None
    bytes: int
    sha256: str


class Column(View):
    """A column of a table."""

    name: str
    type: str


class TableView(View):
    """A table of a version; `rows` is None where too few people are in it. `columns` are its first, of `total`."""

    name: str
    rows: int | None
    columns: list[Column]
    total: int


class Domain(View):
    """A table of events, as people call it; `share` is its rows by those of the largest."""

    table: str
    title: str
    rows: int
    share: float


class Glance(View):
    """What is in a version at a glance; None where it may not be told."""

    persons: int | None
    women: float | None
    first: int | None
    last: int | None
    observed: str
    domains: list[Domain]
    rows: int


class Waiting(View):
    """How long others waited for an answer to their application: the median in days, of how many."""

    median_days: float | None
    count: int


class RecordView(View):
    """A record as a page shows it; `profile` is None where its content may not be shown.

    `pictures` names, by its SHA-256, the document with the pictures of that content in the reader's language.
    """

    name: str
    dataset: str
    state: str
    access: str
    tier: str
    tier_after: str
    embargo_reason: str
    embargo_end: datetime | None
    title: str
    title_en: str
    holder: Holder
    description: Description
    published: datetime | None
    changed: datetime
    withdrawn_reason: str
    kind: str
    current: VersionView | None
    versions: list[VersionView]
    tables: list[TableView]
    files: list[FileView]
    page: int
    pages: int
    provenance: dict[str, Any]
    profile: dict[str, Any] | None
    pictures: str
    citation: str
    may_read: bool
    may_edit: bool
    glance: "Glance | None"
    newer: int | None
    waiting: "Waiting"
    contact: str

    @property
    def http_status(self) -> int:
        """Of what was taken back, that it is gone."""
        return 410 if self.state == "withdrawn" else 200


@room.page("/", "front.html")
def front(visit: Here) -> Front:
    """What there is, in a few numbers, and the newest records."""
    there = finding.overview(visit.node, 6, front_of_house.tried)
    visit.node.audit.read(visit.actor, "record.front")
    newest = [hit(visit, found) for found in there.newest]
    waiting = front_of_house.decided(visit.node)
    return Front(
        records=there.records,
        certified=there.certified,
        rows=there.rows,
        newest=newest,
        examples=list(there.examples),
        told=front_of_house.told(visit, there.newest),
        median_days=waiting.median_days,
        decided=waiting.count,
    )


@room.page("/records", "records.html")
def records(
    visit: Here,
    q: Annotated[str, Query(max_length=300)] = "",
    tier: Literal["", "open", "registered", "controlled", "embargoed"] = "",
    holder: Annotated[str, Query(max_length=70)] = "",
    verdict: Literal["", "good", "flawed", "unusable", "unknown"] = "",
    certified: Literal["", "yes"] = "",
    year: Annotated[str, Query(pattern=r"^(|[0-9]{4})$")] = "",
    kind: Annotated[str, Query(max_length=70)] = "",
    source: Literal["", "here", "partners"] = "",
    page: Page = 1,
) -> Hits:
    """Search the published records by words, in either language, and by what they are."""
    filters = finding.Filters(tier, holder, verdict, certified == "yes", int(year) if year else None, kind)
    found = finding.search(visit.node, visit.actor, q, filters, page, mine=source != "partners")
    # nothing is known of partners' data that the other conditions could ask for
    others = source != "here" and not filters.narrow and page == 1
    elsewhere = holding.elsewhere_of(visit.node, visit.actor, q) if others else []
    return Hits(
        question=q,
        total=found.total,
        page=page,
        pages=max(1, -(-found.total // finding.PAGE)),
        hits=[hit(visit, record) for record in found.records],
        holders=[_holder(each) for each in found.organizations],
        filters={
            "tier": tier,
            "holder": holder,
            "verdict": verdict,
            "certified": certified,
            "year": year,
            "kind": kind,
            "source": source,
        },
        elsewhere=[Elsewhere(**{**vars(each), "columns": list(each.columns)}) for each in elsewhere],
        ways=[] if found.total or elsewhere or not q else [Way(**vars(way)) for way in finding.ways_out(visit.node, q)],
    )


@room.page("/records/{name}", "record.html")
def record(visit: Here, name: str, version: Number | None = None, page: Page = 1) -> RecordView:
    """Show a record: what is in it, how good it is, where it comes from, how to get it."""
    return view(visit, service.see(visit.node, visit.actor, name), version, page)


@room.bytes("/records/{name}/quality", "application/json")
def quality(visit: Here, name: str, version: Number | None = None) -> Response:
    """The quality report of a version, with all its counts: for whoever may read the data."""
    found = service.see(visit.node, visit.actor, name)
    check(visit.actor, "record.read", found)
    return _document(visit, found, version, "quality")


@room.bytes("/records/{name}/profile", "application/json")
def profile(visit: Here, name: str, version: Number | None = None) -> Response:
    """What is in a version, in pictures; nothing of data under embargo, no count about too few people."""
    found = service.see(visit.node, visit.actor, name)
    check(visit.actor, "record.look", found)
    if not disclosure.close_enough(found, service.version_of(visit.actor, found, version)):
        raise MadangError("catalog.no_profile", _("The profile is being made anew."), _("Try again in a moment."))
    return _document(visit, found, version, "profile")


@room.bytes("/records/{name}/download/{table}.parquet", "application/vnd.apache.parquet", "application/zip")
def parquet(
    visit: Here,
    name: str,
    table: str,
    version: Number | None = None,
    file: Annotated[str, Query(pattern=r"^(|[0-9a-f]{64})$")] = "",
) -> Response:
    """A table as Parquet; a zip where it has several files, unless one is asked for by its SHA-256."""
    return _bytes(
        visit, hand_out(visit.node, visit.actor, name, version, table, "parquet", file=file, origin=visit.origin)
    )


@room.bytes("/records/{name}/download/{table}.csv", "text/csv")
def csv(visit: Here, name: str, table: str, version: Number | None = None, exact: bool = False) -> Response:
    """A table as CSV; texts that a spreadsheet would take for formulas are defused, unless `exact`."""
    return _bytes(visit, hand_out(visit.node, visit.actor, name, version, table, "csv", exact=exact))


@room.bytes("/records/{name}/download.zip", "application/zip")
def whole(visit: Here, name: str, version: Number | None = None) -> Response:
    """All tables of a version as a zip of Parquet files, with the manifest."""
    return _bytes(visit, hand_out(visit.node, visit.actor, name, version, "", "zip", origin=visit.origin))


def _bytes(visit: Here, out: Bytes) -> Response:
    if isinstance(out.content, Path):
        return FileResponse(out.content, media_type=out.media, filename=out.name)
    return resumable(visit.request, out.content, length=out.length, etag=out.etag, media=out.media, name=out.name)


def _document(visit: Here, found: Record, number: int | None, kind: str) -> Response:
    """A page that was made when the version was prepared; as JSON under /api."""
    documents = service.version_of(visit.actor, found, number).documents
    if kind not in documents:
        raise MadangError("catalog.no_profile", _("There are no pictures of these data."), _("See its files."))
    visit.node.audit.read(visit.actor, f"record.{kind}", f"record:{found.id}")
    if visit.request.url.path.startswith("/api/"):
        return Response(files.read(visit.node.home, documents[kind]), media_type="application/json")
    version = service.version_of(visit.actor, found, number)
    whole = files.read(visit.node.home, documents[f"{kind}-{visit.language}"]).decode()
    body = _HEADING.sub("", whole.partition("<main>")[2].partition("</main>")[0], count=1)
    page = {
        "kind": kind,
        "name": found.name,
        "version": version.number,
        "title": in_language(found.title, found.title_en),
        "minimum": 1 if found.access == "open" else version.minimum,
        "body": Markup(body),
    }
    return made_page.show(visit, room.package, "document.html", page, **room.helpers)


def hit(visit: Here, found: Record) -> Hit:
    """A record in a list, in the reader's language."""
    told, seen, access = found.told, glance(visit, found), found.access
    tells = access != "embargoed"
    return Hit(
        name=found.name,
        title=in_language(found.title, found.title_en),
        description=in_language(told.description, told.description_en)[:280],
        holder=_holder(found.organization),
        kind=found.kind,
        access=access,
        verdict=found.verdict if tells else "",
        certificate=found.certificate if tells and found.is_certified else "",
        rows=found.rows if tells else None,
        published=found.published,
        synthetic=told.synthetic,
        persons=seen.persons if seen else None,
        first=seen.first if seen else None,
        last=seen.last if seen else None,
    )


def glance(visit: Here, found: Record, version: RecordVersion | None = None) -> contents.Summary | None:
    """What the profile of a record's version (else its newest published one) tells this reader at a glance."""
    newest = version or next((each for each in found.versions if each.state == "published"), None)
    documents = disclosure.documents_of(visit.actor, found, newest)
    return contents.summary(visit.node.home, documents["profile"]) if "profile" in documents else None


def _holder(of: Organization) -> Holder:
    return Holder(name=of.name, title=in_language(of.title, of.title_en))


def view(visit: Here, found: Record, number: int | None = None, page: int = 1) -> RecordView:
    """A record for its page."""
    actor, told = visit.actor, found.told
    edits = may(actor, "record.edit", found)
    versions = [each for each in found.versions if edits or each.state == "published"]
    versions = [] if found.withheld else versions
    current = None
    if (
        not found.withheld
        and found.state != "withdrawn"
        and (number is not None or any(v.state in ("published", "ready") for v in versions))
    ):
        current = service.version_of(actor, found, number)
    looks = disclosure.may_look(actor, found, current)
    documents = disclosure.documents_of(actor, found, current)
    content = orjson.loads(files.read(visit.node.home, documents["profile"])) if "profile" in documents else None
    tells = disclosure.may_count(actor, found)
    listed = service.files_of(visit.node, current, page) if current is not None and tells else []
    year = (found.published or found.created).year
    holder, title = _holder(found.organization), in_language(found.title, found.title_en)
    may_read = disclosure.may_read(actor, found, current)
    outlined = {"tables": [], "provenance": {}} if current is None else outline_of(visit, found, current)
    return RecordView(
        name=found.name,
        dataset=found.dataset,
        state=found.state,
        access=found.access,
        tier=found.tier,
        tier_after=found.tier_after,
        embargo_reason=found.embargo_reason,
        embargo_end=found.embargo_end,
        title=title,
        title_en=found.title_en,
        holder=holder,
        description=told if found.state != "withdrawn" else Description(),
        published=found.published,
        changed=found.changed,
        withdrawn_reason=found.withdrawn_reason,
        kind=found.kind,
        current=version_view(current, tells) if current is not None else None,
        versions=[version_view(each, tells) for each in versions],
        tables=_tables(outlined, content, may_read),
        files=[_file(each, looks) for each in listed],
        page=page,
        pages=max(1, -(-(current.files if current and tells else 0) // service.FILES)),
        provenance=outlined["provenance"],
        profile=content,
        pictures=documents.get(f"pictures-{visit.language}", ""),
        citation=f"{', '.join(told.creator) or holder.title} ({year}). {title}"
        + (f" ({_('version {number}').format(number=current.number)}). " if current else ". ")
        + f"{visit.node.settings.named}. {visit.origin}/records/{found.name}"
        + (f"?version={current.number}" if current and current.state == "published" else ""),
        may_read=may_read,
        may_edit=edits,
        glance=_glance(glance(visit, found, current)),
        newer=_newer(found, current) if not found.withheld else None,
        waiting=Waiting(**vars(front_of_house.decided(visit.node))),
        contact=told.contact or visit.node.settings.institution.email,
    )


def _glance(seen: contents.Summary | None) -> Glance | None:
    if seen is None:
        return None
    largest = max((rows for _table, rows in seen.domains), default=1)
    domains = [
        Domain(table=table, title=contents.table_title(table), rows=rows, share=round(rows / largest, 4))
        for table, rows in seen.domains
    ]
    return Glance(**(vars(seen) | {"domains": domains}))


def _newer(found: Record, current: RecordVersion | None) -> int | None:
    """The number of the newest published version, where an older one is shown."""
    newest = max((each.number for each in found.versions if each.state == "published"), default=0)
    return newest if current is not None and newest > current.number else None


def _pictures(visit: Here, found: RecordView) -> list[tuple[str, Markup]]:
    """The pictures of a record's page; drawn when the version was prepared."""
    drawn = orjson.loads(files.read(visit.node.home, found.pictures)) if found.pictures else []
    return [(title, Markup(svg)) for title, svg in drawn]


def version_view(found: RecordVersion, tells: bool = True) -> VersionView:
    """A version for a page; unless it `tells`, nothing of how much there is and how good."""
    counted = ("tables", "files", "rows", "bytes", "passed", "failed", "fatal")
    kept = {name: getattr(found, name) for name in VersionView.model_fields if name not in ("job", "certificate")}
    if not tells:
        kept |= {**dict.fromkeys(counted), "verdict": "", "manifest": ""}
    certificate = found.certificate if found.is_certified and tells else ""
    return VersionView(**kept, job=found.job_id, certificate=certificate)


def _file(found: RecordFile, looks: bool) -> FileView:
    """A file; its rows only where the content may be shown."""
    return FileView(
        **{name: getattr(found, name) for name in FileView.model_fields if name != "rows"},
        rows=found.rows if looks else None,
    )


def outline_of(visit: Here, found: Record, version: RecordVersion) -> dict[str, Any]:
    """Tables, columns and provenance of a version, as `outline` has them."""
    kept = version.documents.get("outline")
    if kept is None:  # prepared by an earlier release
        return outline(visit.node.home.lake().dataset(found.dataset).version(version.number))
    document: dict[str, Any] = orjson.loads(files.read(visit.node.home, kept))
    return document


def _tables(outlined: dict[str, Any], content: dict[str, Any] | None, may_read: bool) -> list[TableView]:
    """Tables and columns; all rows for whoever may read the data, for others as the profile tells them."""
    told = {table["table"]: table["rows"] for table in (content or {}).get("tables", [])}
    return [
        TableView(
            name=table["name"],
            rows=table["rows"] if may_read else told.get(table["name"]),
            columns=[Column(name=column, type=kind) for column, kind in table["columns"][:COLUMNS]],
            total=len(table["columns"]),
        )
        for table in outlined["tables"]
    ]


_CONTENTS = {"table_title": contents.table_title, "table_sentence": contents.table_sentence}
room.helpers |= shown.HELPERS | {"pictures_of": _pictures, **_CONTENTS}
