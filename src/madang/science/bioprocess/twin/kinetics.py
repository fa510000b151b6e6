"""Rates of growth, uptake and production, compiled; a number says which.

CHO: Monod growth on glucose and glutamine with inhibition by lactate and ammonia, in the form of Xing et al.,
Biotechnology Progress 26 (2010) 208-219; values are typical of fed-batch CHO cultures and are to be fitted.
Penicillin: Birol, Undey and Cinar, Computers and Chemical Engineering 26 (2002) 1553-1565, with oxygen in balance at
every moment (transfer is a hundred times faster than growth) and maintenance that ends with the substrate.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.bioprocess.needs import needs

numba = needs("numba")

CHO, PENICILLIN = 0, 1
STATES = ("volume", "biomass", "dead", "substrate", "glutamine", "lactate", "ammonia", "product", "heat", "co2")
CONTROLS = ("feed", "feed_substrate", "feed_glutamine", "temperature")  # L/h, per L, per L, degrees Celsius
V, X, D, S, N, L, A, P, Q, C = range(10)


@dataclass(frozen=True)
class Kinetics:
    """One set of rates: its number, where it comes from, parameters with default values and units, units of states."""

    name: str
    kind: int
    source: str
    parameters: dict[str, tuple[float, str]]
    units: dict[str, str]
    start: dict[str, float]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters in the order of the compiled code."""
        return tuple(self.parameters)

    def values(self, changed: dict[str, float] | None = None) -> NDArray[np.float64]:
        """All parameters with some `changed`; raises `twin.parameter` for a name it has not or a value not above 0."""
        out = {name: value for name, (value, _unit) in self.parameters.items()}
        for name, value in (changed or {}).items():
            if name not in out:
                text = _("{kinetics} has no parameter {name}.").format(kinetics=self.name, name=name)
                raise MadangError("twin.parameter", text, _("It has {names}.").format(names=", ".join(out)))
            if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
                text = _("Parameter {name} must be a number that is not negative.").format(name=name)
                raise MadangError("twin.parameter", text)
            out[name] = float(value)
        return np.array(list(out.values()))


_CHO = Kinetics(
    name="cho",
    kind=CHO,
    source="form: Xing et al. 2010; values: typical, to be fitted",
    parameters={
        "mu_max": (0.040, "1/h"),
        "K_glc": (0.50, "mmol/L"),
        "K_gln": (0.08, "mmol/L"),
        "KI_lac": (60.0, "mmol/L"),
        "KI_amm": (7.0, "mmol/L"),
        "kd": (0.0015, "1/h"),
        "KD_amm": (6.0, "mmol/L"),
        "Y_x_glc": (1.30, "1e9 cells/mmol"),
        "m_glc": (0.0045, "mmol/1e9 cells/h"),
        "Y_x_gln": (4.0, "1e9 cells/mmol"),
        "Y_lac_glc": (1.15, "mmol/mmol"),
        "q_lac": (0.012, "mmol/1e9 cells/h"),
        "K_lac": (8.0, "mmol/L"),
        "Y_amm_gln": (0.80, "mmol/mmol"),
        "k_deg": (0.0016, "1/h"),
        "q_p": (0.00085, "g/1e9 cells/h"),
        "a_T": (0.11, "1/K"),
        "b_T": (0.10, "1/K"),
        "q_O2": (0.28, "mmol/1e9 cells/h"),
        "K_O2": (0.01, "mmol/L"),
        "kLa": (18.0, "1/h"),
        "C_O2": (0.90, "mmol/L"),
        "buffer": (28.0, "mmol/L"),
        "pH_0": (7.10, "-"),
    },
    units={
        "volume": "L",
        "biomass": "1e9 cells/L",
        "dead": "1e9 cells/L",
        "substrate": "mmol/L",
        "glutamine": "mmol/L",
        "lactate": "mmol/L",
        "ammonia": "mmol/L",
        "product": "g/L",
        "heat": "kJ/L",
        "co2": "mmol/L",
    },
    start={"volume": 1.0, "biomass": 0.4, "substrate": 35.0, "glutamine": 6.0},
)
_PENICILLIN = Kinetics(
    name="penicillin",
    kind=PENICILLIN,
    source="Birol et al. 2002; constants of oxygen, feed and start from secondary sources",
    parameters={
        "mu_x": (0.092, "1/h"),
        "K_x": (0.15, "-"),
        "mu_p": (0.005, "1/h"),
        "K_p": (0.0002, "g/L"),
        "K_I": (0.10, "g/L"),
        "K": (0.04, "1/h"),
        "Y_xs": (0.45, "g/g"),
        "Y_ps": (0.90, "g/g"),
        "m_x": (0.014, "1/h"),
        "K_m": (0.10, "g/L"),
        "K_1": (1e-10, "mol/L"),
        "K_2": (7e-5, "mol/L"),
        "k_g": (7e3, "-"),
        "E_g": (5100.0, "cal/mol"),
        "k_d": (1e33, "-"),
        "E_d": (50000.0, "cal/mol"),
        "alpha_1": (0.143, "mmol/g"),
        "alpha_2": (4e-7, "mmol/(g h)"),
        "alpha_3": (1e-4, "mmol/(L h)"),
        "loss": (2.5e-4, "1/h"),
        "K_ox": (0.02, "-"),
        "K_op": (5e-4, "-"),
        "Y_xo": (0.04, "g/g"),
        "Y_po": (0.20, "g/g"),
        "m_o": (0.467, "1/h"),
        "kLa": (126.0, "1/h"),
        "C_O2": (1.16, "g/L"),
        "pH": (5.0, "-"),
    },
    units={
        "volume": "L",
        "biomass": "g/L",
        "dead": "-",
        "substrate": "g/L",
        "glutamine": "-",
        "lactate": "-",
        "ammonia": "-",
        "product": "g/L",
        "heat": "kcal/L",
        "co2": "mmol/L",
    },
    start={"volume": 100.0, "biomass": 0.1, "substrate": 15.0},
)
ALL = {each.name: each for each in (_CHO, _PENICILLIN)}


def kinetics(name: str) -> Kinetics:
    """The kinetics of a name; raises `twin.kinetics` for others."""
    if name not in ALL:
        text = _("There are no kinetics {name}.").format(name=name)
        raise MadangError("twin.kinetics", text, _("There are {names}.").format(names=", ".join(ALL)))
    return ALL[name]


@numba.njit(cache=True, fastmath=False, error_model="numpy")
def prepare(kind, u, p, w):  # type: ignore[no-untyped-def]  # plain arrays
    """Fill `w` (4) with what stays the same as long as the controls do: the effects of temperature and pH."""
    if kind == 0:
        cold = u[3] - 37.0
        w[0] = p[0] * math.exp(p[16] * cold)
        w[1] = p[15] * (1.0 - p[17] * cold)
    else:
        kelvin = u[3] + 273.15
        acid = 10.0 ** (-p[27])
        warm = p[12] * math.exp(-p[13] / (1.9872 * kelvin)) - p[14] * math.exp(-p[15] / (1.9872 * kelvin))
        w[0] = p[0] * warm / (1.0 + p[10] / acid + acid / p[11])
        w[1] = p[19] * (math.exp(5.0 * (kelvin - 273.0) / 100.0) - 1.0)


@numba.njit(cache=True, fastmath=False, error_model="numpy")
def rates(kind, y, u, p, w, out):  # type: ignore[no-untyped-def]  # plain arrays
    """Fill `out` with the derivatives of state `y` (10) under controls `u` (4), parameters `p`, prepared `w` (4)."""
    if kind == 0:
        _cho(y, u, p, w, out)
    else:
        _penicillin(y, u, p, w, out)


@numba.njit(cache=True, inline="always", error_model="numpy")
def _cho(y, u, p, w, out):  # type: ignore[no-untyped-def]  # plain arrays
    glc, gln, lac, amm = max(y[S], 0.0), max(y[N], 0.0), max(y[L], 0.0), max(y[A], 0.0)
    cells = max(y[X], 0.0)
    # Oxygen in balance: demand * c / (K + c) = kLa (C - c), the positive root of a quadratic.
    demand = p[18] * cells
    half = 0.5 * (p[21] - p[19] - demand / p[20])
    oxygen = half + math.sqrt(half * half + p[21] * p[19])
    air = oxygen / (p[19] + oxygen)
    growth = w[0] * (glc / (p[1] + glc)) * (gln / (p[2] + gln)) * (p[3] / (p[3] + lac)) * (p[4] / (p[4] + amm)) * air
    starved = p[1] / (p[1] + glc)
    ratio = amm / p[6]
    death = p[5] * (1.0 + ratio * ratio + 8.0 * starved)
    uptake = growth / p[7] + p[8] * glc / (p[1] + glc)
    burnt = p[11] * (lac / (p[12] + lac)) / (1.0 + glc * glc / 400.0)  # lactate is taken up once glucose is low
    gln_uptake = growth / p[9]
    decay = p[14] * gln
    thin = u[0] / y[V]
    out[V] = u[0]
    out[X] = (growth - death) * cells - thin * y[X]
    out[D] = death * cells - thin * y[D]
    out[S] = -uptake * cells + thin * (u[1] - y[S])
    out[N] = -gln_uptake * cells - decay + thin * (u[2] - y[N])
    out[L] = (p[10] * uptake - burnt) * cells - thin * y[L]
    out[A] = p[13] * gln_uptake * cells + decay - thin * y[A]
    out[P] = w[1] * cells * air - thin * y[P]
    used = demand * air
    out[Q] = 0.46 * used - thin * y[Q]
    out[C] = 0.95 * used - thin * y[C]


@numba.njit(cache=True, inline="always", error_model="numpy")
def _penicillin(y, u, p, w, out):  # type: ignore[no-untyped-def]  # plain arrays
    sugar, cells = max(y[S], 0.0), max(y[X], 1e-9)
    base = w[0] * (sugar / (p[1] * cells + sugar))
    make = p[2] * sugar / (p[3] + sugar + sugar * sugar / p[4])
    oxygen, growth, making = p[26], 0.0, 0.0
    for _round in range(3):
        cube = oxygen * oxygen * oxygen
        growth = base * oxygen / (p[20] * cells + oxygen)
        making = make * cube / (p[21] * cells + cube)
        used = (growth / p[22] + making / p[23] + p[24]) * cells
        oxygen = max(p[26] - used / p[25], 0.02 * p[26])
    change = u[0] - y[V] * w[1]
    thin = change / y[V]
    out[V] = change
    out[X] = growth * cells - thin * y[X]
    out[D] = 0.0
    out[S] = -(growth / p[6] + making / p[7] + p[8] * sugar / (p[9] + sugar)) * cells + u[0] * u[1] / y[V] - thin * y[S]
    out[N] = 0.0
    out[L] = 0.0
    out[A] = 0.0
    out[P] = making * cells - p[5] * y[P] - thin * y[P]
    out[Q] = 60.0 * growth * cells + 1.6783e-4 * cells - thin * y[Q]
    out[C] = p[16] * growth * cells + p[17] * cells + p[18]
