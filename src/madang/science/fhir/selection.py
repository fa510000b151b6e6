"""Which profiles a resource is held against."""

from typing import TYPE_CHECKING, Any

from madang.science.fhir import findings as f
from madang.science.fhir.definitions import CORE, Definitions
from madang.science.fhir.findings import Raw
from madang.science.fhir.tree import Node

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Compiler

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
        self._derived: dict[str, frozenset[str]] = {}

    def profiles(self, resource: dict[str, Any], named: tuple[str, ...]) -> tuple[tuple[str, ...], list[Raw]]:
        """The profiles of a resource, and what is to be said of those that it claims."""
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
        fitting = tuple(url for url in named if self.definitions.facts(url)[0] in (name, "Resource", "DomainResource"))
        if name in self.guide and not any(url in self.guide[name] for url in (*urls, *fitting)):
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

    def _by_codes(self, resource: dict[str, Any], name: str) -> str:
        """The profile of the guide whose required slices and patterns of category and code the resource has."""
        candidates = self.guide[name]
        scored = []
        for url in candidates:
            found = self.compiler.tree(url)
            score = _fits(found[0], resource) if found else -1
            if score > 0 or (score == 0 and len(candidates) == 1):
                scored.append((score, len(self._above(url)), url))
        return max(scored)[2] if scored else ""


def _fits(root: Node, resource: dict[str, Any]) -> int:
    """How many required patterns and codes of a profile the resource has; -1 if it lacks one."""
    from madang.science.fhir.compiler import matches
    from madang.science.fhir.slices import values_at

    score = 0
    for name in ("category", "code", "type", "identifier", "qualification"):
        node = root.children.get(name)
        if node is None:
            continue
        for each in [node, *node.slices]:
            for wanted in (each.row.pattern, each.row.fixed):
                if wanted is not None and (each.row.low or each is node):
                    if not any(matches(value, wanted) for value in values_at(resource, [name], None)):
                        return -1
                    score += 1
        coding = node.children.get("coding")
        for each in coding.slices if coding else ():
            code = each.children.get("code")
            wanted = (
                (each.row.pattern or {}).get("code") or (code.row.fixed if code else None) if each.row.low else None
            )
            if wanted is not None:
                if wanted not in values_at(resource, [name, "coding", "code"], None):
                    return -1
                score += 1
    return score


def _said(place: int, kind: str, severity: str, *about: str) -> Raw:
    return Raw("meta.profile", f"meta.profile[{place}]", f.PROFILE, severity, kind, about)
