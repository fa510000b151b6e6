"""The loop: propose, build, test, learn, round after round, with every well's history in one file.

A round is a folder: the plate map and the worklist are written before anything is carried out, the readings after.
Whoever starts again goes on after the last round that has its results. With files instead of devices the loop stops
after each worklist and goes on once the reader's export lies there.
"""

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.lake.files import make_folder, put_instead, sentences
from madang.science.bioprocess.design import design
from madang.science.bioprocess.foundry.biology import Biology
from madang.science.bioprocess.foundry.constructs import fasta, joined
from madang.science.bioprocess.foundry.description import CONTROLS, Foundry
from madang.science.bioprocess.foundry.devices import Devices, SimulatedDevices, carried_out
from madang.science.bioprocess.foundry.plates import Transfer, is_turned, read_readings, turned, wells, write_worklist
from madang.science.bioprocess.optimization.suggest import Aim, suggest

READINGS = ("readings.csv", "readings.xlsx")


@dataclass(frozen=True)
class Outcome:
    """What a run came to: rounds done, the best construct and its reading, failures, what waits, wells by fate."""

    rounds: int
    best: Mapping[str, Any]
    best_reading: float
    best_by_round: tuple[float, ...]
    wells: Mapping[str, int]
    notes: tuple[Mapping[str, Any], ...]
    waiting: str = ""
    fixed: float | None = None  # truth of the best of a fixed design of the same size, where the biology is simulated
    found: float | None = None  # truth of the best of the loop


@dataclass
class _State:
    points: list[dict[str, Any]] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    fates: dict[str, int] = field(default_factory=lambda: {"read": 0, "empty": 0, "unread": 0, "skipped": 0})


def run(plan: Foundry, devices: Devices | None = None, progress: Progress | None = None) -> Outcome:
    """Carry out the rounds of a plan. With simulated devices nobody is needed; with files it stops where it waits.

    Raises `plate.readings` and others for exports that cannot be read.
    """
    progress = progress or Silent()
    with sentences(_("make the folder of rounds")):
        make_folder(plan.folder, 0o755)
    if devices is None:
        with devices_of(plan) as found:
            return _rounds(plan, found, progress)
    return _rounds(plan, devices, progress)


@contextlib.contextmanager
def devices_of(plan: Foundry) -> Iterator[Devices | None]:
    """The devices that a plan asks for; None where files stand for them."""
    high, blank = _controls(plan)
    if plan.mode == "files":
        yield None
        return
    if plan.mode == "sila2":
        from madang.science.bioprocess.foundry.station import HOST, SilaDevices, serve

        if plan.address:
            yield SilaDevices(plan.address)
            return
        with socket.socket() as free:
            free.bind((HOST, 0))
            port = free.getsockname()[1]
        biology = Biology(plan.space, plan.seed)
        with serve(SimulatedDevices(biology, plan.seed, plan.plate, high, blank, plan.failures), port):
            yield SilaDevices(f"{HOST}:{port}")
        return
    kind = SimulatedDevices
    if plan.mode == "pylabrobot":
        from madang.science.bioprocess.foundry.robot import RobotDevices as kind
    yield kind(Biology(plan.space, plan.seed), plan.seed, plan.plate, high, blank, plan.failures)


def _controls(plan: Foundry) -> tuple[list[str], list[str]]:
    names = wells(plan.plate)
    return names[:CONTROLS], names[-CONTROLS:]


def _rounds(plan: Foundry, devices: Devices | None, progress: Progress) -> Outcome:
    biology = Biology(plan.space, plan.seed) if plan.simulated else None
    high, blank = _controls(plan)
    state = _State()
    waiting = ""
    with progress.step(_("rounds"), plan.rounds, _("rounds")):
        for number in range(1, plan.rounds + 1):
            folder = plan.folder / f"round-{number:02d}"
            done = folder / "result.json"
            if done.exists():
                _again(state, json.loads(done.read_text()))
            else:
                waiting = _round(plan, number, folder, state, devices, high, blank)
                if waiting:
                    break
            progress.advance()
    return _outcome(plan, state, biology, waiting)


def _round(
    plan: Foundry,
    number: int,
    folder: Path,
    state: _State,
    devices: Devices | None,
    high: Sequence[str],
    blank: Sequence[str],
) -> str:
    """One round; what it waits for, or nothing. Its result is written last, all at once."""
    make_folder(folder, 0o755)
    notes: list[dict[str, Any]] = []

    def note(kind: str, **about: Any) -> None:
        notes.append({"round": number, "kind": kind, **about})

    points = _proposed(plan, number, state)
    layout = _layout(plan, points, high, blank)
    transfers = _transfers(plan, number, layout)
    _write(folder / "plate.json", json.dumps({w: p for w, p in layout.items()}, ensure_ascii=False, indent=1) + "\n")
    _write(folder / "worklist.csv", write_worklist(transfers))
    if plan.sequences:
        made = {
            f"{plan.name}-{number:02d}-{well}": joined(point, plan.parts, plan.sequences)
            for well, point in layout.items()
        }
        _write(folder / "constructs.fasta", fasta(made))
    readings: list[tuple[str, float]] | None = None
    filled = set(layout)
    if devices is None:
        file = next((folder / name for name in READINGS if (folder / name).exists()), None)
        if file is None:
            return str(folder / READINGS[0])
        readings = list(read_readings(file, plan.plate).items())
    else:
        there = devices
        answer = carried_out("dispenser", lambda: there.dispense(number, transfers, layout), plan.retries, note)
        if answer is not None:
            filled = answer & set(layout)
            if len(filled) < len(layout):
                note("empty", step="dispenser", wells=sorted(set(layout) - filled))

            def warmed() -> bool:
                there.incubate(number, plan.hours)
                return True

            warm = carried_out("incubator", warmed, plan.retries, note)
            if warm is not None:
                readings = carried_out("reader", lambda: there.read(number), plan.retries, note)
    told = _told(plan, readings, high, blank, note) if readings is not None else None
    history = []
    for well, point in layout.items():
        fate = "skipped" if told is None else "empty" if well not in filled else "read" if well in told else "unread"
        value = told[well] if told is not None and fate == "read" else None
        history.append({"round": number, "well": well, "design": point, "fate": fate, "reading": value})
    result = {"round": number, "wells": history, "notes": notes}
    _write(folder / "result.json", json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    _again(state, result)
    return ""


def _told(
    plan: Foundry, readings: Sequence[tuple[str, float]], high: Sequence[str], blank: Sequence[str], note: Any
) -> dict[str, float] | None:
    """Readings by well: what came twice once, a plate turned by half turned back; None where controls do not hold."""
    told: dict[str, float] = {}
    twice = 0
    for well, value in readings:
        if well in told:
            twice += 1
            if told[well] != value:
                note("contradiction", step="reader", well=well)
                told[well] = float("nan")
            continue
        told[well] = value
    if twice:
        note("twice", step="reader", readings=twice)
    told = {well: value for well, value in told.items() if np.isfinite(value)}
    about = is_turned(told, high, blank, plan.plate)
    if about is None:
        note("controls", step="reader")
        return None
    if about:
        note("turned", step="reader")
        told = {turned(well, plan.plate): value for well, value in told.items()}
    return told


def _proposed(plan: Foundry, number: int, state: _State) -> list[dict[str, Any]]:
    """What to build: a spread of designs first, then what promises most given everything read so far."""
    known = [place for place, value in enumerate(state.values) if np.isfinite(value)]
    if len(known) < 3:
        return design(plan.space, "latin-hypercube", plan.experiments, seed=plan.seed * 1000 + number)
    points = [state.points[place] for place in known]
    values = np.array([state.values[place] for place in known])
    logs = np.log(np.maximum(values, 1e-9)) if (values > 0).all() else values
    aim = Aim(plan.result, plan.maximize)
    tried, _believed = suggest(
        plan.space, [aim], points, {plan.result: logs}, plan.experiments, plan.seed * 1000 + number
    )
    return [each.point for each in tried]


def _layout(
    plan: Foundry, points: Sequence[dict[str, Any]], high: Sequence[str], blank: Sequence[str]
) -> dict[str, Any]:
    """Wells and what is in them; replicates apart from each other, so that a bad corner does not take them all."""
    free = [well for well in wells(plan.plate) if well not in {*high, *blank}]
    copies = [point for _copy in range(plan.replicates) for point in points]
    order = np.random.default_rng(plan.seed).permutation(len(free))[: len(copies)]
    return {free[place]: {k: v for k, v in point.items()} for place, point in zip(sorted(order), copies, strict=True)}


def _transfers(plan: Foundry, number: int, layout: Mapping[str, Mapping[str, Any]]) -> list[Transfer]:
    """Microliters of each part into each well; sources stand in the order of the parts' choices."""
    out = []
    sources: dict[tuple[str, str], str] = {}
    names = wells(384)
    for factor in plan.space.factors:
        for choice in factor.choices or (factor.name,):
            sources[(factor.name, choice)] = names[len(sources)]
    share = plan.volume / max(1, len(plan.space.factors))
    for well, point in layout.items():
        for factor in plan.space.factors:
            value = point[factor.name]
            key = (factor.name, str(value) if factor.choices else factor.name)
            unit = 1.0 if factor.choices else factor.encode(value)[0]
            volume = round(share * (unit if not factor.choices else 1.0), 2)
            if volume > 0:
                content = f"{factor.name}={value}"
                out.append(Transfer("parts", sources[key], f"{plan.name}-{number:02d}", well, volume, content))
    return out


def _again(state: _State, result: Mapping[str, Any]) -> None:
    for each in result["wells"]:
        state.fates[each["fate"]] += 1
        state.points.append(each["design"])
        state.values.append(float("nan") if each["reading"] is None else float(each["reading"]))
    state.notes += result["notes"]
    finite = [value for value in state.values if np.isfinite(value)]
    state.best.append(max(finite) if finite else float("nan"))


def _outcome(plan: Foundry, state: _State, biology: Biology | None, waiting: str) -> Outcome:
    sign = 1.0 if plan.maximize else -1.0
    values = np.array([sign * value if np.isfinite(value) else -np.inf for value in state.values])
    best = int(np.argmax(values)) if len(values) and np.isfinite(values.max()) else None
    found = fixed = None
    if biology is not None and best is not None:
        found = biology.truth(state.points[best])
        fixed = _fixed(plan, biology, len(state.points))
    return Outcome(
        rounds=len(state.best),
        best=state.points[best] if best is not None else {},
        best_reading=float(state.values[best]) if best is not None else float("nan"),
        best_by_round=tuple(state.best),
        wells=dict(state.fates),
        notes=tuple(state.notes),
        waiting=waiting,
        fixed=fixed,
        found=found,
    )


def _fixed(plan: Foundry, biology: Biology, size: int) -> float:
    """The truth of what a fixed design of the same size would have chosen by its readings."""
    points = design(plan.space, "latin-hypercube", size, seed=plan.seed)
    random = np.random.default_rng([plan.seed, 17])
    sign = 1.0 if plan.maximize else -1.0
    readings = [sign * biology.reading(point, random) for point in points]
    return biology.truth(points[int(np.argmax(readings))])


def history(plan: Foundry, well: str = "") -> list[dict[str, Any]]:
    """Every well's history, round by round, or that of one well. Raises `foundry.none` where nothing was done."""
    out = []
    for folder in sorted(plan.folder.glob("round-*")):
        if (folder / "result.json").exists():
            out += json.loads((folder / "result.json").read_text())["wells"]
    if not out:
        raise MadangError("foundry.none", _("No round of this run is done."))
    return [each for each in out if not well or each["well"] == well]


def _write(path: Path, text: str) -> None:
    with sentences(_("write the round")):
        put_instead(path, text.encode(), 0o644)
