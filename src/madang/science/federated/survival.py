"""Cox regression, Kaplan-Meier and the log-rank test over sites: exact on the time scale that is disclosed.

What a site tells at event times reveals event times; so a study states a **bin**: times are rounded up to its
multiples first, at every site and in the pooled fit alike, and on that scale everything is exact. A bin of 0 is the
time as it is. (Cox 1972; ties: Breslow 1974, Efron 1977; WebDISCO, Lu et al. 2015: sums at event times.)
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated.design import Design, columns_of, complete_rows, numbers
from madang.science.federated.exact import Array, add, event_sums, risk_order, risk_sums, solve, summed, tie_sums
from madang.science.federated.glm import inverse_of, refuse_endless

Ties = Literal["efron", "breslow"]
ROUNDS, TOLERANCE = 20, 1e-9


def binned(times: Array, bin: float) -> Array:
    """Times rounded up to multiples of a bin; as they are for a bin of 0."""
    return times if bin <= 0 else np.ceil(times / bin - 1e-12) * bin


def _rows(
    table: pa.Table, time: str, event: str, design: Design | None, bin: float
) -> tuple[pa.Table, Array, np.ndarray]:
    rows = complete_rows(table, [time, event, *(design.variables if design is not None else [])])
    times, ended = numbers(rows, time), numbers(rows, event)
    if not np.all((ended == 0) | (ended == 1)):
        raise MadangError("federated.event", _("{name} has to be 0 or 1.").format(name=event))
    if times.size and times.min() < 0:
        raise MadangError("federated.event", _("{name} has times below 0.").format(name=time))
    return rows, binned(times, bin), ended == 1


def event_times_at(table: pa.Table, time: str, event: str, design: Design | None = None, bin: float = 0.0) -> Array:
    """For a site: the (binned) times at which events happened."""
    _used, times, ended = _rows(table, time, event, design, bin)
    return np.unique(times[ended])


def grid_of(parts: Sequence[Array]) -> Array:
    """For the coordinator: the times at which events happened anywhere."""
    return np.unique(np.concatenate([np.asarray(part, float) for part in parts])) if parts else np.zeros(0)


@dataclass(frozen=True)
class CoxPart:
    """What a site tells in a round: risk sums at the grid as hi + lo, events and sums of covariates of events there."""

    n: int
    sums: tuple[Array, Array]  # (2, times, q, q)
    deaths: Array  # (times,)
    covariates: tuple[Array, Array]  # (times, p)


def center_at(table: pa.Table, time: str, event: str, design: Design, bin: float = 0.0) -> tuple[int, Array, Array]:
    """For a site: n and sums of covariates, for a center that all share (so that exponents stay small)."""
    rows, _times, _ended = _rows(table, time, event, design, bin)
    pairs = np.array([summed(each) for each in columns_of(rows, design)]).reshape(-1, 2)
    return rows.num_rows, pairs[:, 0], pairs[:, 1]


def center_of(parts: Sequence[tuple[int, Array, Array]]) -> Array:
    """For the coordinator: the mean of covariates."""
    n = sum(part[0] for part in parts)
    hi, lo = add([(part[1], part[2]) for part in parts])
    return (hi + lo) / max(n, 1)


@dataclass(frozen=True)
class CoxRows:
    """A site's rows of a fit, put in order once: covariates about the center, a row of ones first, shape (p + 1, n)."""

    columns: Array
    ends: np.ndarray
    deaths: Array  # (times,)
    covariates: tuple[Array, Array]  # (times, p)


def cox_rows(
    table: pa.Table, time: str, event: str, design: Design, center: Array, grid: Array, bin: float = 0.0
) -> CoxRows:
    """For a site: what stays the same in all rounds of a fit. Errors: as `cox_at`."""
    rows, times, ended = _rows(table, time, event, design, bin)
    order, ends = risk_order(times, ended, grid)
    columns = np.empty((len(design.names()) + 1, times.size))
    columns[0] = 1.0
    for place, each in enumerate(columns_of(rows, design)):
        columns[place + 1] = (each - center[place])[order]
    return CoxRows(columns, ends, _events(ends), event_sums(columns[1:], ends))


def _events(ends: NDArray[np.int64]) -> Array:
    """How many rows have their event at each time, of the `ends` of `risk_order`."""
    begin = np.concatenate([ends[1:, 1], [0]])
    return (ends[:, 0] - begin).astype(float)


def cox_round(rows: CoxRows, coef: Array) -> CoxPart:
    """For a site: what it tells in a round. Errors: `federated.diverges`."""
    eta = np.zeros(rows.columns.shape[1])
    for place in range(coef.size):  # the same order of additions in every row, wherever the row is
        eta += rows.columns[place + 1] * coef[place]
    if eta.size and float(np.max(np.abs(eta))) > 500:
        raise MadangError("federated.diverges", _("The fit does not converge: a term grows without end."))
    sums = risk_sums(rows.columns, np.exp(eta), rows.ends)
    return CoxPart(eta.size, sums, rows.deaths, rows.covariates)


def cox_at(
    table: pa.Table,
    time: str,
    event: str,
    design: Design,
    coef: Array,
    center: Array,
    grid: Array,
    bin: float = 0.0,
) -> CoxPart:
    """For a site: what it tells in a round. Errors: `federated.column`, `federated.event`, `federated.diverges`."""
    return cox_round(cox_rows(table, time, event, design, center, grid, bin), coef)


@dataclass(frozen=True)
class Step:
    """Log-likelihood, score and information at some coefficients."""

    loglik: float
    score: tuple[Array, Array]
    information: tuple[Array, Array]


def cox_step(parts: Sequence[CoxPart], coef: Array, ties: Ties) -> Step:
    """For the coordinator (or a stratum): what the sums of sites give for a Newton step."""
    hi, lo = add([part.sums for part in parts])
    c_hi, c_lo = add([part.covariates for part in parts])
    deaths = np.sum([part.deaths for part in parts], axis=0)
    long = np.longdouble
    if ties == "breslow":
        hi[1], lo[1] = 0.0, 0.0  # of those who die together, each sees all of them at risk
    k_hi, k_lo = tie_sums((hi[0, :, 0, 0], lo[0, :, 0, 0]), (hi[1, :, 0, 0], lo[1, :, 0, 0]), deaths)
    k = k_hi.astype(long) + k_lo.astype(long)
    every, tied = (hi[at].astype(long) + lo[at].astype(long) for at in (0, 1))
    covariates = c_hi.astype(long) + c_lo.astype(long)
    s1, t1 = every[:, 0, 1:], tied[:, 0, 1:]
    one, two = k[:, :, None], k[:, :, None, None]
    score = covariates - s1 * one[:, 0] + t1 * one[:, 1]
    mixed = s1[:, :, None] * t1[:, None, :]
    squares = s1[:, :, None] * s1[:, None, :] * two[:, 2] + t1[:, :, None] * t1[:, None, :] * two[:, 4]
    squares -= (mixed + np.swapaxes(mixed, 1, 2)) * two[:, 3]
    information = every[:, 1:, 1:] * two[:, 0] - tied[:, 1:, 1:] * two[:, 1] - squares
    loglik = covariates.sum(axis=0) @ coef.astype(long) - k[:, 5].sum()
    return Step(float(loglik), _two(score.sum(axis=0)), _two(information.sum(axis=0)))


def _two(value: np.ndarray) -> tuple[Array, Array]:
    hi = value.astype(float)
    return hi, (value - hi).astype(float)


@dataclass(frozen=True)
class CoxFit:
    """A fitted Cox model."""

    names: tuple[str, ...]
    coef: Array
    se: Array
    vcov: Array
    n: int
    events: int
    loglik_null: float
    loglik: float
    score_test: float
    rounds: int


Ask = Callable[[Array], Sequence[Sequence[CoxPart]]]


def fit_cox(ask: Ask, design: Design, ties: Ties = "efron", tolerance: float = TOLERANCE) -> CoxFit:
    """For the coordinator: the whole fit. `ask(coef)` gives the parts by stratum: one list of all sites' parts, or one
    list for each site where it is stratified by site. It stops as R's coxph does, when the log-likelihood changes by
    less than `tolerance` of itself. Errors: `federated.singular`, `federated.diverges`.
    """
    p = len(design.names())
    coef = np.zeros(p)
    strata = ask(coef)
    first = step = before = _sum_steps([cox_step(parts, coef, ties) for parts in strata])
    rounds = 0
    for _round in range(ROUNDS):
        try:
            change = solve(step.information, step.score)
        except np.linalg.LinAlgError:
            raise MadangError(
                "federated.singular",
                _("The model cannot be fitted: its terms depend on one another in these data."),
                _("Leave a term out, or join levels that hardly occur."),
            ) from None
        rounds += 1
        halved = False
        while True:
            new = coef + change
            strata = ask(new)
            after = _sum_steps([cox_step(parts, new, ties) for parts in strata])
            small = abs(1 - step.loglik / after.loglik) <= tolerance if after.loglik else True
            if small or after.loglik >= step.loglik:
                break
            change, halved = change / 2, True
        coef, before, step = new, step, after
        if small and not halved:
            break
    else:
        raise MadangError("federated.diverges", _("The fit does not converge: a term grows without end."))
    if float(np.max(np.abs(coef))) > 1e6 or math.isnan(step.loglik):
        raise MadangError("federated.diverges", _("The fit does not converge: a term grows without end."))
    vcov = inverse_of(step.information)
    if rounds > 3:
        refuse_endless(design.names(), inverse_of(before.information), vcov)
    start = solve(first.information, first.score)
    n = sum(part.n for parts in strata for part in parts)
    events = int(sum(part.deaths.sum() for parts in strata for part in parts))
    return CoxFit(
        *(tuple(design.names()), coef, np.sqrt(np.diag(vcov)), vcov, n, events, first.loglik, step.loglik),
        *(float((first.score[0] + first.score[1]) @ start), rounds),
    )


def _sum_steps(steps: Sequence[Step]) -> Step:
    return Step(
        math.fsum(each.loglik for each in steps),
        add([each.score for each in steps]),
        add([each.information for each in steps]),
    )


@dataclass(frozen=True)
class SurvivalPart:
    """What a site tells of each group: at each time of the grid, who is at risk and how many events there are."""

    groups: tuple[str, ...]
    at_risk: Array  # (groups, times)
    deaths: Array


def survival_at(
    table: pa.Table, time: str, event: str, grid: Array, groups: Sequence[str] = ("",), by: str = "", bin: float = 0.0
) -> SurvivalPart:
    """For a site: at risk and events at each time of the grid, for each group of the column `by`."""
    rows = complete_rows(table, [time, event, *([by] if by else [])])
    _used, times, ended = _rows(rows, time, event, None, bin)
    labels = np.asarray([str(each) for each in rows.column(by).to_pylist()] if by else [""] * times.size, dtype=object)
    at_risk, deaths = np.zeros((len(groups), grid.size)), np.zeros((len(groups), grid.size))
    for place, group in enumerate(groups):
        mine = labels == group
        ordered = np.sort(times[mine])
        at_risk[place] = ordered.size - np.searchsorted(ordered, grid, "left")
        dying = np.sort(times[mine & ended])
        deaths[place] = np.searchsorted(dying, grid, "right") - np.searchsorted(dying, grid, "left")
    return SurvivalPart(tuple(groups), at_risk, deaths)


def kaplan_meier(parts: Sequence[SurvivalPart], grid: Array) -> dict[str, dict[str, Array]]:
    """For the coordinator: the survival of each group at the grid, with Greenwood's standard error."""
    at_risk, deaths = (np.sum([getattr(part, name) for part in parts], axis=0) for name in ("at_risk", "deaths"))
    found = {}
    for place, group in enumerate(parts[0].groups):
        n, d = at_risk[place], deaths[place]
        with np.errstate(divide="ignore", invalid="ignore"):
            surviving = np.where(n > 0, 1 - d / n, 1.0)
            terms = np.where((n > 0) & (n > d), d / (n * (n - d)), 0.0)
        survival = np.cumprod(surviving)
        found[group] = {
            "time": grid,
            "at_risk": n,
            "events": d,
            "survival": survival,
            "se": survival * np.sqrt(np.cumsum(terms)),
        }
    return found


def median_of(curve: dict[str, Array]) -> float:
    """The median of a curve: the first time at which survival is a half or less, the middle of a flat half (as R)."""
    survival, times = curve["survival"], curve["time"]
    below = np.nonzero(survival <= 0.5 + 1e-12)[0]
    if not below.size:
        return math.nan
    at = below[0]
    if abs(survival[at] - 0.5) < 1e-12:
        later = np.nonzero(survival < 0.5 - 1e-12)[0]
        if later.size:
            return float((times[at] + times[later[0]]) / 2)
    return float(times[at])


def log_rank(strata: Sequence[Sequence[SurvivalPart]]) -> dict[str, object]:
    """For the coordinator: the log-rank test of the groups, over strata (one of all sites, or one for each site)."""
    from scipy.stats import chi2

    groups = strata[0][0].groups
    k = len(groups)
    seen, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for parts in strata:
        n, d = (np.sum([getattr(part, name) for part in parts], axis=0) for name in ("at_risk", "deaths"))
        total_n, total_d = n.sum(0), d.sum(0)
        used = (total_d > 0) & (total_n > 0)
        seen += d[:, used].sum(1)
        share = n[:, used] / total_n[used]
        expected += (share * total_d[used]).sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(
                total_n[used] > 1, total_d[used] * (total_n[used] - total_d[used]) / (total_n[used] - 1), 0.0
            )
        variance += np.diag((share * factor).sum(1)) - (share * factor) @ share.T
    difference = (seen - expected)[:-1]
    statistic = float(difference @ np.linalg.pinv(variance[:-1, :-1]) @ difference)
    free = int(np.sum(expected > 0)) - 1
    return {
        "statistic": statistic,
        "df": free,
        "p": float(chi2.sf(statistic, free)),
        "observed": seen,
        "expected": expected,
    }
