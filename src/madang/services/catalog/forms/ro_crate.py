"""A record as RO-Crate 1.1: the metadata file of a crate whose data lie at their addresses on the web."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from madang.services.catalog.forms.entry import Entry, contact_of, iri, license_of, plain, rights_of

KNOWN = "RO-Crate 1.1"
FILE = "ro-crate-metadata.json"


def document(entry: Entry, inside: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The metadata document; every entity that another one names stands in its graph. `inside`, for a crate that is
    handed out with its data: address of each file to where it lies in the crate."""
    told, address = entry.description, iri(entry.address)
    license_address, license_name = license_of(entry)
    terms = license_address or "#terms"
    kind, contact = contact_of(entry)
    people = {f"#creator-{n}": plain(name) for n, name in enumerate(entry.creators, 1)}
    texts, titles = [text for text, _language in entry.descriptions], [text for text, _language in entry.titles]
    open_files = entry.files if entry.tier == "open" else ()
    if inside is not None:
        open_files = tuple(file for file in entry.files if file.address in inside)
    places = {file.address: quote(inside[file.address]) if inside else iri(file.address) for file in open_files}
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": titles[0] if titles else "",
        "alternateName": titles[1:],
        "description": "\n\n".join(texts),
        "datePublished": entry.issued.isoformat(),
        "dateModified": entry.changed.isoformat(timespec="seconds"),
        "license": {"@id": terms},
        "identifier": f"https://doi.org/{entry.doi}" if entry.doi else plain(entry.identifier) or address,
        "url": address,
        "keywords": list(dict.fromkeys(text for text, _language in entry.keywords)),
        "author": [{"@id": name} for name in people],
        "publisher": {"@id": "#publisher"},
        "contactPoint": {"@id": "#contact"},
        "inLanguage": told.language,
        "version": str(entry.version),
        "temporalCoverage": f"{told.start or '..'}/{told.end or '..'}" if told.start or told.end else "",
        "spatialCoverage": {"@id": "#place"} if plain(told.spatial) else "",
        "hasPart": [{"@id": places[file.address]} for file in open_files],
    }
    graph: list[dict[str, Any]] = [
        {
            "@id": FILE,
            "@type": "CreativeWork",
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
            "about": {"@id": "./"},
        },
        {name: value for name, value in root.items() if value not in ("", [])},
        {
            "@id": terms,
            "@type": "CreativeWork",
            "name": license_name or "Terms of access",
            "description": license_name or rights_of(entry),
        },
        {"@id": "#publisher", "@type": "Organization", "name": plain(entry.publisher), "url": iri(entry.origin)},
        {
            "@id": "#contact",
            "@type": "ContactPoint",
            "contactType": "customer service",
            **({"email": contact} if kind == "mail" else {"url": contact}),
        },
        *({"@id": name, "@type": "Organization", "name": title} for name, title in people.items()),
        *({"@id": "#place", "@type": "Place", "name": plain(told.spatial)} for _ in [0] if plain(told.spatial)),
        *(
            {
                "@id": places[file.address],
                "@type": "File",
                "name": plain(file.name),
                "encodingFormat": file.media,
                "contentSize": str(file.bytes),
                "sha256": file.sha256,
                "sdDatePublished": entry.issued.isoformat(),
            }
            for file in open_files
        ),
    ]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}
