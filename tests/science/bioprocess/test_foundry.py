import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from madang.base.errors import MadangError
from madang.science.bioprocess.foundry.constructs import fasta, genbank, read_parts
from madang.science.bioprocess.foundry.description import Foundry, read_foundry
from madang.science.bioprocess.foundry.loop import history, run
from madang.science.bioprocess.foundry.plates import is_turned, read_readings, turned, wells

TEXT = """
name = "gfp"
rounds = 6
experiments = 6
[[part]]
name = "promoter"
choices = ["P1", "P2", "P3"]
[[factor]]
name = "inducer"
low = 0
high = 100
[devices]
failures = FAILURES
"""


def described(folder: Path, failures: Sequence[str] = (), extra: str = "") -> Foundry:
    path = folder / "gfp.toml"
    path.write_text(extra + TEXT.replace("FAILURES", json.dumps(list(failures))))
    return read_foundry(path)


def test_the_loop_closes_with_devices_that_fail_and_says_what_happened(tmp_path: Path) -> None:
    failures = ["reader@1", "dispenser@2:silent*9", "reader@3:turned", "reader@4:twice", "dispenser@5:partial"]
    plan = described(tmp_path, failures)
    done = run(plan)
    kinds = [(note["round"], note["kind"]) for note in done.notes]
    for expected in ((1, "recovered"), (2, "skipped"), (3, "turned"), (4, "twice"), (5, "empty")):
        assert expected in kinds
    assert done.rounds == 6 and sum(done.wells.values()) == 36
    assert done.wells["skipped"] == 6 and done.wells["empty"] == 3
    everything = history(plan)
    assert len(everything) == 36
    assert all((each["reading"] is None) == (each["fate"] != "read") for each in everything)


def test_a_turned_plate_gives_the_readings_of_a_straight_one(tmp_path: Path) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    for folder in folders:
        folder.mkdir()
    straight = run(replace(described(folders[0]), rounds=1))
    other = run(replace(described(folders[1], ["reader@1:turned"]), rounds=1))
    assert straight.best == other.best and straight.best_reading == other.best_reading


def test_a_stopped_loop_goes_on_where_it_was(tmp_path: Path) -> None:
    plan = described(tmp_path)
    run(replace(plan, rounds=3))
    (plan.folder / "round-03" / "result.json").unlink()  # killed before the third was written
    again = run(plan)
    fresh = run(replace(plan, folder=tmp_path / "fresh"))
    assert again.best_by_round == fresh.best_by_round


def test_with_files_it_waits_for_the_readings(tmp_path: Path) -> None:
    plan = described(tmp_path)
    plan = replace(plan, mode="files")
    first = run(plan)
    assert first.rounds == 0 and first.waiting.endswith("readings.csv")
    folder = plan.folder / "round-01"
    layout = json.loads((folder / "plate.json").read_text())
    assert (folder / "worklist.csv").read_text().startswith("source_plate,")
    names = wells(96)
    grid = {well: 50.0 for well in names} | {well: 900.0 for well in names[:3]} | {well: 400.0 for well in layout}
    lines = ["Reader 7", "," + ",".join(map(str, range(1, 13)))]
    lines += [f"{row}," + ",".join(str(grid[f"{row}{column}"]) for column in range(1, 13)) for row in "ABCDEFGH"]
    (folder / "readings.csv").write_text("\n".join(lines))
    second = run(plan)
    assert second.rounds == 1 and second.best_reading == 400.0 and "round-02" in second.waiting


@pytest.mark.big
def test_the_loop_beats_a_fixed_design_in_fifteen_of_twenty(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    parts = "".join(f'[[part]]\nname = "p{k}"\nchoices = ["a", "b", "c", "d", "e"]\n' for k in range(2))
    factors = "".join(f'[[factor]]\nname = "f{k}"\nlow = 0\nhigh = 1\n' for k in range(2))
    path.write_text(f'rounds = 10\nexperiments = 8\n{parts}{factors}[devices]\nfailures = ["dispenser@5:silent*9"]\n')
    plan = read_foundry(path)
    better = 0
    for seed in range(20):
        done = run(replace(plan, seed=seed, folder=tmp_path / str(seed)))
        assert done.found is not None and done.fixed is not None
        better += done.found > done.fixed
    assert better >= 15


def test_wells_turn_and_controls_tell() -> None:
    names = wells(384)
    assert len(set(names)) == 384 and {turned(turned(well, 384), 384) == well for well in names} == {True}
    assert turned("A1", 96) == "H12"
    high, blank = ["A1", "A2"], ["H11", "H12"]
    straight = {"A1": 900.0, "A2": 910.0, "H11": 50.0, "H12": 52.0}
    assert is_turned(straight, high, blank, 96) is False
    assert is_turned({turned(well, 96): value for well, value in straight.items()}, high, blank, 96) is True
    assert is_turned({"A1": 50.0, "H12": 50.0}, high, blank, 96) is None


def test_readings_come_as_list_or_grid_and_contradictions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("well,value\nA01,5\nB2,7.5\nC3,OVERFLOW\n")
    assert read_readings(path, 96) == {"A1": 5.0, "B2": 7.5}
    for text in ("well,value\nA1,5\nA1,6\n", "nothing here\n"):
        path.write_text(text)
        with pytest.raises(MadangError):
            read_readings(path, 96)


def test_sequences_go_out_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "parts"
    parts = {"P1": "ACGT" * 40, "R1": "AAGGAGG"}
    path.write_text(fasta(parts))
    assert read_parts(path) == parts
    path.write_text(genbank("P1", parts["P1"], [("P1", 1, 160)]))
    assert read_parts(path) == {"P1": parts["P1"]}
    for text in (">a\nACGX1\n", ">a\nAC\n>a\nGT\n", ">\nAC\n", "", ">a\n"):
        path.write_text(text)
        with pytest.raises(MadangError):
            read_parts(path)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    for extra, code in (("replicates = 12\n", None), ("plate = 100\n", "plate.size")):
        with pytest.raises(MadangError) as error:
            described(tmp_path, extra=extra + ("" if code else "plate = 96\n"))
            described(tmp_path, extra="x = 1\n")
        assert error.value.code == (code or "toml.unknown")
    for failure in ("reader", "reader@x", "robot@1", "reader@1:angry", "reader@0"):
        with pytest.raises(MadangError) as error:
            described(tmp_path, [failure])
        assert error.value.code == "foundry.failure"
    assert np.isfinite(run(replace(described(tmp_path), rounds=1)).best_reading)


@pytest.mark.parametrize("mode", ["sila2", "pylabrobot"])
def test_a_station_and_a_robot_end_as_the_simulated_devices_do(tmp_path: Path, mode: str) -> None:
    pytest.importorskip(mode)
    outcomes = []
    for each in ("simulated", mode):
        (tmp_path / each).mkdir()
        plan = described(tmp_path / each, ["reader@1", "dispenser@2:partial"])
        outcomes.append(run(replace(plan, mode=each, rounds=3)))
    assert outcomes[0].best == outcomes[1].best and outcomes[0].best_reading == outcomes[1].best_reading
    told = [[(note["kind"], note.get("step"), note.get("why")) for note in done.notes] for done in outcomes]
    assert told[0] == told[1] and outcomes[0].wells == outcomes[1].wells


def test_a_station_that_is_not_there_and_a_package_that_is_missing_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sila2.client", None)
    plan = replace(described(tmp_path), mode="sila2", address="127.0.0.1:1")
    with pytest.raises(MadangError, match="sila2, which is not installed"):
        run(plan)
