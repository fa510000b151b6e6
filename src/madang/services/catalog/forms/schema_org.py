"""A record as a Dataset of schema.org, in JSON-LD, as search engines read it."""

from typing import Any

from madang.services.catalog.forms.entry import Entry, consent_of, iri, license_of, plain

KNOWN = "schema.org 29, Dataset"


def document(entry: Entry) -> dict[str, Any]:
    """The record; fields without content are left out."""
    told, address = entry.description, iri(entry.address)
    license_address, license_name = license_of(entry)
    texts = [text for text, _language in entry.descriptions]
    span = f"{told.start or '..'}/{told.end or '..'}" if told.start or told.end else ""
    found: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": address,
        "url": address,
        "identifier": f"https://doi.org/{entry.doi}" if entry.doi else plain(entry.identifier) or address,
        "name": _first(entry.titles),
        "alternateName": [text for text, _language in entry.titles[1:]],
        "description": "\n\n".join(texts),
        "keywords": list(dict.fromkeys(text for text, _language in entry.keywords)),
        "creator": [{"@type": "Organization", "name": plain(name)} for name in entry.creators],
        "publisher": {"@type": "Organization", "name": plain(entry.publisher)},
        "license": license_address or license_name,
        "inLanguage": told.language,
        "spatialCoverage": plain(told.spatial),
        "temporalCoverage": span,
        "funder": {"@type": "Organization", "name": plain(told.funding)} if plain(told.funding) else "",
        "datePublished": entry.issued.isoformat() if entry.published else "",
        "dateModified": entry.changed.date().isoformat(),
        "isAccessibleForFree": entry.tier == "open",
        "conditionsOfAccess": plain(told.access_rights),
        "usageInfo": [{"@type": "CreativeWork", "name": text, "url": address} for text, address in consent_of(entry)],
        "version": str(entry.version),
        "includedInDataCatalog": {"@type": "DataCatalog", "name": plain(entry.portal), "url": iri(entry.origin)},
    }
    if entry.tier == "open" and entry.download:
        found["distribution"] = [
            {"@type": "DataDownload", "encodingFormat": "application/zip", "contentUrl": iri(entry.download)},
            *(
                {
                    "@type": "DataDownload",
                    "name": plain(file.name),
                    "encodingFormat": file.media,
                    "contentUrl": iri(file.address),
                    "contentSize": f"{file.bytes} B",
                    "sha256": file.sha256,
                }
                for file in entry.files
            ),
        ]
    return {name: value for name, value in found.items() if value not in ("", [])}


def _first(titles: tuple[tuple[str, str], ...]) -> str:
    return titles[0][0] if titles else ""
