"""What an answer is worth: it runs in a box of its own, and here plain values are compared.

Visible cases come first, with what went in and what came out; of hidden ones a learner is told only whether all of
them are met, and the hint that the teacher wrote. What an answer prints is kept until the first hidden input goes in.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.science.grading import answers, made, typed
from madang.science.grading.compare import Difference, differ
from madang.science.grading.tasks import PROGRAMS, Case, Task, in_language
from madang.services.training import boxes, cohort_task, plant, rule_task
from madang.services.training.boxes import Over, Program, Session

PER_CASE = 5.0  # seconds
_FLOW = 20.0  # of a workflow, which starts a program for every step
_BOXES: dict[str, Program] = {"code": "learner", "r": "r", "sql": "sql", "rule": "sql", "pipeline": "pipeline"}
_OTHER = {"plant": plant.judge, "cohort": cohort_task.judge}
Take = Callable[[Program], Session]


@dataclass(frozen=True)
class Line:
    """What is said of one case."""

    case: int
    met: bool
    points: float
    hidden: bool
    text: str


@dataclass(frozen=True)
class Grade:
    """What an answer got. `waiting` are points on which a teacher has to decide; `printed` what it printed."""

    score: float
    largest_score: float
    feedback: list[Line]
    seconds: float
    waiting: float = 0.0
    printed: str = ""
    missed: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As `madang training grade --json` writes it."""
        return asdict(self)


@dataclass(frozen=True)
class _Tried:
    """How a case ended: what differs, what came out, or the error."""

    difference: Difference
    said: str = ""


def grade(task: Task, data: bytes, *, take: Take = Session, extra: Mapping[str, Path] | None = None) -> Grade:
    """Grade an answer, a file's bytes. `take` gives a box that nobody used; `extra` are files that it shows,
    by their path inside.

    Errors: `answer.*` for what cannot be read, `closed.missing` where nothing can be closed in.
    """
    begun = time.monotonic()
    if not needs_boxes(task):
        verdicts = _OTHER.get(task.kind, answers.judge)(task, data)
        tried = [_Tried(each.difference, each.detail) for each in verdicts]
        lines = [_line(task, n, each) for n, each in enumerate(tried)]
        if any(each.waits for each in verdicts):
            lines = [Line(n + 1, False, 0.0, False, _("A teacher reads this.")) for n in range(len(task.cases))]
            return Grade(0.0, task.largest, lines, _since(begun), waiting=task.largest)
        return _summed(task, lines, begun, "")
    source = source_of(data)
    if task.kind == "pipeline":
        made.check_source(source)
    if task.kind == "rule":
        rule_task.read(source)
    program = _BOXES[task.kind]
    session = Session(program, extra) if extra else take(program)
    try:
        tried, printed = _try_all(task, source, session)
    finally:
        session.close()
    return _summed(task, [_line(task, n, each) for n, each in enumerate(tried)], begun, printed)


def source_of(data: bytes) -> str:
    """The program in a file: itself, or the code cells of a notebook without its outputs. Errors: `answer.*`."""
    from madang.science.grading import notebooks

    text = answers.text_from(data)
    return notebooks.code_of(text) if text.lstrip().startswith("{") and '"cells"' in text else text


def _try_all(task: Task, source: str, session: Session) -> tuple[list[_Tried], str]:
    order = sorted(range(len(task.cases)), key=lambda n: task.cases[n].hidden)
    tried: dict[int, _Tried] = {}
    printed: str | None = None
    end = time.monotonic() + task.seconds + 1.0  # the box may just be starting
    over = ""
    if task.kind in PROGRAMS:
        over = _load(source, session, end)
    for n in order:
        case = task.cases[n]
        if case.hidden and printed is None:
            printed = _readable(session.printed_so_far())
        if over:
            tried[n] = _Tried(Difference.MISSING, over)
            continue
        try:
            tried[n] = _try(task, case, source, session, end)
        except Over as error:
            over = _why(error.why, task)
            tried[n] = _Tried(Difference.MISSING, over)
    return [tried[n] for n in range(len(task.cases))], _readable(
        session.printed_so_far()
    ) if printed is None else printed


def _try(task: Task, case: Case, source: str, session: Session, end: float) -> _Tried:
    """One case, as its kind is asked. Errors: `Over`."""
    end = min(end, time.monotonic() + (_FLOW if task.kind == "pipeline" else PER_CASE))
    if task.kind == "rule":
        verdict = rule_task.judge(rule_task.read(source), case, lambda select: session.ask(_select(case, select), end))
        return _Tried(verdict.difference, _readable(verdict.detail.encode(errors="replace")))
    return _compared(task, case, session.ask(_asked(task, case, source), end))


def _select(case: Case, source: str) -> dict[str, Any]:
    tables = {name: {"columns": t["columns"], "rows": t["rows"]} for name, t in case.tables.items()}
    return {"op": "sql", "source": source, "tables": tables}


def _load(source: str, session: Session, end: float) -> str:
    """Run the answer itself; why it is of no use, or nothing."""
    try:
        told = session.ask({"op": "run", "source": source}, end)
    except Over as error:
        return _why(error.why, None)
    return _error_of(told) if "raised" in told else ""


def _asked(task: Task, case: Case, source: str) -> dict[str, Any]:
    if task.kind == "sql":
        return _select(case, source)
    if task.kind == "pipeline":
        return {"op": "flow", "source": source, "files": dict(case.files)}
    if case.args is None:
        return {"op": "get", "name": task.entry}
    return {"op": "call", "name": task.entry, "args": [typed.encode(each) for each in case.args]}


def _compared(task: Task, case: Case, told: dict[str, Any]) -> _Tried:
    if told.get("missing") is True:
        return _Tried(Difference.MISSING, _("There is no {name} in it.").format(name=task.entry))
    if "raised" in told:
        kinds = told["raised"] if isinstance(told["raised"], list) else []
        if case.raises:
            return _Tried(Difference.NONE if case.raises in kinds else Difference.KIND, _error_of(told))
        return _Tried(Difference.MISSING, _error_of(told))
    try:
        answer = typed.decode(told.get("value"))
    except typed.NotTyped:
        return _Tried(Difference.KIND, _("What came out is no value that can be read."))
    if case.raises:
        return _Tried(Difference.KIND, _("An error was expected, and none came."))
    if task.kind == "sql":
        return _Tried(_of_rows(case, answer))
    if task.kind == "pipeline":
        return _of_files(case, answer)
    if task.kind == "r":
        answer = _as_in_r(case.expect, answer)
    return _Tried(differ(case.expect, answer, case.close), _("Came out: {value}").format(value=_short(answer)))


def _as_in_r(expected: Any, answer: Any) -> Any:
    """R knows no single values, only vectors of length one: where a list is expected, one value is a list of one."""
    if isinstance(expected, list):
        given = answer if isinstance(answer, list) else [] if answer is None else [answer]
        return [_as_in_r(e, a) for e, a in zip(expected, given, strict=True)] if len(expected) == len(given) else given
    if isinstance(expected, dict) and isinstance(answer, dict):
        return {key: _as_in_r(expected.get(key), each) for key, each in answer.items()}
    return answer


def _of_rows(case: Case, answer: Any) -> Difference:
    """`expect` is a list of rows; names of columns are free, their order is not."""
    rows = answer.get("rows") if isinstance(answer, dict) else None
    return differ(case.expect, rows, case.close)


def _of_files(case: Case, answer: Any) -> _Tried:
    """`expect` maps the files that have to be there to what they have to say."""
    name, difference = made.judge(case.expect, answer, case.close)
    if not name:
        return _Tried(difference)
    text = answer.get(name) if isinstance(answer, dict) else None
    said = _("{file} says {value}").format(file=name, value=_short(text)) if isinstance(text, str) else name
    return _Tried(difference, said)


def _line(task: Task, n: int, tried: _Tried) -> Line:
    case = task.cases[n]
    met = tried.difference is Difference.NONE
    hint = in_language(case.hint, language()) if case.hint else ""
    if case.hidden:
        text = _("A case that is not shown is met.") if met else _("A case that is not shown is not met.")
        return Line(n + 1, met, case.points if met else 0.0, True, text if met else f"{text} {hint}".strip())
    parts = [] if case.args is None else [f"{task.entry}({', '.join(_short(each) for each in case.args)})"]
    if met:
        parts.append(_("Right."))
    else:
        parts += [_difference(task, tried.difference), *([tried.said] if tried.said else []), *([hint] if hint else [])]
    return Line(n + 1, met, case.points if met else 0.0, False, " · ".join(parts))


def _difference(task: Task, found: Difference) -> str:
    return {
        Difference.MISSING: _("Nothing came out."),
        Difference.KIND: _("It is another kind of value."),
        Difference.LENGTH: _("There are too many or too few."),
        Difference.NAMES: _("A column or field is missing, or has another name."),
        Difference.ORDER: _("These are the right ones, in another order."),
        Difference.VALUE: _("The value is not right."),
    }[found]


def _summed(task: Task, lines: Sequence[Line], begun: float, printed: str) -> Grade:
    missed = [each.text for each in lines if not each.met]
    return Grade(
        score=sum(each.points for each in lines),
        largest_score=task.largest,
        feedback=list(lines),
        seconds=_since(begun),
        printed=printed,
        missed=list(dict.fromkeys(missed)),
    )


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 4)


def _why(why: str, task: Task | None) -> str:
    return {
        "time": _("It took too long and was stopped."),
        "memory": _("It needed more memory than is allowed and was stopped."),
        "output": _("It gave back more than is allowed."),
        "ended": _("It ended before it answered."),
        "early": _("It answered before it was asked."),
        "garbage": _("What came out is no value that can be read."),
    }[why]


def _error_of(told: dict[str, Any]) -> str:
    kinds = told.get("raised")
    kind = kinds[0] if isinstance(kinds, list) and kinds and isinstance(kinds[0], str) else "Exception"
    text, line = told.get("text"), told.get("line")
    said = f"{kind}: {text}" if isinstance(text, str) and text else kind
    if kind in ("SQL", "Workflow") and isinstance(text, str):
        said = text
    where = _(" (line {line})").format(line=line) if isinstance(line, int) and line > 0 else ""
    return _readable(said.encode(errors="replace"))[:400] + where


def _short(value: Any) -> str:
    told = f"<{value.name}>" if isinstance(value, typed.Opaque) else repr(value)
    told = _readable(told.encode(errors="backslashreplace"))
    return told if len(told) <= 120 else told[:117] + "..."


def _readable(data: bytes | bytearray) -> str:
    """Text without control characters and marks of direction."""
    text = bytes(data).decode("utf-8", errors="replace")
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)


def needs_boxes(task: Task) -> bool:
    """Whether answers of this task are programs."""
    return task.kind in _BOXES


def check_ready(task: Task) -> None:
    """Errors: `closed.missing` where programs cannot be closed in and the task needs it, those of `check_there`."""
    if needs_boxes(task):
        from madang.node import closed

        reason = closed.why_not()
        if reason is not None:
            raise MadangError("closed.missing", _("Programs cannot be closed in on this machine."), reason)
        check_there(task)


def check_there(task: Task) -> None:
    """Errors: `training.no_r`, `training.no_workflows` where what runs answers to a task is not installed."""
    if task.kind in _BOXES:
        boxes.check_there(_BOXES[task.kind])
