"""Templates become pages here: Jinja2, everything escaped, names that do not exist are errors."""

import json
from contextvars import ContextVar
from datetime import UTC, date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from madang import __version__
from madang.base.errors import MadangError
from madang.base.translate import LANGUAGES, _, in_language, language
from madang.node import permissions
from madang.node.people.actor import Actor
from madang.web import notes
from madang.web.assets import address_of_asset
from madang.web.menu import menu


def show(visit: Any, package: str, template: str, value: Any, *, status: int = 200, **more: Any) -> HTMLResponse:
    """A page: `template` of `package` sees `page` (the value), `visit`, and what `more` has."""
    note = notes.take(visit.request)
    context = {"page": value, "visit": visit, "given": {}, "problem": None, "note": note} | more
    made = _environment(package).get_template(template)
    content: str | bytes
    _zone.set(visit.node.settings.zone)
    if visit.actor.is_signed_in or note or context["given"] or context["problem"] or not isinstance(value, BaseModel):
        content = made.render(context)
    else:
        follows_from = (package, template, language(), str(visit.request.url), value.model_dump_json())
        content = visit.request.app.state.rendered.get(follows_from, lambda: made.render(context))
    answer = HTMLResponse(content, status)
    if note:
        answer.delete_cookie(notes.COOKIE)
    return answer


def show_problem(request: HTTPConnection, error: MadangError, status: int, headers: dict[str, str]) -> HTMLResponse:
    """The page of an error."""
    from madang.web.visit import Visit, visit_of

    try:
        visit = visit_of(request)
    except MadangError:
        visit = Visit(request, request.app.state.node, Actor.stranger())
    answer = show(visit, "madang.web", "problem.html", error, status=status)
    answer.headers.update(headers)
    return answer


_zone: ContextVar[str] = ContextVar("zone", default="UTC")  # of the institution whose page is made


@cache
def _environment(package: str) -> Environment:
    """The templates of a room, over those of the kit."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name, "templates") for name in (package, "madang.web")]),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "_": _,
        "asset": address_of_asset,
        "in_language": in_language,
        "language": language,
        "languages": LANGUAGES,
        "may": permissions.may,
        "menu": menu,
        "version": __version__,
        "here": _here,
    }
    environment.filters |= {
        "number": number,
        "bytes": size,
        "day": day,
        "moment": moment,
        "json_ld": json_ld,
    }
    return environment


def number(value: float | None) -> str:
    """A count with separators; nothing for None."""
    return "" if value is None else f"{value:,}"


def size(value: int | None) -> str:
    """A number of bytes for people, in powers of 1,000."""
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def day(value: datetime | date | str | None) -> str:
    """A day as ISO 8601; a moment's is that in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).date().isoformat()
    return str(value)[:10] if value else ""


def moment(value: datetime | str | None, zone: str = "") -> str:
    """A moment in the institution's zone, to the minute, with the zone's name; a text that has no zone is in UTC."""
    if not value:
        return ""
    at = datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return f"{at.astimezone(ZoneInfo(zone or _zone.get())):%Y-%m-%d %H:%M %Z}"


def json_ld(value: Any) -> Markup:
    """JSON for a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@pass_context
def _here(context: Context, **changed: Any) -> str:
    """The address of this page with some of its query changed; None leaves one out."""
    url = context["visit"].request.url.remove_query_params([*changed, "lang"])
    asked = {name: value for name, value in changed.items() if value is not None}
    url = url.include_query_params(**asked) if asked else url
    return f"{url.path}?{url.query}" if url.query else str(url.path)
