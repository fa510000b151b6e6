"""The description of a campaign, and a new one to begin with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.design import KINDS, Constraint, Factor, Space
from madang.science.bioprocess.optimization.suggest import Aim
from madang.science.bioprocess.toml import Section, read_toml

TEMPLATE = """\
# A campaign of experiments. Change what stands here, then: madang manufacturing campaign suggest {name}
name = "feed"
batch = 2                       # experiments suggested at a time
experiments = 40                # most experiments in all
seed = 1

[start]                         # what to begin with
design = "latin-hypercube"      # full-factorial, plackett-burman, central-composite, box-behnken, d-optimal
experiments = 8

[[factor]]
name = "feed_rate"
low = 0.2
high = 2.0
unit = "mL/h"

[[factor]]
name = "shift_day"
low = 3
high = 9
whole = true

[[factor]]
name = "medium"
choices = ["A", "B"]

[[constraint]]                  # a weighted sum of factors that has to stay within limits
weights = {{ feed_rate = 1.0, shift_day = 0.1 }}
most = 2.5

[[objective]]
name = "titer"
goal = "maximize"
unit = "g/L"

[[limit]]                       # a result that only has to keep a range
name = "lactate"
most = 40
"""


@dataclass(frozen=True)
class Campaign:
    """What is varied, what is wanted, how it begins and when it ends; `file` is where it was described."""

    file: Path
    name: str
    space: Space
    aims: tuple[Aim, ...]
    units: dict[str, str]
    batch: int
    experiments: int
    seed: int
    design: str
    begin: int
    center: int
    blocks: int
    stop_gain: float
    earlier: tuple[Path, ...]

    @property
    def results(self) -> Path:
        """The table of results beside the description."""
        return self.file.with_suffix(".results.csv")


def read_campaign(file: Path) -> Campaign:
    """The campaign that a file describes. Raises `toml.*`, `design.*` or `campaign.*` for what cannot be."""
    section = read_toml(file)
    name = section.text("name", file.stem)
    batch = section.whole("batch", 1, 1, 100)
    experiments = section.whole("experiments", 100, 1, 10_000)
    seed = section.whole("seed", 1)
    stop_gain = section.number("stop_gain", 0.01, 0, 1)
    earlier = tuple(file.parent / str(each) for each in section.values("earlier", []))
    start = section.section("start")
    factors = tuple(_factor(each) for each in section.sections("factor"))
    width = sum(factor.width for factor in factors)
    kind = start.text("design", "latin-hypercube", KINDS)
    begin = start.whole("experiments", min(2 * width + 2, max(4, experiments // 3)), 0, 10_000)
    center, blocks = start.whole("center", 0, 0, 100), start.whole("blocks", 1, 1, 100)
    start.end()
    units = {each.name: each.unit for each in factors}
    aims = []
    for each in section.sections("objective"):
        aim_name = each.text("name")
        goal = each.text("goal", "maximize", ("maximize", "minimize"))
        units[aim_name] = each.text("unit", "")
        aims.append(Aim(aim_name, goal == "maximize", *_range(each)))
    for each in section.sections("limit"):
        aim_name = each.text("name")
        units[aim_name] = each.text("unit", "")
        aims.append(Aim(aim_name, None, *_range(each)))
    constraints = tuple(_constraint(each) for each in section.sections("constraint"))
    section.end()
    names = [factor.name for factor in factors] + [aim.name for aim in aims]
    if not any(aim.maximize is not None for aim in aims):
        raise MadangError("campaign.objective", _("A campaign needs an [[objective]] to make large or small."))
    if len(set(names)) != len(names):
        raise MadangError("campaign.objective", _("Two factors, objectives or limits have one name."))
    space = Space(factors, constraints).checked()
    return Campaign(
        file, name, space, tuple(aims), units, batch, experiments, seed, kind, begin, center, blocks, stop_gain, earlier
    )


def _range(section: Section) -> tuple[float, float]:
    least = section.number("least") if "least" in section else float("-inf")
    most = section.number("most") if "most" in section else float("inf")
    section.end()
    if least > most:
        raise section.wrong("least", _("not above most"))
    return least, most


def _factor(section: Section) -> Factor:
    name, unit = section.text("name"), section.text("unit", "")
    options: dict[str, Any] = {}
    if "choices" in section:
        options["choices"] = tuple(str(each) for each in section.values("choices"))
    else:
        if "levels" in section:
            levels = tuple(sorted(section.numbers("levels")))
            if len(set(levels)) < 2:
                raise section.wrong("levels", _("two or more different numbers"))
            options |= {"levels": levels, "low": levels[0], "high": levels[-1]}
        else:
            options |= {"low": section.number("low"), "high": section.number("high")}
        options |= {"whole": section.flag("whole"), "log": section.flag("log")}
    section.end()
    return Factor(name, unit=unit, **options).checked()


def _constraint(section: Section) -> Constraint:
    weights = section.section("weights")
    told = {name: weights.number(name) for name in weights.names()}
    if "equal" in section:
        equal = section.number("equal")
        section.end()
        return Constraint(told, equal, equal)
    return Constraint(told, *_range(section))
