"""Persistent identifiers: a DOI for a published record, by the REST interface of DataCite (version 2).

The request is a PUT under an identifier that follows from the record's name, so that it can be repeated: after a stop
between the answer and our own note, the same DOI is registered once more with the same document, and nothing is left
over. Where the institution has no account there is the record's own address, which stays as well.
"""

import base64
import json
import re
from typing import Any

from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.database import now
from madang.node.node import Node
from madang.node.outgoing import Bounds, outgoing_of
from madang.node.people.actor import Actor
from madang.node.permissions import check
from madang.services.catalog import exporting, service
from madang.services.catalog.acts import IDENTIFY
from madang.services.catalog.description import Description
from madang.services.catalog.forms import datacite
from madang.services.catalog.models import Record

MEDIA = "application/vnd.api+json"
EVENTS = ("publish", "register", "hide", "")  # what DataCite calls findable, registered, registered again, draft


def is_set_up(node: Node) -> bool:
    """Whether the institution has an account at DataCite."""
    told = node.settings.datacite
    return bool(told.prefix and told.repository and told.password.get_secret_value())


def document(node: Node, actor: Actor, name: str, event: str = "publish") -> dict[str, Any]:
    """What would be sent. Errors: `catalog.none`, `catalog.doi` where the record lacks what DataCite needs."""
    record = service.see(node, actor, name)
    check(actor, IDENTIFY, record)
    doi = record.told.doi or f"{node.settings.datacite.prefix or '10.00000'}/{_suffix(record)}"
    entry = exporting.entry_of(node, actor, record, exporting.origin_of(node))
    attributes = datacite.attributes(entry) | {"doi": doi}
    lacking = [field for field in ("creators", "titles", "publisher", "publicationYear") if not attributes.get(field)]
    if lacking:
        needed = _("DataCite needs {names}.").format(names=", ".join(lacking))
        raise MadangError("catalog.doi", needed, _("Describe the record first."))
    if event:
        attributes["event"] = event
    return {"data": {"id": doi, "type": "dois", "attributes": attributes}}


def _suffix(record: Record) -> str:
    """The part of a DOI after its prefix: what a DOI may hold without being escaped, of the record's name."""
    return "madang." + re.sub(r"[^a-z0-9.-]", "-", record.name.lower()) + f".{record.id}"


def register(node: Node, actor: Actor, name: str, event: str = "publish") -> str:
    """Have DataCite know the record, or know it as it is described now; its DOI, which the record bears from now on.

    Errors: `catalog.doi_account` without an account, `catalog.doi_refused` with what DataCite said, those of `document`
    and of `outgoing`.
    """
    sent = document(node, actor, name, event)
    if not is_set_up(node):
        raise MadangError(
            "catalog.doi_account",
            _("This installation has no account at DataCite."),
            _("Set datacite.prefix, datacite.repository and datacite.password."),
        )
    told = node.settings.datacite
    doi = str(sent["data"]["id"])
    key = base64.b64encode(f"{told.repository}:{told.password.get_secret_value()}".encode()).decode()
    answer = outgoing_of(node.settings, bounds=Bounds(redirects=0)).request(
        "PUT",
        f"{told.address.rstrip('/')}/dois/{doi}",
        headers={"Authorization": f"Basic {key}", "Content-Type": MEDIA, "Accept": MEDIA},
        body=json.dumps(sent, ensure_ascii=False).encode(),
    )
    if answer.status not in (200, 201):
        raise MadangError(
            "catalog.doi_refused",
            _("DataCite refused it ({status}): {why}").format(status=answer.status, why=_why(answer.body)),
            _("Look at the account and at the description."),
        )

    def find(session: Session) -> Record:
        return service._record(session, actor, name)

    with doing(node, actor, IDENTIFY, find) as done:
        described = Description.model_validate(done.thing.told.model_dump() | {"doi": doi})
        if done.thing.told.doi != doi:
            done.thing.description = described.model_dump_json()
            done.thing.changed = now()
            done.thing.edition += 1
        done.tell(doi=doi, event=event)
    return doi


def _why(body: bytes) -> str:
    """The sentences of an answer in the format of JSON:API; else its beginning."""
    try:
        return "; ".join(str(each.get("title") or each.get("detail")) for each in json.loads(body)["errors"])[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return body[:200].decode("utf-8", "replace")
