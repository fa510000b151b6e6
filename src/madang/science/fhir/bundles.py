"""Rules of a Bundle that look at more than one entry."""

from typing import Any

from madang.science.fhir import findings as f
from madang.science.fhir.findings import Found, Raw


def entries_of(bundle: dict[str, Any]) -> dict[str, Any]:
    """The resources of a Bundle by fullUrl and by Type/id."""
    found: dict[str, Any] = {}
    entries = bundle.get("entry")
    for entry in entries if type(entries) is list else ():
        resource = entry.get("resource") if type(entry) is dict else None
        if type(resource) is not dict:
            continue
        url = entry.get("fullUrl")
        if type(url) is str:
            found[url] = resource
        name, identifier = resource.get("resourceType"), resource.get("id")
        if type(name) is str and type(identifier) is str:
            found.setdefault(f"{name}/{identifier}", resource)
    return found


def problems(bundle: dict[str, Any], context: Any) -> Found:
    """What is wrong between the entries of a Bundle."""
    kind = bundle.get("type")
    entries = (
        [each for each in bundle.get("entry", []) if type(each) is dict] if type(bundle.get("entry")) is list else []
    )
    out: list[Raw] = []
    seen: set[tuple[str, str]] = set()
    for place, entry in enumerate(entries):
        resource = entry.get("resource")
        url = entry.get("fullUrl")
        if type(resource) is dict and type(url) is str:
            meta = resource.get("meta")
            version = str(meta.get("versionId", "")) if type(meta) is dict else ""
            if (url, version) in seen and kind != "history":
                out.append(_at(place, "bundle_twice"))
            seen.add((url, version))
            identifier = resource.get("id")
            if (
                type(identifier) is str
                and not url.startswith("urn:")
                and "/" in url
                and not _ends(url, resource, identifier)
            ):
                out.append(_at(place, "bundle_full_url"))
        elif type(resource) is dict and kind in ("document", "message", "collection") and url is None:
            out.append(_at(place, "bundle_no_url"))
    first = entries[0].get("resource") if entries else None
    kind_of_first = first.get("resourceType") if type(first) is dict else None
    if kind == "document" and kind_of_first != "Composition":
        out.append(Raw("entry", "entry[0]", f.BUNDLE, f.ERROR, "bundle_composition", ()))
    if kind == "message" and kind_of_first != "MessageHeader":
        out.append(Raw("entry", "entry[0]", f.BUNDLE, f.ERROR, "bundle_header", ()))
    return out or None


def _ends(url: str, resource: dict[str, Any], identifier: str) -> bool:
    return url.partition("/_history/")[0].endswith(f"{resource.get('resourceType')}/{identifier}")


def _at(place: int, kind: str) -> Raw:
    return Raw("entry", f"entry[{place}]", f.BUNDLE, f.ERROR, kind, ())
