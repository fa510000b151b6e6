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
from madang.science.federated.design import Design, columns_of, complete_rows, numbers
from madang.science.federated.exact import Array, add, gram_part, in_threads, solve, summed, symmetric

Family = Literal["gaussian", "binomial", "poisson", "gamma"]
ROUNDS, TOLERANCE = 50, 1e-14
BLOCK = 16_384  # rows that are worked on at a time


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


def _deviance(family: str, y: Array, mu: Array) -> tuple[float, float]:
    if family == "gaussian":
        parts = (y - mu) ** 2
    elif family == "binomial":
        parts = -2.0 * np.log1p(-np.abs(y - mu))
    elif family == "poisson":
        with np.errstate(divide="ignore", invalid="ignore"):
            parts = 2.0 * (np.where(y > 0, y * np.log(y / mu), 0.0) - (y - mu))
    else:
        parts = -2.0 * (np.log(y / mu) - (y - mu) / mu)
    hi, lo = summed(parts)
    return hi, lo


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
    y = np.ascontiguousarray(numbers(rows, outcome))
    _check(family, y)
    made = columns_of(rows, design)
    columns = np.empty((len(made) + 1, y.size))
    for place, each in enumerate(made):
        columns[place] = each
    return GlmRows(columns, y)


def glm_at(table: pa.Table, outcome: str, design: Design, family: Family, coef: Array | None) -> GlmPart:
    """For a site: what it tells in a round; `coef` None in the first."""
    return glm_round(glm_rows(table, outcome, design, family), family, coef)


def glm_round(rows: GlmRows, family: Family, coef: Array | None) -> GlmPart:
    """For a site: what it tells in a round. Errors: `federated.diverges`."""
    x, y = rows.columns, rows.y
    parts = in_threads(
        lambda begin: _block(x, y, begin, min(begin + BLOCK, y.size), family, coef), range(0, y.size, BLOCK)
    )
    p = x.shape[0]
    high, low = add([part.gram for part in parts]) if parts else (np.zeros((p, p)), np.zeros((p, p)))
    pearson = float(sum(part.pearson for part in parts))
    gram = symmetric(high), symmetric(low)
    if coef is not None:
        told = add([part.deviance for part in parts]) if parts else (0.0, 0.0)
        return GlmPart(int(y.size), gram, float(told[0] + told[1]), (0.0, 0.0), pearson)
    s = summed(y)
    return GlmPart(int(y.size), gram, math.inf, s, pearson, _log_sums(family, y))


@dataclass(frozen=True)
class _Block:
    """What some rows add to a round: the upper triangle of X'WX and X'Wz, and the deviance, as hi + lo."""

    gram: tuple[Array, Array]
    deviance: tuple[float, float]
    pearson: float


def _block(x: Array, y: Array, begin: int, end: int, family: Family, coef: Array | None) -> _Block:
    """The rows begin..end, which are few enough to stay in the processor's cache. Fills the last row of x there.

    Every row is computed by the same steps wherever it is, so that its terms have the same bits at every site.
    """
    mine = y[begin:end]
    if coef is None:
        eta = _link(family, _first_mean(family, mine))
    else:
        eta = np.zeros(mine.size)
        for place in range(coef.size):
            eta += x[place, begin:end] * coef[place]
    mu, slope = _mean(family, eta)
    variance = slope if family == "binomial" else _variance(family, mu)
    with np.errstate(divide="ignore", invalid="ignore"):
        w = slope if family == "binomial" else slope**2 / variance  # of the logit link they are the same
    left = mine - mu
    with np.errstate(divide="ignore", invalid="ignore"):
        x[-1, begin:end] = eta + left / slope
    if not (np.isfinite(w).all() and np.isfinite(x[-1, begin:end]).all()):
        raise MadangError(
            "federated.diverges", _("The fit does not converge: the outcome is separated or a term too large.")
        )
    weights = np.ascontiguousarray(w)
    pearson = float((left**2 / variance).sum()) if family == "gamma" else 0.0  # of others nobody needs it
    deviance = _deviance(family, mine, mu) if coef is not None else (0.0, 0.0)
    return _Block(gram_part(x, weights, begin, end), deviance, pearson)


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
    earlier = information
    parts = ask(coef)
    deviance, rounds, converged = sum(part.deviance for part in parts), 1, family == "gaussian"
    while not converged and rounds < ROUNDS:
        earlier = information
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
    inverse = inverse_of(information)
    if family != "gaussian" and rounds > 2:
        refuse_endless(design.names(), inverse_of(earlier), inverse)
    if family == "gaussian":
        dispersion = deviance / (n - p) if n > p else math.nan
    elif family == "gamma":
        dispersion = sum(part.pearson for part in parts) / (n - p) if n > p else math.nan
    else:
        dispersion = 1.0
    vcov = inverse * dispersion
    return GlmFit(tuple(design.names()), coef, np.sqrt(np.diag(vcov)), vcov, n, deviance, dispersion, rounds, converged)


GROWTH = 1.2  # by which a standard error does not grow any more in the last step of a fit that has an end


def inverse_of(information: tuple[Array, Array]) -> Array:
    """The inverse of X'WX (as hi + lo)."""
    p = information[0].shape[0]
    return np.column_stack([solve(information, (column, np.zeros(p))) for column in np.eye(p)])


def refuse_endless(names: Sequence[str], before: Array, after: Array) -> None:
    """Refuse a fit in which a coefficient still grows while the likelihood has stopped: quasi-complete separation, a
    level in which nobody (or everybody) has the outcome. Its standard error grows by a factor in every step, where that
    of an estimate stands still (Albert and Anderson 1984). Errors: `federated.diverges`.
    """
    growing = [n for n, a, b in zip(names, np.diag(before), np.diag(after), strict=True) if not b <= a * GROWTH**2]
    if growing:
        raise MadangError(
            "federated.diverges",
            _("The fit does not converge: {terms} separates the outcome.").format(terms=", ".join(growing[:5])),
            _("Leave the term out, or join levels in which nobody or everybody has the outcome."),
        )


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
