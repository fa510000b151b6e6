"""Which profiles a resource is held against."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from madang.science.fhir import findings as f
from madang.science.fhir.definitions import CORE, Definitions
from madang.science.fhir.findings import Raw
from madang.science.fhir.tree import Node

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Compiler

NOWHERE: Any = None  # the context of a resource that is not yet being checked
GUIDES = {"kr-core": "hl7.fhir.kr.core#"}


class Selection:
    """Chooses profiles by claim, by the caller's word, or by the codes of a guide's profiles."""

    def __init__(self, definitions: Definitions, compiler: "Compiler", guide: str = "") -> None:
        self.definitions = definitions
        self.compiler = compiler
        prefix = GUIDES.get(guide, "")
        self.guide: dict[str, list[str]] = {}
        for url in definitions.urls():
            kind, derivation, package = definitions.facts(url)
            if prefix and package.startswith(prefix) and derivation == "constraint" and definitions.is_resource(kind):
                self.guide.setdefault(kind, []).append(url)
        self._known: dict[tuple[str, tuple[str, ...]], tuple[tuple[str, ...], list[Raw]]] = {}
        self._marks: dict[str, list[Callable[[dict[str, Any]], bool]]] = {}
        self._derived: dict[str, frozenset[str]] = {}
        self._vital: dict[tuple[str, str], str] | None = None
        self.by_base = not prefix

    def profiles(
        self, resource: dict[str, Any], named: tuple[str, ...], by_codes: bool = True
    ) -> tuple[tuple[str, ...], list[Raw]]:
        """The profiles of a resource, and what is to be said of those that it claims.

        Without `by_codes` (a contained resource is often but a name) only those that it claims.
        """
        name = resource["resourceType"]
        meta = resource.get("meta")
        said = meta.get("profile") if type(meta) is dict else None
        claimed = tuple(each for each in said if type(each) is str) if type(said) is list else ()
        key = (name, claimed)
        known = self._known.get(key)
        if known is None:
            known = self._claimed(name, claimed)
            if len(self._known) < 10_000:
                self._known[key] = known
        urls, trouble = known
        if name == "Observation" and (self.by_base or self.definitions.terminology.leads):
            urls = (*urls, *(url for url in self._by_vital_sign(resource) if url not in urls))
        fitting = tuple(url for url in named if self.definitions.facts(url)[0] in (name, "Resource", "DomainResource"))
        if by_codes and name in self.guide and not any(url in self.guide[name] for url in (*urls, *fitting)):
            found = self._by_codes(resource, name)
            if found:
                urls = (*urls, found)
        urls = self._deepest((*urls, *(url for url in fitting if url not in urls)))
        return urls or (CORE + name,), trouble

    def _claimed(self, name: str, claimed: tuple[str, ...]) -> tuple[tuple[str, ...], list[Raw]]:
        urls, trouble = [], []
        for place, claim in enumerate(claimed):
            url = claim.partition("|")[0]
            kind = self.definitions.facts(url)[0]
            if not kind:
                trouble.append(_said(place, "profile_unknown", f.WARNING, url))
            elif kind not in (name, "Resource", "DomainResource"):
                trouble.append(_said(place, "profile_type", f.ERROR, url, kind))
            elif self.definitions.profile(url) is None or not self.compiler.tree(url):
                trouble.append(_said(place, "profile_snapshot", f.WARNING, url))
            elif url not in urls:
                urls.append(url)
        return tuple(urls), trouble

    def _deepest(self, urls: tuple[str, ...]) -> tuple[str, ...]:
        """Without those that another one of them is derived from: its snapshot holds all that they say."""
        if len(urls) < 2:
            return urls
        below = frozenset().union(*(self._above(url) for url in urls))
        return tuple(url for url in urls if url not in below)

    def _above(self, url: str) -> frozenset[str]:
        if url not in self._derived:
            chain, profile = [], self.definitions.profile(url)
            while profile and profile.base and profile.base not in chain:
                chain.append(profile.base)
                profile = self.definitions.profile(profile.base)
            self._derived[url] = frozenset(chain)
        return self._derived[url]

    def _by_vital_sign(self, resource: dict[str, Any]) -> Iterator[str]:
        """FHIR R4: who records a vital sign by one of these codes conforms to its profile. A guide may know better."""
        if self._vital is None:
            self._vital = dict(self._vital_codes()) if self.by_base else {}
            self._vital |= self.definitions.terminology.leads
        concept = resource.get("code")
        codings = concept.get("coding") if type(concept) is dict else None
        for each in codings if type(codings) is list else ():
            if type(each) is dict and type(each.get("system")) is str and type(each.get("code")) is str:
                found = self._vital.get((each["system"], each["code"]))
                if found and self.definitions.facts(found)[0] == "Observation":
                    yield found

    def _vital_codes(self) -> Iterator[tuple[tuple[str, str], str]]:
        """The code that each profile of R4 on vital signs fixes."""
        for url in self.definitions.urls():
            if not url.startswith(CORE) or self.definitions.facts(url)[:2] != ("Observation", "constraint"):
                continue
            found = self.compiler.tree(url)
            if found is None or CORE + "vitalsigns" not in self._above(url):
                continue
            for each in found[1]["Observation.code.coding"].slices if "Observation.code.coding" in found[1] else ():
                system, code = (each.children[name].row.fixed for name in ("system", "code"))
                if system and code:
                    yield (system, code), url

    def _by_codes(self, resource: dict[str, Any], name: str) -> str:
        """The profile of the guide whose marks the resource has: required slices, patterns and fixed codes."""
        scored = []
        for url in self.guide[name]:
            marks = self._marks.get(url)
            if marks is None:
                found = self.compiler.tree(url)
                marks = self._marks[url] = _marks(self.compiler, found[0]) if found else []
            if all(mark(resource) for mark in marks):
                scored.append((len(marks), len(self._above(url)), url))
        if not scored:
            return ""
        best = max(scored)
        alone = sum(each[0] == best[0] for each in scored) == 1
        return best[2] if best[0] or alone else ""


def _marks(compiler: "Compiler", root: Node) -> list[Callable[[dict[str, Any]], bool]]:
    """What tells a profile from others of its type: one test for each required slice, pattern and fixed code."""
    from madang.science.fhir.compiler import matches
    from madang.science.fhir.slices import matcher, values_at

    marks: list[Callable[[dict[str, Any]], bool]] = []

    def patterned(steps: list[str], wanted: Any) -> None:
        marks.append(lambda resource: any(matches(value, wanted) for value in values_at(resource, steps, None)))

    def sliced(steps: list[str], node: Node, each: Node) -> None:
        match = matcher(compiler, node, each, node.row.discriminators or ())
        marks.append(lambda resource: any(match(value, NOWHERE) for value in values_at(resource, steps, NOWHERE)))

    def walk(node: Node, steps: list[str]) -> None:
        for child in node.children.values():
            if child.name.endswith("[x]") or child.name in ("extension", "modifierExtension", "value", "component"):
                continue
            way = [*steps, child.name]
            if child.row.pattern is not None and child.row.low:
                patterned(way, child.row.pattern)
            for each in child.slices:
                code = each.children.get("code")
                if code is not None and code.row.fixed is not None and steps in ([], ["code"]):
                    patterned([*way, "code"], code.row.fixed)
                elif each.row.low and child.row.discriminators:
                    sliced(way, child, each)
            if len(steps) < 2 and child.children and (child.row.low or child.name == "code"):
                walk(child, way)

    walk(root, [])
    return marks


def _said(place: int, kind: str, severity: str, *about: str) -> Raw:
    return Raw("meta.profile", f"meta.profile[{place}]", f.PROFILE, severity, kind, about)
