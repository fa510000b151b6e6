"""The penicillin benchmark of Liang and Lai: a fed-batch with steps of one hour, seven choices and three aims.

Q. Liang and L. Lai, Scalable Bayesian optimization accelerates process optimization of penicillin production, NeurIPS
2021 workshop AI for Science, after Birol et al. 2002. An hour is one explicit step, as the benchmark defines it.
"""

from dataclasses import dataclass
from math import exp

from madang.base.errors import MadangError
from madang.base.translate import _

FACTORS = ("volume", "biomass", "temperature", "glucose", "feed", "feed_glucose", "pH")
BOUNDS = ((60.0, 120.0), (0.05, 18.0), (293.0, 303.0), (0.05, 18.0), (0.01, 0.5), (500.0, 700.0), (5.0, 6.5))
REFERENCE = (25.935, 57.612, 935.5)  # of the aims, for hypervolumes
LONGEST = 2500  # hours
FULLEST = 180.0  # L


@dataclass(frozen=True)
class Outcome:
    """What a batch ended with: penicillin in g/L, carbon dioxide, hours; and the way there if it was asked for.

    `trace` has a row per hour: hour, penicillin, volume, biomass, glucose, carbon dioxide.
    """

    penicillin: float
    co2: float
    hours: int
    trace: tuple[tuple[float, ...], ...] = ()

    @property
    def aims(self) -> tuple[float, float, float]:
        """The three aims, each to be made small."""
        return (-self.penicillin, self.co2, float(self.hours))


def batch(choice: tuple[float, ...] | list[float], trace: bool = False) -> Outcome:
    """The batch of a choice of FACTORS: L, g/L, K, g/L, L/h, g/L, pH.

    It ends when the vessel is full, glucose is used up or penicillin no longer rises. Raises `twin.penicillin` for
    other than seven finite positive numbers.
    """
    if len(choice) != len(FACTORS) or not all(0 < value < 1e6 for value in choice):
        text = _("A choice is seven positive numbers: {names}.").format(names=", ".join(FACTORS))
        raise MadangError("twin.penicillin", text)
    volume, biomass, kelvin, glucose, feed, feed_glucose, ph = map(float, choice)
    acid = 10.0**-ph
    warm = 7e3 * exp(-5100.0 / (1.9872 * kelvin)) - 1e33 * exp(-50000.0 / (1.9872 * kelvin))
    most = 0.092 / (1 + 1e-10 / acid + acid / 7e-5)
    lost = 2.5e-4 * (exp(5 * (kelvin - 373.0) / (273.0 - 373.0)) - 1)
    penicillin = co2 = 0.0
    rows = []
    hour = 0
    for hour in range(1, LONGEST + 1):
        d_volume = feed - volume * lost
        growth = most * (glucose / (0.15 * biomass + glucose)) * warm
        d_biomass = growth * biomass - biomass / volume * d_volume
        making = 0.005 * (glucose / (0.0002 + glucose + glucose**2 / 0.1))
        d_glucose = (
            -growth / 0.45 * biomass
            - making / 0.9 * biomass
            - 0.014 * biomass
            + feed * feed_glucose / volume
            - glucose / volume * d_volume
        )
        d_penicillin = making * biomass - 0.04 * penicillin - penicillin / volume * d_volume
        co2 += 0.143 * d_biomass + 4e-7 * biomass + 1e-4
        penicillin += d_penicillin
        volume += d_volume
        biomass += d_biomass
        glucose += d_glucose
        if trace:
            rows.append((float(hour), penicillin, volume, biomass, glucose, co2))
        if volume > FULLEST or glucose < 0 or d_penicillin < 10e-12:
            break
    return Outcome(penicillin, co2, hour, tuple(rows))
