"""Rules of a Bundle that look at more than one entry."""

from collections.abc import Iterator
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
            elif identifier is None and url.startswith(("http:", "https:")) and _looks_restful(url, resource):
                out.append(_at(place, "bundle_no_id"))
            if ":" not in url:
                out.append(_at(place, "bundle_relative"))
        elif type(resource) is dict and kind in ("document", "message", "collection") and url is None:
            out.append(_at(place, "bundle_no_url"))
    first = entries[0].get("resource") if entries else None
    kind_of_first = first.get("resourceType") if type(first) is dict else None
    if kind == "document" and kind_of_first != "Composition":
        out.append(Raw("entry", "entry[0]", f.BUNDLE, f.ERROR, "bundle_composition", ()))
    if kind == "message" and kind_of_first != "MessageHeader":
        out.append(Raw("entry", "entry[0]", f.BUNDLE, f.ERROR, "bundle_header", ()))
    links = bundle.get("link")
    names = [each.get("relation") for each in links if type(each) is dict] if type(links) is list else []
    for name in {each for each in names if type(each) is str and names.count(each) > 1}:
        if name in ("self", "first", "last", "next", "previous", "prev"):
            out.append(Raw("link", f"link[{names.index(name)}]", f.BUNDLE, f.ERROR, "bundle_link", ()))
    if kind == "searchset":
        out += _search(entries, links)
    if kind == "document":
        out += _document(entries, context)
    return out or None


def _looks_restful(url: str, resource: dict[str, Any]) -> bool:
    return f"/{resource.get('resourceType')}/" in url


def _search(entries: list[dict[str, Any]], links: Any) -> list[Raw]:
    """Hits have ids, and are of the type that the link `self` asked for."""
    out = []
    own = (
        next((x.get("url") for x in links if type(x) is dict and x.get("relation") == "self"), "")
        if type(links) is list
        else ""
    )
    bare = own.partition("?")[0].rstrip("/") if type(own) is str else ""
    wanted = bare.rpartition("/")[2]
    wanted = wanted if wanted[:1].isupper() and wanted.isalpha() else ""
    for place, entry in enumerate(entries):
        resource, search = entry.get("resource"), entry.get("search")
        if type(resource) is not dict:
            continue
        mode = search.get("mode") if type(search) is dict else None
        if "id" not in resource and mode != "outcome" and resource.get("resourceType") != "OperationOutcome":
            out.append(_at(place, "bundle_search_id"))
        elif wanted and mode in (None, "match") and resource.get("resourceType") not in (wanted, "OperationOutcome"):
            out.append(_at(place, "bundle_search_type"))
        if mode == "outcome" and resource.get("resourceType") != "OperationOutcome":
            out.append(_at(place, "bundle_search_type"))
    return out


def references_in(node: Any) -> Iterator[str]:
    """Every reference below a node, contained ones left out."""
    open_ = [node]
    while open_:
        each = open_.pop()
        if type(each) is dict:
            text = each.get("reference")
            if type(text) is str and text[:1] != "#":
                yield text
            open_.extend(each.values())
        elif type(each) is list:
            open_.extend(each)


def resolve_in(text: str, base: str, urls: dict[str, list[int]]) -> list[int]:
    """The entries that a reference names, by the rules of a Bundle: by fullUrl, or relative to the own one's server."""
    plain = text.partition("/_history/")[0]
    if text in urls:
        return urls[text]
    if ":" in plain:
        return urls.get(plain, [])
    stem = "/".join(base.partition("/_history/")[0].split("/")[:-2]) if base.startswith(("http:", "https:")) else ""
    found = urls.get(f"{stem}/{plain}", []) if stem else []
    return found[:1] if "/_history/" in text else found


def _document(entries: list[dict[str, Any]], context: Any) -> list[Raw]:
    """In a document what the Composition names is there, once, and every entry can be reached from it."""
    urls: dict[str, list[int]] = {}
    for place, entry in enumerate(entries):
        if type(entry.get("fullUrl")) is str:
            urls.setdefault(entry["fullUrl"], []).append(place)
    out: list[Raw] = []
    edges: dict[int, set[int]] = {place: set() for place in range(len(entries))}
    for place, entry in enumerate(entries):
        base = str(entry.get("fullUrl") or "")
        for text in references_in(entry.get("resource")):
            found = resolve_in(text, base, urls)
            if place == 0 and not found:
                out.append(_at(place, "bundle_lost"))
            if len(found) > 1:
                out.append(_at(place, "bundle_many"))
            for each in found:
                edges[place].add(each)
                edges[each].add(place)  # links backward count as well
    reached, open_ = {0}, [0]
    while open_:
        for each in edges.get(open_.pop(), ()):
            if each not in reached:
                reached.add(each)
                open_.append(each)
    out += [_at(place, "bundle_unreached")._replace(severity=f.WARNING) for place in edges if place not in reached]
    return out


def _ends(url: str, resource: dict[str, Any], identifier: str) -> bool:
    return url.partition("/_history/")[0].endswith("/" + identifier)


def _at(place: int, kind: str) -> Raw:
    return Raw("entry", f"entry[{place}]", f.BUNDLE, f.ERROR, kind, ())
