"""Files that a workflow made, against what has to be in them: by what they say, not by their bytes.

What is expected of a file is a list of rows `{column = value}` (of CSV, or of TSV where its name ends so), a number, a
list of lines, a text, or false: it must not be there. Line ends, spaces at the end of a line and empty lines at the end
of a file say nothing. Numbers are compared as `Closeness` says, and rows and lines in their order unless the task says
`ordered = false`.
"""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.grading.answers import cell, number_from
from madang.science.grading.compare import Closeness, Difference, differ

_FETCHES = re.compile(r"^[ \t]*(container|containerized|singularity|conda|envmodules|wrapper)[ \t]*:", re.M)


def check_source(source: str) -> None:
    """Errors: `answer.fetches` for a workflow that wants what has to be downloaded; it would be passed over in silence.

    This helps whoever wrote it; what keeps a workflow from the network is its box.
    """
    found = _FETCHES.search(source)
    if found:
        raise MadangError(
            "answer.fetches",
            _("The workflow wants {what}, and nothing is downloaded here.").format(what=found[1]),
            _("Use the programs of this machine, or Python."),
        )


def judge(expected: Mapping[str, Any], made: Any, close: Closeness) -> tuple[str, Difference]:
    """The first file in which `made` (name: text, None for what is no text) differs, and in what; ("", NONE) if none.

    `made` is what came out of a box: where it is no mapping, no file is there.
    """
    given = made if isinstance(made, dict) else {}
    for name, wanted in expected.items():
        found = _of_file(name, wanted, given.get(name), name in given, close)
        if found is not Difference.NONE:
            return name, found
    return "", Difference.NONE


def _of_file(name: str, wanted: Any, text: Any, is_there: bool, close: Closeness) -> Difference:
    if wanted is False:
        return Difference.LENGTH if is_there else Difference.NONE
    if not is_there:
        return Difference.MISSING
    if not isinstance(text, str):
        return Difference.KIND
    if isinstance(wanted, (int, float)):
        try:
            return differ(wanted, number_from(text), close)
        except MadangError:
            return Difference.KIND
    if isinstance(wanted, str):
        return differ(_lines(wanted), _lines(text), Closeness())
    if wanted and isinstance(wanted[0], dict):
        return _of_table(wanted, text, "\t" if name.endswith(".tsv") else ",", close)
    return differ([str(each) for each in wanted], _lines(text), close)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _of_table(wanted: list[dict[str, Any]], text: str, separator: str, close: Closeness) -> Difference:
    """Only the columns that are expected count, by their names."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=separator, strict=True) if row]
    except csv.Error:
        return Difference.KIND
    names = [name.strip().lower() for name in rows[0]] if rows else []
    columns = [str(name).lower() for name in wanted[0]]
    if not set(columns) <= set(names) or len(set(names)) != len(names):
        return Difference.NAMES
    if any(len(row) != len(names) for row in rows):
        return Difference.KIND
    at = [names.index(name) for name in columns]
    expected = [[cell(row[name]) for name in wanted[0]] for row in wanted]
    return differ(expected, [[cell(row[i]) for i in at] for row in rows[1:]], close)
