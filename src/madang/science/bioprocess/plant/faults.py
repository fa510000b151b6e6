"""What goes wrong in the simulated plant, when it was asked for: NAME@HOURS, or NAME:TAG@HOURS."""

from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _

FAULTS = {
    "feed-stop": "the feed pump stands still",
    "feed-double": "the feed pump runs at twice its rate",
    "cooling": "the temperature drifts up by one degree in an hour",
    "oxygen": "oxygen transfer falls to half",
    "drift": "a sensor drifts by 5 % of its value in an hour",
    "stuck": "a sensor repeats its last value",
    "spike": "a sensor jumps now and then",
    "nan": "a sensor gives NaN",
    "bad": "a sensor's quality is bad",
    "clock": "the source clock is 90 s wrong",
    "twice": "readings are sent twice",
    "late": "readings come a minute late",
    "renamed": "a tag has a new name",
    "silent": "a sensor sends nothing",
}
SENSORS = ("drift", "stuck", "spike", "nan", "bad", "clock", "twice", "late", "renamed", "silent")


@dataclass(frozen=True)
class Fault:
    """A fault that begins at `hours` of process time, at the sensor `tag` where it is one of a sensor."""

    name: str
    tag: str
    hours: float


def read_fault(text: str) -> Fault:
    """The fault that a text asks for; raises `plant.fault` where there is none of that name."""
    what, _mark, when = text.partition("@")
    name, _colon, tag = what.partition(":")
    try:
        hours = float(when or "0")
    except ValueError:
        hours = -1.0
    if name not in FAULTS or hours < 0:
        words = _("There is no fault {text}.").format(text=text)
        raise MadangError(
            "plant.fault", words, _("NAME@HOURS or NAME:TAG@HOURS, of {names}.").format(names=", ".join(FAULTS))
        )
    return Fault(name, tag or ("pH" if name in SENSORS else ""), hours)
