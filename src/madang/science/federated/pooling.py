"""The coordinator's side of a study: asks in rounds, adds up, and says the pooled answer as R would call its parts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.federated.design import levels_of
from madang.science.federated.exact import add
from madang.science.federated.glm import GlmPart, fit_glm, null_deviance
from madang.science.federated.meta import der_simonian_laird, fixed_effect, reml
from madang.science.federated.moments import Moments, chi_square, mantel_haenszel, moments_of, quantiles_of
from madang.science.federated.rounds import Ask, Part, cell_columns, combinations, design_of
from madang.science.federated.study import Study, names_of
from madang.science.federated.survival import (
    CoxPart,
    SurvivalPart,
    center_of,
    fit_cox,
    grid_of,
    kaplan_meier,
    log_rank,
    median_of,
)

Parts = Sequence[tuple[str, Part]]


def pooled(study: Study, ask: Ask, one_round: bool = False) -> dict[str, Any]:
    """The pooled answer. `one_round` leaves out second rounds where the first is enough (for sites by courier).

    Errors: those of the estimators, and what `ask` raises.
    """
    kinds = {
        "count": _count,
        "feasibility": _feasibility,
        "table": _table,
        "quantiles": _quantiles,
        "linear": _glm,
        "glm": _glm,
        "cox": _cox,
        "kaplan-meier": _survival,
        "log-rank": _survival,
        "mantel-haenszel": _mantel_haenszel,
        "meta": _meta,
        "calibration": _calibration,
    }
    found = _moments(study, ask, one_round) if study.kind == "moments" else kinds[study.kind](study, ask)
    if study.per_site:
        found |= _beside(study, ask, found)
    return {"kind": study.kind, "exact": study.kind not in ("meta", "feasibility"), "bin": study.bin, **found}


def _count(study: Study, ask: Ask) -> dict[str, Any]:
    parts = ask("count", {})
    return {"n": _total(parts, "n"), **_by_site(study, parts, "n")}


def _feasibility(study: Study, ask: Ask) -> dict[str, Any]:
    """How many fit, of each site in tens; together at least so many."""
    told = {site: int(part.facts["fits"]) for site, part in ask("fits", {})}
    return {"at_least": sum(told.values()), "by_site": told, "note": _("Rounded down to tens at each site.")}


def _by_site(study: Study, parts: Parts, name: str) -> dict[str, Any]:
    return {} if study.secure else {"by_site": {site: float(part.sums[name][0]) for site, part in parts}}


def _levels(study: Study, ask: Ask, wanted: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
    """Levels that the study states, and of other columns those that occur anywhere."""
    stated = study.levels()
    if wanted is not None and all(name in stated for name in wanted):
        return {name: stated[name] for name in wanted}
    found = levels_of([part.facts["levels"] for _site, part in ask("levels", {})])
    return names_of(study, found)


def _table(study: Study, ask: Ask) -> dict[str, Any]:
    columns = cell_columns(study)
    levels = _levels(study, ask, columns)
    told = [[*levels[name], *([] if study.levels().get(name) else [""])] for name in columns]
    parts = ask("cells", {"levels": told})
    cells = np.sum([part.sums["cells"][0] for _site, part in parts], axis=0)
    freq = {key: int(n) for key, n in zip(combinations(told), cells.ravel(), strict=True) if n or "" not in key}
    found: dict[str, Any] = {
        "columns": columns,
        "n": sum(freq.values()),
        "table": [dict(zip(columns, key, strict=True)) | {"Freq": n} for key, n in freq.items()],
    }
    if len(columns) == 2:
        complete = {key: n for key, n in freq.items() if "" not in key}
        rows = {k[0] for k, n in complete.items() if n}, {k[1] for k, n in complete.items() if n}
        kept = {k: n for k, n in complete.items() if k[0] in rows[0] and k[1] in rows[1]}
        if len(rows[0]) > 1 and len(rows[1]) > 1:
            test = chi_square(kept)
            found["chisq"] = {"statistic": test["statistic"], "parameter": test["df"], "p.value": test["p"]}
    return found


def _moments(study: Study, ask: Ask, one_round: bool) -> dict[str, Any]:
    names = study.estimator["columns"]
    center = {name: 0.0 for name in names}
    found: dict[str, dict[str, float]] = {}
    for last in (True,) if one_round else (False, True):
        parts, before = ask("moments", {"center": center}), center
        for name in names:
            found[name] = moments_of([_moments_part(part, name) for _site, part in parts], center[name])
        center = {name: found[name]["mean"] if found[name]["n"] else 0.0 for name in names}
        if last:
            break
    told = {"describe": {name: _described(each) for name, each in found.items()}}
    if not study.secure and len(parts) > 1:
        told["describe_by_site"] = {
            site: {name: _described(moments_of([_moments_part(part, name)], before[name])) for name in names}
            for site, part in parts
        }
    return told


def _described(found: Mapping[str, float]) -> dict[str, Any]:
    return {"n": found["n"], "mean": _number(found["mean"]), "var": _number(found["variance"])}


def _moments_part(part: Part, name: str) -> Moments:
    return Moments(int(part.sums[f"{name}.n"][0]), _pair(part, f"{name}.sum"), _pair(part, f"{name}.squares"))


def _pair(part: Part, name: str) -> tuple[float, float]:
    high, low = part.sums[name]
    return float(high), float(low)


def _quantiles(study: Study, ask: Ask) -> dict[str, Any]:
    names, shares = study.estimator["columns"], study.estimator["shares"]
    ranges = [part.facts["range"] for _site, part in ask("range", {})]
    described = {}
    for name in names:
        n = int(sum(each[name][0] for each in ranges))
        held = [each[name] for each in ranges if each[name][0]]
        if not n:
            described[name] = {"n": 0, "q": {}}
            continue
        bounds = min(each[1] for each in held), max(each[2] for each in held)

        def below(points: list[float], name: str = name) -> list[tuple[int, int]]:
            parts = ask("below", {"points": {name: points}})
            sums = np.sum([part.sums[name][0] for _site, part in parts], axis=0)
            return [(int(a), int(b)) for a, b in sums]

        values = quantiles_of(n, bounds, shares, below, study.bin)
        described[name] = {"n": n, "q": {f"{share * 100:.10g}%": v for share, v in zip(shares, values, strict=True)}}
    return {"describe": described}


def _glm_parts(parts: Parts) -> list[GlmPart]:
    found = []
    for _site, part in parts:
        n = int(part.sums["n"][0])
        found.append(
            GlmPart(
                *(n, part.sums["gram"], float(part.sums["deviance"][0]), _pair(part, "y")),
                float(part.sums["pearson"][0]),
                (float(part.sums["logs"][0][0]), float(part.sums["logs"][0][1])),
            )
        )
    return found


def _listed(coef: Any) -> list[float] | None:
    return None if coef is None else [float(each) for each in coef]


def _glm(study: Study, ask: Ask) -> dict[str, Any]:
    e = study.estimator
    family = e.get("family", "gaussian")
    levels = _levels(study, ask)
    design = design_of(study, {"levels": levels})
    told = {"levels": {name: list(each) for name, each in levels.items()}}
    first: list[GlmPart] = []

    def once(coef: Any) -> list[GlmPart]:
        parts = _glm_parts(ask("glm", {**told, "coef": _listed(coef)}))
        if coef is None:
            first[:] = parts
        return parts

    fit = fit_glm(once, design, family)
    null = null_deviance(family, first, e.get("intercept", True))
    n, p = fit.n, len(fit.names)
    aic = None
    if family == "binomial":
        aic = fit.deviance + 2 * p
    elif family == "poisson":
        saturated = math.fsum(part.logs[0] - part.logs[1] - sum(part.y) for part in first)
        aic = fit.deviance - 2 * saturated + 2 * p
    elif family == "gaussian" and fit.deviance > 0:
        aic = n * (math.log(2 * math.pi * fit.deviance / n) + 1) + 2 + 2 * p
    found = _coefficients(fit.names, fit.coef, fit.se, fit.vcov) | {
        "family": family,
        "n": n,
        "deviance": fit.deviance,
        "null_deviance": null,
        "df_residual": n - p,
        "dispersion": fit.dispersion,
        "aic": aic,
        "rounds": fit.rounds,
    }
    if family == "gaussian":
        found |= {"sigma": math.sqrt(fit.dispersion), "r2": 1 - fit.deviance / null if null > 0 else None}
    return found


def _coefficients(names: Sequence[str], coef: Any, se: Any, vcov: Any) -> dict[str, Any]:
    return {
        "coef": dict(zip(names, map(float, coef), strict=True)),
        "se": dict(zip(names, map(float, se), strict=True)),
        "vcov": [[float(each) for each in row] for row in vcov],
    }


def _cox(study: Study, ask: Ask) -> dict[str, Any]:
    levels = _levels(study, ask)
    told: dict[str, Any] = {"levels": {name: list(each) for name, each in levels.items()}}
    design = design_of(study, told)
    centers = ask("center", told)
    center = center_of([(int(p.sums["n"][0]), *p.sums["x"]) for _site, p in centers])
    grid = grid_of([np.array(part.facts["times"]) for _site, part in ask("times", told)])
    if not grid.size:
        raise MadangError("federated.empty", _("Nobody in the study has the event."), _("Widen the cohort."))
    told |= {"grid": grid.tolist(), "center": center.tolist()}

    def once(coef: Any) -> list[list[CoxPart]]:
        parts = [
            CoxPart(int(p.sums["n"][0]), p.sums["sums"], p.sums["deaths"][0], p.sums["covariates"])
            for _site, p in ask("cox", {**told, "coef": _listed(coef)})
        ]
        return [[part] for part in parts] if study.by_site else [parts]

    fit = fit_cox(once, design, study.estimator.get("ties", "efron"))
    return _coefficients(fit.names, fit.coef, fit.se, fit.vcov) | {
        "ties": study.estimator.get("ties", "efron"),
        "n": fit.n,
        "events": fit.events,
        "loglik_null": fit.loglik_null,
        "loglik": fit.loglik,
        "score_test": fit.score_test,
        "rounds": fit.rounds,
        "stratified_by_site": study.by_site,
    }


def _survival(study: Study, ask: Ask) -> dict[str, Any]:
    by = study.estimator.get("by", "")
    groups = list(_levels(study, ask, [by])[by]) if by else [""]
    grid = grid_of([np.array(part.facts["times"]) for _site, part in ask("times", {})])
    told = ask("survival", {"grid": grid.tolist(), "groups": groups})
    parts = [SurvivalPart(tuple(groups), p.sums["at_risk"][0], p.sums["deaths"][0]) for _site, p in told]
    if not grid.size:
        raise MadangError("federated.empty", _("Nobody in the study has the event."), _("Widen the cohort."))
    if study.kind == "log-rank":
        test = log_rank([[part] for part in parts] if study.by_site else [parts])
        return {
            "groups": groups,
            "chisq": test["statistic"],
            "df": test["df"],
            "p": test["p"],
            "obs": [float(each) for each in np.asarray(test["observed"])],
            "exp": [float(each) for each in np.asarray(test["expected"])],
        }
    found: dict[str, Any] = {"km": _curves(by, parts, grid)}
    if not study.secure and len(told) > 1:
        found["km_by_site"] = {site: _curves(by, [part], grid) for (site, _told), part in zip(told, parts, strict=True)}
    return found


def _curves(by: str, parts: Sequence[SurvivalPart], grid: Any) -> list[dict[str, Any]]:
    return [
        {
            "group": f"{by}={group}" if by else "",
            "events": float(curve["events"].sum()),
            "median": _number(median_of(curve)),
            "curve": {name: [_number(float(each)) for each in values] for name, values in curve.items()},
        }
        for group, curve in kaplan_meier(parts, grid).items()
    ]


def _mantel_haenszel(study: Study, ask: Ask) -> dict[str, Any]:
    columns = cell_columns(study)
    levels = _levels(study, ask, columns)
    for name in columns[-2:]:
        if len(levels[name]) != 2:
            raise MadangError("federated.levels", _("{name} needs exactly two levels.").format(name=name))
    parts = ask("cells", {"levels": [list(levels[name]) for name in columns]})
    each = [part.sums["cells"][0] for _site, part in parts]
    stacked = np.concatenate([cells.reshape(-1, 2, 2) for cells in (each if study.by_site else [np.sum(each, axis=0)])])
    tables = [(float(c[1, 1]), float(c[1, 0]), float(c[0, 1]), float(c[0, 0])) for c in stacked if c.sum() > 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = mantel_haenszel(tables)
    if not math.isfinite(found["log_or"]):
        raise MadangError("federated.empty", _("The odds ratio cannot be computed: cells are empty."))
    return {"beta": found["log_or"], "se": found["se"], "odds_ratio": math.exp(found["log_or"]), "strata": len(tables)}


def _meta(study: Study, ask: Ask) -> dict[str, Any]:
    method = study.estimator.get("method", "reml")
    parts = ask("estimate", {})
    if len(parts) < 2:
        raise MadangError("federated.few", _("A meta-analysis needs two sites or more."))
    n = sum(float(part.facts["n"]) for _site, part in parts)
    shared = [name for name in parts[0][1].facts["coef"] if all(name in part.facts["coef"] for _site, part in parts)]
    forest = _forest(parts, method, shared)
    return {"method": method, "n": n, "forest": forest, "note": _("An approximation of the pooled fit.")}


def _beside(study: Study, ask: Ask, found: Mapping[str, Any]) -> dict[str, Any]:
    """The sites' own fits, how much they differ, and beside them the fit of all rows."""
    parts = ask("estimate", {})
    forest = _forest(parts, "reml", list(found["coef"]))
    z = 1.959963984540054
    for item in forest:
        beta, se = found["coef"][item["name"]], found["se"][item["name"]]
        item["pooled"] = {"beta": beta, "se": se, "ci": [beta - z * se, beta + z * se]}
    return {"forest": forest, "alone": [site for site, part in parts if not part.facts["coef"]]}


def _forest(parts: Parts, method: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Of each coefficient the sites' estimates and what a meta-analysis makes of them."""
    combine = {"reml": reml, "der-simonian-laird": der_simonian_laird, "fixed": fixed_effect}[method]
    z = 1.959963984540054
    forest = []
    for name in names:
        told = [(site, part.facts["coef"][name], part.facts["se"][name]) for site, part in parts
                if name in part.facts["coef"]]  # fmt: skip
        if len(told) < 2:
            continue
        found = combine([beta for _site, beta, _se in told], [se for _site, _beta, se in told])
        forest.append(
            {
                "name": name,
                **{key: found[key] for key in ("beta", "se", "tau2", "Q", "I2")},
                "ci": [found["low"], found["high"]],
                "sites": [{"site": s, "beta": a, "se": b, "ci": [a - z * b, a + z * b]} for s, a, b in told],
            }
        )
    return forest


def _calibration(study: Study, ask: Ask) -> dict[str, Any]:
    parts = ask("calibration", {})
    n, events, risk = (np.sum([p.sums[k][0] for _s, p in parts], axis=0) for k in ("n", "events", "risk"))
    quiet = n - events
    both = float(events.sum() * quiet.sum())
    above = float(sum(events[k] * (quiet[:k].sum() + quiet[k] / 2) for k in range(n.size)))
    order = slice(None, None, -1)
    return {
        "n": float(n.sum()),
        "calibration": [
            {
                "n": float(a),
                "observed": _number(b / a if a else math.nan),
                "predicted": _number(c / a if a else math.nan),
            }
            for a, b, c in zip(n, events, risk, strict=True)
        ],
        "auc": above / both if both else None,
        "auc_exact": False,
        "roc": [
            [float(x), float(y)]
            for x, y in zip(
                np.cumsum(quiet[order]) / max(quiet.sum(), 1),
                np.cumsum(events[order]) / max(events.sum(), 1),
                strict=True,
            )
        ],
    }


def _total(parts: Parts, name: str) -> float:
    high, low = add([part.sums[name] for _site, part in parts])
    return float(high + low)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def secure_sum(parts: Mapping[str, Part]) -> Part:
    """The one part that masked answers give, for tests: the plain sum."""
    names = next(iter(parts.values())).sums
    return Part({name: add([part.sums[name] for part in parts.values()]) for name in names})
