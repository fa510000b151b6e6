"""Models: rows accounted for, splits by DeepChem's rule, intervals that hold what they promise, versions that last."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import shared_data

pytest.importorskip("rdkit")
pytest.importorskip("lightgbm")

from rdkit import Chem
from rdkit.Chem import Crippen

from madang.base.errors import MadangError
from madang.science.chemistry.assay import number_of, read_assay
from madang.science.chemistry.intervals import calibrate, quantile
from madang.science.chemistry.learn import _alike
from madang.science.chemistry.model import load, save, train
from madang.science.chemistry.split import clusters, folds, scaffold_split
from madang.science.chemistry.validate import metrics, nearest


def molecules():
    """Small molecules of a few series, made by joining parts."""
    cores = ["c1ccc({})cc1{}", "c1ccnc({})c1{}", "C1CCN({})CC1{}", "c1ccc2[nH]c({})cc2c1{}"]
    ends = ["C", "CC", "CO", "OC", "Cl", "F", "C(=O)N", "C(=O)O", "C#N", "N(C)C", "S(C)(=O)=O", "C(F)(F)F"]
    made = (core.format(one, two) for core in cores for one in ends for two in ["", *ends[:4]])
    return sorted({Chem.CanonSmiles(smiles) for smiles in made if Chem.MolFromSmiles(smiles)})


def write(path, rows, header="smiles,value"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("assay") / "logp.csv"
    rows = [f"{smiles},{Crippen.MolLogP(Chem.MolFromSmiles(smiles)):.4f}" for smiles in molecules()]
    assay = read_assay(write(path, [*rows, rows[0], "C1CC,1", "CCO,", "CCN,<3", "CCCO,high"]), "smiles", "value")
    return assay, train("logp", assay, trees=60)


def test_every_row_is_used_joined_or_dropped(trained):
    assay, _model = trained
    assert assay.rows == len(assay.smiles) + assay.repeats + len(assay.dropped)
    reasons = [row.reason for row in assay.dropped]
    assert reasons == ["structure: not a SMILES", "no value", "only bounded: <3", "no number: high"]
    assert assay.repeats == 1


def test_a_model_is_better_than_its_baseline_and_says_how_sure_it_is(trained):
    _assay, model = trained
    found = model.card["splits"]
    assert set(found) == {"random", "cluster", "scaffold"}
    assert found["random"]["model"]["pearson_r"] > max(0.8, found["random"]["baseline"]["pearson_r"])
    assert found["random"]["coverage"]["0.9"] == pytest.approx(0.9, abs=0.06)


def test_predictions(trained):
    assay, model = trained
    said = model.predict([assay.smiles[0], "C1CC", "[Cu+2].CCO", "CCCCCCCCCCCCCCCCCCCCCCCC"])
    assert said[0].in_domain and said[0].nearest == assay.smiles[0] and said[0].similarity == 1
    assert said[0].low < said[0].value < said[0].high
    assert said[1].value is None and said[1].problem == "not a SMILES" and not said[1].in_domain
    assert not said[2].in_domain and not said[3].in_domain
    assert said[3].high - said[3].low >= said[0].high - said[0].low


def test_versions_last_and_are_checked(trained, tmp_path):
    assay, model = trained
    number, digest = save(model, tmp_path / "logp")
    assert (number, save(model, tmp_path / "logp")[0]) == (1, 2) and len(digest) == 64
    again = load(tmp_path / "logp", 1)
    assert again.predict(assay.smiles[:5]) == model.predict(assay.smiles[:5])
    path = tmp_path / "logp" / "1" / "trees.txt"
    path.write_text(path.read_text() + " ")
    with pytest.raises(MadangError, match="not what it was"):
        load(tmp_path / "logp", 1)
    for name, number in (("logp", 9), ("other", None)):
        with pytest.raises(MadangError) as error:
            load(tmp_path / name, number)
        assert error.value.code == "chemistry.no_model"


def test_classes_have_sets(tmp_path):
    rows = [f"{smiles},{int('c' in smiles)},2024-{1 + n % 12:02d}-01" for n, smiles in enumerate(molecules())]
    path = write(tmp_path / "aromatic.csv", rows, "smiles,value,day")
    model = train("aromatic", read_assay(path, "smiles", "value", "day"), trees=30)
    assert model.card["kind"] == "classes" and "time" in model.card["splits"]
    one, two = model.predict(["Cc1ccc(Cl)cc1", "CN1CCCCC1"])
    assert one.value > 0.5 > two.value
    assert (one.low, one.high) == (1, 1) and (two.low, two.high) == (0, 0)
    json.dumps(model.card)


@pytest.mark.parametrize(
    ("rows", "header", "code"),
    [
        (["CCO,1"] * 50, "smiles,value", "too_few"),
        ([f"{'C' * n}O,1" for n in range(1, 40)], "smiles,value", "one_class"),
        ([f"{'C' * n}O,{int(n > 37)}" for n in range(1, 40)], "smiles,value", "one_class"),
        ([f"{'C' * n}O,{n},{'nM' if n % 2 else 'uM'}" for n in range(1, 40)], "smiles,value,unit", "mixed_units"),
        (["CCO,1"], "smiles,activity", "no_column"),
    ],
)
def test_assays_that_cannot_be_learned_from(tmp_path, rows, header, code):
    with pytest.raises(MadangError) as error:
        read_assay(write(tmp_path / "a.csv", rows, header), "smiles", "value")
    assert error.value.code == f"chemistry.{code}"


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,234.5", 1234.5), ("1e-3", 0.001), (".5", 0.5), ("<5", None), ("nan", None), ("inf", None), ("1 2", None)],
)
def test_numbers(text, number):
    assert number_of(text)[0] == number


@pytest.mark.parametrize("name", ["esol", "lipophilicity", "freesolv", "clintox"])
def test_scaffold_splits_are_those_of_deepchem(name):
    facts = json.loads(shared_data("molecules/split_facts.json").read_text())[name]
    lines = shared_data(f"molecules/{name}.csv").read_text().splitlines()[1:]
    split = scaffold_split([line.split(",")[0] for line in lines])
    assert (split.scaffolds, len(split.train), len(split.valid), len(split.test)) == tuple(
        facts[key] for key in ("scaffolds", "train", "valid", "test")
    )
    said = [line.rsplit(",", 1)[1] for line in lines]
    if set(said) == {"train", "valid", "test"}:
        assert [said[row] for row in split.test] == ["test"] * len(split.test)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_neighbors_clusters_and_folds(seed, count):
    random = np.random.default_rng(seed)
    bits = random.random((count, 2048)) < 0.02
    bits[count // 2 :] = bits[: count - count // 2] ^ (random.random((count - count // 2, 2048)) < 0.002)
    words = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    alike = np.array([[(a & b).sum() / max((a | b).sum(), 1) for b in bits] for a in bits])
    places, scores = nearest(words, words, 3)
    for row in range(count):
        order = sorted(range(count), key=lambda other: (-alike[row, other], other))
        assert scores[row].tolist() == pytest.approx([alike[row, other] for other in order[:3]])
        assert places[row, 0] == order[0]
    label = clusters(words)
    for one in set(label.tolist()):
        members = np.flatnonzero(label == one)
        assert all(alike[members[0], member] >= 0.45 or member == members[0] for member in members)
    fold = folds(label, 3)
    assert all(len(set(fold[label == one])) == 1 for one in set(label.tolist()))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_kernel_counts_what_is_shared(seed):
    random = np.random.default_rng(seed)
    a, b = random.poisson(0.3, (2, 5, 60)).astype(np.uint8)
    scores = np.zeros((5, 1), np.float32)
    shared = [[np.minimum(x, y).sum() / max(np.maximum(x, y).sum(), 1) for y in b] for x in a]
    assert _alike(a, scores, b, scores) == pytest.approx((np.array(shared) + 1) / 2, abs=1e-6)


def test_intervals_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(3)
    inside = []
    for _round in range(40):
        similarity = random.random(600)
        truth = random.normal(0, 1, 600)
        predicted = truth + random.normal(0, 1.2 - similarity)
        made = calibrate(truth[:300], predicted[:300], similarity[:300], False)
        low, high = made.interval(predicted[300:], similarity[300:], 0.9)
        inside.append(((truth[300:] >= low) & (truth[300:] <= high)).mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.025)
    assert quantile(np.arange(5.0), 0.9) == float("inf") and quantile(np.arange(9.0), 0.9) == 8


def test_figures():
    truth = np.array([0.0, 0.0, 1.0, 1.0])
    assert metrics(truth, np.array([0.1, 0.4, 0.35, 0.8]), True)["auroc"] == 0.75
    assert metrics(truth, np.array([1.0, 1.0, 3.0, 3.0]), False)["pearson_r"] == pytest.approx(1)


CHAINS = ["C" * count + "O" for count in range(1, 31)]


def assay_of(tmp_path, values, other=(), head="smiles,value", mark=","):
    """An assay of chains with these values, and another column."""
    lines = [mark.join([smiles, *said]) for smiles, said in zip(CHAINS, zip(values, *other, strict=True), strict=True)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join([head.replace(",", mark), *lines]) + "\n")
    return read_assay(path, "smiles", "value")


def test_values_as_other_keyboards_and_databases_write_them(tmp_path):
    wanted = tuple(place / 8 for place in range(30))
    assert assay_of(tmp_path, [str(x).replace(".", ",") for x in wanted], mark=";").values == wanted
    assert assay_of(tmp_path, [f"{x} nM" for x in wanted]).values == wanted
    assert assay_of(tmp_path, [f"\u2212{x}" for x in wanted]).values == tuple(-x for x in wanted)
    assert assay_of(tmp_path, ["1,234.5"] * 15 + ["7"] * 15, mark=";").values[0] == 1234.5
    words = assay_of(tmp_path, ["Active", "inactive"] * 15)
    assert words.classes and sum(words.values) == 15
    odd = assay_of(tmp_path, ["\uff1e10", "1e400", "#N/A", "5\u00b11", *["2"] * 25, "3"])
    assert [row.reason for row in odd.dropped] == [
        "only bounded: >10",
        "no number: 1e400",
        "no value",
        "no number: 5\u00b11",
    ]


def test_what_is_only_bounded_or_of_another_kind_is_not_learned(tmp_path):
    values = [str(place + 1) for place in range(30)]
    for column in ("Standard Relation", "operator", "Qualifier"):
        told = assay_of(tmp_path, values, [["'>'", "'='", ""] * 10], f"smiles,value,{column}")
        assert len(told.dropped) == 10 and told.dropped[0].reason == "only bounded: > 1"
    with pytest.raises(MadangError, match=r"several kinds: IC50 \(15\), Inhibition \(15\)"):
        assay_of(tmp_path, values, [["IC50", "Inhibition"] * 15], "smiles,value,Standard Type")
    with pytest.raises(MadangError, match=r"several units: nM \(15\), uM \(15\)"):
        assay_of(tmp_path, [f"{x} {unit}" for x, unit in zip(values, ["nM", "uM"] * 15, strict=True)])
