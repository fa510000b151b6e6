"""A record as DCAT-AP 3.0.1 (JSON-LD; `rdf.turtle` writes the same as Turtle).

Every resource carries its class, so that the range shapes hold without the vocabularies of the EU beside them.
"""

from typing import Any

from madang.services.catalog.forms.entry import (
    Entry,
    EntryFile,
    consent_of,
    contact_of,
    iri,
    license_of,
    plain,
    rights_of,
)

KNOWN = "DCAT-AP 3.0.1"
CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "adms": "http://www.w3.org/ns/adms#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcatap": "http://data.europa.eu/r5r/",
    "eli": "http://data.europa.eu/eli/ontology#",
}
EU = "http://publications.europa.eu/resource/authority"
_LANGUAGES = {"ko": "KOR", "en": "ENG"}
_RIGHTS = {"open": "PUBLIC", "registered": "RESTRICTED", "controlled": "NON_PUBLIC", "embargoed": "NON_PUBLIC"}

Tree = dict[str, Any]


def document(entry: Entry) -> Tree:
    """The record as one JSON-LD document with its own context: nothing has to be fetched to read it."""
    return {"@context": CONTEXT, **dataset(entry)}


def catalog(entries: list[Entry], *, address: str, title: str, publisher: str, following: str = "") -> Tree:
    """A catalog of records, to be harvested; `following` is the address of its next page."""
    found = {
        "@context": CONTEXT | {"hydra": "http://www.w3.org/ns/hydra/core#"},
        "@id": iri(address),
        "@type": "dcat:Catalog",
        "dct:title": [said(title, "")],
        "dct:description": [said(title, "")],
        "dct:publisher": agent(publisher, address + "#publisher"),
        "dcat:dataset": [dataset(each) for each in entries],
    }
    if following:
        view = {"@id": iri(address) + "#page", "@type": "hydra:PagedCollection", "hydra:nextPage": following}
        found["hydra:view"] = view
    return found


def dataset(entry: Entry) -> Tree:
    """The record as a dcat:Dataset; fields without content are left out."""
    told = entry.description
    found: Tree = {
        "@id": iri(entry.address),
        "@type": "dcat:Dataset",
        "dct:title": [said(text, language) for text, language in entry.titles],
        "dct:description": [said(text, language) for text, language in entry.descriptions],
        "dct:identifier": [plain(entry.identifier or entry.address)],
        "dcat:keyword": [said(text, language) for text, language in entry.keywords],
        "dct:publisher": agent(entry.publisher, entry.address + "#publisher"),
        "dct:creator": [agent(name, f"{entry.address}#creator-{n}") for n, name in enumerate(entry.creators, 1)],
        "dcat:contactPoint": contact(entry),
        "dct:accessRights": {
            "@id": f"{EU}/access-right/{_RIGHTS.get(entry.tier, 'NON_PUBLIC')}",
            "@type": "dct:RightsStatement",
        },
        "dcat:landingPage": {"@id": iri(entry.address), "@type": "foaf:Document"},
        "dct:issued": day(entry.issued),
        "dct:modified": moment(entry.changed),
        "dcat:version": str(entry.version),
        "dcat:theme": [concept(f"{EU}/data-theme/HEAL", "Health")],
        "dcat:distribution": distributions(entry),
    }
    if told.language in _LANGUAGES:
        code = f"{EU}/language/{_LANGUAGES[told.language]}"
        found["dct:language"] = {"@id": code, "@type": "dct:LinguisticSystem"}
    if entry.provenance:
        found["dct:provenance"] = {"@type": "dct:ProvenanceStatement", "rdfs:label": entry.provenance}
    if plain(told.spatial):
        found["dct:spatial"] = {"@type": "dct:Location", "skos:prefLabel": plain(told.spatial)}
    if told.start or told.end:
        found["dct:temporal"] = {
            "@type": "dct:PeriodOfTime",
            **({"dcat:startDate": day(told.start)} if told.start else {}),
            **({"dcat:endDate": day(told.end)} if told.end else {}),
        }
    if told.data_use:
        found["dct:rights"] = [
            {
                "@id": f"{iri(entry.address)}#consent-{place}",
                "@type": "dct:RightsStatement",
                "rdfs:label": said(text, "en"),
                "dct:type": concept(address, address.rpartition("/")[2]),
            }
            for place, (text, address) in enumerate(consent_of(entry), 1)
        ]
    if told.related:
        found["dct:relation"] = [related(word) for word in told.related if plain(word)]
    return {name: value for name, value in found.items() if value not in ([], "", None)}


def distributions(entry: Entry) -> list[Tree]:
    """The whole as one download, and every file that may be told of with its checksum."""
    whole: Tree = {
        "@id": iri(entry.address) + "#download",
        "@type": "dcat:Distribution",
        "dcat:accessURL": {"@id": iri(entry.download or entry.address), "@type": "rdfs:Resource"},
        "dct:title": [said("All files", "en")],
        "dct:license": licensed(entry),
        "dct:rights": {"@type": "dct:RightsStatement", "rdfs:label": rights_of(entry)},
        "dct:issued": day(entry.issued),
    }
    if entry.bytes is not None:
        whole["dcat:byteSize"] = typed(str(entry.bytes), "nonNegativeInteger")
    if entry.tier == "open" and entry.download:
        whole["dcat:downloadURL"] = {"@id": iri(entry.download), "@type": "rdfs:Resource"}
        whole["dcat:packageFormat"] = media("application/zip")
    found = [whole, *(_file(entry, each, place) for place, each in enumerate(entry.files))]
    return [{name: value for name, value in each.items() if value is not None} for each in found]


def _file(entry: Entry, file: EntryFile, place: int) -> Tree:
    return {
        "@id": f"{iri(entry.address)}#file-{place}",
        "@type": "dcat:Distribution",
        "dct:title": [said(plain(file.name) or "-", "")],
        "dcat:accessURL": {"@id": iri(file.address or entry.address), "@type": "rdfs:Resource"},
        "dcat:mediaType": media(file.media),
        "dcat:byteSize": typed(str(file.bytes), "nonNegativeInteger"),
        "dct:license": licensed(entry),
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {
                "@id": "http://spdx.org/rdf/terms#checksumAlgorithm_sha256",
                "@type": "spdx:ChecksumAlgorithm",
            },
            "spdx:checksumValue": typed(file.sha256, "hexBinary"),
        },
    }


def said(text: str, language: str) -> Tree | str:
    """A text in a language."""
    return {"@value": text, "@language": language} if language else text


def typed(text: str, kind: str) -> Tree:
    """A value of a type of XML Schema."""
    return {"@value": text, "@type": f"xsd:{kind}"}


def day(value: Any) -> Tree:
    """A date."""
    return typed(value.isoformat(), "date")


def moment(value: Any) -> Tree:
    """A moment."""
    return typed(value.isoformat(timespec="seconds"), "dateTime")


def agent(name: str, address: str) -> Tree:
    """A person or organization."""
    return {"@id": iri(address), "@type": "foaf:Agent", "foaf:name": plain(name)}


def concept(address: str, label: str) -> Tree:
    """A concept of a vocabulary with its name."""
    return {"@id": iri(address), "@type": "skos:Concept", "skos:prefLabel": said(label, "en")}


def media(kind: str) -> Tree:
    """A media type as IANA registers them."""
    return {"@id": f"https://www.iana.org/assignments/media-types/{iri(kind)}", "@type": "dct:MediaType"}


def contact(entry: Entry) -> Tree:
    """Where questions go."""
    kind, address = contact_of(entry)
    where = (
        {"vcard:hasEmail": {"@id": f"mailto:{iri(address)}"}} if kind == "mail" else {"vcard:hasURL": {"@id": address}}
    )
    return {"@type": "vcard:Kind", "vcard:fn": plain(entry.publisher), **where}


def licensed(entry: Entry) -> Tree | None:
    """The license, if one is given."""
    address, name = license_of(entry)
    if not name:
        return None
    return {**({"@id": address} if address else {}), "@type": "dct:LicenseDocument", "rdfs:label": name}


def related(word: str) -> Tree:
    """Something that the dataset has to do with."""
    from madang.services.catalog.forms.entry import is_address

    if is_address(word):
        return {"@id": iri(word), "@type": "rdfs:Resource"}
    return {"@type": "rdfs:Resource", "rdfs:label": plain(word)}
