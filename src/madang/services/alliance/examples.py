"""A study to begin with: of a kind, about data that partners told of, with columns that fit; and one that is written of
the fields of a form. Both are TOML, the one form in which a study is sent."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from madang.base.translate import _
from madang.science.federated.study import KINDS, TITLES

FORMS = {  # the kinds that a form of fields is made for, with the estimator's fields
    "count": (),
    "table": ("columns",),
    "glm": ("outcome", "family", "terms", "per_site"),
    "cox": ("time", "event", "terms", "ties", "bin", "per_site", "by_site"),
    "kaplan-meier": ("time", "event", "by", "bin"),
}
_LISTS, _FLAGS = ("columns", "terms"), ("per_site",)


@dataclass(frozen=True)
class Fields:
    """What a form says of a study, each as it was written; empty: as in the example of its kind."""

    title: str = ""
    purpose: str = ""
    where: str = ""  # a condition on each line
    outcome: str = ""
    time: str = ""
    event: str = ""
    by: str = ""
    columns: str = ""  # names with commas
    terms: str = ""
    family: str = ""
    ties: str = ""
    bin: str = ""
    per_site: str = ""  # yes, or nothing
    by_site: str = ""
    secure: str = ""

    @property
    def given(self) -> bool:
        """Whether anything was written."""
        return any(getattr(self, each.name) for each in fields(self))


@dataclass
class _Text:
    """A study as its TOML is made of it."""

    kind: str
    dataset: str
    title: str
    estimator: dict[str, Any]
    purpose: str = ""
    where: list[str] = field(default_factory=list)
    secure: bool = False
    by_site: bool = False

    def __str__(self) -> str:
        lines = [f"title = {_toml(self.title)}", f"purpose = {_toml(self.purpose)}"]
        lines += ["secure = true"] if self.secure else []
        lines += ["", "[cohort]", f"dataset = {_toml(self.dataset)}", f"where = {_toml(self.where)}"]
        lines += ["", "[estimator]", f"kind = {_toml(self.kind)}"]
        lines += [f"{key} = {_toml(value)}" for key, value in self.estimator.items()]
        lines += ["", "[stratification]", 'by = "site"'] if self.by_site else []
        return "\n".join(lines) + "\n"


def kinds() -> list[tuple[str, str]]:
    """The kinds of studies with what people call them."""
    return [(kind, _(TITLES[kind])) for kind in KINDS]


def example(kind: str, share: Mapping[str, Any] | None) -> str:
    """TOML of a study of this kind; what it names is to be looked over by whoever asks it."""
    return str(_begun(kind, share))


def begun(kind: str, share: Mapping[str, Any] | None) -> Fields:
    """The same as what a form of fields has in it at first."""
    made = _begun(kind, share)
    told: dict[str, str] = {"title": made.title}
    for name in FORMS[kind]:
        value = made.estimator.get(name, "")
        told[name] = ", ".join(value) if isinstance(value, list) else "yes" if value is True else str(value)
    return Fields(**told)


def written(kind: str, share: Mapping[str, Any] | None, given: Fields, dataset: str = "") -> str:
    """TOML of a study of what a form says. It is read, and found wrong, where it is asked, as TOML by hand is."""
    made = _begun(kind, share)
    made.dataset = dataset or made.dataset
    made.title, made.purpose = given.title.strip() or made.title, given.purpose.strip()
    made.where = [line.strip() for line in given.where.splitlines() if line.strip()]
    made.secure, made.by_site = given.secure == "yes", given.by_site == "yes" and "by_site" in FORMS[kind]
    estimator: dict[str, Any] = {}
    for name in FORMS[kind]:
        value = getattr(given, name).strip()
        if name in _FLAGS:
            estimator |= {name: True} if value == "yes" else {}
        elif name in _LISTS:
            estimator[name] = [each.strip() for each in value.split(",") if each.strip()]
        elif name == "bin" and value:
            estimator[name] = _number(value)
        elif value and name != "by_site":
            estimator[name] = value
    made.estimator = estimator
    return str(made)


def _number(text: str) -> Any:
    """A number where it is one; else the text, which is refused by its name where the study is read."""
    try:
        found = float(text)
    except ValueError:
        return text
    return int(found) if found.is_integer() else found


def _begun(kind: str, share: Mapping[str, Any] | None) -> _Text:
    columns: Sequence[Mapping[str, Any]] = share["columns"] if share else []
    name = str(share["name"]) if share else "lung"
    two = [c["name"] for c in columns if len(c.get("levels", ())) == 2]
    groups = [c["name"] for c in columns if len(c.get("levels", ())) >= 2]
    numeric = [c["name"] for c in columns if "low" in c]
    time = next((c for c in [*numeric, *(c["name"] for c in columns)] if "time" in c.lower()), "time")
    event = next((c for c in two if c.lower() in ("status", "event", "died", "dead")), two[0] if two else "status")
    outcome = event
    others = [c for c in [*numeric, *groups] if c not in (time, event)] or ["age", "sex"]
    group = next((c for c in groups if c != event), "sex")
    survival = {"time": time, "event": event}
    needed: dict[str, dict[str, Any]] = {
        "count": {},
        "feasibility": {},
        "table": {"columns": [group, event]},
        "moments": {"columns": numeric[:2] or ["age"]},
        "quantiles": {"columns": numeric[:1] or ["age"], "shares": [0.25, 0.5, 0.75], "bin": 1},
        "linear": {
            "outcome": numeric[0] if numeric else "age",
            "terms": [c for c in others if c not in numeric[:1]][:2],
        },
        "glm": {"outcome": outcome, "terms": others[:2], "family": "binomial", "per_site": True},
        "cox": {**survival, "terms": others[:2], "bin": 30, "per_site": True},
        "kaplan-meier": {**survival, "by": group, "bin": 30},
        "log-rank": {**survival, "by": group, "bin": 30},
        "mantel-haenszel": {"exposure": group, "outcome": outcome},
        "meta": {"of": {"kind": "glm", "outcome": outcome, "terms": others[:2], "family": "binomial"}},
        "calibration": {"outcome": outcome, "coefficients": {"(Intercept)": -1.0, others[0]: 0.01}},
    }
    return _Text(kind, name, _(TITLES[kind]), needed[kind])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else json.dumps(name)
