"""Answers that are tried on the simulated plant: a choice of conditions, judged by what the batch ends with."""

from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.grading.answers import Verdict, form_from, text_from
from madang.science.grading.compare import Difference
from madang.science.grading.tasks import Task


def judge(task: Task, data: bytes) -> list[Verdict]:
    """Of each case; its `expect` has `penicillin` (g/L at least) and may have `hours` and `co2` (at most).

    Errors: `answer.form`, `answer.plant` where a factor is missing or outside the limits of the benchmark.
    """
    from madang.science.bioprocess.twin.penicillin import BOUNDS, FACTORS, batch

    given = form_from(text_from(data))
    choice = []
    for name, (low, high) in zip(FACTORS, BOUNDS, strict=True):
        value = given.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            message = _("{name} has to be a number from {low:g} to {high:g}.").format(name=name, low=low, high=high)
            raise MadangError("answer.plant", message)
        choice.append(float(value))
    outcome = batch(choice)
    said = f"{outcome.penicillin:.2f} g/L, {outcome.hours} h, CO2 {outcome.co2:.1f}"
    return [_verdict(case.expect, outcome, said) for case in task.cases]


def _verdict(wanted: dict[str, Any], outcome: Any, said: str) -> Verdict:
    met = outcome.penicillin >= wanted["penicillin"]
    met = met and outcome.hours <= wanted.get("hours", float("inf")) and outcome.co2 <= wanted.get("co2", float("inf"))
    return Verdict(met, Difference.NONE if met else Difference.VALUE, said)
