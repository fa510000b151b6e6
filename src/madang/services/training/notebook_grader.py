"""Notebooks that were written for nbgrader, graded: the answer in one box, the teacher's tests in another.

A test reaches the answer only through questions that this process carries, and gets plain values; see `inside.teacher`.
"""

import time
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.grading import answers, notebooks, typed
from madang.science.grading.compare import Closeness, Difference, differ
from madang.services.training.boxes import Over, Session
from madang.services.training.grader import Grade, Line, Take

PER_CELL = 10.0  # seconds
WHOLE = 60.0
_QUESTIONS = 20_000  # that one test may ask of an answer
_CLOSE = Closeness(absolute=1e-9, tuples=False)


class _Pair:
    """The box of an answer and the box of the tests."""

    def __init__(self, take: Take, defined: list[str]) -> None:
        self.answer, self.tests, self.defined = take("learner"), take("teacher"), defined
        self.over = False
        self.end = time.monotonic() + WHOLE

    def close(self) -> None:
        self.answer.close()
        self.tests.close()

    def run(self, source: str) -> None:
        """Run a cell of the answer; what it raises is its own affair, as in a notebook."""
        if self.over:
            return
        try:
            self.answer.ask({"op": "run", "source": notebooks.plain(source)}, self._until())
        except Over:
            self.over = True

    def test(self, what: dict[str, Any]) -> dict[str, Any]:
        """Run a test to its end, carrying its questions. Errors: `Over`, of the answer's box or the tests'."""
        until = self._until()
        told = self.tests.ask({**what, "defined": self.defined}, until)
        for _number in range(_QUESTIONS):
            question = told.get("ask")
            if question is None:
                return told
            if self.over:
                raise Over("ended")
            try:
                found = self.answer.ask(question, until)
            except Over:
                self.over = True
                raise
            told = self.tests.ask(_checked(found), until)
        raise Over("time")

    def _until(self) -> float:
        return min(self.end, time.monotonic() + PER_CELL)


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    """What an answer's box said, made again from what may be said. Errors: `Over`."""
    if found.get("missing") is True:
        return {"missing": True}
    if found.get("done") is True:
        return {"done": True}
    handle = found.get("handle")
    if type(handle) is int and 0 <= handle < 1 << 31:
        return {"handle": handle}
    if "raised" in found:
        kinds = found["raised"] if isinstance(found["raised"], list) else []
        return {"raised": [each for each in kinds if isinstance(each, str)][:20], "text": ""}
    try:
        return {"value": typed.encode(_without_opaque(typed.decode(found.get("value"))))}
    except typed.NotTyped:
        raise Over("garbage") from None


def _without_opaque(value: Any) -> Any:
    """The value, each part without a typed form being a text that nothing is equal to by chance."""
    if isinstance(value, typed.Opaque):
        return f"<no plain value: {value.name}>"
    if isinstance(value, (list, tuple)):
        return type(value)(_without_opaque(each) for each in value)
    if isinstance(value, dict):
        return {key: _without_opaque(each) for key, each in value.items()}
    return value


def grade(source: bytes, data: bytes, *, take: Take = Session) -> Grade:
    """Grade a notebook against the one that the course was written in. Errors: `answer.*`, `task.notebook`."""
    begun = time.monotonic()
    teachers = notebooks.cells_of(answers.text_from(source))
    if not notebooks.is_gradable(teachers):
        raise MadangError("task.notebook", _("The notebook of the task has no cell with points."))
    given = notebooks.cells_of(answers.text_from(data))
    defined = notebooks.defined(teachers)
    expected = _references(teachers, defined, take)
    lines: list[Line] = []
    waiting = 0.0
    pair = _Pair(take, defined)
    try:
        for step in notebooks.steps(teachers, given):
            cell = step.cell
            if step.kind != "test" and cell.code:
                pair.run(cell.source)
            if step.kind == "read":
                unread = cell.is_unchanged
                waiting += 0.0 if unread else cell.points
                text = _("{name}: nothing was written.") if unread else _("{name}: a teacher reads this.")
                lines.append(Line(len(lines) + 1, False, 0.0, False, text.format(name=cell.name)))
            elif step.kind == "test":
                met = _is_met(pair, cell, expected)
                text = _("{name}: the tests pass.") if met else _("{name}: not all tests pass.")
                lines.append(Line(len(lines) + 1, met, cell.points if met else 0.0, True, text.format(name=cell.name)))
    finally:
        pair.close()
    return Grade(
        score=sum(each.points for each in lines),
        largest_score=sum(cell.points for cell in teachers if cell.grade),
        feedback=lines,
        seconds=round(time.monotonic() - begun, 4),
        waiting=waiting,
        missed=[each.text for each in lines if not each.met],
    )


def _is_met(pair: _Pair, cell: notebooks.Cell, expected: dict[tuple[str, int], Any]) -> bool:
    for number, (kind, text) in enumerate(notebooks.parts(cell.source)):
        try:
            told = pair.test({"source": text} if kind == "run" else {"value_of": text})
        except Over:
            pair.over = True
            return False
        if told.get("end") is not True:
            return False
        if kind == "same":
            wanted = expected.get((cell.name, number), typed.Opaque("nothing"))
            try:
                value = typed.decode(told.get("value"))
            except typed.NotTyped:
                return False
            if differ(wanted, value, _CLOSE) is not Difference.NONE or type(wanted) is not type(value):
                return False
    return True


def _references(teachers: list[notebooks.Cell], defined: list[str], take: Take) -> dict[tuple[str, int], Any]:
    """What the expressions of tests are with the teacher's own answers; nothing is run where there are none."""
    tests = [cell for cell in teachers if cell.is_test]
    if not any(kind == "same" for cell in tests for kind, _text in notebooks.parts(cell.source)):
        return {}
    found: dict[tuple[str, int], Any] = {}
    pair = _Pair(take, defined)
    try:
        for step in notebooks.reference_steps(teachers):
            if step.kind != "test":
                if step.cell.code:
                    pair.run(step.cell.source)
                continue
            for number, (kind, text) in enumerate(notebooks.parts(step.cell.source)):
                if kind == "same":
                    told = pair.test({"value_of": text})
                    if "value" in told:
                        found[step.cell.name, number] = typed.decode(told["value"])
    except Over:
        raise MadangError("task.notebook", _("The notebook of the task does not run to its end.")) from None
    finally:
        pair.close()
    return found
