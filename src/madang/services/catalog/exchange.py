"""How others find and take records: exports, validation and FAIR pages, OAI-PMH, a DCAT feed, sitemap, signposting."""

import json
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Query, Request
from sqlalchemy import select
from starlette.responses import PlainTextResponse, Response

from madang.base.errors import MadangError
from madang.base.translate import _, in_language
from madang.services.catalog import exporting, fair, oai
from madang.services.catalog.forms import FORMS, dcat_ap
from madang.services.catalog.models import Record
from madang.services.catalog.routes import room
from madang.web import Here, View
from madang.web.room import PREFIX
from madang.web.visit import visit_of

_MEDIA = sorted({media for form in FORMS.values() for media, _ending, _writer in form.syntaxes.values()})
FEED = 100
SITEMAP = 50_000  # addresses, the most that the protocol of sitemaps takes
MOST = 2_000  # bytes of the body of a harvester's request


class FindingView(View):
    """One thing that is wrong or could be better."""

    severity: str
    field: str
    message: str
    hint: str


class FormView(View):
    """A form, the version that is written, and what the rules say."""

    form: str
    knows: str
    valid: bool
    syntaxes: list[str]
    findings: list[FindingView]


class MetricView(View):
    """A metric of FAIR: points earned of how many, and what would raise them."""

    metric: str
    name: str
    earned: float
    total: float
    sentence: str


class FormsView(View):
    """A record in every form."""

    name: str
    title: str
    withdrawn: bool
    forms: list[FormView]
    fair: list[MetricView]
    earned: float
    total: float


@room.page("/records/{name}/forms", "forms.html")
def forms(visit: Here, name: str) -> FormsView:
    """A record in every form: downloads, what each form's rules say, and an assessment of how FAIR it is."""
    record, reports = exporting.reports(visit.node, visit.actor, name, visit.origin)
    entry = exporting.entry_of(visit.node, visit.actor, record, exporting.origin_of(visit.node, visit.origin))
    metrics = fair.assess(entry)
    return FormsView(
        name=record.name,
        title=in_language(record.title, record.title_en),
        withdrawn=record.state == "withdrawn",
        forms=[
            FormView(
                form=each.form,
                knows=each.known,
                valid=each.valid,
                syntaxes=list(FORMS[each.form].syntaxes),
                findings=[
                    FindingView(severity=f.severity, field=f.field, message=f.message, hint=f.hint)
                    for f in each.findings
                ],
            )
            for each in reports
        ],
        fair=[
            MetricView(metric=m.metric, name=m.name, earned=m.earned, total=m.total, sentence=m.sentence)
            for m in metrics
        ],
        earned=sum(m.earned for m in metrics),
        total=sum(m.total for m in metrics),
    )


@room.bytes("/records/{name}/as/{form}", *_MEDIA)
def export(visit: Here, name: str, form: str, syntax: Annotated[str, Query(max_length=20)] = "") -> Response:
    """A record as DCAT-AP, HealthDCAT-AP, DataCite, schema.org, Croissant or RO-Crate."""
    content, media, file = exporting.export(visit.node, visit.actor, name, form, syntax, visit.origin)
    return Response(content, media_type=media, headers={"Content-Disposition": f'attachment; filename="{file}"'})


@room.bytes("/records/{name}/linkset.json", "application/linkset+json")
def linkset(visit: Here, name: str) -> Response:
    """Where programs find identifier, license, metadata and data of a record: signposting, as RFC 9264 writes it."""
    record, _reports = exporting.reports(visit.node, visit.actor, name, visit.origin)
    entry = exporting.entry_of(visit.node, visit.actor, record, exporting.origin_of(visit.node, visit.origin))
    found = {"linkset": [{"anchor": entry.address, **exporting.links(entry)}]}
    return Response(json.dumps(found), media_type="application/linkset+json")


@room.bytes("/oai", "text/xml")
def harvest(visit: Here, request: Request) -> Response:
    """OAI-PMH 2.0: the published records, to be harvested by other catalogs."""
    asked = request.query_params.multi_items()
    answer = oai.answer(visit.node, visit.actor, asked, exporting.origin_of(visit.node, visit.origin))
    return Response(answer, media_type="text/xml; charset=utf-8")


async def harvest_by_post(request: Request) -> Response:
    """The same by POST, as the protocol asks."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST:
            return PlainTextResponse("", status_code=413)
    visit = visit_of(request)
    asked = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    origin = exporting.origin_of(visit.node, visit.origin)
    return Response(oai.answer(visit.node, visit.actor, asked, origin), media_type="text/xml; charset=utf-8")


for _path in ("/oai", f"{PREFIX}/oai"):
    room.router.add_api_route(_path, harvest_by_post, methods=["POST"], include_in_schema=False, response_model=None)


@room.bytes("/dcat", "application/ld+json")
def feed(visit: Here, after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0) -> Response:
    """The published records as a dcat:Catalog, a hundred at a time; hydra:nextPage leads on."""
    origin = exporting.origin_of(visit.node, visit.origin)
    with visit.node.read() as session:
        query = exporting.PUBLIC.where(Record.id > after).order_by(Record.id).limit(FEED + 1)
        records = session.scalars(query).all()
    visit.node.audit.read(visit.actor, "record.feed")
    more = f"{origin}/dcat?after={records[FEED - 1].id}" if len(records) > FEED else ""
    entries = [exporting.short_entry(visit.node, each, origin) for each in records[:FEED]]
    title = visit.node.settings.title
    made = dcat_ap.catalog(entries, address=f"{origin}/records", title=title, publisher=title, following=more)
    return Response(json.dumps(made, ensure_ascii=False), media_type="application/ld+json")


@room.bytes("/sitemap.xml", "application/xml")
def sitemap(visit: Here) -> Response:
    """The addresses of the published records, for crawlers."""
    origin = exporting.origin_of(visit.node, visit.origin)
    with visit.node.read() as session:
        query = select(Record.name, Record.changed).where(Record.state == "published")
        rows = session.execute(query.order_by(Record.changed.desc()).limit(SITEMAP)).all()
    visit.node.audit.read(visit.actor, "record.sitemap")
    places = "".join(
        f"<url><loc>{origin}/records/{name}</loc><lastmod>{changed.date().isoformat()}</lastmod></url>\n"
        for name, changed in rows
    )
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{space}">\n{places}</urlset>\n'
    return Response(content, media_type="application/xml")


@room.bytes("/robots.txt", "text/plain")
def robots(visit: Here) -> Response:
    """Where crawlers find the sitemap, and that they leave the rest alone."""
    origin = exporting.origin_of(visit.node, visit.origin)
    lines = (
        "User-agent: *",
        "Allow: /records",
        "Disallow: /api/",
        "Disallow: /steward",
        f"Sitemap: {origin}/sitemap.xml",
    )
    return PlainTextResponse("\n".join(lines) + "\n")


def severity_name(severity: str) -> str:
    """What a finding is, in the reader's language."""
    if severity not in ("violation", "advice"):
        raise MadangError("catalog.form", _("There is no such finding."))
    return _("wrong", "finding") if severity == "violation" else _("advice", "finding")


def forms_named() -> list[tuple[str, str]]:
    """Every form with the media type that is meant where none is asked for."""
    return [(form.name, next(iter(form.syntaxes.values()))[0]) for form in FORMS.values()]


room.helpers |= {"severity_name": severity_name, "forms_named": forms_named}
