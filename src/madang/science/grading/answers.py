"""Judging answers that are no program: a number, a choice, a table, a map, a form, a shortlist, a text for a teacher.

Each reads bytes, and gives for each case of the task whether it is met, as `Verdict`. Nothing is executed.
"""

import csv
import io
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.grading.compare import Difference, differ
from madang.science.grading.tasks import Case, Task

LARGEST = 1 << 20
_EXAMPLE = '{"decision": "..."}'
_NUMBER = re.compile(r"[+-]?(\d{1,40}(,\d{3})*)(\.\d{1,40})?([eE][+-]?\d{1,3})?%?")


@dataclass(frozen=True)
class Verdict:
    """Of one case: whether it is met, and what can be said of it. `waits` is true where a teacher has to say."""

    met: bool
    difference: Difference = Difference.NONE
    detail: str = ""
    waits: bool = False


def text_from(data: bytes) -> str:
    """An answer as text. Errors: `answer.large`, `answer.encoding`, `answer.empty`."""
    if len(data) > LARGEST:
        raise MadangError("answer.large", _("The answer is larger than 1 MB."))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MadangError("answer.encoding", _("The answer is no UTF-8 text."), _("Save it as UTF-8.")) from None
    if "\0" in text:
        raise MadangError("answer.encoding", _("The answer has null characters."), _("Save it as plain text."))
    if not text.strip():
        raise MadangError("answer.empty", _("The answer is empty."))
    return text


def judge(task: Task, data: bytes) -> list[Verdict]:
    """Of each case of a task that is neither code nor SQL. Errors: `answer.*`, what cannot be read."""
    text = text_from(data)
    read = {
        "number": number_from,
        "choice": _choice,
        "table": _table,
        "form": form_from,
        "shortlist": _shortlist,
        "mapping": _mapping,
    }
    if task.kind == "text":
        return [Verdict(met=False, waits=True) for _case in task.cases]
    answer = read[task.kind](text)
    return [_verdict(task, case, answer) for case in task.cases]


def _verdict(task: Task, case: Case, answer: Any) -> Verdict:
    if task.kind == "choice":
        wanted = case.expect if isinstance(case.expect, list) else [case.expect]
        return _met(Difference.NONE if {str(each).lower() for each in wanted} == answer else Difference.VALUE)
    if task.kind == "table":
        return _met(_of_table(case, answer))
    if task.kind == "form":
        return _of_form(case, answer)
    if task.kind == "shortlist":
        return _of_shortlist(case, answer)
    if task.kind == "mapping":
        return _of_mapping(case, answer)
    return _met(differ(case.expect, answer, case.close))


def _met(found: Difference, detail: str = "") -> Verdict:
    return Verdict(found is Difference.NONE, found, detail)


def number_from(text: str) -> float:
    """The one number that a text is, such as 12.5, 1,204 or 85%. Errors: `answer.number`."""
    told = text.strip().replace(" ", "").replace("\N{MINUS SIGN}", "-")
    if not told.isascii() or not _NUMBER.fullmatch(told):
        raise MadangError("answer.number", _("The answer is not one number."), _("Write it as 12.5."))
    value = float(told.rstrip("%").replace(",", "")) / (100 if told.endswith("%") else 1)
    if not math.isfinite(value):
        raise MadangError("answer.number", _("The answer is not one number."), _("Write it as 12.5."))
    return value


def _choice(text: str) -> set[str]:
    return {each.lower() for each in re.split(r"[\s,;]+", text.strip()) if each}


def _table(text: str) -> tuple[list[str], list[list[str]]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise MadangError("answer.table", _("The answer is no CSV table ({why}).").format(why=error)) from None
    if not rows or len(rows) > 50_000 or len({name.strip().lower() for name in rows[0]}) != len(rows[0]):
        raise MadangError("answer.table", _("The table needs a first row of names, each once."))
    if any(len(row) != len(rows[0]) for row in rows):
        raise MadangError("answer.table", _("Not every row of the table has as many fields as there are names."))
    return [name.strip().lower() for name in rows[0]], rows[1:]


def _of_table(case: Case, answer: tuple[list[str], list[list[str]]]) -> Difference:
    """`expect` is a list of mappings; only its columns count, and the order of rows only where `ordered`."""
    names, rows = answer
    wanted = [str(name).lower() for name in (case.expect[0] if case.expect else {})]
    if not set(wanted) <= set(names):
        return Difference.NAMES
    at = [names.index(name) for name in wanted]
    expected = [[cell(value) for value in row.values()] for row in case.expect]
    return differ(expected, [[cell(row[i]) for i in at] for row in rows], case.close)


def cell(value: Any) -> Any:
    """A field of a table: a number where it is written as one, else its text."""
    text = str(value).strip()
    return float(text) if text.isascii() and re.fullmatch(r"[+-]?\d{1,30}(\.\d{1,30})?", text) else text


def form_from(text: str) -> dict[str, Any]:
    """The JSON object of an answer. Errors: `answer.form`."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refused)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MadangError(
            "answer.form",
            _("The answer is no JSON object."),
            _("Write it as {example}.").format(example=_EXAMPLE),
        )
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _value in pairs}) != len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _refused(name: str) -> Any:
    raise ValueError(name)


def _of_form(case: Case, answer: dict[str, Any]) -> Verdict:
    """`expect` holds fields; a list means that these and no others have to be named, in any order."""
    for name, wanted in case.expect.items():
        if name not in answer:
            return _met(Difference.NAMES, name)
        given = answer[name]
        if isinstance(wanted, list):
            given = re.split(r"[\s,;]+", given.strip()) if isinstance(given, str) else given
            if not isinstance(given, list) or sorted(map(str, given)) != sorted(map(str, wanted)):
                return _met(Difference.VALUE, name)
            continue
        found = differ(wanted, given, case.close)
        if found is not Difference.NONE:
            return _met(found, name)
    return _met(Difference.NONE)


def _shortlist(text: str) -> list[str]:
    lines = [re.split(r"[\s,;]+", line.strip())[0] for line in text.splitlines() if line.strip() and line[0] != "#"]
    if len(set(lines)) != len(lines):
        raise MadangError("answer.twice", _("The list names something twice."))
    return lines


def _of_shortlist(case: Case, answer: list[str]) -> Verdict:
    """`expect`: {good: [...], bad: [...], size, hits}: exactly `size` names, `hits` of them good, none bad."""
    good, bad = set(case.expect["good"]), set(case.expect.get("bad", ()))
    if len(answer) != case.expect["size"]:
        return _met(Difference.LENGTH)
    if bad & set(answer):
        return _met(Difference.VALUE)
    return _met(Difference.NONE if len(good & set(answer)) >= case.expect["hits"] else Difference.VALUE)


def _mapping(text: str) -> dict[str, int]:
    names, rows = _table(text)
    wanted = ("source_code", "target_concept_id")
    if not set(wanted) <= set(names):
        raise MadangError(
            "answer.mapping",
            _("A mapping has the columns source_code and target_concept_id."),
            _("Write 0 where there is no standard concept."),
        )
    found: dict[str, int] = {}
    for row in rows:
        code, target = (row[names.index(name)].strip() for name in wanted)
        if code in found or not re.fullmatch(r"[0-9]{1,10}", target):
            raise MadangError("answer.mapping", _("Each code is mapped once, to the number of a concept."), code[:60])
        found[code] = int(target)
    return found


def _of_mapping(case: Case, answer: dict[str, int]) -> Verdict:
    """`expect`: {code: the concepts that may stand for it}; other codes of the answer belong to other cases."""
    right = {code for code, accepted in case.expect.items() if answer.get(code) in _listed(accepted)}
    missing = [code for code in case.expect if code not in answer]
    told = _("{right} of {count} codes are right.").format(right=len(right), count=len(case.expect))
    if len(right) == len(case.expect):
        return _met(Difference.NONE)
    return _met(Difference.MISSING if len(missing) == len(case.expect) else Difference.VALUE, told)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
