"""What a stranger is told first: words to try, where one number comes from, how long others waited."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from madang.base.translate import _, in_language, language
from madang.node.node import Node
from madang.services.catalog import contents, disclosure
from madang.services.catalog.models import Record

_MOST = 500  # the newest applications that are counted
_KEPT = 60.0  # seconds that the figures of applications are good for
_TRIED = {
    "ko": ("당뇨병", "고혈압", "당화혈색소", "혈압", "암", "천식", "콜레스테롤", "진단", "검사"),
    "en": ("diabetes", "hypertension", "HbA1c", "blood pressure", "cancer", "asthma", "cholesterol", "measurement"),
}


@dataclass(frozen=True)
class Decided:
    """How long applications took until they were decided: the median in days, of how many."""

    median_days: float | None
    count: int


_decided: dict[int, tuple[float, Decided]] = {}


def decided(node: Node) -> Decided:
    """How long others waited for an answer; counted anew every minute."""
    at, known = _decided.get(id(node), (0.0, Decided(None, 0)))
    if at and time.monotonic() - at < _KEPT:
        return known
    from madang.services.access.models import Application

    query = select(Application.submitted, Application.decided).where(Application.decided.is_not(None))
    with node.read() as session:
        rows = session.execute(query.order_by(Application.id.desc()).limit(_MOST)).all()
    days = [(decided - submitted).total_seconds() / 86_400 for submitted, decided in rows if submitted and decided]
    known = Decided(round(statistics.median(days), 1) if days else None, len(days))
    _decided[id(node)] = (time.monotonic(), known)
    return known


def tried(newest: Sequence[Record]) -> list[str]:
    """Words to try, in the reader's language, and the last year that the newest records have."""
    year = max((record.year for record in newest if record.year), default=None)
    words = [*_TRIED[language()][:3], *([str(year)] if year else []), *_TRIED[language()][3:]]
    return words + [word for record in newest for word in (*record.told.keyword, *record.told.keyword_en)][:5]


def told(visit: Any, newest: Sequence[Record]) -> Any:
    """Of the newest record that is certified and may be looked at, one number and where it comes from."""
    from madang.services.catalog.routes import Link, Told, outline_of

    for record in newest:
        version = next((each for each in record.versions if each.state == "published"), None)
        if version is None or not record.is_certified or not disclosure.may_look(visit.actor, record, version):
            continue
        seen = contents.summary(visit.node.home, version.documents["profile"])
        if not seen.persons:
            continue
        address = f"/records/{record.name}"
        sources = outline_of(visit, record, version)["provenance"]["sources"]
        links = [
            Link(kind=_("Dataset"), name=in_language(record.title, record.title_en), address=address),
            Link(
                kind=_("Version"),
                name=_("version {number}").format(number=version.number),
                address=f"{address}?version={version.number}",
            ),
            Link(kind=_("Certificate"), name=record.certificate, address=f"/certificates/{record.certificate}"),
            Link(kind=_("Checks"), name=_("{count} passed").format(count=f"{version.passed:,}")),
            Link(kind=_("Source", "files"), name=_("{count} files").format(count=sources)),
        ]
        return Told(number=_("{persons} persons").format(persons=f"{seen.persons:,}"), links=links)
    return None
