"""Rules of what counts as kept: data, one file for each funder; three examples ship."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _, in_language

FOLDER = Path(__file__).parent / "rulebook"
USUAL = "publication-or-end"  # where an award names no rule
TIERS = ("open", "controlled", "metadata-only")


@dataclass(frozen=True)
class Rule:
    """Which release keeps a promise, and when a promise without a day of its own is due."""

    id: str
    version: str
    title: Mapping[str, str]
    source: str
    due_from: str  # plan: the plan's day; plan-or-end: that, else the end of the award
    months_after_end: int
    validation: bool
    tiers: Mapping[str, tuple[str, ...]]
    licenses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its title in the reader's language."""
        return in_language(self.title.get("ko", ""), self.title.get("en", ""))

    def keeps(self, promised: str, tier: str, license_: str, is_valid: bool) -> str:
        """Why a release does not keep a promise, in a sentence; empty where it does."""
        if tier not in self.tiers.get(promised, ()):
            return _("It is released as {tier}, and {promised} was promised.").format(tier=tier, promised=promised)
        if self.licenses and tier == "open" and license_ not in self.licenses:
            return _("Its license is not one of {licenses}.").format(licenses=", ".join(self.licenses))
        if self.validation and not is_valid:
            return _("It was not found valid.")
        return ""

    def due(self, planned: date | None, end: date | None) -> date | None:
        """The day by which a dataset has to be released."""
        if planned is not None or self.due_from == "plan" or end is None:
            return planned or end
        months = end.month - 1 + self.months_after_end
        year, month = end.year + months // 12, months % 12 + 1
        return date(year, month, min(end.day, _days(year, month)))


def _days(year: int, month: int) -> int:
    return 31 if month == 12 else (date(year, month + 1, 1) - date(year, month, 1)).days


@cache
def rules() -> dict[str, Rule]:
    """The rules that ship, by identifier."""
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        told = tomllib.loads(path.read_text())
        found[told["id"]] = Rule(
            told["id"],
            told["version"],
            told["title"],
            told["source"],
            told["due"]["from"],
            told["due"]["months_after_end"],
            told["validation"],
            {promised: tuple(tiers) for promised, tiers in told["tiers"].items()},
            tuple(told.get("licenses", ())),
        )
    return found


def rule_of(name: str) -> Rule:
    """A rule by its identifier. Errors: `grants.rule`."""
    found = rules().get(name)
    if found is None:
        raise MadangError(
            "grants.rule",
            _("There is no rule {name}.").format(name=name),
            _("There are: {names}.").format(names=", ".join(rules())),
        )
    return found
