"""kill -9, Ctrl-C and two runs at once: the dataset has the old version or the whole new one, and a run again makes
what an undisturbed run would have made."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_clinic import PACK, run, write_files, write_pack

import support
from madang.base.errors import MadangError
from madang.lake import Dataset, Lake, Version
from madang.lake.verify import verify
from madang.science.omop.starter import starter_path
from madang.science.standardize import standardize
from support import children, die_at

CALLS = ("link", "replace", "fsync")
MOST = 2000

JANUARY = {
    "patients": ["p1,1980-02-03,M", "p2,1990-05-06,F"],
    "visits_201301": ["1,p1,20130104,", "2,p2,20130128,s1"],
    "dx_201301": ["1,1,I109", "2,1,E119", "9,1,E119"],
    "sv_201301": ["1,1,650000100,30,10", "2,1,XX1,,"],
}
FEBRUARY = {
    "visits_201302": ["3,p2,20130202,s1", "4,p1,20130203,"],
    "dx_201302": ["3,1,E119", "4,1,I109", "4,2"],
    "sv_201302": ["4,1,650000100,30,10", "4,2,C3750,,20"],
}


def clinic(folder: Path) -> Dataset:
    return Lake(folder / "lake", folder / "restricted").dataset("clinic")


def contents(version: Version) -> dict[str, str]:
    """What the version holds, whichever files hold it."""
    open_tables = {name: table.content for name, table in version.tables.items()}
    return open_tables | {f"restricted {n}": t.content for n, t in version.companion.items() if n != "folders"}


def february(folder: Path, step: int = 0) -> None:
    if step:
        die_at(step, CALLS)
    run(folder, JANUARY | FEBRUARY)


def child(work: Callable[..., None], *args: Any) -> Any:
    process = children.Process(target=work, args=args)
    process.start()
    return process


def check_whole(folder: Path, undisturbed: dict[str, str]) -> bool:
    """The dataset is whole; run again, it is as if nothing had happened. Returns whether the death came too late."""
    dataset = clinic(folder)
    assert verify(dataset, content=True) == []
    late = dataset.versions() == [1, 2]
    assert late or dataset.versions() == [1]
    again = run(folder, JANUARY | FEBRUARY)
    assert (again.version.number, again.new) == (2, not late)
    assert contents(again.version) == undisturbed
    assert verify(dataset, content=True) == []
    lake = Lake(folder / "lake", folder / "restricted")
    lake.tidy()
    assert [*folder.glob("*/**/*.partial")] == []
    assert verify(dataset, content=True) == []
    return late


def prepared(tmp_path: Path) -> tuple[dict[str, str], Path]:
    """What an undisturbed run makes, and a folder in which January is done and February is to come."""
    run(tmp_path / "ready", JANUARY)
    whole = shutil.copytree(tmp_path / "ready", tmp_path / "undisturbed")
    return contents(run(whole, JANUARY | FEBRUARY).version), tmp_path / "ready"


def deaths_at(steps: list[int], tmp_path: Path) -> set[bool]:
    undisturbed, ready = prepared(tmp_path)
    seen = set()
    for step in steps:
        folder = shutil.copytree(ready, tmp_path / str(step))
        process = child(february, folder, step)
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        seen.add(check_whole(folder, undisturbed))
        if process.exitcode == 0:
            return seen
    return seen


def test_a_run_killed_at_some_steps_is_made_good_by_the_next(tmp_path: Path) -> None:
    seen = deaths_at([*sorted(random.Random(support.SEED).sample(range(1, 90), 3)), MOST], tmp_path)
    assert seen == {False, True}


@pytest.mark.big
def test_a_run_killed_at_every_step_is_made_good_by_the_next(tmp_path: Path) -> None:
    assert deaths_at(list(range(1, MOST)), tmp_path) == {False, True}


def deaths_after(seconds: list[float], tmp_path: Path) -> None:
    undisturbed, ready = prepared(tmp_path)
    for number, wait in enumerate(seconds):
        folder = shutil.copytree(ready, tmp_path / str(number))
        process = child(february, folder)
        time.sleep(wait)
        process.kill()
        process.join()
        check_whole(folder, undisturbed)


def test_a_run_killed_at_some_moments_is_made_good_by_the_next(tmp_path: Path) -> None:
    moments = random.Random(support.SEED)
    deaths_after([moments.uniform(0.0, 1.5) for _ in range(2)], tmp_path)


@pytest.mark.big
def test_a_run_killed_at_many_moments_is_made_good_by_the_next(tmp_path: Path) -> None:
    moments = random.Random(12)
    deaths_after([moments.uniform(0.0, 2.0) for _ in range(60)], tmp_path)


def compete(folder: Path, meeting: Any, answers: Any) -> None:
    """One of two runs that begin together."""
    meeting.wait()
    try:
        done = standardize(folder / "pack", folder / "in", starter_path(), clinic(folder), threads=1)
        answers.put("new" if done.new else "nothing new")
    except MadangError as error:
        answers.put(error.code)
    except BaseException as error:
        answers.put(repr(error))
        raise


@pytest.mark.sampled
@pytest.mark.parametrize("first", [{}, JANUARY], ids=["a first version", "a next version"])
def test_of_two_runs_at_once_one_wins(tmp_path: Path, first: dict[str, list[str]]) -> None:
    undisturbed = contents(run(tmp_path / "undisturbed", JANUARY | FEBRUARY).version)
    folder = tmp_path / "raced"
    if first:
        run(folder, first)
    else:
        write_pack(folder)
    write_files(folder / "in", JANUARY | FEBRUARY)
    meeting, answers = children.Barrier(2), children.Queue()
    both = [child(compete, folder, meeting, answers) for _ in range(2)]
    said = sorted(answers.get(timeout=120) for _ in both)
    for process in both:
        process.join()
    assert said in (["lake.conflict", "new"], ["new", "nothing new"])
    dataset = clinic(folder)
    assert dataset.versions() == ([1, 2] if first else [1])
    assert contents(dataset.version()) == undisturbed
    assert verify(dataset, content=True) == []


def test_ctrl_c_stops_the_command_and_nothing_is_committed(tmp_path: Path) -> None:
    write_pack(tmp_path, PACK)
    folder = write_files(tmp_path / "in", {"patients": [f"p{i},1980-02-03,M" for i in range(400_000)]})
    command = ["-c", "from madang.app.cli import main; main()", "standardize", "--pack", str(tmp_path / "pack")]
    command += ["--source", str(folder), "--into", "clinic"]
    home = tmp_path / "home"
    environment = {**os.environ, "MADANG_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    running = subprocess.Popen(
        [sys.executable, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while running.poll() is None and time.monotonic() < deadline and not [*home.glob("restricted/clinic/**/*")]:
        time.sleep(0.01)  # until the first file of the new version is being written
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert not Lake(home / "lake", home / "restricted").dataset("clinic").exists
    again = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert Lake(home / "lake", home / "restricted").dataset("clinic").version().tables["person"].rows == 400_000
