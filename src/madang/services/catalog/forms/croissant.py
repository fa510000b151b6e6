"""A record as Croissant 1.0 (MLCommons): what is in it, file by file and column by column, for machine learning."""

import re
from typing import Any

from madang.services.catalog.forms.entry import Entry, EntryFile, EntryTable, iri, license_of, plain, rights_of

KNOWN = "Croissant 1.0"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = (
    (r"(U?(TINY|SMALL|BIG)?INT(EGER)?|HUGEINT)\b", "sc:Integer"),
    (r"(FLOAT|DOUBLE|REAL|DECIMAL)", "sc:Float"),
    (r"BOOL", "sc:Boolean"),
    (r"DATE\Z", "sc:Date"),
    (r"(DATETIME|TIMESTAMP)", "sc:DateTime"),
)


def document(entry: Entry) -> dict[str, Any]:
    """The record; record sets stand for the tables whose files are told of."""
    license_address, license_name = license_of(entry)
    texts, titles = [text for text, _language in entry.descriptions], [text for text, _language in entry.titles]
    titled = " / ".join(titles)
    tables = [table for table in entry.tables if any(file.table == table.name for file in entry.files)]
    found: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": titles[0] if titles else "",
        "description": "\n\n".join(texts),
        "url": iri(entry.address),
        "license": license_address or license_name or rights_of(entry),
        "creator": [{"@type": "sc:Organization", "name": plain(name)} for name in entry.creators],
        "publisher": {"@type": "sc:Organization", "name": plain(entry.publisher)},
        "datePublished": entry.issued.isoformat(),
        "dateModified": entry.changed.date().isoformat(),
        "version": f"{entry.version}.0.0",
        "keywords": list(dict.fromkeys(text for text, _language in entry.keywords)),
        "citeAs": f"{', '.join(map(plain, entry.creators))} ({entry.issued.year}). {titled}. {entry.address}",
        "distribution": [_object(file, place) for place, file in enumerate(entry.files)],
        "recordSet": [_records(entry, table, place) for place, table in enumerate(tables)],
    }
    return {name: value for name, value in found.items() if value not in ("", [])}


def _object(file: EntryFile, place: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"file-{place}",
        "name": plain(file.name) or f"file-{place}",
        "contentUrl": iri(file.address),
        "contentSize": f"{file.bytes} B",
        "encodingFormat": file.media,
        "sha256": file.sha256,
    }


def _records(entry: Entry, table: EntryTable, place: int) -> dict[str, Any]:
    """A table; its first file speaks for all, since they have the same columns."""
    number = next(n for n, file in enumerate(entry.files) if file.table == table.name)
    return {
        "@type": "cr:RecordSet",
        "@id": f"table-{place}",
        "name": plain(table.name),
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"table-{place}/column-{n}",
                "name": plain(column) or f"column-{n}",
                "dataType": _type(kind),
                "source": {"fileObject": {"@id": f"file-{number}"}, "extract": {"column": column}},
            }
            for n, (column, kind) in enumerate(table.columns)
        ],
    }


def _type(kind: str) -> str:
    return next((name for pattern, name in _TYPES if re.match(pattern, kind.upper())), "sc:Text")
