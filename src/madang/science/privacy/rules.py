"""Guidelines as data: rules with their source and date, held against an application; findings, never decisions.

A pack is a TOML file. A rule has an identifier, its source and the source's date, the fact that it looks at and what it
wants of it, and an explanation in two languages. A rule that wants a `term` is one of data whose consent names it.
`matches`: the rule is kept. `differs`: it is not. `cannot tell`: the
application does not say, or the holder has not filled the rule in (a slot).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.science.privacy.duo import Finding

SHIPPED = ("nhis-operating", "mohw-2025-12", "own", "duo")
WANTS = ("equals", "one_of", "none_of", "all_of", "at_most", "at_least", "is_given", "not_prefixed", "none", "term")


@dataclass(frozen=True)
class Rule:
    """One sentence of a guideline. `when` are facts that have to be so for the rule to apply at all."""

    id: str
    source: Mapping[str, str]  # as the other texts in Korean and English
    date: str
    title: Mapping[str, str]
    explanation: Mapping[str, str]
    fact: str = ""
    wants: str = ""
    value: Any = None
    when: Mapping[str, Any] | None = None
    slot: bool = False
    step: str = ""  # at which step of the procedure it is looked at

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Pack:
    """A guideline: its rules, and settings of the procedure that it fixes."""

    name: str
    version: str
    title: Mapping[str, str]
    source: Mapping[str, str]
    date: str
    example: bool
    rules: tuple[Rule, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """What one rule says of an application, and of which values."""

    rule: Rule
    finding: Finding
    about: tuple[str, ...] = ()


def read_pack(name: str | Path) -> Pack:
    """A pack that ships (by name), or one in a TOML file. Raises `privacy.pack`."""
    if isinstance(name, str) and name in SHIPPED:
        text = files(__package__).joinpath("packs", f"{name}.toml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise MadangError(
                "privacy.pack", f"There is no rule pack {str(name)!r}.", f"Those that ship are {', '.join(SHIPPED)}."
            ) from None
    return parse_pack(text, str(name))


def parse_pack(text: str, label: str) -> Pack:
    """A pack from its TOML text, checked. Raises `privacy.pack`."""

    def wrong(what: str) -> MadangError:
        return MadangError("privacy.pack", f"The rule pack {label} cannot be used: {what}.")

    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise wrong(str(error)) from None
    rules = []
    for each in given.get("rule", []):
        try:
            source = _both(each.get("source", given.get("source", "")))
            rule = Rule(**{"date": given.get("date", ""), **each, "source": source})
        except TypeError as error:
            raise wrong(f"a rule has wrong fields ({error})") from None
        if not rule.slot and (not rule.fact or rule.wants not in WANTS):
            raise wrong(f"the rule {rule.id} wants nothing that is known")
        if not (all(rule.source.values()) and rule.date):
            raise wrong(f"the rule {rule.id} names no source and date")
        for texts in (rule.source, rule.title, rule.explanation):
            if not {"ko", "en"} <= set(texts):
                raise wrong(f"the rule {rule.id} is not in both languages")
        rules.append(rule)
    twice = sorted({rule.id for rule in rules if sum(rule.id == other.id for other in rules) > 1})
    if twice:
        raise wrong(f"two rules are called {twice[0]}")
    try:
        return Pack(
            given["name"],
            str(given["version"]),
            given["title"],
            _both(given["source"]),
            str(given["date"]),
            bool(given.get("example", False)),
            tuple(rules),
            given.get("settings", {}),
        )
    except KeyError as error:
        raise wrong(f"it has no {error}") from None


def _both(text: str | Mapping[str, str]) -> Mapping[str, str]:
    """A text that may stand once for both languages."""
    return {"ko": text, "en": text} if isinstance(text, str) else text


def hold(pack: Pack, facts: Mapping[str, Any]) -> list[Found]:
    """Every rule of the pack that applies, with what it finds in the facts of an application."""
    found = []
    for rule in pack.rules:
        if rule.when and not all(_applies(facts.get(name), value) for name, value in rule.when.items()):
            continue
        if rule.wants == "term" and rule.fact not in facts:  # the data do not carry it
            continue
        found.append(_held(rule, facts))
    return found


def _applies(fact: Any, value: Any) -> bool:
    return fact in value if isinstance(value, list) else bool(fact == value)


def _held(rule: Rule, facts: Mapping[str, Any]) -> Found:
    fact = facts.get(rule.fact)
    if rule.slot or (fact is None and rule.wants != "is_given"):
        return Found(rule, Finding.CANNOT_TELL)
    about: tuple[str, ...] = ()
    if rule.wants == "term":  # held against the purpose by `duo` already
        return Found(rule, Finding(str(fact)))
    if rule.wants == "is_given":
        holds = fact not in (None, "", [], ())
    elif rule.wants == "equals":
        holds = fact == rule.value
    elif rule.wants == "one_of":
        holds = fact in rule.value
    elif rule.wants in ("at_most", "at_least"):
        holds = fact <= rule.value if rule.wants == "at_most" else fact >= rule.value
    else:
        values = [str(each) for each in (fact if isinstance(fact, list | tuple | set | frozenset) else [fact])]
        if rule.wants == "none":
            about = tuple(values)
        elif rule.wants == "all_of":
            about = tuple(each for each in rule.value if each not in values)
        elif rule.wants == "none_of":
            about = tuple(each for each in values if each in rule.value)
        else:
            about = tuple(each for each in values if any(each.startswith(prefix) for prefix in rule.value))
        holds = not about
    return Found(rule, Finding.MATCHES if holds else Finding.DIFFERS, about)
