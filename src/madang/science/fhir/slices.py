"""Slices of a list: which slice an item belongs to, and whether each slice is there as often as it must."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from madang.science.fhir import findings as f
from madang.science.fhir.findings import Found, Raw, under
from madang.science.fhir.patterns import pattern_test
from madang.science.fhir.tree import Node

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Check, Compiler, Context

Matcher = Callable[[Any, "Context"], bool | None]
Sliced = Callable[[str, list[Any], "Context"], Found]


def slices_of(compiler: "Compiler", node: Node, base: "Check") -> Sliced:
    """The function of a sliced list."""
    found = node.row.discriminators or ()
    extension = node.row.types and node.row.types[0].code == "Extension"
    if extension and not found:
        found = (("value", "url"),)
    ordered = node.row.ordered
    parts = [_part(compiler, node, each, found) for each in node.slices if "/" not in each.row.slice]
    closed = node.row.rules == "closed"
    by_url = _by_url(parts) if extension else None
    size = len(parts)

    def check(name: str, value: list[Any], context: "Context") -> Found:
        out: Found = None
        counts = [0] * size
        last = -1
        for place, item in enumerate(value):
            chosen = -1
            if by_url is not None:
                url = item.get("url") if type(item) is dict else None
                chosen = by_url.get(url, -1) if type(url) is str else -1
            else:
                for number, part in enumerate(parts):
                    if part[1](item, context):
                        chosen = number
                        break
            if chosen >= 0:
                counts[chosen] += 1
                slice_name, _match, own, both, _low, _high = parts[chosen]
                found = own(item, context)
                if both:
                    more = base(item, context)
                    found = (found or []) + [x for x in more if x not in (found or [])] if more else found
                if ordered and chosen < last:
                    out = (out or []) + under(name, f"{name}[{place}]", f.here(f.SLICING, "slice_order", slice_name))
                last = max(last, chosen)
            else:
                found = base(item, context)
                if closed:
                    found = (found or []) + f.here(f.SLICING, "slice_closed", ", ".join(part[0] for part in parts))
            if found:
                out = (out or []) + under(name, f"{name}[{place}]", found)
        for number, (slice_name, _match, _own, _both, low, high) in enumerate(parts):
            if counts[number] < low:
                out = (out or []) + _count(name, slice_name, "slice_missing", low)
            elif high is not None and counts[number] > high:
                out = (out or []) + _count(name, slice_name, "slice_many", high)
        return out

    return check


def _count(name: str, slice_name: str, kind: str, bound: int) -> list[Raw]:
    path = f"{name}:{slice_name}"
    return [Raw(path, name, f.SLICING, f.ERROR, kind, (slice_name, bound))]


def _part(compiler: "Compiler", node: Node, each: Node, discriminators: tuple[tuple[str, str], ...]) -> tuple[Any, ...]:
    refs = each.row.types or node.row.types
    told = each
    if each.row.pattern is not None and discriminators == (("value", "$this"),):  # what told the slice holds
        told = Node(replace(each.row, pattern=None), each.name, each.profile, each.children, each.slices)
    check = compiler.value(told, refs[0]) if refs else (lambda value, context: None)
    match = matcher(compiler, node, each, discriminators)
    both = bool(node.children and not each.children)
    return each.row.slice or each.row.id.rpartition(":")[2], match, check, both, each.row.low, each.row.high


def _by_url(parts: list[tuple[Any, ...]]) -> dict[str, int] | None:
    urls: dict[str, int] = {}
    for number, part in enumerate(parts):
        url = getattr(part[1], "url", None)
        if url is None:
            return None
        urls[url] = number
    return urls


def matcher(compiler: "Compiler", node: Node, each: Node, discriminators: tuple[tuple[str, str], ...]) -> Matcher:
    """Whether an item belongs to the slice; None where that cannot be told."""
    refs = each.row.types
    if refs and refs[0].code == "Extension" and discriminators == (("value", "url"),):
        url = refs[0].profiles[0] if refs[0].profiles else _fixed_url(each)
        if url is not None:
            match = _UrlMatcher(url)
            return match
    tests = [test for kind, path in discriminators if (test := _test(compiler, node, each, kind, path))]
    if not tests:
        return lambda item, context: None

    def matched(item: Any, context: "Context") -> bool | None:
        for test in tests:
            answer = test(item, context)
            if not answer:
                return answer
        return True

    return matched


class _UrlMatcher:
    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, item: Any, context: Any) -> bool:
        return type(item) is dict and item.get("url") == self.url


def _fixed_url(node: Node) -> str | None:
    child = node.children.get("url")
    return child.row.fixed if child and isinstance(child.row.fixed, str) else None


def _test(compiler: "Compiler", node: Node, each: Node, kind: str, path: str) -> Matcher | None:
    steps = [step for step in _steps(path) if step != "$this"]
    nodes = list(_follow(compiler, each, steps))
    if kind == "exists":
        wanted = (not any(one.row.high == 0 for one in nodes) and any(one.row.low for one in nodes)) or not nodes
        if any(one.row.high == 0 for one in nodes):
            wanted = False
        return lambda item, context: bool(list(values_at(item, steps, context))) is bool(wanted)
    if kind == "type":
        return _typed(compiler, nodes, steps)
    if kind == "profile":
        return _profiled(compiler, nodes, steps)
    if nodes and all(one.row.high == 0 for one in nodes):
        return lambda item, context: not any(True for _value in values_at(item, steps, context))
    conditions = [condition for one in nodes for condition in [_condition(compiler, one)] if condition]
    if not conditions:
        return None  # the slice says nothing of this discriminator, so it does not tell

    if not steps and len(conditions) == 1:
        only = conditions[0]
        return lambda item, context: only(item)

    def match(item: Any, context: "Context") -> bool:
        return any(condition(value) for value in values_at(item, steps, context) for condition in conditions)

    return match


def _steps(path: str) -> list[str]:
    steps, depth, word = [], 0, ""
    for letter in path:
        if letter == "." and depth == 0:
            steps.append(word)
            word = ""
            continue
        depth += (letter == "(") - (letter == ")")
        word += letter
    return [*steps, word]


def _follow(compiler: "Compiler", node: Node, steps: list[str]) -> Iterator[Node]:
    """The nodes of a profile at a path below a slice, in the slice itself, its types and their profiles."""
    if not steps:
        yield node
        return
    step, rest = steps[0], steps[1:]
    if step == "resolve()":
        for ref in node.row.types:
            for url in ref.targets:
                found = compiler.tree(url)
                if found:
                    yield from _follow(compiler, found[0], rest)
        return
    if step.startswith("ofType("):
        yield from _follow(compiler, node, rest)
        return
    if step.startswith("extension("):
        url = step[10:-1].strip("'\"")
        child = node.children.get("extension")
        for each in child.slices if child else ():
            if (
                (each.row.types and url in each.row.types[0].profiles)
                or _fixed_url(each) == url
                or each.row.slice == url
            ):
                yield from _follow(compiler, each, rest)
                if rest and not each.children and each.row.types and each.row.types[0].profiles:
                    found = compiler.tree(each.row.types[0].profiles[0])
                    if found:
                        yield from _follow(compiler, found[0], rest)
        return
    child = node.children.get(step) or node.children.get(step + "[x]")
    if child is not None and child.name.endswith("[x]") and child.slices:
        for each in child.slices:
            yield from _follow(compiler, each, rest)
        return
    if child is not None:
        yield from _follow(compiler, child, rest)
        for each in child.slices:
            yield from _follow(compiler, each, rest)
        return
    if not node.children:
        for ref in node.row.types:
            for url in ref.profiles or (f"http://hl7.org/fhir/StructureDefinition/{ref.code}",):
                found = compiler.tree(url)
                if found and found[0] is not node:
                    yield from _follow(compiler, found[0], steps)


def _condition(compiler: "Compiler", node: Node) -> Callable[[Any], bool] | None:
    """What a value must be to belong to the slice: fixed, of a pattern, with such children, or in a value set."""
    row = node.row
    if row.fixed is not None:
        return lambda value: bool(value == row.fixed)
    if row.pattern is not None:
        return pattern_test(row.pattern)
    parts = []
    for below in node.children.values():
        for each in (below, *below.slices):
            condition = (
                _condition(compiler, each)
                if each.row.low or each.row.fixed is not None or each.row.pattern is not None or each.children
                else None
            )
            if condition is not None and (each.row.fixed is not None or each.row.pattern is not None or each.children):
                parts.append((below.name, condition))
    if parts:
        return lambda value: all(
            any(condition(each) for each in values_at(value, [name], None)) for name, condition in parts
        )
    if row.binding is not None and row.binding[0] == "required":
        return _bound(compiler, row.binding[1])
    for ref in row.types:
        for url in ref.profiles:
            found = compiler.tree(url)
            if found and found[0] is not node:
                return _condition(compiler, found[0])
    return None


def _bound(compiler: "Compiler", value_set: str) -> Callable[[Any], bool]:
    contains = compiler.definitions.terminology.contains

    def match(value: Any) -> bool:
        if type(value) is str:
            return contains(value_set, None, value) is True
        if type(value) is not dict:
            return False
        codings = value.get("coding") if "coding" in value else [value]
        return any(
            type(each) is dict
            and type(each.get("code")) is str
            and type(each.get("system")) is str
            and contains(value_set, each["system"], each["code"]) is True
            for each in (codings if type(codings) is list else ())
        )

    return match


def _typed(compiler: "Compiler", nodes: list[Node], steps: list[str]) -> Matcher:
    names = {ref.code for node in nodes for ref in node.row.types}
    for node in nodes:
        if node.name == node.row.path:  # the root of a resource that a reference resolves to
            names.add(node.name)
        for ref in node.row.types:
            names |= {compiler.definitions.facts(url)[0] for url in ref.profiles}

    def match(item: Any, context: "Context") -> bool:
        if steps and not steps[-1].endswith(")"):
            stem = steps[-1]
            for above in values_at(item, steps[:-1], context):
                if type(above) is dict and any(stem + name[:1].upper() + name[1:] in above for name in names):
                    return True
        return any(
            type(value) is dict and value.get("resourceType") in names for value in values_at(item, steps, context)
        )

    return match


def _profiled(compiler: "Compiler", nodes: list[Node], steps: list[str]) -> Matcher | None:
    urls = [url for node in nodes for ref in node.row.types for url in (*ref.profiles,)]
    urls += [node.profile for node in nodes if node.name == node.row.path]
    if not any(compiler.tree(url) for url in urls):
        return None  # the slice says nothing of this discriminator, or by profiles that are not at hand

    def match(item: Any, context: "Context") -> bool:
        for value in values_at(item, steps, context):
            for url in urls:
                kind = compiler.definitions.facts(url)[0]
                if not kind or (type(value) is dict and value.get("resourceType", kind) != kind):
                    continue
                found = compiler.of_type(kind, url)(value, context)
                if not found or all(each.severity != f.ERROR for each in found):
                    return True
        return False

    return match


def values_at(item: Any, steps: list[str], context: Any) -> Iterator[Any]:
    """The values at a simple path below an item."""
    if not steps:
        yield item
        return
    step, rest = steps[0], steps[1:]
    if type(item) is list:
        for each in item:
            yield from values_at(each, steps, context)
    elif type(item) is dict:
        if step == "resolve()":
            target = resolved(item.get("reference"), context)
            if target is not None:
                yield from values_at(target, rest, context)
        elif step.startswith("ofType("):
            yield from values_at(item, rest, context)
        elif step.startswith("extension("):
            url = step[10:-1].strip("'\"")
            for each in item.get("extension") or ():
                if type(each) is dict and each.get("url") == url:
                    yield from values_at(each, rest, context)
        elif step in item:
            value = item[step]
            for each in value if type(value) is list else (value,):
                yield from values_at(each, rest, context)
        else:
            for key, value in item.items():
                if key.startswith(step) and key[len(step) : len(step) + 1].isupper():
                    for each in value if type(value) is list else (value,):
                        yield from values_at(each, rest, context)
    elif step == "resolve()" and type(item) is str:
        target = resolved(item, context)
        if target is not None:
            yield from values_at(target, rest, context)


def resolved(text: Any, context: Any) -> Any:
    """The resource that a reference names, among those contained and those of the Bundle; None otherwise."""
    if type(text) is not str or context is None:
        return None
    if text[:1] == "#":
        holder = context.resource
        if text == "#":
            return holder
        for each in holder.get("contained") or () if type(holder) is dict else ():
            if type(each) is dict and each.get("id") == text[1:]:
                return each
        return None
    return context.entries.get(text)
