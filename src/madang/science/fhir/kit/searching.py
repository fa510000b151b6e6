"""Tests of search: every parameter that the server statement names, every hit looked at, pages to the end."""

from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from madang.science.fhir.kit.model import FAIL, GUIDE, NOT_APPLICABLE, NOT_SHOWN, PASS, SEARCH, Finding, Test
from madang.science.fhir.kit.session import Session
from madang.science.fhir.server.search import Parameter, Unsearchable, matches, span, values

FORM = "application/x-www-form-urlencoded"
MOST = 30  # values that are tried until one can be asked for


def tests(capability: dict[str, Any]) -> list[Test]:
    """The tests of this part."""
    made = []
    for each in capability["resources"]:
        name = each["type"]
        for code, kind, url, expectation in each["search"]:
            clause = f"{GUIDE}SearchParameter-{url.rpartition('/')[2]}.html" if url else SEARCH
            about = (f"{name}?{code}", expectation, clause)
            made.append(
                Test(f"search.{name}.{code}", "search", about[0], "search", *about[1:], partial(_search, name, code))
            )
            if expectation == "SHALL":
                made.append(
                    Test(f"post.{name}.{code}", "search", about[0], "post", *about[1:], partial(_post, name, code))
                )
            if kind == "token" and expectation in ("SHALL", "SHOULD") and code != "_id":
                made.append(
                    Test(
                        f"system.{name}.{code}", "search", about[0], "system", *about[1:], partial(_system, name, code)
                    )
                )
            if kind == "reference" and expectation == "SHALL":
                made.append(
                    Test(f"typed.{name}.{code}", "search", about[0], "typed", *about[1:], partial(_typed, name, code))
                )
            if kind == "date" and expectation in ("SHALL", "SHOULD"):
                made.append(
                    Test(
                        f"prefix.{name}.{code}",
                        "search",
                        about[0],
                        "prefix",
                        *about[1:],
                        partial(_prefixes, name, code),
                    )
                )
        made.append(Test(f"none.{name}", "search", name, "none", "SHALL", SEARCH, partial(_none, name)))
        made.append(Test(f"paging.{name}", "paging", name, "paging", "SHALL", SEARCH, partial(_paging, name)))
    return made


def wanted(session: Session, name: str, code: str) -> tuple[Parameter, str, dict[str, Any]] | Finding:
    """A parameter, a value of it that a resource has, and that resource; or why there is none."""
    parameter = session.parameters.get(name, {}).get(code)
    if parameter is None:
        return Finding(NOT_SHOWN, "undefined", (code,))
    known = session.known(name)
    if not known:
        why = session.trouble.get(name)
        return Finding(FAIL, f"search_{why}", (name,)) if why else Finding(NOT_SHOWN, "no_resource", (name,))
    for resource in list(known.values())[: MOST * 10]:
        for found in values(resource, parameter.expression, name):
            text = text_of(parameter, found)
            if text and _fits(resource, parameter, text):
                return parameter, text, resource
    return Finding(NOT_SHOWN, "no_value", (code,))


def _fits(resource: dict[str, Any], parameter: Parameter, text: str) -> bool:
    try:
        return matches(resource, parameter, text)
    except Unsearchable:
        return False


def text_of(parameter: Parameter, found: Any, typed: bool = False) -> str:
    """How a value that was found is asked for; empty where it cannot be."""
    kind = parameter.kind
    if kind == "composite":
        parts = []
        for one_kind, expression in parameter.parts:
            one = next(iter(values(found, expression, "")), None)
            text = text_of(Parameter("", "", one_kind, expression), one) if one is not None else ""
            if not text:
                return ""
            parts.append(text)
        return "$".join(parts)
    if kind == "token":
        return _token(found, False)
    if kind == "reference":
        said = found.get("reference") if isinstance(found, dict) else None
        if not isinstance(said, str) or said.startswith(("#", "urn:")):
            return ""
        return "/".join(said.split("/")[-2:]) if typed else said.split("/")[-1]
    if kind == "date":
        day = found.get("start") if isinstance(found, dict) else found
        return day[:10] if isinstance(day, str) and len(day) >= 4 else ""
    if kind == "string":
        from madang.science.fhir.server.search import _texts

        return next((text.replace(",", "\\,") for text in _texts(found) if text.strip() and "$" not in text), "")
    if kind in ("quantity", "number"):
        number = found.get("value") if isinstance(found, dict) else found
        return f"{number}" if isinstance(number, int | float) and not isinstance(number, bool) else ""
    return found if isinstance(found, str) else ""


def _token(found: Any, system: bool) -> str:
    if isinstance(found, dict):
        codings = found.get("coding", [found])
        for each in codings if isinstance(codings, list) else ():
            code = each.get("code") or each.get("value") if isinstance(each, dict) else None
            if isinstance(code, str) and code and (not system or each.get("system")):
                return f"{each['system']}|{code}" if system else code
        return ""
    return "" if system else str(found).lower() if isinstance(found, bool) else str(found)


def _ask(session: Session, name: str, code: str, text: str) -> Any:
    return session.get(f"{name}?{urlencode([(code, text)], quote_via=quote)}")


def look(session: Session, answer: Any, parameter: Parameter, text: str, expected: dict[str, Any] | None) -> Finding:
    """Hold the whole result of a search against what was asked: every hit matches, and the known one is among them."""
    if answer.error:
        return Finding(FAIL, "no_answer", (answer.error,))
    if answer.status != 200:
        return Finding(FAIL, "status", (200, answer.status))
    found, ids = False, set()
    for wrong, bundle in session.pages(answer):
        if wrong:
            return Finding(FAIL, f"search_{wrong}", (parameter.type,))
        if bundle.get("type") != "searchset":
            return Finding(FAIL, "not_a", ("searchset",))
        for each in session.hits(bundle):
            if each.get("resourceType") != parameter.type:
                return Finding(FAIL, "other_type", (parameter.type,))
            if not matches(each, parameter, text):
                return Finding(FAIL, "no_match", (parameter.code,))
            ids.add(each.get("id"))
            found = found or (expected is not None and each.get("id") == expected.get("id"))
        if found and len(ids) > 500:
            break
    if expected is not None and not found:
        return Finding(FAIL, "not_found", (parameter.code,))
    known = session.known(parameter.type)
    if expected is not None and len(ids) <= 500:
        for identifier, each in known.items():
            if identifier not in ids and _fits(each, parameter, text):
                return Finding(FAIL, "not_all", (parameter.code,))
    return Finding(PASS)


def _search(name: str, code: str, session: Session) -> Finding:
    got = wanted(session, name, code)
    if isinstance(got, Finding):
        return got
    parameter, text, resource = got
    return look(session, _ask(session, name, code, text), parameter, text, resource)


def _post(name: str, code: str, session: Session) -> Finding:
    got = wanted(session, name, code)
    if isinstance(got, Finding):
        return got
    parameter, text, resource = got
    body = urlencode([(code, text)], quote_via=quote).encode()
    answer = session.ask("POST", f"{name}/_search", {"Content-Type": FORM}, body)
    return look(session, answer, parameter, text, resource)


def _system(name: str, code: str, session: Session) -> Finding:
    got = wanted(session, name, code)
    if isinstance(got, Finding):
        return got
    parameter, _text, resource = got
    text = next((t for x in values(resource, parameter.expression, name) if (t := _token(x, True))), "")
    if not any(isinstance(x, dict) for x in values(resource, parameter.expression, name)):
        return Finding(NOT_APPLICABLE, "plain_code", (code,))
    if not text:
        return Finding(NOT_SHOWN, "no_value", (code,))
    finding = look(session, _ask(session, name, code, text), parameter, text, resource)
    if finding.outcome != PASS:
        return finding
    other = "urn:oid:2.16.840.1.113883.2.22.9999.404|" + text.rpartition("|")[2]
    answer = _ask(session, name, code, other)
    if answer.status == 200 and session.hits(session.json(answer)):
        return Finding(FAIL, "system_ignored", (code,))
    return Finding(PASS)


def _typed(name: str, code: str, session: Session) -> Finding:
    got = wanted(session, name, code)
    if isinstance(got, Finding):
        return got
    parameter, _text, resource = got
    text = next(
        (t for x in values(resource, parameter.expression, name) if (t := text_of(parameter, x, typed=True))), ""
    )
    return look(session, _ask(session, name, code, text), parameter, text, resource)


def _prefixes(name: str, code: str, session: Session) -> Finding:
    got = wanted(session, name, code)
    if isinstance(got, Finding):
        return got
    parameter, text, resource = got
    day = text[:10]
    try:
        before, after = span(day)[0].year - 1, span(day)[1].year + 1
    except Unsearchable:
        return Finding(NOT_SHOWN, "no_value", (code,))
    for prefix, when in (("ge", day), ("le", day), ("gt", str(before)), ("lt", str(after))):
        finding = look(session, _ask(session, name, code, prefix + when), parameter, prefix + when, resource)
        if finding.outcome != PASS:
            return Finding(finding.outcome, finding.kind, (*finding.about, prefix))
    return Finding(PASS)


def _none(name: str, session: Session) -> Finding:
    answer = session.get(f"{name}?_id=there-is-no-such-thing")
    said = session.json(answer)
    if answer.status != 200 or said is None or said.get("resourceType") != "Bundle":
        return Finding(FAIL, "status", (200, answer.status))
    return Finding(FAIL, "no_match", ("_id",)) if session.hits(said) else Finding(PASS)


def _shape(session: Session, bundle: dict[str, Any]) -> Finding | None:
    """What is wrong with a page itself, whatever its resources are: those have tests of their own."""
    entries = bundle.get("entry", [])
    bare = {name: value for name, value in bundle.items() if name != "entry"}
    if isinstance(entries, list) and entries:
        bare["entry"] = [_bare(each) for each in entries]
    for each in session.validator.validate(bare).findings:
        if each.severity == "error" and not each.path.startswith("Bundle.entry.resource"):
            return Finding(FAIL, "page_shape", (each.path,))
    links = bundle.get("link")
    if not any(isinstance(each, dict) and each.get("relation") == "self" for each in links or ()):
        return Finding(FAIL, "page_self")
    for each in entries:
        resource, search = each.get("resource"), each.get("search")
        if not isinstance(each.get("fullUrl"), str):
            return Finding(FAIL, "page_url")
        mode = search.get("mode", "match") if isinstance(search, dict) else "match"
        if isinstance(resource, dict) and resource.get("resourceType") == "OperationOutcome" and mode != "outcome":
            return Finding(FAIL, "page_outcome")
    return None


def _bare(entry: Any) -> Any:
    """An entry with no more of its resource than says which one it is."""
    resource = entry.get("resource") if isinstance(entry, dict) else None
    if not isinstance(resource, dict):
        return entry
    return entry | {"resource": {key: resource[key] for key in ("resourceType", "id", "meta") if key in resource}}


def _paging(name: str, session: Session) -> Finding:
    if not session.known(name):
        why = session.trouble.get(name)
        return Finding(FAIL, f"search_{why}", (name,)) if why else Finding(NOT_SHOWN, "no_resource", (name,))
    size = max(1, min(100, len(session.known(name)) // 3))
    ids: list[str] = []
    total: Any = None
    complete = False
    for wrong, bundle in session.pages(session.get(f"{name}?_count={size}"), most=12):
        if wrong:
            return Finding(FAIL, f"search_{wrong}", (name,))
        if wrong_shape := _shape(session, bundle):
            return wrong_shape
        hits = session.hits(bundle)
        if len(hits) > size:
            return Finding(FAIL, "count_ignored")
        if bundle.get("total") is not None and total is not None and bundle["total"] != total:
            return Finding(FAIL, "total_changes")
        total = bundle.get("total", total)
        ids += [str(each.get("id")) for each in hits]
        links = bundle.get("link")
        following = (
            any(isinstance(x, dict) and x.get("relation") == "next" for x in links)
            if isinstance(links, list)
            else False
        )
        complete = not following
        if following and not hits:
            return Finding(FAIL, "empty_page")
    if len(set(ids)) != len(ids):
        return Finding(FAIL, "twice")
    if complete and isinstance(total, int) and total != len(ids):
        return Finding(FAIL, "total_lies")
    if not complete and isinstance(total, int) and total < len(ids):
        return Finding(FAIL, "total_lies")
    if complete and len(ids) < len(session.known(name)):
        return Finding(FAIL, "not_all", (name,))
    return Finding(PASS)
