"""What the templates of the room can call."""

import base64
from typing import Any

from madang.base.translate import _


def picture_of(svg: str) -> str:
    """An SVG as the address of an image, so that nothing in it runs or reaches the page."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def state_named(state: str) -> str:
    """The state of a study in the reader's language."""
    return {"working": _("in work"), "done": _("done"), "failed": _("failed")}.get(state, state)


def figure(value: Any, digits: int = 3) -> str:
    """A number with so many digits; a text as it is; nothing for what is not known."""
    if value is None:
        return ""
    return f"{value:.{digits}g}" if isinstance(value, int | float) else str(value)


def column_named(name: str) -> str:
    """A column of the structure-activity table in the reader's language; those that people named as they are."""
    words = {
        "id": _("Compound"),
        "lot": _("Lot"),
        "results": _("Results"),
        "weight": _("Weight"),
        "logp": "logP",
        "tpsa": "TPSA",
        "qed": "QED",
        "alerts": _("Alerts"),
        "measured": _("Date"),
        "ic50": "IC50",
        "pic50": "pIC50",
        "hill": "Hill",
    }
    word, _blank, rest = name.partition(" ")
    if rest and word == "predicted":
        return _("predicted: {name}").format(name=rest)
    if rest and word == "docked":
        return _("docked: {name}").format(name=rest)
    return words.get(name, name)


def risk_named(kind: str) -> str:
    """A liability of a sequence in the reader's language."""
    words = {
        "N-glycosylation": _("N-glycosylation"),
        "deamidation": _("deamidation"),
        "isomerization": _("isomerization"),
        "fragmentation": _("fragmentation"),
        "oxidation": _("oxidation"),
        "integrin binding": _("integrin binding"),
        "unpaired cysteine": _("unpaired cysteine"),
        "pyroglutamate": _("pyroglutamate"),
    }
    return words.get(kind, kind)


_HIDDEN = ("smiles", "operator", "unit", "assay", "low", "high")


def pairs_of(columns: list[str]) -> list[tuple[str, str]]:
    """Columns to choose from."""
    return [(name, column_named(name)) for name in columns if name not in _HIDDEN]


def sorts(columns: list[str]) -> list[tuple[str, str]]:
    """Ways to sort: by each column, rising and falling."""
    both = [[(f"-{name}", _("{name}, largest first")), (name, _("{name}, smallest first"))] for name in columns]
    named = [(key, text.format(name=column_named(key.lstrip("-")))) for two in both for key, text in two]
    return [(key, text) for key, text in named if key.lstrip("-") not in _HIDDEN]


HELPERS: dict[str, Any] = {"picture_of": picture_of, "figure": figure, "state_named": state_named} | {
    "column_named": column_named,
    "pairs_of": pairs_of,
    "sorts": sorts,
    "risk_named": risk_named,
}
