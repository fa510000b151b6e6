"""A record as DataCite metadata: XML of kernel 4.6, and the JSON of the REST interface (schema 4.5)."""

from typing import Any
from xml.etree import ElementTree as Tree

from madang.services.catalog.forms.entry import Entry, iri, is_address, license_of, plain, rights_of

KNOWN = "DataCite 4.6 (XML), 4.5 (JSON)"
SPACE = "http://datacite.org/schema/kernel-4"
_XML = "{http://www.w3.org/XML/1998/namespace}lang"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def attributes(entry: Entry) -> dict[str, Any]:
    """The record as JSON of the REST interface; `doi` only where it has one."""
    told, address = entry.description, iri(entry.address)
    found: dict[str, Any] = {
        "doi": entry.doi,
        "url": address,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": entry.kind},
        "creators": [{"name": plain(name), "nameType": "Organizational"} for name in entry.creators],
        "titles": [_said("title", text, language) for text, language in entry.titles],
        "publisher": {"name": plain(entry.publisher)},
        "publicationYear": f"{entry.issued.year:04d}",
        "subjects": [_said("subject", text, language) for text, language in entry.keywords],
        "contributors": [
            {"name": plain(entry.holder), "nameType": "Organizational", "contributorType": "HostingInstitution"}
        ],
        "dates": _dates(entry),
        "language": told.language,
        "alternateIdentifiers": [{"alternateIdentifier": address, "alternateIdentifierType": "URL"}],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": iri(word) if is_address(word) else word,
                "relatedIdentifierType": "DOI" if word.startswith("10.") else "URL",
                "relationType": "References",
            }
            for word in map(plain, told.related)
            if is_address(word) or (word.startswith("10.") and "/" in word)
        ],
        "sizes": [f"{entry.bytes} bytes"] if entry.bytes is not None else [],
        "formats": sorted({file.media for file in entry.files}),
        "version": str(entry.version),
        "rightsList": _rights(entry),
        "descriptions": [
            {**_said("description", text, language), "descriptionType": "Abstract"}
            for text, language in entry.descriptions
        ],
        "geoLocations": [{"geoLocationPlace": plain(told.spatial)}] if plain(told.spatial) else [],
        "fundingReferences": [{"funderName": plain(told.funding)}] if plain(told.funding) else [],
        "schemaVersion": "http://datacite.org/schema/kernel-4",
    }
    return {name: value for name, value in found.items() if value not in ([], "")}


def document(entry: Entry) -> bytes:
    """The record as XML of kernel 4.6."""
    root = element(entry)
    Tree.indent(root)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + Tree.tostring(root, encoding="utf-8") + b"\n"


def element(entry: Entry) -> Tree.Element:
    """The same as an element to be written: its space is declared where it begins, whatever stands around it."""
    told, json = entry.description, attributes(entry)
    Tree.register_namespace("xsi", _XSI)
    root = Tree.Element("resource", {"xmlns": SPACE})
    root.set(f"{{{_XSI}}}schemaLocation", f"{SPACE} http://schema.datacite.org/meta/kernel-4.6/metadata.xsd")
    kind, identifier = ("DOI", entry.doi) if entry.doi else ("URL", plain(entry.identifier or entry.address))
    _put(root, "identifier", identifier, identifierType=kind)
    creators = _put(root, "creators")
    for each in json["creators"]:
        _put(_put(creators, "creator"), "creatorName", each["name"], nameType="Organizational")
    titles = _put(root, "titles")
    for text, language in entry.titles:
        _put(titles, "title", text, language=language)
    _put(root, "publisher", plain(entry.publisher))
    _put(root, "publicationYear", json["publicationYear"])
    _put(root, "resourceType", plain(entry.kind) or "Dataset", resourceTypeGeneral="Dataset")
    if entry.keywords:
        subjects = _put(root, "subjects")
        for text, language in entry.keywords:
            _put(subjects, "subject", text, language=language)
    contributors = _put(root, "contributors")
    holder = _put(contributors, "contributor", contributorType="HostingInstitution")
    _put(holder, "contributorName", plain(entry.holder), nameType="Organizational")
    dates = _put(root, "dates")
    for each in json["dates"]:
        _put(dates, "date", each["date"], dateType=each["dateType"])
    if told.language:
        _put(root, "language", told.language)
    others = _put(root, "alternateIdentifiers")
    _put(others, "alternateIdentifier", iri(entry.address), alternateIdentifierType="URL")
    if "relatedIdentifiers" in json:
        related = _put(root, "relatedIdentifiers")
        for each in json["relatedIdentifiers"]:
            kinds = {"relatedIdentifierType": each["relatedIdentifierType"], "relationType": each["relationType"]}
            _put(related, "relatedIdentifier", each["relatedIdentifier"], **kinds)
    for plural, singular in (("sizes", "size"), ("formats", "format")):
        if json.get(plural):
            parent = _put(root, plural)
            for each in json[plural]:
                _put(parent, singular, each)
    _put(root, "version", str(entry.version))
    rights = _put(root, "rightsList")
    for each in json["rightsList"]:
        named = {"rightsURI": each.get("rightsUri", ""), "rightsIdentifier": each.get("rightsIdentifier", "")}
        _put(rights, "rights", each["rights"], **named)
    if entry.descriptions:
        descriptions = _put(root, "descriptions")
        for text, language in entry.descriptions:
            _put(descriptions, "description", text, language=language, descriptionType="Abstract")
    if plain(told.spatial):
        _put(_put(_put(root, "geoLocations"), "geoLocation"), "geoLocationPlace", plain(told.spatial))
    if plain(told.funding):
        _put(_put(_put(root, "fundingReferences"), "fundingReference"), "funderName", plain(told.funding))
    return root


def _put(parent: Tree.Element, tag: str, text: str = "", *, language: str = "", **named: str) -> Tree.Element:
    """An element below another one; attributes that say nothing are left out."""
    found = Tree.SubElement(parent, tag, {name: value for name, value in named.items() if value})
    if language:
        found.set(_XML, language)
    if text:
        found.text = text
    return found


def _said(name: str, text: str, language: str) -> dict[str, str]:
    return {name: text, "lang": language} if language else {name: text}


def _dates(entry: Entry) -> list[dict[str, str]]:
    told = entry.description
    found = [
        {"date": entry.created.date().isoformat(), "dateType": "Created"},
        {"date": entry.issued.isoformat(), "dateType": "Issued"},
        {"date": entry.changed.date().isoformat(), "dateType": "Updated"},
    ]
    if entry.tier == "embargoed" and entry.embargo_end is not None:
        found.append({"date": entry.embargo_end.date().isoformat(), "dateType": "Available"})
    if told.start or told.end:
        span = [each.isoformat() for each in (told.start, told.end) if each is not None]
        found.append({"date": "/".join(span), "dateType": "Collected"})
    return found


def _rights(entry: Entry) -> list[dict[str, str]]:
    address, name = license_of(entry)
    found = [{"rights": rights_of(entry)}]
    if name:
        one = {"rights": name, "rightsUri": address}
        if address.startswith("https://spdx.org/licenses/"):
            one |= {"rightsIdentifier": name, "rightsIdentifierScheme": "SPDX"}
        found.insert(0, {key: value for key, value in one.items() if value})
    return found
