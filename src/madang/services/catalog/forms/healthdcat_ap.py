"""A record as HealthDCAT-AP release 6: DCAT-AP and what the European Health Data Space asks of non-public data.

Open data are PUBLIC, all others NON_PUBLIC; the official shapes of release 6 that are known here are those for
non-public data, and do not apply to open ones.
"""

import re

from madang.services.catalog.forms import dcat_ap
from madang.services.catalog.forms.dcat_ap import EU, Tree, concept, typed
from madang.services.catalog.forms.entry import Entry, contact_of, iri, is_address, plain

KNOWN = "HealthDCAT-AP release 6"
CONTEXT = dcat_ap.CONTEXT | {
    "healthdcatap": "http://healthdataportal.eu/ns/health#",
    "dpv": "https://w3id.org/dpv#",
    "cv": "http://data.europa.eu/m8g/",
}
LAW = {"@id": "http://data.europa.eu/eli/reg/2025/327/oj", "@type": "eli:LegalResource"}


def document(entry: Entry) -> Tree:
    """The record as one JSON-LD document with its own context."""
    return {"@context": CONTEXT, **dataset(entry)}


def categories(entry: Entry) -> tuple[str, ...]:
    """The categories of health data; of records in a common data model, electronic health records."""
    told = tuple(word for word in entry.description.health_category if plain(word))
    return told or (("Electronic health records",) if entry.kind == "cdm" else ())


def dataset(entry: Entry) -> Tree:
    """The record as a dcat:Dataset of health data."""
    told, found = entry.description, dcat_ap.dataset(entry)
    right = "PUBLIC" if entry.tier == "open" else "NON_PUBLIC"
    found["dct:accessRights"] = {"@id": f"{EU}/access-right/{right}", "@type": "dct:RightsStatement"}
    found["dcatap:applicableLegislation"] = [LAW]
    for each in found["dcat:distribution"]:
        each["dcatap:applicableLegislation"] = [LAW]
    kind, label = ("SYNTHETIC", "Synthetic data") if told.synthetic else ("PERSONAL_DATA", "Personal data")
    found["dct:type"] = [concept(f"{EU}/dataset-type/{kind}", label)]
    found["dct:publisher"] = found["dct:publisher"] | {"cv:contactPoint": _contact(entry)}
    found["healthdcatap:hdab"] = {
        "@id": iri(entry.address) + "#hdab",
        "@type": "foaf:Agent",
        "foaf:name": plain(entry.holder),
        "cv:contactPoint": _contact(entry),
    }
    if told_of := categories(entry):
        found["healthdcatap:healthCategory"] = [_concept(entry, "health-category", word) for word in told_of]
    if coding := [word for word in told.coding_system if plain(word)]:
        found["healthdcatap:hasCodingSystem"] = [{"@type": "dct:Standard", "dct:title": plain(word)} for word in coding]
    if plain(told.population):
        found["healthdcatap:populationCoverage"] = [plain(told.population)]
    if plain(told.purpose):
        found["dpv:hasPurpose"] = [{"@type": "dpv:Purpose", "dct:description": plain(told.purpose)}]
    if plain(told.legal_basis):
        found["dpv:hasLegalBasis"] = [{"@type": "dpv:LegalBasis", "dct:description": plain(told.legal_basis)}]
    if entry.rows is not None:
        found["healthdcatap:numberOfRecords"] = typed(str(entry.rows), "nonNegativeInteger")
    return found


def _concept(entry: Entry, scheme: str, word: str) -> Tree:
    if is_address(word):
        return concept(word, word)
    name = re.sub(r"[^\w]+", "-", plain(word).lower()).strip("-") or "other"
    return concept(f"{entry.origin}/concepts/{scheme}/{name}", plain(word))


def _contact(entry: Entry) -> Tree:
    kind, address = contact_of(entry)
    if kind == "mail":
        return {"@type": "cv:ContactPoint", "cv:email": address}
    return {"@type": "cv:ContactPoint", "cv:contactPage": {"@id": address, "@type": "foaf:Document"}}
