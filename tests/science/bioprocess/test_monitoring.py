from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.bioprocess.monitoring import Settings, load, save, train, tune, watch
from madang.science.bioprocess.monitoring.statistics import (
    cva_distance,
    errors_of,
    fit,
    innovations_distance,
    stacked,
    tolerance_limit,
)
from madang.science.bioprocess.signals import Signals, read_signals
from support import shared_data

DETECTABLE = (1, 2, 4, 5, 6, 7, 8, 10)


def process(count: int, seed: int, shift: float = 0.0) -> Signals:
    """Six signals that follow two hidden ones; `shift` moves the third from the middle on."""
    random = np.random.default_rng(seed)
    hidden = np.zeros((count, 2))
    for t in range(1, count):
        hidden[t] = 0.8 * hidden[t - 1] + random.standard_normal(2)
    mixing = np.random.default_rng(1).standard_normal((2, 6))
    values = hidden @ mixing + 0.3 * random.standard_normal((count, 6))
    values[count // 2 :, 2] += shift
    return Signals(tuple(f"x{k}" for k in range(1, 7)), values, False)


@pytest.fixture(scope="module")
def model():  # type: ignore[no-untyped-def]  # plain arrays
    return train([process(800, 1)])


def test_published_faults_are_found_with_few_false_alarms() -> None:
    """Trained on normal operation alone; the peer of 2000 misses 0.016 of these eight faults."""
    folder = shared_data("tep")
    learned = train([read_signals(folder / "d00.dat.xz")])
    quiet = watch(learned, read_signals(folder / "d00_te.dat.xz", 52))
    assert quiet.alarm.mean() <= 0.015
    missed = [
        1 - watch(learned, read_signals(folder / f"d{fault:02d}_te.dat.xz", 52)).alarm[160:].mean()
        for fault in DETECTABLE
    ]
    assert np.mean(missed) <= 0.016


def test_a_fault_of_the_cooling_water_is_explained_by_its_valve() -> None:
    folder = shared_data("tep")
    learned = train([read_signals(folder / "d00.dat.xz")])
    watched = watch(learned, read_signals(folder / "d04_te.dat.xz", 52), explain=True)
    longest = max(watched.explanations, key=lambda each: each.length)
    assert longest.variables[0][0] == "x51"  # XMV(10), the cooling water valve


def test_a_shift_alarms_and_names_its_signal(model) -> None:  # type: ignore[no-untyped-def]  # plain arrays
    assert watch(model, process(800, 2)).alarm.mean() < 0.02
    watched = watch(model, process(800, 3, shift=3.0), explain=True)
    assert watched.alarm[400:].mean() > 0.9 and watched.alarm[:400].mean() < 0.02
    assert max(watched.explanations, key=lambda each: each.length).variables[0][0] == "x3"


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3))
def test_both_distances_are_those_of_loops(seed: int, lag: int, order: int) -> None:
    random = np.random.default_rng(seed)
    samples = random.standard_normal((120, 3))
    fitted = fit(samples, np.ones(120, dtype=bool), lag, lag, order, 1.0)
    cva = cva_distance(samples, fitted.residual, lag)
    errors = errors_of(samples, fitted.predictor, order)
    white = innovations_distance(samples, fitted.predictor, fitted.whitening, order)
    for t in (0, 1, 5, 119):
        past = np.concatenate([samples[t - k] if t >= k else np.zeros(3) for k in range(lag)])
        assert cva[t] == pytest.approx(sum(float(row @ past) ** 2 for row in fitted.residual))
        predicted = np.zeros(3)
        if t:
            before = np.concatenate([samples[t - 1 - k] if t > k else np.zeros(3) for k in range(order)])
            predicted = before @ fitted.predictor
        assert errors[t] == pytest.approx(samples[t] - predicted)
        assert white[t] == pytest.approx(float((((samples[t] - predicted) @ fitted.whitening) ** 2).sum()))
    assert stacked(samples, lag).shape == (120, 3 * lag)


def test_a_tolerance_limit_is_that_of_the_tables() -> None:
    """Natrella's table A-7: n = 20, content 0.99, confidence 0.95 gives k = 3.295 (the formula is within 1 %)."""
    logs = np.tile([-1.0, 1.0], 10)
    values = np.exp(logs[np.random.default_rng(0).permutation(20)])
    factor = np.log(tolerance_limit(values, 0.99, 0.95)) / np.std(logs, ddof=1)
    assert factor == pytest.approx(3.295, rel=0.25)
    assert tolerance_limit(values, 0.99, 0.95) > tolerance_limit(values, 0.95, 0.95)


def test_a_model_comes_back_from_its_file_as_it_was(model, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]  # plain arrays
    save(model, tmp_path / "model")
    again = load(tmp_path / "model")
    record = process(300, 5, shift=2)
    assert (watch(again, record).ratio == watch(model, record).ratio).all()
    data = (tmp_path / "model").read_bytes()
    for damaged in (data[:-200], b"PK\x03\x04" + data[10:], b"", b"no model", data.replace(b"about", b"abaut")):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(MadangError) as error:
            load(tmp_path / "damaged")
        assert error.value.code == "monitor.model"


def test_a_model_is_refused_for_other_signals_and_products(model) -> None:  # type: ignore[no-untyped-def]  # plain arrays
    other = Signals(("a", "b"), np.zeros((10, 2)), False)
    with pytest.raises(MadangError, match="signals"):
        watch(model, other)
    named = train([process(300, 1)], product="mAb-1")
    with pytest.raises(MadangError, match="mAb-1"):
        watch(named, process(50, 1), product="mAb-2")


def test_missing_readings_are_marked_and_a_constant_that_moves_alarms() -> None:
    normal = process(500, 1)
    values = np.concatenate([normal.values, np.full((500, 1), 7.0)], axis=1)
    names = (*normal.names, "valve")
    learned = train([Signals(names, values, False)])
    assert learned.card["constant"] == ["valve"]
    holes = values.copy()
    holes[100:103, 1] = np.nan
    watched = watch(learned, Signals(names, holes, False))
    assert list(np.flatnonzero(watched.missing)) == [100, 101, 102]
    assert len(watched.alarm) == 500
    moved = values.copy()
    moved[200:, 6] = 7.5
    found = watch(learned, Signals(names, moved, False), explain=True)
    assert found.alarm[200:].all() and found.explanations[-1].variables[0][0] == "valve"


def test_training_refuses_what_teaches_nothing() -> None:
    for values in (np.zeros((500, 4)), np.random.default_rng(0).random((20, 4)), np.full((300, 3), np.nan)):
        with pytest.raises(MadangError) as error:
            train([Signals(tuple("abcd"[: values.shape[1]]), values, False)])
        assert error.value.code == "monitor.training"


def test_known_disturbances_choose_settings_and_leave_limits_to_normal_operation() -> None:
    normal, disturbed = process(500, 1), process(400, 4, shift=1.0)
    tuned = tune([normal], [disturbed])
    alone = train([normal], Settings(memory=tuned.settings.memory))
    assert tuned.limits == alone.limits
    assert tuned.card["disturbances"] == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "signals.empty"),
        ("1 2\n3\n", "signals.ragged"),
        ("1 2\n3 x\n", "signals.number"),
        ("a,b\n", "signals.empty"),
    ],
)
def test_files_that_are_no_signals_are_refused(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "f").write_text(text)
    with pytest.raises(MadangError) as error:
        read_signals(tmp_path / "f")
    assert error.value.code == code


def test_a_cut_off_archive_is_refused_and_a_turned_table_is_turned(tmp_path: Path) -> None:
    import lzma

    packed = lzma.compress("\n".join("1 2 3" for _row in range(1000)).encode())
    (tmp_path / "cut.xz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(MadangError) as error:
        read_signals(tmp_path / "cut.xz")
    assert error.value.code == "signals.packed"
    (tmp_path / "t").write_text("1 2 3 4\n5 6 7 8\n")
    assert read_signals(tmp_path / "t").values.shape == (4, 2)
    assert read_signals(tmp_path / "t", 4).values.shape == (2, 4)
    (tmp_path / "h.csv").write_text("time,pH,DO\n0,7.0,40\n1,,41\n")
    found = read_signals(tmp_path / "h.csv")
    assert found.names == ("pH", "DO") and np.isnan(found.values[1, 0])
