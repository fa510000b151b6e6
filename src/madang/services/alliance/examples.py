"""A study to begin with: of a kind, about data that partners told of, with columns that fit."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from madang.base.translate import _
from madang.science.federated.study import KINDS, TITLES


def kinds() -> list[tuple[str, str]]:
    """The kinds of studies with what people call them."""
    return [(kind, _(TITLES[kind])) for kind in KINDS]


def example(kind: str, share: Mapping[str, Any] | None) -> str:
    """TOML of a study of this kind; what it names is to be looked over by whoever asks it."""
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
    lines = [f"title = {json.dumps(_(TITLES[kind]), ensure_ascii=False)}", 'purpose = ""', "", "[cohort]"]
    lines += [f"dataset = {_toml(name)}", "where = []", "", "[estimator]", f"kind = {_toml(kind)}"]
    return "\n".join([*lines, *(f"{key} = {_toml(value)}" for key, value in needed[kind].items())]) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else json.dumps(name)
