"""What a check of a definition says: findings with a severity and a place."""

from dataclasses import dataclass
from enum import StrEnum

from madang.base.translate import _
from madang.science.cohorts.parts import Criterion
from madang.science.cohorts.words import kind_name


class Severity(StrEnum):
    """How much a finding matters: the answer is wrong, may be wrong, or is worth a look."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing to say about a definition; `path` is its place in the JSON, `check` names the question."""

    check: str
    severity: Severity
    message: str
    path: str = ""


def error(name: str, message: str, path: str = "") -> Finding:
    """A finding because of which the answer is wrong, or there is none."""
    return Finding(name, Severity.ERROR, message, path)


def warning(name: str, message: str, path: str = "") -> Finding:
    """A finding because of which the answer may be wrong."""
    return Finding(name, Severity.WARNING, message, path)


def note(name: str, message: str, path: str = "") -> Finding:
    """A finding that is worth a look."""
    return Finding(name, Severity.NOTE, message, path)


def at(criterion: Criterion) -> str:
    """A criterion and its place, in words."""
    return _("{criterion} at {place}").format(criterion=kind_name(criterion.kind), place=criterion.place)
