"""Studies as files: R's answers over the data's own sites, with and without masks, and refusals by rule."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.federated import masks
from madang.science.federated.disclosure import Limits, Refused, check_history
from madang.science.federated.pooling import pooled
from madang.science.federated.rounds import FACTS, Part, Site, check_part, layout
from madang.science.federated.study import Study, read_study, words
from support import shared_data

OPEN = Limits(minimum=1, tab=1, subset=1, glm=1e9, levels_density=1e9, exact_times=True)


def sites_of(name: str) -> dict[str, pa.Table]:
    table = pyarrow.csv.read_csv(
        shared_data(f"federation/{name}.csv"), convert_options=pyarrow.csv.ConvertOptions(null_values=["", "NA"])
    )
    values = sorted(set(table.column("site").to_pylist()))
    return {str(each): table.filter(pc.equal(table.column("site"), each)) for each in values}


def asker(study: Study, sites: Mapping[str, pa.Table], limits: Limits = OPEN, masked: bool = False) -> Any:
    open_sites = {name: Site(study, table, limits) for name, table in sites.items()}

    def ask(step: str, told: Any) -> list[tuple[str, Part]]:
        told = json.loads(json.dumps(told))  # it travels as JSON
        parts = {name: site.answer(step, told) for name, site in open_sites.items()}
        for part in parts.values():
            check_part(study, step, told, part)
        if not masked or step in FACTS:
            return list(parts.items())
        return [("all", through_masks(study, step, told, parts))]

    return ask


def through_masks(study: Study, step: str, told: Any, parts: Mapping[str, Part]) -> Part:
    shapes = layout(study, step, told)
    own = {name: masks.seed_of(name.encode(), "own", step) for name in parts}

    def pair(a: str, b: str) -> bytes:
        return masks.seed_of("".join(sorted([a, b])).encode(), step)

    sent = {}
    for name, part in parts.items():
        elements = [e for key in shapes for e in masks.encode(*part.sums[key])]
        sent[name] = masks.from_bytes(
            masks.to_bytes(masks.mask(elements, name, own[name], {o: pair(name, o) for o in parts if o != name}))
        )
    high, low = masks.decode(masks.unmask(sent, own, {}))
    sums, at = {}, 0
    for key, shape in shapes.items():
        size = int(np.prod(shape, dtype=int))
        sums[key] = high[at : at + size].reshape(shape), low[at : at + size].reshape(shape)
        at += size
    return Part(sums)


def study(kind: str, dataset: str = "d", levels: Mapping[str, list[str]] | None = None, **more: Any) -> Study:
    lines = ['title = "T"', "secure = false", "[cohort]", f'dataset = "{dataset}"', "[estimator]", f'kind = "{kind}"']
    by_site = more.pop("by_site", False)
    lines += [f"{name} = {json.dumps(value)}" for name, value in more.items()]
    if by_site:
        lines += ["[stratification]", 'by = "site"']
    for name, each in (levels or {}).items():
        lines += [f"[variables.{name}]", f"levels = {json.dumps(each)}"]
    return read_study("\n".join(lines))


def close(got: Any, wanted: Any, most: float = 1e-9) -> None:
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            close(got[name], value, most)
    elif isinstance(wanted, list):
        assert len(got) == len(wanted)
        for a, b in zip(got, wanted, strict=True):
            close(a, b, most)
    elif wanted is not None and not isinstance(wanted, str):
        assert got == pytest.approx(wanted, rel=most, abs=1e-12)


LEVELS = {
    "celltype": ["squamous", "smallcell", "adeno", "large"],
    "wool": ["A", "B"],
    "tension": ["L", "M", "H"],
}


def terms_of(formula: str) -> list[str]:
    right = formula.split("~")[1].split("+")
    found: list[str] = []
    for term in (each.strip() for each in right):
        if " * " in term:
            parts = [each.strip() for each in term.split("*")]
            found += [*parts, ":".join(parts)]
        elif not term.startswith("strata"):
            found.append(term)
    return found


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", ["lung", "veteran", "rossi", "infert", "warpbreaks"])
def test_models_equal_those_of_r(name: str, masked: bool) -> None:
    answers = json.loads(shared_data(f"federation/{name}.answers.json").read_text())
    sites = sites_of(name)
    for wanted in [*answers.get("cox", []), *answers.get("glm", []), *answers.get("lm", [])]:
        terms = terms_of(wanted["formula"])
        left = wanted["formula"].split("~")[0].strip()
        columns = next(iter(sites.values())).column_names
        parts = [part for term in terms for part in term.split(":")]
        if any(part not in columns for part in parts):
            continue
        levels = {each: LEVELS[each] for each in parts if each in LEVELS}
        by_site = "strata" in wanted["formula"] and "site" in wanted["formula"]
        if "strata" in wanted["formula"] and not by_site:
            continue
        if by_site and masked:
            continue
        if left.startswith("Surv"):
            time, event = (each.strip() for each in left[5:-1].split(","))
            made = study("cox", name, levels, time=time, event=event, terms=terms, ties=wanted["ties"], by_site=by_site)
        elif "family" in wanted:
            if wanted["family"] not in ("gaussian", "binomial", "poisson", "gamma"):
                continue
            made = study("glm", name, levels, outcome=left, terms=terms, family=wanted["family"])
        else:
            made = study("linear", name, levels, outcome=left, terms=terms)
        got = pooled(made, asker(made, sites, masked=masked))
        keys = {k: v for k, v in wanted.items() if k in got and not isinstance(v, str)}
        assert {"coef", "se"} <= set(keys)
        close(got, {k: v for k, v in keys.items() if k not in ("vcov",)}, 1e-7)
        close(got["coef"], wanted["coef"], 1e-9)


@pytest.mark.parametrize("masked", [False, True])
def test_survival_and_descriptions_equal_those_of_r(masked: bool) -> None:
    answers = json.loads(shared_data("federation/lung.answers.json").read_text())
    sites = sites_of("lung")
    made = study("log-rank", time="time", event="status", by="sex", levels={"sex": ["1", "2"]})
    got = pooled(made, asker(made, sites, masked=masked))
    wanted = answers["logrank"][0]
    close([got["chisq"], got["df"], got["obs"], got["exp"]], [wanted[k] for k in ("chisq", "df", "obs", "exp")])
    made = study("kaplan-meier", time="time", event="status", by="sex", levels={"sex": ["1", "2"]})
    got = pooled(made, asker(made, sites, masked=masked))
    for curve, wanted in zip(got["km"], answers["km"], strict=True):
        assert [curve["median"], curve["events"]] == [wanted["median"], wanted["events"]]
    names = list(answers["describe"])
    made = study("moments", columns=names)
    close(pooled(made, asker(made, sites, masked=masked))["describe"], {
        n: {k: answers["describe"][n][k] for k in ("n", "mean", "var")} for n in names
    }, 1e-12)  # fmt: skip
    made = study("quantiles", columns=names, shares=[0, 0.25, 0.5, 0.75, 1])
    close(pooled(made, asker(made, sites, masked=masked))["describe"], {
        n: {"q": answers["describe"][n]["q"]} for n in names
    }, 1e-13)  # fmt: skip


def test_tables_and_mantel_haenszel() -> None:
    answers = json.loads(shared_data("federation/infert.answers.json").read_text())
    made = study("table", columns=["education", "case"])
    got = pooled(made, asker(made, sites_of("infert")))
    assert sorted(map(str, got["table"])) == sorted(map(str, answers["table"]))
    close(got["chisq"], answers["chisq"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.floats(-1e20, 1e20), min_size=4, max_size=4), min_size=2, max_size=5), st.integers(0, 4))
def test_masks_leave_the_exact_sum_and_nothing_else(values: list[list[float]], gone: int) -> None:
    from fractions import Fraction

    names = [f"s{k}" for k in range(len(values))]
    pairs = {(a, b): masks.seed_of(f"{min(a, b)}{max(a, b)}".encode()) for a in names for b in names if a != b}
    own = {a: masks.seed_of(a.encode()) for a in names}
    sent = {}
    for name, row in zip(names, values, strict=True):
        plain = masks.encode(np.array(row), np.zeros(4))
        sent[name] = masks.mask(plain, name, own[name], {b: pairs[name, b] for b in names if b != name})
        assert sent[name] != plain
    fallen: dict[str, dict[str, bytes]] = {}
    if len(names) > 2 and gone < len(names):  # one answers too late
        lost = names[gone]
        del sent[lost], own[lost]
        fallen = {lost: {a: pairs[a, lost] for a in sent}}
    high, low = masks.decode(masks.unmask(sent, own, fallen))
    step = Fraction(1, 1 << 160)
    for place in range(4):
        exact = sum(round(Fraction(values[names.index(a)][place]) / step) * step for a in sent)
        told = Fraction(float(high[place])) + Fraction(float(low[place]))
        assert abs(told - exact) <= abs(exact) * Fraction(1, 1 << 104) + step


@given(st.binary(min_size=32, max_size=32), st.integers(3, 9), st.randoms())
def test_a_seed_is_put_together_by_enough_shares_and_by_no_fewer(seed: bytes, sites: int, chance: Any) -> None:
    names = [f"s{k}" for k in range(sites - 1)]
    least = masks.least_of(sites)
    shares = masks.share_out(seed, names, least, b"nobody knows")
    some = chance.sample(names, least)
    assert masks.put_together({name: shares[name] for name in some}, names, least) == seed
    with pytest.raises(MadangError):
        masks.put_together({name: shares[name] for name in some[1:]}, names, least)
    other = masks.share_out(bytes(32), names, least, b"nobody knows")  # one share fewer fits any seed
    assert all(shares[name] != other[name] for name in names) or seed == bytes(32)
    assert masks.hidden(masks.hidden(seed, b"k"), b"k") == seed


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_differences_are_found_as_a_slow_twin_finds_them(data: st.DataObject) -> None:
    size = data.draw(st.integers(8, 20))
    bits = st.lists(st.booleans(), min_size=size, max_size=size).map(lambda each: np.array(each, bool))
    earlier, asked = data.draw(st.lists(bits, max_size=3)), data.draw(bits)
    limits = Limits(minimum=3, subset=3)
    twin = small_difference(size, earlier, asked, 3)
    if twin:  # two sets, one in the other, that differ by few
        with pytest.raises(Refused) as refused:
            check_history([asked], earlier, limits)
        assert refused.value.rule == "difference"
    else:
        try:
            check_history([asked], earlier, limits)
        except Refused:  # then a combination tells of few: a weight for each set shows it
            sets = np.array([np.ones(size, bool), *earlier, asked], float)
            assert any_small_combination(sets, 3)


def small_difference(size: int, earlier: list[np.ndarray], asked: np.ndarray, least: int) -> bool:
    for other in [np.ones(size, bool), *earlier]:
        a, b = set(np.nonzero(asked)[0]), set(np.nonzero(other)[0])
        if (a <= b and 0 < len(b - a) < least) or (b <= a and 0 < len(a - b) < least):
            return True
    return False


def any_small_combination(sets: np.ndarray, least: int) -> bool:
    from itertools import combinations

    for count in range(1, least):
        for rows in combinations(range(sets.shape[1]), count):
            unit = np.zeros(sets.shape[1])
            unit[list(rows)] = 1
            weights = np.linalg.lstsq(sets.T, unit, rcond=None)[0]
            if np.allclose(sets.T @ weights, unit, atol=1e-7):
                return True
    return False


def test_words_name_what_leaves() -> None:
    told = " ".join(words(study("cox", time="t", event="e", terms=["x"], bin=30)))
    assert "30" in told and "leaves" in told


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "title = 1", 'title = "t"', 'title = "t"\n[cohort]\ndataset = "d"',
        'title = "t"\n[cohort]\ndataset = "d"\n[estimator]\nkind = "sql"',
        'title = "t"\n[cohort]\ndataset = "d"\n[estimator]\nkind = "cox"',
        'title = "t"\nmore = 1\n[cohort]\ndataset = "d"\n[estimator]\nkind = "count"',
        'title = "t"\n[cohort]\ndataset = "d"\nwhere = "drop table"\n[estimator]\nkind = "count"',
        'title = "t"\n[cohort]\ndataset = "d"\n[estimator]\nkind = "quantiles"\ncolumns = ["a"]\nshares = [2]',
        'title = "t"\n[cohort]\ndataset = "d"\n[estimator]\nkind = "count"\n[variables.a]\ntype = "blob"',
        "\x00", "[" * 5000,
    ],
)  # fmt: skip
def test_bad_studies_get_a_sentence(text: str) -> None:
    with pytest.raises(MadangError) as error:
        read_study(text)
    assert error.value.code.startswith("study.")
