"""A study as a readable file: which people, which variables, which estimator; and its words for who has to approve.

title = "Survival by sex"
purpose = "Whether sex matters after adjustment"
secure = false                       # true: only masked numbers leave a site

[cohort]
dataset = "lung"                     # what each site shares under this name
where = ["age >= 40", "sex in 1, 2"] # all have to hold; rows without the value are left out

[variables]                          # what is meant, so that sites that differ are found before the fit
time = { type = "number", unit = "d" }
sex = { type = "text", levels = ["1", "2"] }

[estimator]
kind = "cox"                         # see KINDS
time = "time"
event = "status"
terms = ["age", "sex"]
ties = "efron"
bin = 30                             # times are rounded up to its multiples, everywhere

[stratification]
by = "site"
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _, later

NAME = re.compile(r"[A-Za-z_.가-힣][\w.]*")
LONGEST = 100_000  # bytes of a study
KINDS: dict[str, tuple[str, ...]] = {  # what each needs beside its kind
    "count": (),
    "feasibility": (),
    "table": ("columns",),
    "moments": ("columns",),
    "quantiles": ("columns", "shares"),
    "linear": ("outcome", "terms"),
    "glm": ("outcome", "terms", "family"),
    "cox": ("time", "event", "terms"),
    "kaplan-meier": ("time", "event"),
    "log-rank": ("time", "event", "by"),
    "mantel-haenszel": ("exposure", "outcome"),
    "meta": ("of",),
    "calibration": ("outcome", "coefficients"),
}
OPTIONAL = {
    "family",
    "terms",
    "ties",
    "bin",
    "by",
    "shares",
    "intercept",
    "strata",
    "method",
    "columns",
    "time",
    "event",
    "per_site",
}
TITLES = {
    "count": later("a count"),
    "feasibility": later("about how many people fit"),
    "table": later("a table of counts"),
    "moments": later("means and variances"),
    "quantiles": later("quantiles"),
    "linear": later("a linear regression"),
    "glm": later("a generalized linear model"),
    "cox": later("a Cox regression"),
    "kaplan-meier": later("Kaplan-Meier curves"),
    "log-rank": later("a log-rank test"),
    "mantel-haenszel": later("a Mantel-Haenszel odds ratio"),
    "meta": later("a meta-analysis of the sites' own estimates (an approximation)"),
    "calibration": later("calibration and ROC of a given model"),
}
_CONDITION = re.compile(r"([\w.]+)\s*(<=|>=|!=|=|<|>|\bin\b)\s*(.+)", re.DOTALL)
_KNOWN = re.compile(r"([\w.]+)\s+is\s+known")


@dataclass(frozen=True)
class Variable:
    """What a study means by a column: `number` or `text`, its unit, and its levels with the reference first."""

    type: str
    unit: str = ""
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A question that travels; `digest` names exactly this one."""

    title: str
    purpose: str
    dataset: str
    where: tuple[str, ...]
    variables: Mapping[str, Variable]
    estimator: Mapping[str, Any]
    by_site: bool = False
    secure: bool = False
    document: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def kind(self) -> str:
        """The kind of its estimator."""
        return str(self.estimator["kind"])

    @property
    def digest(self) -> str:
        """SHA-256 of the study's canonical JSON: what a site approves is this."""
        return sha256_of(self.document)

    @property
    def per_site(self) -> bool:
        """Whether sites tell their own fit as well, beside the sums of the pooled one."""
        return bool(self.estimator.get("per_site", False))

    @property
    def bin(self) -> float:
        """The stated bin of times and values; 0: none."""
        return float(self.estimator.get("bin", 0))

    def levels(self) -> dict[str, tuple[str, ...]]:
        """The levels that the study itself states."""
        return {name: each.levels for name, each in self.variables.items() if each.levels}

    def columns(self) -> list[str]:
        """Every column that it reads, those of the conditions too."""
        e = self.estimator
        inner = e.get("of", {}) if self.kind == "meta" else {}
        found = [condition(each)[0] for each in self.where]
        for given in (e, inner):
            for key in ("outcome", "exposure", "time", "event", "by"):
                if given.get(key):
                    found.append(str(given[key]))
            found += [*given.get("columns", ()), *given.get("strata", ())]
            found += [part for term in given.get("terms", ()) for part in term.split(":")]
        if self.kind == "calibration":
            found += [part for name in e["coefficients"] if name != "(Intercept)" for part in name.split(":")]
        return list(dict.fromkeys(found))


def read_study(data: bytes | str) -> Study:
    """A study of TOML text, or of the JSON in which it travels.

    Errors: `study.unreadable`, `study.key`, `study.value`.
    """
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > LONGEST:
        raise MadangError("study.unreadable", _("A study has {most} bytes at most.").format(most=LONGEST))
    try:
        text = raw.decode("utf-8-sig")
        document = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # those of both formats and of the encoding
        raise MadangError(
            "study.unreadable",
            _("The study is no TOML or JSON: {reason}.").format(reason=str(error).rstrip(".")),
            _("docs/alliance.md shows one."),
        ) from None
    return study_of(document)


def study_of(document: Any) -> Study:
    """A study of its document (of TOML, or as it travels). Errors as those of `read_study`."""
    if not isinstance(document, dict):
        raise _bad("study", document)
    _keys(document, {"title", "purpose", "secure", "cohort", "variables", "estimator", "stratification"}, "")
    cohort, estimator = _table(document, "cohort"), _table(document, "estimator")
    _keys(cohort, {"dataset", "where"}, "cohort.")
    stratification = _table(document, "stratification", {})
    _keys(stratification, {"by"}, "stratification.")
    if stratification.get("by", "site") != "site":
        raise _bad("stratification.by", stratification["by"])
    where = cohort.get("where", [])
    where = [where] if isinstance(where, str) else where
    if not isinstance(where, list) or len(where) > 30:
        raise _bad("cohort.where", where)
    for each in where:
        condition(each)
    made = Study(
        _text(document.get("title", ""), "title", 200, needed=True),
        _text(document.get("purpose", ""), "purpose", 2_000),
        _text(cohort.get("dataset", ""), "cohort.dataset", 100, needed=True),
        tuple(where),
        {name: _variable(name, each) for name, each in _table(document, "variables", {}).items()},
        _estimator(estimator),
        bool(stratification),
        _flag(document, "secure"),
        document,
    )
    if made.by_site and made.kind not in ("cox", "log-rank", "mantel-haenszel"):
        raise MadangError("study.value", _("{kind} is not stratified by site.").format(kind=made.kind), "cox, log-rank")
    if made.secure and (made.by_site or made.per_site or made.kind in ("meta", "feasibility")):
        raise MadangError(
            "study.value",
            _("What is told of each site apart cannot be masked."),
            _("Leave out secure, or stratification, per_site, meta and feasibility."),
        )
    made.digest  # noqa: B018  # a value that no JSON can hold is refused here
    return made


def _estimator(given: dict[str, Any], outer: bool = True) -> dict[str, Any]:
    kind = given.get("kind")
    if kind not in KINDS or (not outer and kind not in ("linear", "glm", "cox")):
        raise MadangError("study.value", _("There is no estimator {kind}.").format(kind=kind), ", ".join(KINDS))
    _keys(given, {"kind", *KINDS[kind], *OPTIONAL}, "estimator.")
    for name in KINDS[kind]:
        if name not in given:
            raise MadangError("study.key", _("The estimator {kind} needs {name}.").format(kind=kind, name=name))
    for name in ("outcome", "exposure", "time", "event", "by"):
        if name in given and not (isinstance(given[name], str) and NAME.fullmatch(given[name])):
            raise _bad(f"estimator.{name}", given[name])
    for name in ("terms", "columns", "strata"):
        value = given.get(name, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or len(value) > 60:
            raise _bad(f"estimator.{name}", value)
        may_be_empty = name == "terms" and kind in ("linear", "glm") and given.get("intercept", True)
        if name in KINDS[kind] and not value and not may_be_empty:
            raise _bad(f"estimator.{name}", value)
    if not all(NAME.fullmatch(part) for term in given.get("terms", ()) for part in term.split(":")):
        raise _bad("estimator.terms", given["terms"])
    shares = given.get("shares", [])
    if (
        not isinstance(shares, list)
        or not all(_is_number(each) and 0 <= each <= 1 for each in shares)
        or len(shares) > 20
    ):
        raise _bad("estimator.shares", shares)
    if not _is_number(given.get("bin", 0)) or not 0 <= given.get("bin", 0) < 1e12:
        raise _bad("estimator.bin", given["bin"])
    if given.get("ties", "efron") not in ("efron", "breslow"):
        raise _bad("estimator.ties", given["ties"])
    if given.get("family", "gaussian") not in ("gaussian", "binomial", "poisson", "gamma"):
        raise _bad("estimator.family", given["family"])
    if given.get("method", "reml") not in ("reml", "der-simonian-laird", "fixed"):
        raise _bad("estimator.method", given["method"])
    for name in ("intercept", "per_site"):
        if not isinstance(given.get(name, True), bool):
            raise _bad(f"estimator.{name}", given[name])
    if given.get("per_site") and (kind not in ("linear", "glm", "cox") or not outer):
        raise _bad("estimator.per_site", given["per_site"])
    if kind == "meta":
        if not isinstance(given["of"], dict):
            raise _bad("estimator.of", given["of"])
        _estimator(given["of"], outer=False)
    if kind == "calibration":
        told = given["coefficients"]
        if not isinstance(told, dict) or not told or not all(_is_number(each) for each in told.values()):
            raise _bad("estimator.coefficients", told)
    return given


def condition(text: Any) -> tuple[str, str, str]:
    """A condition as column, comparison and value; `x is known` has no value. Errors: `study.value`."""
    if isinstance(text, str) and (known := _KNOWN.fullmatch(text.strip()[:500])):
        return known[1], "known", ""
    match = _CONDITION.fullmatch(text.strip()) if isinstance(text, str) and len(text) <= 500 else None
    if match is None or not NAME.fullmatch(match[1]):
        raise MadangError(
            "study.value",
            _("{text} is no condition.").format(text=repr(text)[:100]),
            _("Write it as age >= 40, sex in 1, 2 or age is known."),
        )
    return match[1], match[2], match[3].strip()


def words(study: Study) -> list[str]:
    """The study in sentences, for the person who approves: who is in it, what is computed, what leaves."""
    e = study.estimator
    said = [
        _("Of {dataset}: {title}.").format(dataset=study.dataset, title=_(TITLES[study.kind])),
        _("Only rows with {where}.").format(where=", ".join(study.where)) if study.where else _("All rows."),
        _("It reads the columns {names}.").format(names=", ".join(study.columns()) or "-"),
    ]
    if study.bin:
        said.append(_("Times or values are rounded up to multiples of {bin:g}.").format(bin=study.bin))
    leaves = {
        "count": _("one number"),
        "feasibility": _("one number, rounded down to tens"),
        "table": _("how many rows each combination of values has"),
        "moments": _("of each column the number of values, their sum, and the sum of their squares"),
        "quantiles": _("in up to 25 rounds, how many values lie below some points"),
        "linear": _("the sums of products of all pairs of variables"),
        "glm": _("in each of up to 26 rounds, weighted sums of products of all pairs of variables"),
        "cox": _("which (rounded) times have events, and in each of up to 40 rounds sums over who is at risk then"),
        "kaplan-meier": _("at each (rounded) time, how many are at risk and how many have their event"),
        "log-rank": _("at each (rounded) time, how many are at risk and how many have their event"),
        "mantel-haenszel": _("a table of four cells, for each stratum"),
        "meta": _("this site's own estimates and standard errors"),
        "calibration": _("in each tenth of predicted risk, how many rows and events there are"),
    }[study.kind]
    said.append(_("What leaves: {what}.").format(what=leaves))
    if study.secure:
        said.append(_("Sums leave masked, so that only the sum of all sites can be read; levels and times do not."))
    if study.per_site:
        said.append(_("This site's own estimates and standard errors leave as well."))
    if e.get("terms"):
        said.append(_("Terms: {terms}.").format(terms=", ".join(e["terms"])))
    return said


def _table(document: Mapping[str, Any], name: str, default: Any = None) -> dict[str, Any]:
    value = document.get(name, default)
    if value is None:
        raise MadangError("study.key", _("The study has no [{name}].").format(name=name))
    if not isinstance(value, dict):
        raise _bad(name, value)
    return value


def _keys(given: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in given:
        if name not in known:
            raise MadangError(
                "study.key", _("A study has no {name}.").format(name=f"{where}{name}"[:120]), ", ".join(sorted(known))
            )


def _variable(name: str, given: Any) -> Variable:
    if not NAME.fullmatch(name) or not isinstance(given, dict):
        raise _bad(f"variables.{name}", given)
    _keys(given, {"type", "unit", "levels"}, f"variables.{name}.")
    levels = given.get("levels", [])
    if given.get("type", "number") not in ("number", "text") or not isinstance(given.get("unit", ""), str):
        raise _bad(f"variables.{name}", given)
    if not isinstance(levels, list) or len(levels) > 200 or len(set(map(str, levels))) != len(levels):
        raise _bad(f"variables.{name}.levels", levels)
    return Variable(given.get("type", "text" if levels else "number"), given.get("unit", ""), tuple(map(str, levels)))


def _text(value: Any, name: str, longest: int, *, needed: bool = False) -> str:
    if not isinstance(value, str) or len(value) > longest or (needed and not value.strip()):
        raise _bad(name, value)
    return value


def _flag(document: Mapping[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise _bad(name, value)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bad(name: str, value: Any) -> MadangError:
    return MadangError(
        "study.value",
        _("{name} cannot be {value}.").format(name=name, value=repr(value)[:80]),
        _("docs/alliance.md says what it can be."),
    )


def names_of(study: Study, levels: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The levels of a design: those that the study states before those that were found."""
    return {**{name: tuple(each) for name, each in levels.items()}, **study.levels()}
