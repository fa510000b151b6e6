"""Answers that are a check of data quality, as a file of one's own checks has it, judged by the rows that it finds.

The file is read as `madang quality assess --checks` reads it; its SELECTs run in the box of the answer, on small
made-up tables of each case, and here the keys that came out are compared.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.grading import typed
from madang.science.grading.answers import Verdict
from madang.science.grading.compare import Difference, differ
from madang.science.grading.tasks import Case
from madang.science.quality.custom import key_of, with_files
from madang.science.quality.model import Check
from madang.science.quality.status import fails

Ask = Callable[[str], Mapping[str, Any]]  # what the box answers to one SELECT


def read(text: str) -> Check:
    """The one check of an answer. Errors: `answer.rule`."""
    with tempfile.TemporaryDirectory(prefix="madang-rule-") as folder:
        path = Path(folder, "answer.toml")
        path.write_text(text, "utf-8")
        try:
            found = with_files((), [path])
        except MadangError as error:
            raise MadangError("answer.rule", error.message, error.hint) from None
    if len(found) != 1:
        raise MadangError("answer.rule", _("The answer is one [[check]] and nothing else."))
    return found[0]


def judge(check: Check, case: Case, ask: Ask) -> Verdict:
    """Of a case: `expect` has `rows`, the keys of the rows that break the rule, and may have `of`, how many rows it is
    about, and `fails`, whether that is more than the threshold allows."""
    table = case.tables.get(check.table)
    if table is None:
        return Verdict(False, Difference.MISSING, _("There is no table {name}.").format(name=check.table[:60]))
    key = key_of(check)
    try:
        broken = _keys(ask(str(check.parameters["rows"])), key)
        of = str(check.parameters["of"])
        count = len(_keys(ask(of), key)) if of else len(table["rows"])
    except MadangError as error:
        return Verdict(False, Difference.MISSING, error.message)
    failed = fails(check.threshold, len(broken), count)
    verdict = _("it fails") if failed else _("it passes")
    said = _("Found: {rows}, of {count} rows: {verdict}").format(
        rows=", ".join(map(str, broken[:10])) or _("no row"), count=count, verdict=verdict
    )
    found = differ(sorted(case.expect["rows"]), broken)
    if found is Difference.NONE and case.expect.get("of", count) != count:
        found = Difference.LENGTH
    if found is Difference.NONE and case.expect.get("fails", failed) is not failed:
        found = Difference.VALUE
    return Verdict(found is Difference.NONE, found, said)


def _keys(told: Mapping[str, Any], key: str) -> list[int]:
    """The keys of the rows that a SELECT gave, sorted. Errors: `answer.rule`, with what the engine says."""
    if "raised" in told:
        raise MadangError("answer.rule", str(told.get("text") or "SQL")[:400])
    try:
        value = typed.decode(told.get("value"))
    except typed.NotTyped:
        value = None
    columns, rows = (value.get("columns"), value.get("rows")) if isinstance(value, dict) else (None, None)
    names = [str(name).lower() for name in columns] if isinstance(columns, list) else []
    if key.lower() not in names or not isinstance(rows, list):
        raise MadangError("answer.rule", _("Its SELECT has to give the column {key}.").format(key=key))
    at = names.index(key.lower())
    keys = [row[at] for row in rows if isinstance(row, list) and len(row) == len(names)]
    if not all(type(each) is int for each in keys) or len(keys) != len(rows):
        raise MadangError("answer.rule", _("A row has no key."))
    return sorted(keys)
