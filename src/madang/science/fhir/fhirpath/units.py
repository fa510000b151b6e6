"""Units of UCUM as far as a quantity needs them to be compared: a factor and the dimensions of what it is of.

Prefixes, products, quotients, powers and brackets are read; units with an offset or a scale of their own (Cel, pH,
B) are compared with themselves only. Source of the factors: the UCUM specification, tables 1 to 21.
"""

import re
from decimal import Decimal, localcontext
from functools import cache

Dimensions = tuple[tuple[str, int], ...]
PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3,
    "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
BASES = ("m", "s", "g", "rad", "K", "C", "cd", "mol", "Cel", "pH", "[iU]", "[arb'U]", "eq", "osm", "bit")
METRIC = {  # name: (factor, the same in others)
    "L": ("0.001", "m3"), "l": ("0.001", "m3"), "Hz": ("1", "/s"), "N": ("1", "kg.m/s2"), "Pa": ("1", "N/m2"),
    "J": ("1", "N.m"), "W": ("1", "J/s"), "A": ("1", "C/s"), "V": ("1", "J/C"), "Ohm": ("1", "V/A"),
    "bar": ("1e5", "Pa"),
    "cal": ("4.184", "J"), "t": ("1000", "kg"), "U": ("1", "umol/min"), "kat": ("1", "mol/s"), "Gy": ("1", "J/kg"),
    "Sv": ("1", "J/kg"), "Bq": ("1", "/s"), "m[H2O]": ("9806.65", "Pa"), "m[Hg]": ("133322", "Pa"), "By": ("8", "bit"),
}  # fmt: skip
OTHERS = {
    "%": ("0.01", "1"), "10*": ("10", "1"), "10^": ("10", "1"), "[ppth]": ("0.001", "1"), "[ppm]": ("1e-6", "1"),
    "min": ("60", "s"), "h": ("3600", "s"), "d": ("86400", "s"), "wk": ("604800", "s"), "mo": ("2629800", "s"),
    "a": ("31557600", "s"), "[in_i]": ("0.0254", "m"), "[ft_i]": ("0.3048", "m"), "[yd_i]": ("0.9144", "m"),
    "[mi_i]": ("1609.344", "m"), "[lb_av]": ("453.59237", "g"), "[oz_av]": ("28.349523125", "g"),
    "[gr]": ("0.06479891", "g"), "[stone_av]": ("6350.29318", "g"), "[drp]": ("5e-8", "m3"),
    "[foz_us]": ("2.95735295625e-5", "m3"), "[gal_us]": ("0.003785411784", "m3"),
    "deg": ("0.017453292519943295", "rad"),
}  # fmt: skip
_PART = re.compile(r"(?P<number>\d+(?![\d*^]))|(?P<name>(?:\[[^\]]*\]|10[*^]|[^\d.\/()\[\]{}+-])+)(?P<power>[+-]?\d+)?")
DEEPEST = 8


@cache
def canonical(unit: str) -> tuple[Decimal, Dimensions] | None:
    """(factor, dimensions) of a unit in the base units; None for one that is not known."""
    with localcontext() as context:
        context.prec = 28
        try:
            factor, powers = _product(re.sub(r"\{[^}]*\}", "", unit) or "1", 0)
        except ValueError:
            return None
        return factor, tuple(sorted((name, power) for name, power in powers.items() if power))


def _product(text: str, depth: int) -> tuple[Decimal, dict[str, int]]:
    if depth > DEEPEST or len(text) > 200:
        raise ValueError(text)
    factor, powers, sign, at = Decimal(1), dict[str, int](), 1, 0
    while at < len(text):
        if text[at] in "./":
            sign = 1 if text[at] == "." else -1
            at += 1
            continue
        if text[at] == "(":
            end = _closing(text, at)
            one, parts, power = *_product(text[at + 1 : end], depth + 1), sign
            at = end + 1
        else:
            match = _PART.match(text, at)
            if match is None:
                raise ValueError(text)
            at = match.end()
            if match["number"]:
                one, parts, power = Decimal(match["number"]), {}, sign
            else:
                one, parts = _unit(match["name"], depth)
                power = sign * int(match["power"] or 1)
        if abs(power) > 30:
            raise ValueError(text)
        factor *= one**power
        for name, count in parts.items():
            powers[name] = powers.get(name, 0) + count * power
        sign = 1
    return factor, powers


def _closing(text: str, start: int) -> int:
    open_ = 0
    for at in range(start, len(text)):
        open_ += (text[at] == "(") - (text[at] == ")")
        if not open_:
            return at
    raise ValueError(text)


def _unit(name: str, depth: int) -> tuple[Decimal, dict[str, int]]:
    if name in BASES:
        return Decimal(1), {name: 1}
    found = OTHERS.get(name) or METRIC.get(name)
    if found:
        factor, parts = _product(found[1], depth + 1)
        return Decimal(found[0]) * factor, parts
    for prefix, power in PREFIXES.items():
        rest = name[len(prefix) :]
        if name.startswith(prefix) and (rest in METRIC or rest in BASES):
            factor, parts = _unit(rest, depth + 1)
            return factor.scaleb(power), parts
    raise ValueError(name)
