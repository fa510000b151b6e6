"""The results of a campaign: one line per experiment, added to and never rewritten."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake.files import put_instead, sentences
from madang.science.bioprocess.campaign.description import Campaign
from madang.science.bioprocess.design.factors import Array, Point
from madang.science.bioprocess.tables import read_table

OUTLIER = 6.0  # robust standard deviations from what was expected, from which a result is pointed out


@dataclass(frozen=True)
class Done:
    """Experiments with results: points, and a value per experiment and result (NaN: it failed or was not measured)."""

    points: list[Point]
    results: dict[str, Array]

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Added:
    """What came of adding a table: experiments taken, and those left out, each with the reason."""

    taken: int
    duplicates: int
    failed: int
    refused: tuple[tuple[int, str], ...] = field(default=())  # line and reason
    outliers: tuple[tuple[int, str, float, float], ...] = field(default=())  # line, result, value, median


def read_done(campaign: Campaign) -> Done:
    """The experiments done so far; none where there is no table yet."""
    empty = Done([], {aim.name: np.empty(0) for aim in campaign.aims})
    if not campaign.results.exists():
        return empty
    rows = read_table(campaign.results)
    if not rows:
        return empty
    points: list[Point] = []
    results: dict[str, list[float]] = {aim.name: [] for aim in campaign.aims}
    for line, row in enumerate(rows, 2):
        point, values = _taken(campaign, row, campaign.results, line)
        points.append(point)
        for name, value in values.items():
            results[name].append(value)
    return Done(points, {name: np.array(values, dtype=float) for name, values in results.items()})


def add_results(campaign: Campaign, file: Path) -> Added:
    """Add the experiments of a table (CSV, XLSX or the JSON of suggestions with results filled in).

    The same experiment with the same results is taken once; an experiment repeated with other results counts as a
    replicate. A line that the campaign cannot have is refused with its reason and the others are taken. An empty result
    is a failed experiment: it is kept, so that it is not tried in vain again.
    """
    rows = _rows(file)
    if not rows:
        raise MadangError("campaign.results", _("{file} has no results.").format(file=file.name))
    before = read_done(campaign)
    known = {_key(campaign, point, before, place) for place, point in enumerate(before.points)}
    fresh: list[tuple[int, Point, dict[str, float]]] = []
    refused, duplicates, failed = [], 0, 0
    for line, row in enumerate(rows, 2):
        try:
            point, values = _taken(campaign, row, file, line)
        except MadangError as error:
            refused.append((line, str(error)))
            continue
        key = (_point_key(campaign, point), tuple(f"{value:.12g}" for value in values.values()))
        if key in known:
            duplicates += 1
            continue
        known.add(key)
        failed += all(np.isnan(value) for value in values.values())
        fresh.append((line, point, values))
    if not fresh and not duplicates and refused:
        raise MadangError(
            "campaign.results", _("No line of {file} could be taken: {why}").format(file=file.name, why=refused[0][1])
        )
    if fresh:
        _append(campaign, before, fresh)
    return Added(len(fresh), duplicates, failed, tuple(refused), tuple(_outliers(before, fresh)))


def _rows(file: Path) -> Sequence[Mapping[str, Any]]:
    if file.suffix.lower() != ".json":
        return read_table(file)
    try:
        document = json.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise MadangError(
            "campaign.results", _("Cannot read {file}: {why}.").format(file=file.name, why=error)
        ) from None
    rows = document.get("suggestions") if isinstance(document, dict) else document
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        text = _("{file} has no list of experiments.").format(file=file.name)
        raise MadangError("campaign.results", text, _("Each has its factors and results by name."))
    flat = []
    for row in rows:
        one = {name: value for name, value in row.items() if not isinstance(value, dict)}
        for part in ("factors", "results"):
            if isinstance(row.get(part), dict):
                one |= row[part]
        flat.append(one)
    return flat


def _taken(campaign: Campaign, row: Mapping[str, Any], file: Path, line: int) -> tuple[Point, dict[str, float]]:
    missing = [f.name for f in campaign.space.factors if row.get(f.name) in (None, "")]
    if missing:
        text = _("line {line}: {names} is missing").format(line=line, names=", ".join(missing))
        raise MadangError("campaign.results", text)
    point = {f.name: row[f.name] for f in campaign.space.factors}
    campaign.space.encode([point])
    point = {f.name: str(point[f.name]) if f.choices else float(point[f.name]) for f in campaign.space.factors}
    values = {}
    for aim in campaign.aims:
        told = row.get(aim.name)
        if aim.name not in row:
            text = _("line {line}: there is no column {name}").format(line=line, name=aim.name)
            raise MadangError("campaign.results", text)
        try:
            value = float("nan") if told is None or str(told).strip().lower() in ("", "nan", "failed") else float(told)
        except (TypeError, ValueError):
            text = _("line {line}: {value!r} is no result of {name}").format(line=line, value=told, name=aim.name)
            raise MadangError("campaign.results", text) from None
        if np.isinf(value):
            text = _("line {line}: the result of {name} is not finite").format(line=line, name=aim.name)
            raise MadangError("campaign.results", text)
        values[aim.name] = value
    return point, values


def _point_key(campaign: Campaign, point: Point) -> tuple[str, ...]:
    return tuple(f"{unit:.9g}" for unit in campaign.space.encode([point])[0])


def _key(campaign: Campaign, point: Point, done: Done, place: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    told = tuple(f"{float(done.results[aim.name][place]):.12g}" for aim in campaign.aims)
    return _point_key(campaign, point), told


def _append(campaign: Campaign, before: Done, fresh: Sequence[tuple[int, Point, dict[str, float]]]) -> None:
    """Write the whole table anew and put it in place at once: a reader sees the old one or the new one."""
    buffer = io.StringIO()
    names = [factor.name for factor in campaign.space.factors] + [aim.name for aim in campaign.aims]
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["experiment", *names])
    old = [
        (point, {name: float(values[place]) for name, values in before.results.items()})
        for place, point in enumerate(before.points)
    ]
    for number, (point, values) in enumerate([*old, *((point, values) for _line, point, values in fresh)], 1):
        told = [_text(point[f.name]) for f in campaign.space.factors]
        writer.writerow([number, *told, *("" if np.isnan(v) else repr(float(v)) for v in values.values())])
    with sentences("write the results"):
        put_instead(campaign.results, buffer.getvalue().encode(), 0o644)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(float(value))


def _outliers(
    before: Done, fresh: Sequence[tuple[int, Point, dict[str, float]]]
) -> Iterator[tuple[int, str, float, float]]:
    """Results far from all others: pointed out, and kept, for only a person knows which of them is right."""
    for name in before.results:
        told = [values[name] for _line, _point, values in fresh]
        everything = np.concatenate([before.results[name], told])
        everything = everything[np.isfinite(everything)]
        if len(everything) < 6:
            continue
        middle = float(np.median(everything))
        width = 1.4826 * float(np.median(np.abs(everything - middle)))
        for line, _point, values in fresh:
            if width > 0 and np.isfinite(values[name]) and abs(values[name] - middle) > OUTLIER * width:
                yield line, name, values[name], middle
