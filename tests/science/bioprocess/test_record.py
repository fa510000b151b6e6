"""A run in the simulated plant, with both ends killed: what the plant logged is what the log of the run has."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from madang.lake import Lake
from madang.science.bioprocess.runs.segments import read_log, unique
from madang.science.bioprocess.runs.table import finish
from support import needs

asyncua = pytest.importorskip("asyncua")

PLANT = """
import sys
from pathlib import Path
from madang.science.bioprocess.plant.server import Plan, serve
plan = Plan(Path(sys.argv[1]), int(sys.argv[2]), period=0.1, counters=20, seconds=1200)
serve(plan, lambda url: print(url, flush=True))
"""
RECORDER = """
import sys
from pathlib import Path
from madang.science.bioprocess.runs.record import record
record(sys.argv[1], Path(sys.argv[2]), 1200, lambda tags: print(tags, flush=True), patience=0.3)
"""


def started(code: str, *arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline(), "it did not start"
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def held(folder: Path) -> set[tuple[str, int, float]]:
    log = read_log(folder)
    names = [tag.name.removeprefix("SimulatedPlant.") for tag in log.tags]
    found = unique(log.readings)
    return {
        (names[row["tag"]], int(row["source"]), float(row["value"])) for row in found if row["value"] == row["value"]
    }


def grown(folder: Path, by: int) -> None:
    """Wait until the log in a folder has so many readings more than now."""
    wanted, deadline = len(held(folder)) + by, time.monotonic() + 300
    while len(held(folder)) < wanted:
        assert time.monotonic() < deadline, f"{folder.name} does not go on"
        time.sleep(0.3)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_or_doubled_when_plant_and_recorder_are_killed_at_any_point(tmp_path: Path, seed: int) -> None:
    needs(sys.executable)
    chance = random.Random(seed)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"opc.tcp://127.0.0.1:{port}/madang/plant"
    plant, run = tmp_path / "plant", tmp_path / "run"
    running = started(PLANT, plant, port)
    recording = started(RECORDER, url, run)
    victims = ["node", "plant", "both"]
    chance.shuffle(victims)
    try:
        for victim in victims:
            grown(run, chance.randrange(1, 300))
            if victim != "plant":
                killed(recording)
            if victim != "node":
                killed(running)
                time.sleep(chance.random())
                running = started(PLANT, plant, port)
            if victim != "plant":
                grown(plant, chance.randrange(1, 300))  # it goes on while nobody records
                recording = started(RECORDER, url, run)
            else:
                assert recording.stdout is not None
                assert recording.stdout.readline(), "it did not come back"  # reached again, and the history was read
        grown(run, 1000)
        until = time.time_ns() // 1000 - 1_000_000
        recording.send_signal(signal.SIGINT)
        recording.wait(60)
    finally:
        for process in (running, recording):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
            if process.stdout is not None:
                process.stdout.close()
    logged, recorded = held(plant), held(run)
    # What was there before the recording began is not the recording's, nor what came when it was ended.
    first = min(source for name, source, _value in recorded if name.startswith("Counters"))
    wanted = {each for each in logged if first <= each[1] <= until}
    assert len(wanted) > 1000
    assert not wanted - recorded
    assert not {each for each in recorded if not each[0].endswith("Setpoint")} - logged

    lake = Lake(tmp_path / "lake", tmp_path / "restricted")
    name = finish(run, lake, "run-one", {"run": "one"})
    version = lake.find(name)
    assert version.tables["signals"].rows == len(unique(read_log(run).readings))
    assert finish(run, lake, "run-one", {"run": "one"}) == name


IMPORTS = "from madang.science.bioprocess.plant.faults import read_fault\n"
RENAMING = IMPORTS + PLANT.replace("counters=20,", 'faults=(read_fault("renamed:pH@40"),),')


def test_a_tag_that_is_renamed_in_the_middle_of_a_run_is_followed_and_said(tmp_path: Path) -> None:
    needs(sys.executable)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = tmp_path / "run"
    running = started(RENAMING, tmp_path / "plant", port)
    recording = started(RECORDER, f"opc.tcp://127.0.0.1:{port}/madang/plant", run)
    try:
        deadline = time.monotonic() + 300
        while not any(name.endswith("pH_2") for name, _source, _value in held(run)):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        recording.send_signal(signal.SIGINT)
        recording.wait(60)
    finally:
        for process in (running, recording):
            killed(process)
    log = read_log(run)
    assert any(event["kind"] == "appeared" and event["tag"].endswith("pH_2") for event in log.events)
    logged, recorded = held(tmp_path / "plant"), held(run)
    mine, theirs = firsts(recorded, "pH_2"), firsts(logged, "pH_2")
    assert mine and {each for each in recorded if each[0] in mine} <= logged
    assert mine == theirs  # under each new name from its first reading on


def firsts(readings: set[tuple[str, int, float]], ending: str) -> dict[str, int]:
    """When the first reading of each tag whose name ends so was taken."""
    found: dict[str, int] = {}
    for name, source, _value in readings:
        if name.endswith(ending):
            found[name] = min(source, found.get(name, source))
    return found
