"""The description of a foundry run."""

from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.campaign.description import _constraint, _factor
from madang.science.bioprocess.design import Factor, Space
from madang.science.bioprocess.foundry.constructs import read_parts
from madang.science.bioprocess.foundry.devices import Failure, read_failure
from madang.science.bioprocess.foundry.plates import wells
from madang.science.bioprocess.toml import read_toml


@dataclass(frozen=True)
class Foundry:
    """What is built and how: parts and factors, rounds, experiments a round, plate, devices, the rule for failures."""

    name: str
    space: Space
    parts: tuple[str, ...]
    sequences: dict[str, str]
    rounds: int
    experiments: int
    replicates: int
    plate: int
    seed: int
    result: str
    maximize: bool
    hours: float
    volume: float
    mode: str  # simulated, pylabrobot, sila2 or files
    address: str  # of a station of SiLA 2; empty: one with simulated devices is started on loopback
    failures: tuple[Failure, ...]
    retries: int
    folder: Path

    @property
    def simulated(self) -> bool:
        """Whether what is read comes from simulated biology."""
        return self.mode in ("simulated", "pylabrobot") or (self.mode == "sila2" and not self.address)


MODES = ("simulated", "pylabrobot", "sila2", "files")


def read_foundry(file: Path) -> Foundry:
    """The foundry run that a file describes. Raises `toml.*`, `design.*`, `construct.*` or `foundry.*`."""
    section = read_toml(file)
    name = section.text("name", file.stem)
    rounds, experiments = section.whole("rounds", 10, 1, 100), section.whole("experiments", 12, 1, 380)
    replicates, plate = section.whole("replicates", 1, 1, 12), section.whole("plate", 96)
    seed, hours = section.whole("seed", 1), section.number("hours", 16, 0.01, 1000)
    volume = section.number("volume_ul", 100, 0.1, 2000)
    sequences = {}
    if "sequences" in section:
        sequences = read_parts(file.parent / section.text("sequences"))
    folder = file.parent / section.text("folder", f"{file.stem}-rounds")
    parts = []
    for each in section.sections("part"):
        part = Factor(each.text("name"), choices=tuple(str(choice) for choice in each.values("choices")))
        each.end()
        parts.append(part.checked())
    factors = [_factor(each) for each in section.sections("factor")]
    constraints = tuple(_constraint(each) for each in section.sections("constraint"))
    objective, devices, rule = section.section("objective"), section.section("devices"), section.section("rule")
    result = objective.text("name", "fluorescence")
    maximize = objective.text("goal", "maximize", ("maximize", "minimize")) == "maximize"
    mode, address = devices.text("mode", "simulated", MODES), devices.text("address", "")
    failures = tuple(read_failure(str(text)) for text in devices.values("failures", []))
    retries = rule.whole("retries", 2, 0, 20)
    for part_ in (objective, devices, rule, section):
        part_.end()
    space = Space((*parts, *factors), constraints).checked()
    places = len(wells(plate)) - 2 * CONTROLS
    if experiments * replicates > places:
        text = _("{wells} wells are needed; a plate of {plate} has {places} beside its controls.")
        raise MadangError("foundry.plate", text.format(wells=experiments * replicates, plate=plate, places=places))
    for part in parts:
        missing = [choice for choice in part.choices if sequences and choice not in sequences]
        if missing:
            raise MadangError("construct.part", _("There is no sequence of {part}.").format(part=missing[0]))
    names = tuple(part.name for part in parts)
    return Foundry(
        *(name, space, names, sequences, rounds, experiments, replicates, plate, seed, result, maximize, hours),
        *(volume, mode, address, failures, retries, folder),
    )


CONTROLS = 3  # wells of the reference strain, and as many blanks, on each plate
