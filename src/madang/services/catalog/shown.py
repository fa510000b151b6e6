"""How the pages of the catalog name things, and what they say to search engines."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from madang.base.translate import _, in_language
from madang.node.node import Node
from madang.services.catalog.holding import Original, originals_of
from madang.services.catalog.models import TIERS

VERDICTS = ("good", "flawed", "unusable", "unknown")


def tier_name(tier: str) -> str:
    """A tier in the reader's language."""
    return {
        "open": _("open to all"),
        "registered": _("for registered people"),
        "controlled": _("on request"),
        "embargoed": _("under embargo"),
    }[tier]


def verdict_name(verdict: str) -> str:
    """A verdict in the reader's language."""
    return {
        "good": _("all checks passed"),
        "flawed": _("some checks failed"),
        "unusable": _("fatal checks failed"),
        "unknown": _("not all checks were answered"),
        "": _("not assessed"),
    }[verdict]


def state_name(state: str) -> str:
    """A state of a record or version in the reader's language."""
    return {
        "draft": _("draft"),
        "preparing": _("being prepared"),
        "ready": _("ready"),
        "published": _("published"),
        "withdrawn": _("withdrawn"),
        "failed": _("preparing failed"),
        "removed": _("data removed"),
    }[state]


def tiers_named() -> list[tuple[str, str]]:
    """All tiers, for a choice."""
    return [(tier, tier_name(tier)) for tier in TIERS]


def verdicts_named() -> list[tuple[str, str]]:
    """All verdicts, for a choice."""
    return [(verdict, verdict_name(verdict)) for verdict in VERDICTS]


def holders_named(holders: Iterable[Any]) -> list[tuple[str, str]]:
    """Organizations, for a choice."""
    return [(each.name, each.title) for each in holders]


def datasets_named(free: Iterable[Any]) -> list[tuple[str, str]]:
    """Datasets of the node, for a choice."""
    return [(each.name, f"{each.name}@{each.version} ({each.kind})") for each in free]


def json_ld(page: Any, visit: Any) -> dict[str, Any]:
    """A record as a Dataset of schema.org."""
    told, address = page.description, f"{visit.origin}/records/{page.name}"
    found: dict[str, Any] = {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": address,
        "url": address,
        "name": page.title,
        "description": in_language(told.description, told.description_en) or page.title,
        "keywords": [*told.keyword, *told.keyword_en],
        "creator": [{"@type": "Organization", "name": name} for name in told.creator or (page.holder.title,)],
        "publisher": {"@type": "Organization", "name": told.publisher or page.holder.title},
        "license": told.license,
        "inLanguage": told.language,
        "spatialCoverage": told.spatial,
        "temporalCoverage": f"{told.start or '..'}/{told.end or '..'}" if told.start or told.end else "",
        "datePublished": page.published.date().isoformat() if page.published else "",
        "dateModified": page.changed.date().isoformat(),
        "isAccessibleForFree": page.access == "open",
        "version": str(page.current.number) if page.current else "",
    }
    if page.access == "open" and page.current:
        found["distribution"] = {
            "@type": "DataDownload",
            "encodingFormat": "application/zip",
            "contentUrl": f"{address}/download.zip?version={page.current.number}",
        }
    return {name: value for name, value in found.items() if value not in ("", [])}


def kinds_named() -> list[tuple[str, str]]:
    """Kinds of datasets, for a choice."""
    return [("cdm", _("tables of the OMOP CDM")), ("files", _("deposited files"))]


def unit(name: str) -> str:
    """What stands small behind a number."""
    return {
        "persons": _("persons", "unit"),
        "kinds": _("kinds of records", "unit"),
        "tables": _("tables", "unit"),
        "files": _("files", "unit"),
        "samples": _("samples", "unit"),
        "passed": _("passed", "unit"),
    }[name]


def terms_named(terms: Sequence[str]) -> str:
    """Data-use terms in words, with their values."""
    if not terms:
        return ""
    from madang.science.privacy.duo import terms_of
    from madang.science.privacy.rules import read_pack

    titles = {rule.id: in_language(rule.title["ko"], rule.title["en"]) for rule in read_pack("duo").rules}
    named = (" ".join((titles.get(term.id, term.id), *term.values)) for term in terms_of(terms))
    return "; ".join(named)


def originals_shown(node: Node, page: Any) -> list[Original]:
    """The files of a record as they came, where its files are shown at all."""
    return originals_of(node, page.dataset, page.name) if page.files else []


_DRAFTED = re.compile(r"madang (standardize|import)(?:, pack ([^,]+))?(?:, (.+))?")
_STARTER = "synthetic demo only, not a download from Athena"


def origin_told(text: str) -> str:
    """Where data come from: what a holder wrote, or in the reader's language what a record began with."""
    drafted = _DRAFTED.fullmatch(text)
    if drafted is None:
        return text
    what, pack, release = drafted.groups()
    told = _("standardized by Madang") if what == "standardize" else _("taken over from an OMOP CDM")
    more = [_("pack {name}").format(name=pack) if pack else "", vocabulary_named(release or "")]
    return ", ".join(filter(None, (told, *more)))


def vocabulary_named(release: str) -> str:
    """The release of a vocabulary; that of the demo in the reader's language."""
    return release.replace(_STARTER, _("for the demo, not from Athena"))


HELPERS = {
    "origin_told": origin_told,
    "vocabulary_named": vocabulary_named,
    "originals_of": originals_shown,
    "unit": unit,
    "kinds_named": kinds_named,
    "tier_name": tier_name,
    "verdict_name": verdict_name,
    "state_name": state_name,
    "tiers_named": tiers_named,
    "verdicts_named": verdicts_named,
    "holders_named": holders_named,
    "datasets_named": datasets_named,
    "json_ld_of": json_ld,
    "terms_named": terms_named,
}
