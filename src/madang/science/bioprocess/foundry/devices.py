"""Devices that carry out a step, and the rule for one that does not: try again, then skip, and say so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.foundry.biology import BLANK, CONTROL, Biology
from madang.science.bioprocess.foundry.plates import Transfer, turned

KINDS = ("silent", "late", "twice", "partial", "turned")
STEPS = ("dispenser", "incubator", "reader")
_Answer = TypeVar("_Answer")


class DeviceFailed(Exception):
    """A device did not do its step; what it said."""


class Devices(Protocol):
    """What the loop needs of a laboratory. Each raises DeviceFailed."""

    def dispense(self, round_: int, transfers: Sequence[Transfer], plan: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Carry out a worklist; the wells that were filled."""

    def incubate(self, round_: int, hours: float) -> None:
        """Keep the plate warm."""

    def read(self, round_: int) -> list[tuple[str, float]]:
        """Readings in the order in which the reader gives them."""


@dataclass(frozen=True)
class Failure:
    """A device that fails in a round, in a way, so many times: 1 is cured by trying again."""

    step: str
    round_: int
    kind: str = "silent"
    times: int = 1


def read_failure(text: str) -> Failure:
    """STEP@ROUND, STEP@ROUND:KIND or STEP@ROUND:KIND*TIMES. Raises `foundry.failure` for others."""
    step, _at, rest = text.partition("@")
    where, _colon, how = rest.partition(":")
    kind, _star, times = (how or "silent").partition("*")
    try:
        failure = Failure(step, int(where), kind, int(times or 1))
    except ValueError:
        failure = Failure("", 0)
    if failure.step not in STEPS or failure.kind not in KINDS or failure.round_ < 1 or failure.times < 1:
        words = _("There is no failure {text}.").format(text=text)
        hint = _("STEP@ROUND:KIND*TIMES with {steps} and {kinds}.")
        raise MadangError("foundry.failure", words, hint.format(steps=", ".join(STEPS), kinds=", ".join(KINDS)))
    return failure


@dataclass
class SimulatedDevices:
    """A dispenser, an incubator and a reader that answer at once from `biology`, with failures where they are asked."""

    biology: Biology
    seed: int
    size: int
    high: Sequence[str]
    blank: Sequence[str]
    failures: Sequence[Failure] = ()
    _tries: dict[tuple[str, int], int] = field(default_factory=dict)
    _filled: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _turned: bool = False

    def dispense(self, round_: int, transfers: Sequence[Transfer], plan: Mapping[str, Mapping[str, Any]]) -> set[str]:
        """Fill wells; a partial failure leaves some of them empty."""
        kind = self._trouble("dispenser", round_)
        wells = list(dict.fromkeys(each.target_well for each in transfers))
        if kind in ("silent", "late"):
            raise DeviceFailed(kind)
        if kind == "partial":
            wells = wells[: len(wells) // 2]
        self._filled = {well: plan[well] for well in wells if well in plan}
        self._turned = kind == "turned"
        return set(wells)

    def incubate(self, round_: int, hours: float) -> None:
        """Wait, in simulated time."""
        if self._trouble("incubator", round_) is not None:
            raise DeviceFailed("silent")

    def read(self, round_: int) -> list[tuple[str, float]]:
        """Readings of every well, filled or not."""
        kind = self._trouble("reader", round_)
        if kind in ("silent", "late"):
            raise DeviceFailed(kind)
        random = np.random.default_rng([self.seed, round_, 5])
        out = []
        for well, point in self._filled.items():
            out.append((well, self.biology.reading(point, random)))
        out += [(well, CONTROL * (1 + 0.03 * random.standard_normal())) for well in self.high]
        out += [(well, BLANK * (1 + 0.05 * random.standard_normal())) for well in self.blank]
        if kind == "turned" or self._turned:
            out = [(turned(well, self.size), value) for well, value in out]
        if kind == "partial":
            out = out[: len(out) // 2] + out[-len(self.high) - len(self.blank) :]
        return out * 2 if kind == "twice" else out

    def _trouble(self, step: str, round_: int) -> str | None:
        tried = self._tries[(step, round_)] = self._tries.get((step, round_), 0) + 1
        for failure in self.failures:
            if (failure.step, failure.round_) == (step, round_) and tried <= failure.times:
                return failure.kind
        return None


def carried_out(step: str, work: Callable[[], _Answer], retries: int, note: Callable[..., None]) -> _Answer | None:
    """The answer of a step after at most `retries` further attempts; None where it is skipped. Everything is noted."""
    for attempt in range(retries + 1):
        try:
            answer = work()
        except DeviceFailed as error:
            note("failed", step=step, attempt=attempt + 1, why=str(error))
            continue
        if attempt:
            note("recovered", step=step, attempt=attempt + 1)
        return answer
    note("skipped", step=step)
    return None
