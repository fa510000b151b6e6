"""A study in rounds: what a site answers to each step, and how the coordinator makes the pooled answer of it.

`Site(study, table, limits).answer(step, told)` gives a `Part`: sums, which may be masked, and facts, which are not.
`pooled(study, ask)` runs the whole study; `ask(step, told)` gives the parts by site. Nothing here knows of networks.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated import disclosure
from madang.science.federated.design import Design, complete_rows, make_design, matrix, numbers
from madang.science.federated.disclosure import Limits, Members
from madang.science.federated.exact import Array
from madang.science.federated.glm import glm_round, glm_rows
from madang.science.federated.moments import below_at, moments_at, range_at
from madang.science.federated.rows import check_shape, known_in, members
from madang.science.federated.study import Study
from madang.science.federated.survival import center_at, cox_round, cox_rows, event_times_at, survival_at

Sums = dict[str, tuple[Array, Array]]
TENTHS = 10
MOST_POINTS = 5_000  # of a grid of times
FACTS = ("levels", "range", "times", "estimate", "fits")  # steps whose answers are no sums


@dataclass(frozen=True)
class Part:
    """What a site tells in a step: sums as hi + lo by name, and facts as JSON."""

    sums: Sums = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


Told = Mapping[str, Any]
Ask = Callable[[str, Told], Sequence[tuple[str, Part]]]


def layout(study: Study, step: str, told: Told) -> dict[str, tuple[int, ...]]:
    """The names and shapes of the sums of a step, as the coordinator and every site know them."""
    if step == "count":
        return {"n": ()}
    if step == "cells":
        return {"cells": tuple(len(each) for each in told["levels"])}
    if step == "moments":
        return {f"{name}.{what}": () for name in told["center"] for what in ("n", "sum", "squares")}
    if step == "below":
        return {name: (len(points), 2) for name, points in told["points"].items()}
    if step == "glm":
        p = len(design_of(study, told).names())
        return {"n": (), "gram": (p + 1, p + 1), "deviance": (), "y": (), "pearson": (), "logs": (2,)}
    if step == "center":
        return {"n": (), "x": (len(design_of(study, told).names()),)}
    if step == "cox":
        p, times = len(design_of(study, told).names()), len(told["grid"])
        return {"n": (), "sums": (2, times, p + 1, p + 1), "deaths": (times,), "covariates": (times, p)}
    if step == "survival":
        shape = (len(told["groups"]), len(told["grid"]))
        return {"at_risk": shape, "deaths": shape}
    if step == "calibration":
        return {"n": (TENTHS,), "events": (TENTHS,), "risk": (TENTHS,)}
    if step in FACTS:
        return {}
    raise MadangError("federated.step", _("There is no step {name}.").format(name=step[:40]))


def design_of(study: Study, told: Told, estimator: Mapping[str, Any] | None = None) -> Design:
    """The design of the study's model with these levels."""
    e = estimator or study.estimator
    if study.kind == "calibration":
        terms = [name for name in e["coefficients"] if name != "(Intercept)"]
        return make_design(terms, {}, "(Intercept)" in e["coefficients"])
    intercept = e["kind"] != "cox" and e.get("intercept", True)
    used = {part for term in e["terms"] for part in term.split(":")}
    levels = {n: v for n, v in told.get("levels", {}).items() if n in used}
    return make_design(e["terms"], levels, intercept, baseline=e["kind"] == "cox")


def label(value: Any) -> str:
    """A value as a level: text as it is, whole numbers without a point, nothing as ''."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


class Site:
    """A site's side of one study on its table; every answer is checked against `limits` before it is given."""

    def __init__(self, study: Study, table: pa.Table, limits: Limits, units: Mapping[str, str] | None = None) -> None:
        check_shape(study, table, units or {})
        texts = [text for text in study.where]
        disclosure.check_text(texts, limits)
        self.study, self.limits = study, limits
        self.members: Members = members(study, table)
        self.table = table
        self.rows = (table if self.members.all() else table.filter(pa.array(self.members))).combine_chunks()
        disclosure.check_rows(self.rows.num_rows, limits)
        self._complete: tuple[Design, pa.Table] | None = None
        self._last: tuple[list[Any], Any] | None = None

    def used(self) -> list[Members]:
        """Which rows of the table its answers are about: the cohort, and of it those complete in what is read together.

        Two answers of which one leaves a few people out for a missing value tell of these by their difference, as two
        cohorts would.
        """
        e = self.study.estimator
        inner = e["of"] if self.study.kind == "meta" else e
        if self.study.kind in ("moments", "quantiles"):
            read = [[name] for name in e["columns"]]
        elif self.study.kind in ("count", "feasibility", "table"):
            read = [[]]
        else:
            ones = [str(inner[key]) for key in ("outcome", "exposure", "time", "event", "by") if inner.get(key)]
            terms = inner.get("terms", [name for name in inner.get("coefficients", ()) if name != "(Intercept)"])
            read = [[*ones, *inner.get("strata", ()), *(part for term in terms for part in term.split(":"))]]
        return [self.members & known_in(self.table, names) for names in read]

    def answer(self, step: str, told: Told) -> Part:
        """What is told in a step. Errors: `federated.disclosure`, those of the estimators, `federated.step`."""
        answers: dict[str, Callable[[Told], Part]] = {
            "count": self._count,
            "fits": self._fits,
            "levels": self._levels,
            "cells": self._cells,
            "moments": self._moments,
            "range": self._range,
            "below": self._below,
            "glm": self._glm,
            "center": self._center,
            "times": self._times,
            "cox": self._cox,
            "survival": self._survival,
            "estimate": self._estimate,
            "calibration": self._calibration,
        }
        if step not in answers or step not in steps_of(self.study):
            raise MadangError("federated.step", _("This study has no step {name}.").format(name=step[:40]))
        found = answers[step](told)
        shapes = layout(self.study, step, told)
        return Part({name: _two(found.sums[name], shapes[name]) for name in shapes}, found.facts)

    def _count(self, told: Told) -> Part:
        return Part({"n": _plain(self.rows.num_rows)})

    def _fits(self, told: Told) -> Part:
        return Part(facts={"fits": self.rows.num_rows // 10 * 10})

    def _levels(self, told: Told) -> Part:
        found = {}
        for name in self._categories():
            values = sorted({label(each) for each in self.rows.column(name).unique().to_pylist()} - {""})
            if self.study.kind not in ("table", "mantel-haenszel") or values:
                disclosure.check_levels(self.rows.num_rows, values, self.limits)
            found[name] = values
        return Part(facts={"levels": found})

    def _categories(self) -> list[str]:
        """Columns whose levels have to be known."""
        return categories_of(self.study, self.rows.schema)

    def _cells(self, told: Told) -> Part:
        columns = cell_columns(self.study)
        places = [{level: at for at, level in enumerate(levels)} for levels in told["levels"]]
        shape = tuple(len(each) for each in places)
        if len(shape) != len(columns) or math.prod(shape) > 10_000:
            raise MadangError("federated.step", _("The levels of this step are not those of the study."))
        cells = np.zeros(shape)
        rows = self.rows if self.study.kind == "table" else complete_rows(self.rows, columns)
        values = [[label(each) for each in rows.column(name).to_pylist()] for name in columns]
        for row in zip(*values, strict=True):
            try:
                cells[tuple(places[at][each] for at, each in enumerate(row))] += 1
            except KeyError:
                raise MadangError(
                    "federated.level", _("A variable has a level here that the study does not name.")
                ) from None
        disclosure.check_cells([int(each) for each in cells.ravel()], self.limits)
        return Part({"cells": _plain(cells)})

    def _moments(self, told: Told) -> Part:
        sums: Sums = {}
        for name, center in told["center"].items():
            found = moments_at(self.rows, _one_of(name, self.study), float(center))
            disclosure.check_rows(found.n, self.limits)
            sums[f"{name}.n"] = _plain(found.n)
            sums[f"{name}.sum"] = (np.float64(found.sum[0]), np.float64(found.sum[1]))  # type: ignore[assignment]  # a pair per sum
            sums[f"{name}.squares"] = (np.float64(found.squares[0]), np.float64(found.squares[1]))  # type: ignore[assignment]  # a pair per sum
        return Part(sums)

    def _range(self, told: Told) -> Part:
        disclosure.check_times(self.study.bin, self.limits, self.study.secure)
        facts = {}
        for name in self.study.estimator["columns"]:
            n, low, high = range_at(self._coarse(name), name, 1)
            disclosure.check_rows(n, self.limits)
            facts[name] = [n, low, high] if n else [0, 0.0, 0.0]
        return Part(facts={"range": facts})

    def _below(self, told: Told) -> Part:
        disclosure.check_times(self.study.bin, self.limits, self.study.secure)
        sums = {}
        for name, points in told["points"].items():
            sums[name] = _plain(np.array(below_at(self._coarse(_one_of(name, self.study)), name, list(points)), float))
        return Part(sums)

    def _coarse(self, name: str) -> pa.Table:
        """The column, with its values rounded up to multiples of the bin where there is one."""
        from madang.science.federated.survival import binned

        values = binned(numbers(complete_rows(self.rows, [name]), name), self.study.bin)
        return pa.table({name: values})

    def _model(self, told: Told, more: Sequence[str]) -> tuple[Design, pa.Table]:
        """The design of a step and its complete rows, checked once for all steps of a fit."""
        design = design_of(self.study, told)
        if self._complete is None or self._complete[0] != design:
            rows = complete_rows(self.rows, [*more, *design.variables])
            disclosure.check_model(rows, [*more, *design.variables], len(design.names()), self.limits)
            self._complete = design, rows
        return self._complete

    def _glm(self, told: Told) -> Part:
        e = self.study.estimator
        family = e.get("family", "gaussian")
        design, rows = self._model(told, [e["outcome"]])
        coef = None if told.get("coef") is None else np.asarray(told["coef"], float)
        if coef is not None and coef.shape != (len(design.names()),):
            raise MadangError("federated.step", _("This step of the study cannot be read."))
        read = self._kept("glm", design, lambda: glm_rows(rows, e["outcome"], design, family))
        part = glm_round(read, family, coef)
        return Part(
            {
                "n": _plain(part.n),
                "gram": part.gram,
                "deviance": _plain(part.deviance if coef is not None else 0.0),
                "y": (np.float64(part.y[0]), np.float64(part.y[1])),  # type: ignore[dict-item]  # a pair per sum
                "pearson": _plain(part.pearson),
                "logs": _plain(part.logs),
            }
        )

    def _kept(self, *about: Any) -> Any:
        """What the last argument makes, made anew only where the others have changed since."""
        *key, make = about
        if self._last is None or self._last[0] != list(key):
            self._last = (list(key), make())
        return self._last[1]

    def _center(self, told: Told) -> Part:
        e = self.study.estimator
        disclosure.check_times(self.study.bin, self.limits, self.study.secure)
        design, rows = self._model(told, [e["time"], e["event"]])
        n, high, low = center_at(rows, e["time"], e["event"], design, self.study.bin)
        return Part({"n": _plain(n), "x": (high, low)})

    def _times(self, told: Told) -> Part:
        e = self.study.estimator
        disclosure.check_times(self.study.bin, self.limits, self.study.secure)
        design = design_of(self.study, told) if self.study.kind == "cox" else None
        rows = self.rows if design is not None or not e.get("by") else complete_rows(self.rows, [e["by"]])
        found = event_times_at(rows, e["time"], e["event"], design, self.study.bin)
        return Part(facts={"times": [float(each) for each in found]})

    def _cox(self, told: Told) -> Part:
        e = self.study.estimator
        disclosure.check_times(self.study.bin, self.limits, self.study.secure)
        design, rows = self._model(told, [e["time"], e["event"]])
        coef, center = (np.asarray(told[name], float) for name in ("coef", "center"))
        if coef.shape != (len(design.names()),) or center.shape != coef.shape or not np.isfinite(center).all():
            raise MadangError("federated.step", _("This step of the study cannot be read."))
        columns = (rows, e["time"], e["event"], design, center)
        read = self._kept("cox", design, told["grid"], told["center"],
                          lambda: cox_rows(*columns, _grid(told), self.study.bin))  # fmt: skip
        part = cox_round(read, coef)
        return Part(
            {"n": _plain(part.n), "sums": part.sums, "deaths": _plain(part.deaths), "covariates": part.covariates}
        )

    def _survival(self, told: Told) -> Part:
        e = self.study.estimator
        disclosure.check_times(self.study.bin, self.limits, self.study.secure)
        by = e.get("by", "")
        rows = complete_rows(self.rows, [e["time"], e["event"], *([by] if by else [])])
        if by:
            values = [label(each) for each in rows.column(by).to_pylist()]
            rows = rows.set_column(rows.column_names.index(by), by, pa.array(values, pa.string()))
            disclosure.check_cells([values.count(each) for each in set(values)], self.limits)
        part = survival_at(rows, e["time"], e["event"], _grid(told), list(told["groups"]), by, self.study.bin)
        return Part({"at_risk": _plain(part.at_risk), "deaths": _plain(part.deaths)})

    def _estimate(self, told: Told) -> Part:
        """The site's own fit: for a meta-analysis, or to be seen beside the pooled one. Where it cannot be fitted
        alone, a meta-analysis has to do without the site; beside a pooled fit it tells no estimates."""
        e = self.study.estimator
        inner = e["of"] if self.study.kind == "meta" else {k: v for k, v in e.items() if k != "per_site"}
        alone = Study("alone", "", self.study.dataset, (), self.study.variables, inner)
        site = Site(alone, self.rows, self.limits)
        from madang.science.federated.pooling import pooled

        try:
            found = pooled(alone, lambda step, given: [("here", site.answer(step, given))])
        except MadangError as error:
            if self.study.kind == "meta" or isinstance(error, disclosure.Refused):
                raise
            return Part(facts={"coef": {}, "se": {}, "n": 0})
        return Part(facts={"coef": found["coef"], "se": found["se"], "n": found["n"]})

    def _calibration(self, told: Told) -> Part:
        e = self.study.estimator
        design, rows = self._model(told, [e["outcome"]])
        coef = np.array([float(e["coefficients"][name]) for name in design.names()])
        risk = 1.0 / (1.0 + np.exp(-(matrix(rows, design) @ coef)))
        y = numbers(rows, e["outcome"])
        if not np.all((y == 0) | (y == 1)):
            raise MadangError("federated.outcome", _("The outcome here is not 0 or 1."))
        place = np.minimum((risk * TENTHS).astype(int), TENTHS - 1)
        found = {
            "n": np.bincount(place, minlength=TENTHS).astype(float),
            "events": np.bincount(place, y, TENTHS),
            "risk": np.bincount(place, risk, TENTHS),
        }
        disclosure.check_cells([int(each) for each in found["n"]], self.limits)
        return Part({name: _plain(each) for name, each in found.items()})


def steps_of(study: Study) -> tuple[str, ...]:
    """The steps that a study of this kind has; a site answers no other."""
    own = ("estimate",) if study.per_site else ()
    return {
        "count": ("count",),
        "feasibility": ("fits",),
        "table": ("levels", "cells"),
        "moments": ("moments",),
        "quantiles": ("range", "below"),
        "linear": ("levels", "glm", *own),
        "glm": ("levels", "glm", *own),
        "cox": ("levels", "center", "times", "cox", *own),
        "kaplan-meier": ("levels", "times", "survival"),
        "log-rank": ("levels", "times", "survival"),
        "mantel-haenszel": ("levels", "cells"),
        "meta": ("estimate",),
        "calibration": ("calibration",),
    }[study.kind]


def cell_columns(study: Study) -> list[str]:
    """The columns of a table of counts, in order."""
    e = study.estimator
    if study.kind == "table":
        return list(e["columns"])
    return [*e.get("strata", ()), e["exposure"], e["outcome"]]


def categories_of(study: Study, schema: pa.Schema) -> list[str]:
    """The columns whose levels a site tells: of tables all, of models those of text."""
    e = study.estimator
    if study.kind in ("table", "mantel-haenszel"):
        return cell_columns(study)
    if study.kind in ("kaplan-meier", "log-rank"):
        return [e["by"]] if e.get("by") else []
    used = list(dict.fromkeys(part for term in e["terms"] for part in term.split(":")))
    texts = [pa.types.is_string(schema.field(n).type) or pa.types.is_large_string(schema.field(n).type) for n in used]
    stated = study.levels()
    return [name for name, is_text in zip(used, texts, strict=True) if is_text or name in stated]


def check_part(study: Study, step: str, told: Told, part: Part) -> None:
    """For the coordinator: shapes are right, numbers are numbers, counts are counts. Errors: `federated.answer`."""
    shapes = layout(study, step, told)
    if set(part.sums) != set(shapes):
        raise _wrong(_("it has other sums than were asked for"))
    for name, shape in shapes.items():
        high, low = part.sums[name]
        if high.shape != shape or low.shape != shape:
            raise _wrong(_("{name} has another shape").format(name=name))
        if not (np.isfinite(high).all() and np.isfinite(low).all()):
            raise _wrong(_("{name} has what is no number").format(name=name))
        is_count = name in ("n", "cells", "deaths", "at_risk", "events") or name.endswith(".n") or step == "below"
        if is_count and ((high < 0).any() or (high != np.floor(high)).any() or low.any()):
            raise _wrong(_("{name} has what is no count").format(name=name))
    if step == "glm":
        gram = part.sums["gram"][0]
        if (np.diag(gram) < 0).any() or not np.allclose(gram, gram.T, rtol=1e-9, atol=0):
            raise _wrong(_("its sums of squares cannot be"))
    if step == "survival" and (np.diff(part.sums["at_risk"][0], axis=1) > 0).any():
        raise _wrong(_("people at risk become more"))
    if step == "survival" and (part.sums["deaths"][0] > part.sums["at_risk"][0]).any():
        raise _wrong(_("there are more events than people at risk"))
    if step == "cox" and float(part.sums["deaths"][0].sum()) > float(part.sums["n"][0]):
        raise _wrong(_("there are more events than people"))
    _check_facts(step, part.facts)


def _check_facts(step: str, facts: Mapping[str, Any]) -> None:
    wanted = {
        "fits": {"fits"},
        "levels": {"levels"},
        "range": {"range"},
        "times": {"times"},
        "estimate": {"coef", "se", "n"},
    }
    if set(facts) != wanted.get(step, set()):
        raise _wrong(_("it tells something else than was asked"))
    if step == "fits" and not (_finite(facts["fits"]) and facts["fits"] >= 0 and facts["fits"] % 10 == 0):
        raise _wrong(_("{name} has what is no count").format(name="fits"))
    if step == "times":
        times = facts["times"]
        if not isinstance(times, list) or len(times) > MOST_POINTS or not all(_finite(each) for each in times):
            raise _wrong(_("its times are no times"))
    if step == "levels":
        levels = facts["levels"]
        if not isinstance(levels, dict) or not all(
            isinstance(each, list) and len(each) <= 1000 and all(isinstance(x, str) for x in each)
            for each in levels.values()
        ):
            raise _wrong(_("its levels are no levels"))
    if step == "range" and not (
        isinstance(facts["range"], dict)
        and all(isinstance(r, list) and len(r) == 3 and all(map(_finite, r)) for r in facts["range"].values())
    ):
        raise _wrong(_("its ranges are no ranges"))
    if step == "estimate":
        coef, se = facts["coef"], facts["se"]
        if not (isinstance(coef, dict) and isinstance(se, dict) and set(coef) == set(se)) or not all(
            _finite(each) for each in [*coef.values(), *se.values(), facts["n"]]
        ):
            raise _wrong(_("its estimates are no numbers"))
        if any(each <= 0 for each in se.values()):
            raise _wrong(_("its standard errors are not above 0"))


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(why: str) -> MadangError:
    return MadangError("federated.answer", _("An answer cannot be right: {why}.").format(why=why))


def _one_of(name: str, study: Study) -> str:
    if name not in study.estimator["columns"]:
        raise MadangError("federated.step", _("The study does not ask about {name}.").format(name=name[:60]))
    return name


def _grid(told: Told) -> Array:
    grid = np.asarray(told["grid"], float)
    if grid.ndim != 1 or grid.size > MOST_POINTS or not np.isfinite(grid).all() or (np.diff(grid) <= 0).any():
        raise MadangError("federated.step", _("The times of this step are no ascending times."))
    return grid


def _plain(value: Any) -> tuple[Array, Array]:
    high = np.asarray(value, float)
    return high, np.zeros_like(high)


def _two(given: tuple[Any, Any], shape: tuple[int, ...]) -> tuple[Array, Array]:
    return np.asarray(given[0], float).reshape(shape), np.asarray(given[1], float).reshape(shape)


def combinations(levels: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    """The cells of a table in the order in which they are told."""
    return list(product(*levels))


__all__ = [
    *("FACTS", "Part", "Site", "categories_of", "cell_columns", "check_part", "combinations", "design_of"),
    *("label", "layout", "names_of", "steps_of", "total"),
]
