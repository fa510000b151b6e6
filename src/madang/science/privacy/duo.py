"""Conditions of consent in the terms of the Data Use Ontology (DUO), held against what somebody wants to do.

For genomic and biobank data whose donors consented; insurance data know no such terms. Each term answers `matches`,
`differs` or `cannot tell`, never a decision. A primary term allows kinds of research; the others set conditions, all of
which have to hold. Source: EBISPOT/DUO; the order of primary terms as in Dyke et al. 2016.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from madang.base.errors import MadangError


class Finding(StrEnum):
    """What a rule says of an application."""

    MATCHES = "matches"
    DIFFERS = "differs"
    CANNOT_TELL = "cannot tell"


RESEARCH = ("general", "health", "disease", "ancestry", "methods", "clinical care")


@dataclass(frozen=True)
class Purpose:
    """What is wanted. None: the application does not say. `diseases` maps each disease to all that it is a kind of."""

    research: str | None = None  # one of RESEARCH
    diseases: Mapping[str, frozenset[str]] | None = None
    for_profit: bool | None = None
    genetic: bool | None = None
    publishes: bool | None = None
    waits_to_publish: bool | None = None  # until the date that the term names
    collaborates: bool | None = None
    ethics_approval: bool | None = None
    returns_results: bool | None = None
    region: str | None = None
    user: str | None = None
    project: str | None = None
    institution: str | None = None
    months: int | None = None


@dataclass(frozen=True)
class Term:
    """A term as data carry it: its identifier and, where it needs one, a value (diseases, regions, names, months)."""

    id: str
    values: tuple[str, ...] = ()


CATEGORIES = {  # terms that only group others: they set no condition
    "DUO:0000001": "consent code",
    "DUO:0000002": "consent code primary category",
    "DUO:0000003": "consent code secondary category",
    "DUO:0000012": "research-specific restrictions",
    "DUO:0000017": "data use requirements",
}
PRIMARY = {
    "DUO:0000004": "NRES",
    "DUO:0000005": "GRU",
    "DUO:0000006": "HMB",
    "DUO:0000007": "DS",
    "DUO:0000011": "POA",
}
CONDITIONS = {
    "DUO:0000014": "RU",
    "DUO:0000015": "NMDS",
    "DUO:0000016": "GSO",
    "DUO:0000018": "NPU",
    "DUO:0000019": "PUB",
    "DUO:0000020": "COL",
    "DUO:0000021": "IRB",
    "DUO:0000022": "GS",
    "DUO:0000024": "MOR",
    "DUO:0000025": "TS",
    "DUO:0000026": "US",
    "DUO:0000027": "PS",
    "DUO:0000028": "IS",
    "DUO:0000029": "RTN",
}
LATER = {
    "DUO:0000045": "NPUNCU",
    "DUO:0000046": "NCU",
    "DUO:0000044": "NPOA",
    "DUO:0000042": "GRU",
    "DUO:0000043": "CC",
}
_OF_DISEASES = ("DUO:0000007", "DUO:0000015")  # terms whose values are diseases
_CODE = re.compile(r"[A-Z]\d[0-9A-Z]{1,5}")
# Which kinds of research a primary term allows; methods research is a use within every limit but that of NMDS.
_ALLOWS = {
    "DUO:0000004": frozenset(RESEARCH),
    "DUO:0000005": frozenset(RESEARCH),
    "DUO:0000006": frozenset({"health", "disease", "methods", "clinical care"}),
    "DUO:0000007": frozenset({"disease", "methods", "clinical care"}),
    "DUO:0000011": frozenset({"ancestry", "methods"}),
}


_WRITTEN = re.compile(r"(?i)(?:https?://purl\.obolibrary\.org/obo/)?DUO[:_]([0-9]{7}):?")


def terms_of(texts: Sequence[str]) -> tuple[Term, ...]:
    """Terms as a record has them: `DUO:0000007 E11 E14`, the identifier and then its values; the identifier may be
    written as its address, too (`http://purl.obolibrary.org/obo/DUO_0000007`). Raises `privacy.duo`."""
    found = []
    for text in texts:
        name, *values = [part for part in re.split(r"[\s,;]+", text) if part] or [""]
        if match := _WRITTEN.fullmatch(name):
            name = f"DUO:{match[1]}"
        if name not in {*CATEGORIES, *PRIMARY, *CONDITIONS}:
            raise _unknown(name)
        if CONDITIONS.get(name) == "TS" and not (len(values) == 1 and values[0].isascii() and values[0].isdigit()):
            raise MadangError("privacy.duo", f"{name} needs a number of months.", f"Write it as {name} 12.")
        found.append(Term(name, tuple(map(_plain, values)) if name in _OF_DISEASES else tuple(values)))
    return tuple(found)


def diseases_of(codes: Sequence[str]) -> dict[str, frozenset[str]]:
    """Diseases with all that each is a kind of. A code of KCD or ICD is a kind of what it begins with: E11.21 of E11.2
    and E11. Identifiers of an ontology (`MONDO:0005148`) stand for themselves alone."""
    found = {}
    for code in map(_plain, codes):
        is_code = _CODE.fullmatch(code) is not None
        found[code] = frozenset(code[:length] for length in range(3, len(code))) if is_code else frozenset[str]()
    return found


def _plain(code: str) -> str:
    """A code without its dot, so that E11.2 and E112 are the same."""
    bare = code.replace(".", "").upper()
    return bare if _CODE.fullmatch(bare) else code


def said_of(terms: Sequence[Term], purpose: Purpose) -> dict[str, Finding]:
    """What is found of each term that sets a condition. Permissions are alternatives: each says what the best does."""
    each = _each([term for term in terms if term.id not in CATEGORIES], purpose)
    best = min((each[name] for name in each if name in PRIMARY), key=_ORDER.index, default=Finding.MATCHES)
    return {name: best if name in PRIMARY else one for name, one in each.items()}


_ORDER = (Finding.MATCHES, Finding.CANNOT_TELL, Finding.DIFFERS)


def _each(terms: Sequence[Term], purpose: Purpose) -> dict[str, Finding]:
    """What is found by term. One that is there twice, with other values, is an alternative if it permits (the best
    counts), and one more condition otherwise (the worst does)."""
    found: dict[str, list[Finding]] = {}
    for term in terms:
        found.setdefault(term.id, []).append(finding(term, purpose))
    return {name: (min if name in PRIMARY else max)(every, key=_ORDER.index) for name, every in found.items()}


def _unknown(name: str) -> MadangError:
    return MadangError("privacy.duo", f"{name!r} is no term of the list.", "Use DUO:0000001 to DUO:0000029.")


def finding(term: Term, purpose: Purpose) -> Finding:
    """What one term says of a purpose. Raises `privacy.duo` for a term that is not in the list."""
    if term.id in CATEGORIES:
        return Finding.MATCHES
    if term.id in PRIMARY:
        return _primary(term, purpose)
    if term.id in CONDITIONS:
        return _condition(term, purpose)
    raise _unknown(term.id)


def _primary(term: Term, purpose: Purpose) -> Finding:
    if purpose.research is None:
        return Finding.MATCHES if term.id == "DUO:0000004" else Finding.CANNOT_TELL
    if purpose.research not in _ALLOWS[term.id]:
        return Finding.DIFFERS
    if term.id == "DUO:0000007" and purpose.research in ("disease", "clinical care"):
        return _disease(term, purpose)
    return Finding.MATCHES


def _disease(term: Term, purpose: Purpose) -> Finding:
    """Every disease of the purpose is one of the term's, or a kind of one."""
    if not term.values or not purpose.diseases:
        return Finding.CANNOT_TELL
    allowed = set(term.values)
    fits = all(each in allowed or allowed & above for each, above in purpose.diseases.items())
    return Finding.MATCHES if fits else Finding.DIFFERS


def _condition(term: Term, purpose: Purpose) -> Finding:
    code = CONDITIONS[term.id]
    if code == "RU":
        return _known(None if purpose.research is None else purpose.research != "clinical care")
    if code == "NMDS":
        if purpose.research != "methods":
            return _known(None if purpose.research is None else True)
        return _disease(term, purpose) if term.values else Finding.DIFFERS
    simple = {
        "GSO": purpose.genetic,
        "NPU": None if purpose.for_profit is None else not purpose.for_profit,
        "PUB": purpose.publishes,
        "COL": purpose.collaborates,
        "IRB": purpose.ethics_approval,
        "MOR": purpose.waits_to_publish,
        "RTN": purpose.returns_results,
    }
    if code in simple:
        return _known(simple[code])
    if code == "TS":
        if purpose.months is None or not term.values:
            return Finding.CANNOT_TELL
        return _known(purpose.months <= int(term.values[0]))
    said = {"GS": purpose.region, "US": purpose.user, "PS": purpose.project, "IS": purpose.institution}[code]
    if said is None or not term.values:
        return Finding.CANNOT_TELL
    return _known(said in term.values)


def _known(holds: bool | None) -> Finding:
    if holds is None:
        return Finding.CANNOT_TELL
    return Finding.MATCHES if holds else Finding.DIFFERS


def findings(terms: Sequence[Term], purpose: Purpose) -> tuple[dict[str, Finding], Finding]:
    """What each term says, and all together: primary terms are alternatives, conditions add up."""
    each = _each(terms, purpose)
    others = [one for name, one in each.items() if name not in PRIMARY]
    best = min((one for name, one in each.items() if name in PRIMARY), key=_ORDER.index, default=Finding.MATCHES)
    for one in (Finding.DIFFERS, Finding.CANNOT_TELL):
        if one in (best, *others):
            return each, one
    return each, Finding.MATCHES


# What the third-party matcher (consent-ontology) leaves to people, by the names that it gives them.
_LEFT_TO_PEOPLE = frozenset(
    "collaboratorRequired other secondaryOther ethicsApprovalRequired controls population gender pediatric "
    "vulnerablePopulations illegalBehavior sexualDiseases psychologicalTraits notHealth stigmatizeDiseases "
    "geographicalRestrictions publicationMoratorium geneticStudiesOnly publicationResults".split()
)


def consent_ontology(dataset: Mapping[str, Any], purpose: Mapping[str, Any], ancestors: Sequence[str] = ()) -> Finding:
    """The same question in the shape of that matcher: its answers APPROVE, DENY and ABSTAIN are our three findings."""
    if any(purpose.get(name) for name in _LEFT_TO_PEOPLE):
        return Finding.CANNOT_TELL
    terms = []
    for name, term in (
        ("generalUse", "DUO:0000005"),
        ("hmbResearch", "DUO:0000006"),
        ("populationOriginsAncestry", "DUO:0000011"),
    ):
        if dataset.get(name):
            terms.append(Term(term))
    if dataset.get("diseaseRestrictions"):
        terms.append(Term("DUO:0000007", tuple(dataset["diseaseRestrictions"])))
    if dataset.get("nonProfitUse") or dataset.get("commercialUse") is False:
        terms.append(Term("DUO:0000018"))
    research = None
    for name, kind in (
        ("generalUse", "general"),
        ("hmbResearch", "health"),
        ("populationOriginsAncestry", "ancestry"),
        ("methodsResearch", "methods"),
        ("diseaseRestrictions", "disease"),
    ):
        if purpose.get(name):
            research = kind
    profit = purpose.get("commercialUse")
    if research is None and profit is not None:  # the matcher looks at what is asked, and only commercial use is
        terms = [term for term in terms if term.id not in PRIMARY]
    wanted = Purpose(
        research=research,
        diseases={each: frozenset(ancestors) for each in purpose.get("diseaseRestrictions") or ()},
        for_profit=profit,
    )
    return findings(terms, wanted)[1]
