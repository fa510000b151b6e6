"""Programs as text: may leave, unless data are inside, in literals, in comments or as encoded blocks."""

import re

from madang.base.translate import later
from madang.science.privacy.outputs.judge import Finding, Status
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.scan import Scan, refused
from madang.science.privacy.outputs.scan.delimited import decoded
from madang.science.privacy.outputs.scan.signs import (
    MANY_LINES,
    MANY_NUMBERS,
    blocks,
    identifiers,
    lines_of_data,
    most_numbers_between,
)

LARGEST_PROGRAM = 1024 * 1024
INLINE = re.compile(
    r"^\s*(datalines|cards|lines)4?\s*;|<<\s*['\"]?EOF|read\.table\(\s*text\s*=|StringIO\(", re.I | re.M
)


def scan_program(name: str, content: bytes) -> Scan:
    """Python, R, SAS, SQL, Stata, Julia or shell; nothing is run."""
    if len(content) > LARGEST_PROGRAM:
        return refused("program", "size", said(later("A program of this size holds more than a program.")))
    text = decoded(content)
    if text is None:
        return refused("program", "encoding", said(later("The file is not text in UTF-8 or CP949.")))
    return Scan("program", tuple(program_findings(text)))


def program_findings(text: str) -> list[Finding]:
    """What looks like data in a program, its comments included."""
    numbers, lines = most_numbers_between(text), lines_of_data(text)
    inline = bool(INLINE.search(text))
    return [
        _is("identifiers", not identifiers(text), said(later("Nothing in it identifies a person."))),
        _is("numbers", numbers < MANY_NUMBERS, said(later("Fewer than {n} numbers stand in one row."), n=MANY_NUMBERS)),
        _is(
            "data_lines", lines < MANY_LINES, said(later("Fewer than {n} lines look like rows of data."), n=MANY_LINES)
        ),
        _is("encoded", not blocks(text), said(later("It holds no encoded data."))),
        Finding("inline", Status.REVIEW if inline else Status.PASS, said(later("It does not bring data of its own."))),
    ]


def _is(criterion: str, good: bool, sentence: str) -> Finding:
    return Finding(criterion, Status.PASS if good else Status.FAIL, sentence)
