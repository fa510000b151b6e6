"""The description of a campaign from the lines of a form: what is varied, what is wanted."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _


@dataclass(frozen=True)
class Varied:
    """A factor as it was typed: numbers from `low` to `high` (`scale`: number, whole or log), or `choices` with commas
    between them."""

    name: str
    low: str = ""
    high: str = ""
    scale: str = "number"
    choices: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Wanted:
    """A result as it was typed: to make large (`maximize`) or small (`minimize`), or only to `keep` in a range."""

    name: str
    goal: str = "maximize"
    least: str = ""
    most: str = ""
    unit: str = ""


def written(
    varied: Sequence[Varied], wanted: Sequence[Wanted], *, design: str, begin: int, batch: int, experiments: int
) -> str:
    """The TOML that `read_campaign` reads. Raises `campaign.form` for what is no number and a form left empty."""
    lines = [f"batch = {batch}", f"experiments = {experiments}", "", "[start]", f"design = {_quoted(design)}"]
    lines += [f"experiments = {begin}"]
    for factor in varied:
        lines += ["", "[[factor]]", *_factor(factor)]
    for result in wanted:
        lines += ["", "[[limit]]" if result.goal == "keep" else "[[objective]]", *_result(result)]
    if not varied or not wanted:
        text = _("A campaign needs something to vary and a result that is wanted.")
        raise MadangError("campaign.form", text, _("Fill in a line of each."))
    return "\n".join(lines) + "\n"


def _factor(factor: Varied) -> Iterator[str]:
    yield f"name = {_quoted(factor.name)}"
    if factor.choices.strip():
        if factor.low.strip() or factor.high.strip():
            text = _("{name} has both a range and choices.").format(name=factor.name)
            raise MadangError("campaign.form", text, _("Leave one of them empty."))
        choices = [each.strip() for each in factor.choices.split(",") if each.strip()]
        yield f"choices = [{', '.join(map(_quoted, choices))}]"
    else:
        yield f"low = {_number(factor.name, factor.low)}"
        yield f"high = {_number(factor.name, factor.high)}"
        if factor.scale != "number":
            yield f"{factor.scale} = true"
    if factor.unit.strip():
        yield f"unit = {_quoted(factor.unit)}"


def _result(result: Wanted) -> Iterator[str]:
    yield f"name = {_quoted(result.name)}"
    if result.goal != "keep":
        yield f"goal = {_quoted(result.goal)}"
    elif not result.least.strip() and not result.most.strip():
        text = _("{name} is to be kept in a range, and there is none.").format(name=result.name)
        raise MadangError("campaign.form", text, _("Give the least, the most or both."))
    for bound, typed in (("least", result.least), ("most", result.most)):
        if typed.strip():
            yield f"{bound} = {_number(result.name, typed)}"
    if result.unit.strip():
        yield f"unit = {_quoted(result.unit)}"


def _quoted(text: str) -> str:
    return json.dumps(text.strip(), ensure_ascii=False)  # a string of JSON is one of TOML


def _number(name: str, typed: str) -> str:
    try:
        return repr(float(typed))  # `inf` and `nan` are numbers of TOML too: read_campaign refuses them
    except ValueError:
        text = _("{name}: {typed!r} is no number.").format(name=name, typed=typed.strip())
        raise MadangError("campaign.form", text, _("Write it with a point, as 0.5.")) from None
