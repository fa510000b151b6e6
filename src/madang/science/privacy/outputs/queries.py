"""Declared queries: what a result was computed from, written so that it can be computed again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _


class Kind(StrEnum):
    """What a query computes."""

    COUNT = "count"
    MEAN = "mean"
    SUM = "sum"
    DEVIATION = "standard deviation"
    QUANTILES = "quantiles"
    LINEAR = "linear regression"
    LOGISTIC = "logistic regression"
    SURVIVAL = "survival"


@dataclass(frozen=True)
class Query:
    """One question to an extract.

    `source` is a table of the extract or one SELECT over its tables; `person` the column that tells people apart, empty
    where every row is a person. `where` keeps rows by values of columns. `by` are the columns that groups are made of;
    a value of `variable` may be missing. Regressions have an `outcome` and `terms`; survival has `time` and `event`
    (true or 1 where it happened, else the person was censored then). Counts are given as the nearest multiple of
    `rounding`, exactly where it is 0.
    """

    kind: Kind
    source: str
    person: str = ""
    by: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variable: str = ""
    quantiles: tuple[float, ...] = ()
    outcome: str = ""
    terms: tuple[str, ...] = ()
    time: str = ""
    event: str = ""
    rounding: int = 0

    def document(self) -> dict[str, Any]:
        """The query as JSON, without what it does not say."""
        found: dict[str, Any] = {"kind": self.kind.value, "source": self.source}
        for name in ("person", "variable", "outcome", "time", "event"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        for name in ("by", "quantiles", "terms"):
            if getattr(self, name):
                found[name] = list(getattr(self, name))
        if self.rounding:
            found["rounding"] = self.rounding
        if self.where:
            found["where"] = {name: list(values) for name, values in self.where.items()}
        return found


_NEEDS = {
    Kind.COUNT: (),
    Kind.MEAN: ("variable",),
    Kind.SUM: ("variable",),
    Kind.DEVIATION: ("variable",),
    Kind.QUANTILES: ("variable", "quantiles"),
    Kind.LINEAR: ("outcome", "terms"),
    Kind.LOGISTIC: ("outcome", "terms"),
    Kind.SURVIVAL: ("time", "event"),
}


def query_of(document: Any) -> Query:
    """A query from its JSON document; raises `MadangError("outputs.query")` for one that cannot be asked."""
    if not isinstance(document, dict):
        raise _wrong(_("it is no object"))
    known = {item.name for item in fields(Query)}
    for name in document:
        if name not in known:
            raise _wrong(_("{name} is unknown").format(name=name))
    try:
        kind = Kind(document.get("kind", ""))
    except ValueError:
        raise _wrong(_("`kind` is one of {kinds}").format(kinds=", ".join(Kind))) from None
    given: dict[str, Any] = {"kind": kind}
    for name in ("source", "person", "variable", "outcome", "time", "event"):
        value = document.get(name, "")
        if not isinstance(value, str):
            raise _wrong(_("{name} is a text").format(name=name))
        given[name] = value
    for name in ("by", "terms"):
        given[name] = tuple(_texts(document.get(name, []), name))
    levels = document.get("quantiles", [])
    if not isinstance(levels, list) or not all(
        isinstance(level, int | float) and not isinstance(level, bool) and 0 <= level <= 1 for level in levels
    ):
        raise _wrong(_("`quantiles` are numbers from 0 to 1"))
    given["quantiles"] = tuple(float(level) for level in levels)
    rounding = document.get("rounding", 0)
    if isinstance(rounding, bool) or not isinstance(rounding, int) or not (rounding == 0 or 2 <= rounding <= 1000):
        raise _wrong(_("`rounding` is a whole number from 2 to 1000"))
    if rounding and kind is not Kind.COUNT:
        raise _wrong(_("only counts are rounded"))
    given["rounding"] = rounding
    where = document.get("where", {})
    if not isinstance(where, dict):
        raise _wrong(_("`where` gives values of columns"))
    given["where"] = {name: tuple(_texts(values, name)) for name, values in where.items()}
    query = Query(**given)
    for name in ("source", *_NEEDS[kind]):
        if not getattr(query, name):
            raise _wrong(_("{name} is missing").format(name=name))
    return query


def _texts(values: Any, name: str) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _wrong(_("{name} is a list of texts").format(name=name))
    return values


def _wrong(what: str) -> MadangError:
    return MadangError("outputs.query", _("This query cannot be asked: {what}.").format(what=what), "")
