import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.science.bioprocess.runs import segments
from madang.science.bioprocess.runs.exceptions import exceptions
from madang.science.bioprocess.runs.segments import READING, Tag, open_log, read_log, unique
from madang.science.bioprocess.runs.table import ask

READINGS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([0, 0x80000000]), st.integers(0, 5), st.integers(0, 3), st.floats()),
    max_size=30,
)


def written(folder: Path, blocks: int, each: int) -> None:
    log = open_log(folder)
    numbers = [log.tag(Tag(f"t{k}", unit="-")) for k in range(2)]
    for block in range(blocks):
        for place in range(each):
            log.add(numbers[place % 2], block * 1000 + place, block, float(place))
        log.write()
    log.close()


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written(tmp_path, 3, 10)
    held = read_log(tmp_path)
    assert [tag.name for tag in held.tags] == ["t0", "t1"]
    assert len(held.readings) == 30 and held.torn == 0


def test_a_torn_end_costs_the_last_block_only(tmp_path: Path) -> None:
    """Cut anywhere: whole blocks are read, the rest is said, and writing goes on behind them."""
    written(tmp_path / "whole", 3, 4)
    data = (tmp_path / "whole" / "000000.seg").read_bytes()
    for cut in range(0, len(data), 7):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "000000.seg").write_bytes(data[:cut])
        before = read_log(folder)
        assert len(before.readings) % 4 == 0
        log = open_log(folder)
        log.add(log.tag(Tag("t0")), 9_999, 0, 1.0)
        log.close()
        after = read_log(folder)
        assert len(after.readings) == len(before.readings) + 1 and after.torn == 0


def test_a_flipped_bit_is_seen(tmp_path: Path) -> None:
    written(tmp_path, 3, 4)
    path = tmp_path / "000000.seg"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    held = read_log(tmp_path)
    assert len(held.readings) == 8 and held.torn > 0


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    with pytest.raises(MadangError) as error:
        open_log(tmp_path)
    assert error.value.code == "runs.busy"
    log.close()


def test_files_roll_and_are_read_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "ROLL", 300)
    written(tmp_path, 10, 8)
    assert len(list(tmp_path.glob("*.seg"))) > 3
    assert list(read_log(tmp_path).readings["source"]) == [b * 1000 + p for b in range(10) for p in range(8)]


@settings(deadline=None, max_examples=60)
@given(READINGS)
def test_exact_repeats_are_one_reading(rows: list[tuple[int, int, int, int, float]]) -> None:
    table = np.array([(t, s, source, server, v) for t, s, source, server, v in rows], dtype=READING)
    slow = {(t, s, source, np.float64(v).tobytes()) for t, s, source, _server, v in rows}
    found = [(int(r["tag"]), int(r["status"]), int(r["source"]), r["value"].tobytes()) for r in unique(table)]
    assert len(found) == len(set(found)) and set(found) == slow


def test_a_run_is_asked_by_sql_while_it_goes_on(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    number = log.tag(Tag("pH", unit="-"))
    for at in range(100):
        log.add(number, at * 1_000_000, at * 1_000_000, 7.0)
    log.event("gap", tag="pH", begin=5, finish=9, text="4 s")
    log.write()
    told = ask(tmp_path, "SELECT count(*) AS n, max(value) AS most FROM signals").to_pylist()
    assert told == [{"n": 100, "most": 7.0}]
    assert ask(tmp_path, "SELECT kind FROM events").to_pylist() == [{"kind": "gap"}]
    for hostile in ("DROP TABLE signals", "SELECT * FROM read_csv('/etc/passwd')", "SELECT 1; SELECT 2"):
        with pytest.raises(MadangError):
            ask(tmp_path, hostile)
    log.close()


def test_exceptions_name_what_is_wrong(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    random = np.random.default_rng(1)
    names = ("fine", "bad", "nan", "clock", "stuck", "jump", "silent")
    numbers = {name: log.tag(Tag(name)) for name in names}
    last = 0.0
    for at in range(200):
        time = at * 1_000_000
        for name, number in numbers.items():
            value = float(random.standard_normal())
            if name == "silent" and at > 100:
                continue
            if name == "stuck" and at > 120:
                value = last
            if name == "stuck":
                last = value
            value = np.nan if name == "nan" and at == 50 else 50.0 if name == "jump" and at == 60 else value
            source = time - 90_000_000 if name == "clock" else time
            log.add(number, source, time, value, 0x80000000 if name == "bad" and at == 3 else 0)
    log.close()
    found = {(each.kind, each.tag) for each in exceptions(read_log(tmp_path))}
    for name in names[1:]:
        assert (name, name) in found
    assert not [each for each in found if each[1] == "fine"]


def test_readings_out_of_order_twice_and_in_another_unit_are_kept_and_named(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    one, other = log.tag(Tag("glucose", unit="g/L")), log.tag(Tag("pH"))
    for at in (1, 2, 5, 3, 4, 6, 6, 2):  # 3 and 4 come after 5; 6 and 2 come again
        log.add(one, at * 1_000_000, at * 1_000_000, float(at))
        log.add(other, at * 1_000_000, 9_000_000, float(at))
    log.close()
    log = open_log(tmp_path)  # also after a break
    assert log.tag(Tag("glucose", unit="mM")) == one and log.tag(Tag("pH")) == other
    log.close()
    held = read_log(tmp_path)
    assert unique(held.readings)["source"].tolist() == [k * 1_000_000 for k in (1, 2, 3, 4, 5, 6)] * 2
    found = {(each.kind, each.tag): each.text for each in exceptions(held)}
    assert found[("late", "glucose")] == "2" and found[("twice", "")] == "4"
    assert found[("unit", "glucose")] == "g/L > mM" and ("unit", "pH") not in found
    assert next(each.kind for each in exceptions(held)) == "unit"


def test_the_log_is_closed_to_others(tmp_path: Path) -> None:
    written(tmp_path / "run", 1, 1)
    assert os.stat(tmp_path / "run" / "000000.seg").st_mode & 0o077 == 0
