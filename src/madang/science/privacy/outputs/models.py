"""Regressions, with what the rules need to know: how many people, how many degrees of freedom, whom a column marks."""

from typing import Any

import numpy as np
import numpy.typing as npt

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.engine import Engine, quote_name
from madang.science.privacy.outputs.compute import Answer, Group, Row, source
from madang.science.privacy.outputs.queries import Kind, Query

MOST_COLUMNS = 500
STEPS = 50
Floats = npt.NDArray[np.float64]


def fit(engine: Engine, query: Query) -> Answer:
    """Least squares, or a logistic model by iterated reweighting; texts become indicators against their first value.

    `facts` has `people`, `parameters`, `degrees_of_freedom`, and `marked`: the fewest people whom a column of the
    design sets apart from all others (a coefficient for few people tells their outcome).
    """
    outcome, names, design, people = _design(engine, query)
    if query.kind is Kind.LOGISTIC:
        estimate, covariance = _logistic(outcome, design)
    else:
        estimate, covariance = _linear(outcome, design)
    errors = np.sqrt(np.diag(covariance).clip(0))
    rows = tuple(
        Row(term=name, estimate=float(value), standard_error=float(error))
        for name, value, error in zip(names, estimate, errors, strict=True)
    )
    marked = min((_marked(column) for column in design.T[1:]), default=people)
    if query.kind is Kind.LOGISTIC:
        marked = min(marked, int(outcome.sum()), int(len(outcome) - outcome.sum()))
    facts = {
        "people": float(people),
        "parameters": float(len(names)),
        "degrees_of_freedom": float(people - len(names)),
        "marked": float(marked),
    }
    return Answer(query, ("term", "estimate", "standard_error"), rows, (Group((), people),), facts)


def _marked(column: Floats) -> int:
    _values, counts = np.unique(column, return_counts=True)
    return int(len(column) - counts.max())


def _design(engine: Engine, query: Query) -> tuple[Floats, list[str], Floats, int]:
    wanted = [query.outcome, *query.terms]
    selected = ", ".join(quote_name(name) for name in wanted)
    complete = " AND ".join(f"{quote_name(name)} IS NOT NULL" for name in wanted)
    person = f", {quote_name(query.person)} AS _person" if query.person else ""
    table = engine.query(f"SELECT {selected}{person} FROM {source(engine, query)} WHERE {complete} ORDER BY ALL")
    if table.num_rows == 0:
        raise MadangError("outputs.query", _("No row has all the columns of this model."), "")
    outcome = _numeric(table.column(0).to_pylist(), query.outcome)
    names, columns = ["(intercept)"], [np.ones(table.num_rows)]
    for place, term in enumerate(query.terms, 1):
        values = table.column(place).to_pylist()
        if all(isinstance(value, int | float) for value in values):
            names.append(term)
            columns.append(_numeric(values, term))
            continue
        texts = [str(value) for value in values]
        for level in sorted(set(texts))[1:]:
            names.append(f"{term}={level}")
            columns.append(np.array([text == level for text in texts], float))
        if len(names) > MOST_COLUMNS:
            raise MadangError("outputs.query", _("The model has too many parameters."), "")
    people = len(set(table.column("_person").to_pylist())) if query.person else table.num_rows
    return outcome, names, np.stack(columns, axis=1), people


def _numeric(values: list[Any], name: str) -> Floats:
    try:
        found = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        raise MadangError("outputs.query", _("{name} has values that are no numbers.").format(name=name), "") from None
    if not np.isfinite(found).all():
        raise MadangError("outputs.query", _("{name} has values that are no numbers.").format(name=name), "")
    return found


def _linear(outcome: Floats, design: Floats) -> tuple[Floats, Floats]:
    estimate, _residuals, rank, _singular = np.linalg.lstsq(design, outcome, rcond=None)
    left = len(outcome) - design.shape[1]
    if rank < design.shape[1] or left <= 0:
        raise MadangError("outputs.query", _("The terms of this model cannot be told apart."), "")
    rest = outcome - design @ estimate
    covariance: Floats = np.linalg.inv(design.T @ design) * (float(rest @ rest) / left)
    return np.asarray(estimate, np.float64), covariance


def _logistic(outcome: Floats, design: Floats) -> tuple[Floats, Floats]:
    if not set(np.unique(outcome)) <= {0.0, 1.0}:
        raise MadangError("outputs.query", _("The outcome of a logistic model is 0 or 1."), "")
    estimate = np.zeros(design.shape[1])
    information = np.eye(design.shape[1])
    for _step in range(STEPS):
        fitted = 1 / (1 + np.exp(-(design @ estimate).clip(-35, 35)))
        information = design.T @ (design * (fitted * (1 - fitted))[:, None])
        try:
            step = np.linalg.solve(information, design.T @ (outcome - fitted))
        except np.linalg.LinAlgError:
            break
        estimate = estimate + step
        if np.abs(step).max() < 1e-10:
            return estimate, np.linalg.inv(information)
    raise MadangError(
        "outputs.query", _("The model does not settle: some terms tell the outcome of everybody who has them."), ""
    )
