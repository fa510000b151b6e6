"""OAI-PMH 2.0: what a harvester asks, and the answer as XML.

A resumption token holds the whole question and the last record that was given, so that nothing is kept for it and the
last page costs what the first does. What was withdrawn is told as deleted, for good.
"""

import base64
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree import ElementTree as Tree

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import joinedload

from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.node.people.models import Organization
from madang.services.catalog import exporting
from madang.services.catalog.forms import Entry, datacite
from madang.services.catalog.forms.entry import iri, license_of, plain, rights_of
from madang.services.catalog.models import Record

PAGE = 100
OAI = "http://www.openarchives.org/OAI/2.0/"
DC = "http://purl.org/dc/elements/1.1/"
OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
FORMATS = {
    "oai_dc": ("http://www.openarchives.org/OAI/2.0/oai_dc.xsd", OAI_DC),
    "datacite": ("http://schema.datacite.org/meta/kernel-4.6/metadata.xsd", datacite.SPACE),
}
_LIST = {"metadataPrefix", "from", "until", "set", "resumptionToken"}
ARGUMENTS = {  # of each verb: those that may be, and those that must
    "Identify": (set(), set()),
    "ListMetadataFormats": ({"identifier"}, set()),
    "ListSets": ({"resumptionToken"}, set()),
    "GetRecord": ({"identifier", "metadataPrefix"}, {"identifier", "metadataPrefix"}),
    "ListIdentifiers": (_LIST, {"metadataPrefix"}),
    "ListRecords": (_LIST, {"metadataPrefix"}),
}
_DAY, _SECOND = re.compile(r"\d{4}-\d\d-\d\d\Z"), re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")


class Refused(Exception):
    """A question that the protocol answers with an error; `code` is one of its own."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def answer(node: Node, actor: Actor, asked: Iterable[tuple[str, str]], origin: str) -> bytes:
    """The answer to one request, whatever it asks; always XML of the protocol."""
    pairs = list(asked)
    given = dict(pairs)
    Tree.register_namespace("oai_dc", OAI_DC)
    Tree.register_namespace("dc", DC)
    Tree.register_namespace("xsi", XSI)
    root = Tree.Element("OAI-PMH", {"xmlns": OAI, f"{{{XSI}}}schemaLocation": f"{OAI} {OAI}OAI-PMH.xsd"})
    Tree.SubElement(root, "responseDate").text = _stamp(now())
    request = Tree.SubElement(root, "request")
    request.text = f"{origin}/oai"
    try:
        verb = _check(pairs, given)
        body = Tree.Element(verb)
        _Answer(node, origin, given, body).give(verb)
        for name, value in given.items():
            request.set(name, value)
        root.append(body)
    except Refused as refused:
        if refused.code not in ("badVerb", "badArgument"):
            for name, value in given.items():
                request.set(name, value)
        Tree.SubElement(root, "error", code=refused.code).text = str(refused)
    node.audit.read(actor, "record.harvest")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="utf-8")


def _check(pairs: list[tuple[str, str]], given: dict[str, str]) -> str:
    verb = given.get("verb", "")
    if verb not in ARGUMENTS or sum(name == "verb" for name, _value in pairs) != 1:
        raise Refused("badVerb", "The verb is missing, repeated or not one of the protocol.")
    may, must = ARGUMENTS[verb]
    names = [name for name, _value in pairs if name != "verb"]
    if len(set(names)) < len(names):
        raise Refused("badArgument", "An argument is repeated.")
    if unknown := sorted(set(names) - may):
        raise Refused("badArgument", f"{verb} takes no argument {plain(unknown[0])[:50]}.")
    if "resumptionToken" in names:
        if len(names) > 1:
            raise Refused("badArgument", "A resumptionToken stands alone.")
    elif lacking := sorted(must - set(names)):
        raise Refused("badArgument", f"{verb} needs {lacking[0]}.")
    return verb


class _Answer:
    """What is put into the element of a verb."""

    def __init__(self, node: Node, origin: str, given: dict[str, str], body: Tree.Element) -> None:
        self.node, self.origin, self.given, self.body = node, origin, given, body
        self.space = f"oai:{urlsplit(origin).hostname or 'localhost'}:"

    def give(self, verb: str) -> None:
        """Fill it in."""
        {
            "Identify": self._identify,
            "ListMetadataFormats": self._formats,
            "ListSets": self._sets,
            "GetRecord": self._one,
            "ListIdentifiers": lambda: self._list(whole=False),
            "ListRecords": lambda: self._list(whole=True),
        }[verb]()

    def _put(self, parent: Tree.Element, tag: str, text: str = "") -> Tree.Element:
        found = Tree.SubElement(parent, tag)
        found.text = plain(text) or None
        return found

    def _identify(self) -> None:
        with self.node.read() as session:
            first = session.scalar(select(func.min(Record.changed)).where(Record.state.in_(("published", "withdrawn"))))
        mail = next(iter(re.findall(r"[\w.+-]+@[\w.-]+\.\w+", str(getattr(self.node.settings, "contact", "")))), "")
        self._put(self.body, "repositoryName", self.node.settings.title)
        self._put(self.body, "baseURL", f"{self.origin}/oai")
        self._put(self.body, "protocolVersion", "2.0")
        self._put(self.body, "adminEmail", mail or f"admin@{urlsplit(self.origin).hostname or 'localhost'}")
        self._put(self.body, "earliestDatestamp", _stamp(first or now()))
        self._put(self.body, "deletedRecord", "persistent")
        self._put(self.body, "granularity", "YYYY-MM-DDThh:mm:ssZ")

    def _formats(self) -> None:
        if "identifier" in self.given:
            self._found()
        for prefix, (schema, space) in FORMATS.items():
            found = Tree.SubElement(self.body, "metadataFormat")
            self._put(found, "metadataPrefix", prefix)
            self._put(found, "schema", schema)
            self._put(found, "metadataNamespace", space)

    def _sets(self) -> None:
        if "resumptionToken" in self.given:
            raise Refused("badResumptionToken", "The list of sets comes in one piece.")
        with self.node.read() as session:
            holders = session.execute(select(Organization.name, Organization.title).order_by(Organization.id)).all()
        for name, title in holders:
            found = Tree.SubElement(self.body, "set")
            self._put(found, "setSpec", f"holder:{name}")
            self._put(found, "setName", title)

    def _found(self) -> Record:
        identifier = self.given["identifier"]
        name = identifier.removeprefix(self.space)
        with self.node.read() as session:
            query = select(Record).where(Record.name == name, Record.state.in_(("published", "withdrawn")))
            found = session.scalar(query.options(joinedload(Record.organization)))
        if found is None or not identifier.startswith(self.space):
            raise Refused("idDoesNotExist", "There is no record of that identifier.")
        return found

    def _one(self) -> None:
        found = self._found()
        self._record(self.body, found, self._prefix(self.given["metadataPrefix"]))

    @staticmethod
    def _prefix(prefix: str) -> str:
        if prefix not in FORMATS:
            raise Refused("cannotDisseminateFormat", "That format is not written here.")
        return prefix

    def _list(self, *, whole: bool) -> None:
        asked, last = self.given, None
        if "resumptionToken" in asked:
            asked, last = _read_token(asked["resumptionToken"])
        prefix = self._prefix(asked.get("metadataPrefix", ""))
        query = _chosen(asked)
        if last is not None:
            at, number = last
            query = query.where(tuple_(Record.changed, Record.id) > tuple_(at, number))  # by `ix_records_changed`
        query = query.options(joinedload(Record.organization)).order_by(Record.changed, Record.id).limit(PAGE + 1)
        with self.node.read() as session:
            records = session.scalars(query).all()
        if not records and last is None:
            raise Refused("noRecordsMatch", "No record matches.")
        for record in records[:PAGE]:
            if whole:
                self._record(self.body, record, prefix)
            else:
                self._header(self.body, record)
        more = len(records) > PAGE
        if more or last is not None:
            token = _write_token(asked, records[PAGE - 1]) if more else ""
            self._put(self.body, "resumptionToken", token)

    def _header(self, parent: Tree.Element, record: Record) -> None:
        found = Tree.SubElement(parent, "header", {"status": "deleted"} if record.state == "withdrawn" else {})
        self._put(found, "identifier", self.space + record.name)
        self._put(found, "datestamp", _stamp(record.changed))
        self._put(found, "setSpec", f"holder:{record.organization.name}")

    def _record(self, parent: Tree.Element, record: Record, prefix: str) -> None:
        found = Tree.SubElement(parent, "record")
        self._header(found, record)
        if record.state == "withdrawn":
            return
        entry = exporting.short_entry(self.node, record, self.origin)
        content = Tree.SubElement(found, "metadata")
        content.append(datacite.element(entry) if prefix == "datacite" else dublin_core(entry))


def dublin_core(entry: Entry) -> Tree.Element:
    """A record as unqualified Dublin Core."""
    root = Tree.Element(f"{{{OAI_DC}}}dc", {f"{{{XSI}}}schemaLocation": f"{OAI_DC} {OAI}oai_dc.xsd"})
    told = entry.description
    pairs: list[tuple[str, str]] = [
        *(("title", text) for text, _language in entry.titles),
        *(("creator", name) for name in entry.creators),
        *(("subject", text) for text, _language in entry.keywords),
        *(("description", text) for text, _language in entry.descriptions),
        ("publisher", entry.publisher),
        ("date", entry.issued.isoformat()),
        ("type", "Dataset"),
        ("identifier", iri(entry.address)),
        *([("identifier", f"https://doi.org/{entry.doi}")] if entry.doi else []),
        ("language", told.language),
        *(("relation", word) for word in told.related),
        ("coverage", told.spatial),
        ("rights", rights_of(entry)),
        ("rights", license_of(entry)[0] or license_of(entry)[1]),
    ]
    for name, text in pairs:
        if plain(text):
            Tree.SubElement(root, f"{{{DC}}}{name}").text = plain(text)
    return root


def _chosen(asked: dict[str, str]) -> Select[Record]:
    # Said so that no other index seems better than the one that has the order: all pages cost the same.
    query = select(Record).where(Record.state != "draft")
    begin, end = asked.get("from", ""), asked.get("until", "")
    if begin and end and (len(begin) != len(end) or begin > end):
        raise Refused("badArgument", "from and until need the same granularity, and from comes first.")
    if begin:
        query = query.where(Record.changed >= _moment(begin))
    if end:
        span = timedelta(days=1) if _DAY.match(end) else timedelta(seconds=1)
        query = query.where(Record.changed < _moment(end) + span)
    if chosen := asked.get("set", ""):
        name = select(Organization.id).where(Organization.name == chosen.removeprefix("holder:"))
        if not chosen.startswith("holder:"):
            raise Refused("noRecordsMatch", "There is no such set.")
        query = query.where((Record.organization_id + 0).in_(name))
    return query


def _moment(text: str) -> datetime:
    try:
        if _DAY.match(text):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        if _SECOND.match(text):
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise Refused("badArgument", "A date is written 2026-01-31 or 2026-01-31T10:00:00Z.")


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_token(asked: dict[str, str], last: Record) -> str:
    kept = {name: asked[name] for name in ("metadataPrefix", "from", "until", "set") if name in asked}
    told = json.dumps([kept, last.changed.isoformat(), last.id])
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[dict[str, str], tuple[datetime, int]]:
    try:
        told = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        kept, at, number = told
        asked = {str(name): str(value) for name, value in kept.items()}
        moment, place = datetime.fromisoformat(at), int(number)
        if moment.tzinfo is None or not 0 <= place < 2**63 or set(asked) - _LIST:
            raise ValueError
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise Refused("badResumptionToken", "The resumptionToken is none of ours.") from None
    return asked, (moment, place)
