"""Cohorts: who is in it, by the definitions that the field already has (ATLAS, circe), on a version of a dataset.

from madang.science import cohorts
definition = cohorts.load(Path("diabetes.json")).definition
cohorts.members(version, definition)          # a table of subject_id, cohort_start_date, cohort_end_date
cohorts.count(version, [definition])          # persons and entries of each
cohorts.check(definition); cohorts.explain(definition)
"""

from madang.science.cohorts.check import check
from madang.science.cohorts.definition import Definition, of_bytes, of_document
from madang.science.cohorts.findings import Finding, Severity
from madang.science.cohorts.load import Loaded, load
from madang.science.cohorts.members import Counted, count, members
from madang.science.cohorts.opened import Opened, opened
from madang.science.cohorts.sentences import Line, as_text, explain

__all__ = [
    "Counted",
    "Definition",
    "Finding",
    "Line",
    "Loaded",
    "Opened",
    "Severity",
    "as_text",
    "check",
    "count",
    "explain",
    "load",
    "members",
    "of_bytes",
    "of_document",
    "opened",
]
