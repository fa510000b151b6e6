"""What development hands over to manufacturing, as one file: recipe, parameters with ranges and their reason, models,
evidence. A ZIP archive whose manifest names every file with its hash; whoever reads it checks them all.

A range is what the evidence shows and no more: of a campaign, where experiments that kept all limits reached a share of
the best; of a twin, where the probability that all limits hold stays above a bound. Neither is a validated range.
"""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from madang.base.canonical import canonical_json
from madang.base.errors import MadangError
from madang.base.translate import _

FORMAT = "madang-transfer-1"
MANIFEST, PARAMETERS = "manifest.json", "parameters.csv"
GOOD_SHARE = 0.95  # of the best, from which an experiment tells of a good range
SURE = 0.9  # probability that all limits hold, from which a point of a design space tells of one
LARGEST = 200_000_000  # bytes of a package that is read
_STILL = (1980, 1, 1, 0, 0, 0)  # the time of every file in the archive: the same content is the same file


@dataclass(frozen=True)
class Parameter:
    """A parameter: its set point, the range that evidence shows (None where it shows none), and the reason in words."""

    name: str
    unit: str
    value: float | str
    low: float | None
    high: float | None
    reason: str
    evidence: str


@dataclass(frozen=True)
class Package:
    """What a package holds: its manifest, parameters, and the other files by name."""

    manifest: Mapping[str, Any]
    parameters: tuple[Parameter, ...]
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The hash of the manifest, which names those of all files."""
        return hashlib.sha256(canonical_json(dict(self.manifest))).hexdigest()


def of_campaign(
    points: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, float | None]],
    objective: str,
    maximize: bool,
    limits: Mapping[str, tuple[float, float]],
    units: Mapping[str, str],
    evidence: str,
) -> list[Parameter]:
    """Parameters from experiments: the set point is that of the best one, a range spans the experiments that kept all
    limits (name: least, most) and reached at least 95 percent of it. Raises `transfer.best` where none kept them."""

    def kept(row: Mapping[str, float | None]) -> bool:
        def holds(value: float | None, low: float, high: float) -> bool:
            return value is not None and low <= value <= high

        return row.get(objective) is not None and all(
            holds(row.get(name), low, high) for name, (low, high) in limits.items()
        )

    sign = 1.0 if maximize else -1.0
    told = [(place, float(row[objective] or 0.0)) for place, row in enumerate(results) if kept(row)]
    if not told:
        raise MadangError("transfer.best", _("No experiment of the campaign kept all limits, so there is no best one."))
    best, value = max(told, key=lambda each: sign * each[1])
    near = [p for p, v in told if sign * v >= sign * value - (1 - GOOD_SHARE) * abs(value)]
    out = []
    for name, chosen in points[best].items():
        numbers = [points[place][name] for place in near]
        is_number = all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers)
        low, high = (float(min(numbers)), float(max(numbers))) if is_number and len(near) > 1 else (None, None)
        reason = _("{count} experiments that kept all limits reached {share:.0%} of the best {objective} ({value:.4g})")
        text = reason.format(count=len(near), share=GOOD_SHARE, objective=objective, value=value)
        out.append(Parameter(name, units.get(name, ""), chosen, low, high, text, evidence))
    return out


def of_twin(answer: Mapping[str, Any], evidence: str) -> list[Parameter]:
    """Ranges of the axes of a twin's design space: of each alone, the others where it is surest."""
    space = answer.get("design_space")
    if not space:
        return []
    import numpy as np

    sure = np.array(space["probability"], float)
    best = np.unravel_index(int(np.argmax(sure)), sure.shape)
    units = {"temperature": "°C", "feed": _("times the recipe's")}
    out = []
    for place, (name, line) in enumerate(space["axes"].items()):
        along = sure[tuple(slice(None) if p == place else best[p] for p in range(sure.ndim))]
        low = high = int(best[place])
        while low > 0 and along[low - 1] >= SURE:
            low -= 1
        while high + 1 < len(line) and along[high + 1] >= SURE:
            high += 1
        good = along[best[place]] >= SURE
        reason = _("all limits hold with probability {bound:.0%} or more in the twin (at the set point {sure:.0%})")
        if not good:
            reason = _(
                "nowhere do all limits hold with probability {bound:.0%} in the twin (at the set point {sure:.0%})"
            )
        text = reason.format(bound=SURE, sure=float(along[best[place]]))
        least, most = (float(line[low]), float(line[high])) if good else (None, None)
        out.append(Parameter(name, units.get(name, ""), float(line[int(best[place])]), least, most, text, evidence))
    return out


def write(
    name: str, made: Mapping[str, Any], parameters: Sequence[Parameter], files: Mapping[str, bytes]
) -> tuple[bytes, Mapping[str, Any]]:
    """The archive, and its manifest. `made` says when, by whom, of which project; the same content gives the same
    bytes. Raises `transfer.empty` where there is nothing to hand over."""
    if not parameters:
        raise MadangError(
            "transfer.empty",
            _("There is nothing to hand over: no campaign with results and no design space."),
            _("Add results to a campaign, or compute a twin with [design_space]."),
        )
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = [field for field in Parameter.__dataclass_fields__]
    writer.writerow(columns)
    writer.writerows([["" if each is None else each for each in asdict(one).values()] for one in parameters])
    whole = {PARAMETERS: table.getvalue().encode(), **files}
    manifest = {
        "format": FORMAT,
        "name": name,
        **made,
        "files": [
            {"name": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for file, data in sorted(whole.items())
        ],
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in ((MANIFEST, canonical_json(manifest)), *sorted(whole.items())):
            archive.writestr(zipfile.ZipInfo(file, _STILL), data, zipfile.ZIP_DEFLATED)
    return out.getvalue(), manifest


def read(data: bytes) -> Package:
    """Read an archive and check every file against the manifest. Raises `transfer.damaged`, saying what is wrong."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = {info.filename: info for info in archive.infolist()}
            if sum(info.file_size for info in infos.values()) > LARGEST:
                raise MadangError("transfer.damaged", _("The package is too large."))
            manifest = json.loads(archive.read(MANIFEST))
            whole = {name: archive.read(name) for name in infos if name != MANIFEST and not name.endswith(".jwt")}
    # No archive or a damaged one, no manifest or no JSON; packed in a way that is not known, or encrypted.
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, NotImplementedError, RuntimeError) as error:
        raise MadangError("transfer.damaged", _("This is no transfer package: {error}").format(error=error)) from None
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != FORMAT
        or not isinstance(manifest.get("files"), list)
    ):
        raise MadangError("transfer.damaged", _("The manifest is of another format."))
    named = {str(each.get("name")): each for each in manifest["files"] if isinstance(each, dict)}
    for name in sorted(set(named) ^ set(whole)):
        text = _("{name} is missing.") if name in named else _("{name} is not in the manifest.")
        raise MadangError("transfer.damaged", text.format(name=name))
    for name, content in whole.items():
        if hashlib.sha256(content).hexdigest() != named[name].get("sha256"):
            raise MadangError("transfer.damaged", _("{name} is not what it was.").format(name=name))
    return Package(manifest, tuple(_parameters(whole.get(PARAMETERS, b""))), whole)


def _parameters(data: bytes) -> list[Parameter]:
    def number(text: str) -> float | None:
        return float(text) if text else None

    def value(text: str) -> float | str:
        try:
            return float(text)
        except ValueError:
            return text

    try:
        return [
            Parameter(
                row["name"], row["unit"], value(row["value"]), number(row["low"]), number(row["high"]),
                row["reason"], row["evidence"],
            )
            for row in csv.DictReader(io.StringIO(data.decode()))
        ]  # fmt: skip
    except (KeyError, ValueError) as error:
        raise MadangError("transfer.damaged", _("The parameters cannot be read: {error}").format(error=error)) from None
