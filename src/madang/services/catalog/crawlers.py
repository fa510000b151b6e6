"""What crawlers are told: which pages are for everybody, and where every published record is."""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from sqlalchemy import select

from madang.services.catalog.models import Record
from madang.services.catalog.routes import room
from madang.web import Here

_MOST = 50_000  # addresses of one sitemap, as its standard has it
_CLOSED = (
    "/api/",
    "/account",
    "/applications",
    "/audit",
    "/jobs",
    "/people",
    "/sign-in",
    "/start",
    "/steward",
    "/workspaces",
)


@room.bytes("/robots.txt", "text/plain")
def robots(visit: Here) -> Response:
    """Which pages are of no use to crawlers, and where the list of the others is."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in _CLOSED), "Disallow: /records/*/download"]
    return PlainTextResponse("\n".join([*lines, f"Sitemap: {visit.origin}/sitemap.xml", ""]))


@room.bytes("/sitemap.xml", "application/xml")
def sitemap(visit: Here) -> Response:
    """The address of every published record, the newest first, with the day of its last change."""
    query = select(Record.name, Record.changed).where(Record.state == "published").order_by(Record.id.desc())
    with visit.node.read() as session:
        rows = session.execute(query.limit(_MOST - 4)).all()

    def written() -> Iterator[str]:
        yield '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        for path in ("/", "/records", "/access", "/help"):
            yield f"<url><loc>{escape(visit.origin + path)}</loc></url>\n"
        for name, changed in rows:
            at = changed.date().isoformat()
            yield f"<url><loc>{escape(visit.origin)}/records/{escape(name)}</loc><lastmod>{at}</lastmod></url>\n"
        yield "</urlset>\n"

    return StreamingResponse(written(), media_type="application/xml")
