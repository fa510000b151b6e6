"""R's answers on public data, split over sites: the same to the digits that R printed."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pytest

from madang.science import federated as f
from madang.science.federated.glm import null_deviance
from support import shared_data

NEAR = {"rtol": 2e-12, "atol": 1e-13}


def folder() -> Path:
    return Path(shared_data("federation"))


def answers(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder() / f"{name}.answers.json").read_text())
    return found


def table(name: str) -> pa.Table:
    options = pacsv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    return pacsv.read_csv(folder() / f"{name}.csv", convert_options=options)


def sites(whole: pa.Table) -> list[pa.Table]:
    return [whole.filter(pc.equal(whole["site"], each)) for each in pc.unique(whole["site"]).to_pylist()]


def terms(formula: str) -> list[str]:
    right = formula.partition("~")[2]
    found = []
    for part in re.split(r"\s*\+\s*", right.strip()):
        if part.startswith(("strata", "factor")):
            continue
        if "*" in part:
            left, right_ = (each.strip() for each in part.split("*"))
            found += [left, right_, f"{left}:{right_}"]
        else:
            found.append(part.strip())
    return found


LEVELS = {"celltype": ["squamous", "smallcell", "adeno", "large"], "tension": ["L", "M", "H"]}


def design(formula: str, whole: pa.Table, intercept: bool) -> f.Design:
    wanted = terms(formula)
    variables = list(dict.fromkeys(part for term in wanted for part in term.split(":")))
    levels = f.levels_of([f.levels_at(each, variables) for each in sites(whole)])
    return f.make_design(wanted, {name: LEVELS.get(name, each) for name, each in levels.items()}, intercept)


@pytest.mark.parametrize("name", ["lung", "veteran", "rossi"])
def test_cox_regression(name: str) -> None:
    whole = table(name)
    if name == "lung":
        whole = whole.filter(pc.is_valid(whole["site"]))
    for told in answers(name)["cox"]:
        time, event = re.findall(r"Surv\((\w+), (\w+)\)", told["formula"])[0]
        model = design(told["formula"], whole, intercept=False)
        parts = sites(whole)
        center = f.center_of([f.center_at(each, time, event, model) for each in parts])
        grid = f.grid_of([f.event_times_at(each, time, event, model) for each in parts])
        by_site = "strata(site)" in told["formula"]

        def ask(coef: Any) -> Any:
            made = [f.cox_at(each, time, event, model, coef, center, grid) for each in parts]  # noqa: B023 - used at once
            return [[each] for each in made] if by_site else [made]  # noqa: B023 - used at once

        fit = f.fit_cox(ask, model, told["ties"])
        assert (fit.n, fit.events, list(fit.names)) == (told["n"], told["events"], list(told["coef"]))
        np.testing.assert_allclose(fit.coef, list(told["coef"].values()), rtol=2e-11, atol=1e-12)
        np.testing.assert_allclose(fit.vcov, told["vcov"], rtol=1e-10, atol=1e-13)
        for ours, theirs in (("loglik_null", "loglik_null"), ("loglik", "loglik"), ("score_test", "score_test")):
            np.testing.assert_allclose(getattr(fit, ours), told[theirs], **NEAR)


@pytest.mark.parametrize("name", ["infert", "warpbreaks", "rossi"])
def test_generalized_linear_models(name: str) -> None:
    whole = table(name)
    for told in answers(name).get("glm", []):
        outcome, family = told["formula"].partition("~")[0].strip(), told["family"].lower()
        model = design(told["formula"], whole, intercept=True)
        parts = sites(whole)
        fit = f.fit_glm(lambda coef: [f.glm_at(each, outcome, model, family, coef) for each in parts], model, family)  # noqa: B023 - used at once
        assert fit.n == told["n"]
        ours = dict(zip(fit.names, fit.coef, strict=True))
        errors = dict(zip(fit.names, fit.se, strict=True))
        np.testing.assert_allclose([ours[each] for each in told["coef"]], list(told["coef"].values()), rtol=1e-10)
        np.testing.assert_allclose([errors[each] for each in told["se"]], list(told["se"].values()), rtol=1e-10)
        np.testing.assert_allclose(fit.deviance, told["deviance"], rtol=1e-12)
        first = [f.glm_at(each, outcome, model, family, None) for each in parts]
        np.testing.assert_allclose(null_deviance(family, first), told["null_deviance"], rtol=1e-12)


def test_log_rank_and_tables_and_meta_analysis() -> None:
    whole = table("lung")
    whole = whole.filter(pc.is_valid(whole["site"]))
    parts = sites(whole)
    grid = f.grid_of([f.event_times_at(each, "time", "status") for each in parts])
    made = [f.survival_at(each, "time", "status", grid, ("1", "2"), "sex") for each in parts]
    plain, stratified = answers("lung")["logrank"][:2]
    for told, strata in ((plain, [made]), (stratified, [[each] for each in made])):
        found = f.log_rank(strata)
        np.testing.assert_allclose(found["statistic"], told["chisq"], rtol=1e-12)
    np.testing.assert_allclose(f.log_rank([made])["expected"], plain["exp"], rtol=1e-12)
    infert = table("infert")
    cells = f.table_of([f.table_at(each, ["education", "case"]) for each in sites(infert)])
    assert cells == {(c["education"], c["case"]): c["Freq"] for c in answers("infert")["table"]}
    np.testing.assert_allclose(f.chi_square(cells)["statistic"], answers("infert")["chisq"]["statistic"], rtol=1e-11)
    trials = table("bcg_meta").to_pydict()
    a, b, c, d = (np.array(trials[k], float) for k in ("tpos", "tneg", "cpos", "cneg"))
    risk = np.log(a / (a + b)) - np.log(c / (c + d))
    error = np.sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
    bcg = answers("bcg_meta")
    for name, method in (("FE", f.fixed_effect), ("DL", f.der_simonian_laird), ("REML", f.reml)):
        found = method(risk, error)
        for key in ("beta", "se", "tau2", "Q", "I2"):
            np.testing.assert_allclose(found[key], bcg["log_rr"][name][key], rtol=1e-6 if name == "REML" else 1e-11)
    mh = f.mantel_haenszel(list(zip(a, b, c, d, strict=True)))
    np.testing.assert_allclose(mh["log_or"], bcg["mantel_haenszel_log_or"]["beta"], rtol=1e-12)
    np.testing.assert_allclose(mh["se"], bcg["mantel_haenszel_log_or"]["se"], rtol=1e-12)


def test_means_variances_and_quantiles_of_three_sites() -> None:
    options = pacsv.ConvertOptions(null_values=["", "NA"])
    parts = []
    for site in (1, 2, 3):
        read = pacsv.read_csv(folder() / f"datashield_cnsim/CNSIM{site}.csv", convert_options=options)
        parts.append(read.rename_columns([name.strip() for name in read.column_names]))
    told = json.loads((folder() / "datashield_cnsim/answers.json").read_text())
    for column, wanted in told["describe"].items():
        found = f.moments_of([f.moments_at(each, column) for each in parts])
        center = found["mean"]
        found = f.moments_of([f.moments_at(each, column, center) for each in parts], center)
        np.testing.assert_allclose(
            [found["n"], found["mean"], found["variance"]], [wanted[k] for k in ("n", "mean", "var")], rtol=1e-12
        )
        ranges = [f.range_at(each, column, 2) for each in parts]

        def below(points: list[float]) -> list[tuple[int, int]]:
            every = [f.below_at(each, column, points) for each in parts]  # noqa: B023 - used at once
            return [(sum(p[k][0] for p in every), sum(p[k][1] for p in every)) for k in range(len(points))]

        shares = [float(name[:-1]) / 100 for name in wanted["q"]]
        bounds = min(r[1] for r in ranges), max(r[2] for r in ranges)
        np.testing.assert_allclose(
            f.quantiles_of(found["n"], bounds, shares, below), list(wanted["q"].values()), rtol=1e-12
        )
    for model in told["glm"][:2]:
        outcome, family = model["formula"].partition("~")[0].strip(), model["family"]
        made = f.make_design(terms(model["formula"]))
        fit = f.fit_glm(lambda coef: [f.glm_at(each, outcome, made, family, coef) for each in parts], made, family)  # noqa: B023 - used at once
        np.testing.assert_allclose(fit.coef, list(model["coef"].values()), rtol=1e-9)
        np.testing.assert_allclose(fit.deviance, model["deviance"], rtol=1e-12)
