"""Generalized linear models by iteratively reweighted least squares, and linear regression: exact over sites.

In each round a site tells X'WX, X'Wz and its deviance; their sums are those of the pooled data, so the coordinator's
steps are the pooled fit's steps (McCullagh and Nelder 1989, section 2.5; the same starting values as R's glm).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated.design import Design, complete_rows, matrix, numbers
from madang.science.federated.exact import Array, add, gram_of_columns, solve, total

Family = Literal["gaussian", "binomial", "poisson", "gamma"]
ROUNDS, TOLERANCE = 50, 1e-14


@dataclass(frozen=True)
class GlmPart:
    """What a site tells in a round: n, X'WX and X'Wz (as hi + lo), deviance, and sums for the null model."""

    n: int
    gram: tuple[Array, Array]
    deviance: float
    y: tuple[float, float]
    pearson: float = 0.0
    logs: tuple[float, float] = (0.0, 0.0)  # in the first round


@dataclass(frozen=True)
class GlmFit:
    """A fitted model: coefficients by name with standard errors, and how well it fits."""

    names: tuple[str, ...]
    coef: Array
    se: Array
    vcov: Array
    n: int
    deviance: float
    dispersion: float
    rounds: int
    converged: bool


def _check(family: str, y: Array) -> None:
    fits = {
        "gaussian": True,
        "binomial": bool(np.all((y == 0) | (y == 1))),
        "poisson": bool(np.all((y >= 0) & (y == np.floor(y)))),
        "gamma": bool(np.all(y > 0)),
    }
    if family not in fits:
        raise MadangError("federated.family", _("There is no family {name}.").format(name=family), ", ".join(fits))
    if not fits[family]:
        raise MadangError(
            "federated.outcome", _("The outcome here does not fit the family {name}.").format(name=family)
        )


def _mean(family: str, eta: Array) -> tuple[Array, Array]:
    """Mean and its derivative by eta, with the link that is usual: identity, logit, log, log."""
    if family == "gaussian":
        return eta, np.ones_like(eta)
    if family == "binomial":
        mu = 1.0 / (1.0 + np.exp(-eta))
        return mu, mu * (1.0 - mu)
    mu = np.exp(eta)
    return mu, mu


def _variance(family: str, mu: Array) -> Array:
    return {
        "gaussian": np.ones_like(mu),
        "binomial": mu * (1.0 - mu),
        "poisson": mu,
        "gamma": mu**2,
    }[family]


def _deviance(family: str, y: Array, mu: Array) -> float:
    if family == "gaussian":
        parts = (y - mu) ** 2
    elif family == "binomial":
        parts = -2.0 * np.log1p(-np.abs(y - mu))
    elif family == "poisson":
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = 2.0 * (np.where(y > 0, y * np.log(y / mu), 0.0) - (y - mu))
    else:
        parts = -2.0 * (np.log(y / mu) - (y - mu) / mu)
    hi, lo = total(parts)
    return float(hi + lo)


def _first_mean(family: str, y: Array) -> Array:
    """R's starting values."""
    return {"gaussian": y, "binomial": (y + 0.5) / 2.0, "poisson": y + 0.1, "gamma": y}[family]


def _link(family: str, mu: Array) -> Array:
    if family == "gaussian":
        return mu
    return np.log(mu / (1.0 - mu)) if family == "binomial" else np.log(mu)


@dataclass(frozen=True)
class GlmRows:
    """A site's rows of a fit, read once: covariates and a last row that each round fills, shape (p + 1, n); y: (n,)."""

    columns: Array
    y: Array


def glm_rows(table: pa.Table, outcome: str, design: Design, family: Family) -> GlmRows:
    """For a site: what stays the same in all rounds of a fit. Errors: `federated.column`, `federated.outcome`."""
    rows = complete_rows(table, [outcome, *design.variables])
    y, x = numbers(rows, outcome), matrix(rows, design)
    _check(family, y)
    return GlmRows(np.vstack([x.T, np.zeros(y.size)]), y)


def glm_at(table: pa.Table, outcome: str, design: Design, family: Family, coef: Array | None) -> GlmPart:
    """For a site: what it tells in a round; `coef` None in the first."""
    return glm_round(glm_rows(table, outcome, design, family), family, coef)


def glm_round(rows: GlmRows, family: Family, coef: Array | None) -> GlmPart:
    """For a site: what it tells in a round. Errors: `federated.diverges`."""
    x, y = rows.columns, rows.y
    if coef is None:
        eta = _link(family, _first_mean(family, y))
    else:
        eta = np.zeros(y.size)
        for place in range(coef.size):  # the same order of additions in every row, wherever the row is
            eta = eta + x[place] * coef[place]
    mu, slope = _mean(family, eta)
    variance = _variance(family, mu)
    with np.errstate(divide="ignore", invalid="ignore"):
        w = slope**2 / variance
    if y.size and not np.all(np.isfinite(w)):
        raise MadangError(
            "federated.diverges", _("The fit does not converge: the outcome is separated or a term too large.")
        )
    left = y - mu
    x[-1] = eta + left / slope
    pearson = float((left**2 / variance).sum())
    if coef is not None:
        return GlmPart(int(y.size), gram_of_columns(x, w), _deviance(family, y, mu), (0.0, 0.0), pearson)
    s = total(y) if y.size else (np.float64(0), np.float64(0))
    return GlmPart(
        int(y.size), gram_of_columns(x, w), math.inf, (float(s[0]), float(s[1])), pearson, _log_sums(family, y)
    )


def _log_sums(family: str, y: Array) -> tuple[float, float]:
    """What the deviance of a model without terms and the AIC need of y beside its sum: of poisson the sums of
    y log y and of log y!, of gamma that of log y."""
    from scipy.special import gammaln, xlogy

    if family == "poisson":
        return math.fsum(xlogy(y, y)), math.fsum(gammaln(y + 1))
    return (math.fsum(np.log(y)), 0.0) if family == "gamma" else (0.0, 0.0)


def glm_of(parts: Sequence[GlmPart]) -> tuple[Array, tuple[Array, Array]]:
    """For the coordinator: the next coefficients, and X'WX. Errors: `federated.singular`."""
    hi, lo = add([part.gram for part in parts])
    p = hi.shape[0] - 1
    try:
        coef = solve((hi[:p, :p], lo[:p, :p]), (hi[:p, p], lo[:p, p]))
    except np.linalg.LinAlgError:
        raise MadangError(
            "federated.singular",
            _("The model cannot be fitted: its terms depend on one another in these data."),
            _("Leave a term out, or join levels that hardly occur."),
        ) from None
    return coef, (hi[:p, :p], lo[:p, :p])


Ask = Callable[[Array | None], Sequence[GlmPart]]


def fit_glm(ask: Ask, design: Design, family: Family, tolerance: float = TOLERANCE) -> GlmFit:
    """For the coordinator: the whole fit; `ask(coef)` asks every site for its part.

    It stops as R's glm does, when the deviance changes by less than `tolerance` of itself, and as there the standard
    errors are those of the last step's weights. Errors: those of the rounds, `federated.diverges`.
    """
    coef, information = glm_of(ask(None))
    parts = ask(coef)
    deviance, rounds, converged = sum(part.deviance for part in parts), 1, family == "gaussian"
    while not converged and rounds < ROUNDS:
        coef, information = glm_of(parts)
        rounds += 1
        parts = ask(coef)
        before, deviance = deviance, sum(part.deviance for part in parts)
        converged = abs(deviance - before) / (abs(deviance) + 0.1) < tolerance
    largest = float(np.max(np.abs(coef), initial=0.0))
    if not converged or not math.isfinite(deviance) or (family == "binomial" and deviance < 1e-6 * max(largest, 1.0)):
        raise MadangError(
            "federated.diverges", _("The fit does not converge: the outcome is separated or a term too large.")
        )
    n, p = sum(part.n for part in parts), coef.size
    inverse = np.column_stack([solve(information, (column, np.zeros(p))) for column in np.eye(p)])
    if family == "gaussian":
        dispersion = deviance / (n - p) if n > p else math.nan
    elif family == "gamma":
        dispersion = sum(part.pearson for part in parts) / (n - p) if n > p else math.nan
    else:
        dispersion = 1.0
    vcov = inverse * dispersion
    return GlmFit(tuple(design.names()), coef, np.sqrt(np.diag(vcov)), vcov, n, deviance, dispersion, rounds, converged)


def null_deviance(family: Family, parts: Sequence[GlmPart], intercept: bool = True) -> float:
    """For the coordinator: the deviance of a model without terms, of the parts of the first round.

    With an intercept its mean is that of y, whatever the family; without one it is what the link has at 0 (as R).
    """
    n, s = sum(part.n for part in parts), math.fsum(each for part in parts for each in part.y)
    logs = math.fsum(part.logs[0] for part in parts)
    mean = s / n if intercept and n else {"binomial": 0.5}.get(family, 1.0)
    if family == "gaussian":  # in the first round z is y and every weight is 1
        exact = [sum(Fraction(float(part.gram[k][-1, -1])) for part in parts for k in (0, 1)),
                 sum(Fraction(each) for part in parts for each in part.y)]  # fmt: skip
        return float(exact[0] - (exact[1] ** 2 / n if intercept and n else 0))
    if family == "binomial":
        return -2 * math.fsum(k * math.log(share) for k, share in ((s, mean), (n - s, 1 - mean)) if k)
    if not mean:
        return 0.0
    if family == "poisson":
        return 2 * math.fsum([logs, -s * math.log(mean), -s, n * mean])
    return -2 * math.fsum([logs, -n * math.log(mean), -s / mean, n])
