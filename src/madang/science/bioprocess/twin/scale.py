"""Carrying a process over to a vessel of another size, by written rules.

Geometric similarity is assumed; power of an unstarved turbulent stirrer is Np * rho * n^3 * d^5. Oxygen transfer is
kLa = 0.026 (P/V)^0.4 vs^0.5 (van't Riet, Ind. Eng. Chem. Process Des. Dev. 18 (1979) 357-364, coalescing).
"""

from dataclasses import dataclass
from math import pi

from madang.base.errors import MadangError
from madang.base.translate import _

RULES = ("power per volume", "oxygen transfer", "tip speed", "mixing time")
DENSITY = 1000.0  # kg/m3


@dataclass(frozen=True)
class Vessel:
    """A stirred vessel: liquid in L, diameters of vessel and stirrer in m, turns in 1/s, gas in vessel volumes/min."""

    volume: float
    diameter: float
    stirrer: float
    turns: float
    gas: float
    power_number: float = 1.5

    @property
    def power_per_volume(self) -> float:
        """W/m3."""
        return self.power_number * DENSITY * self.turns**3 * self.stirrer**5 / (self.volume / 1000)

    @property
    def gas_velocity(self) -> float:
        """Superficial, m/s."""
        return self.gas * self.volume / 1000 / 60 / (pi * self.diameter**2 / 4)

    @property
    def oxygen_transfer(self) -> float:
        """kLa in 1/h."""
        return 3600 * 0.026 * self.power_per_volume**0.4 * self.gas_velocity**0.5

    @property
    def tip_speed(self) -> float:
        """m/s."""
        return pi * self.turns * self.stirrer


def carry_over(vessel: Vessel, volume: float, rule: str) -> Vessel:
    """The similar vessel of `volume` litres, at the same gas per volume, with what `rule` names kept the same.

    Raises `twin.scale` for a rule that there is not, and for a volume that is not above 0.
    """
    if rule not in RULES or not volume > 0:
        text = _("There is no rule {rule} for {volume} L.").format(rule=rule, volume=volume)
        raise MadangError("twin.scale", text, _("Rules: {names}.").format(names=", ".join(RULES)))
    ratio = (volume / vessel.volume) ** (1 / 3)
    like = Vessel(volume, vessel.diameter * ratio, vessel.stirrer * ratio, 1.0, vessel.gas, vessel.power_number)
    if rule == "tip speed":
        turns = vessel.turns / ratio
    elif rule == "mixing time":
        turns = vessel.turns
    elif rule == "power per volume":
        turns = (vessel.power_per_volume / like.power_per_volume) ** (1 / 3)
    else:
        turns = (vessel.oxygen_transfer / like.oxygen_transfer) ** (1 / 1.2)
    return Vessel(volume, like.diameter, like.stirrer, turns, vessel.gas, vessel.power_number)
