"""Functions of FHIRPath that turn values into others, and those of numbers."""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from madang.science.fhir.fhirpath.scope import Function, Items, Scope, Step, one, single
from madang.science.fhir.fhirpath.values import (
    Moment,
    Node,
    PathError,
    Quantity,
    comparable,
    moment,
    text_of,
    to_quantity,
)

# Conversions.


def _convert(kind: str, value: Any) -> Any:
    if kind == "String":
        return text_of(value)
    if kind == "Quantity":
        return to_quantity(value)
    if kind == "Boolean":
        texts = {"true": True, "t": True, "yes": True, "y": True, "1": True, "1.0": True}
        texts |= {"false": False, "f": False, "no": False, "n": False, "0": False, "0.0": False}
        if type(value) is str:
            return texts.get(value.lower())
        return {0: False, 1: True}.get(value) if type(value) in (int, Decimal) else value if value in (0, 1) else None
    if kind in ("Integer", "Decimal"):
        return _to_number(kind, value)
    if type(value) is Moment:
        return (
            value
            if value.kind == kind
            else moment(value.text.partition("T")[0], kind)
            if kind == "Date"
            else (moment(value.text, kind) if value.kind == "Date" else None)
        )
    return moment(value, kind) if type(value) is str else None


def _to_number(kind: str, value: Any) -> Any:
    if type(value) in (bool, int):
        return int(value) if kind == "Integer" else Decimal(int(value))
    if type(value) is Decimal:
        return value if kind == "Decimal" else int(value) if value == int(value) else None
    if type(value) is not str or len(value) > 100:
        return None
    body = value[1:] if value[:1] in "+-" else value
    digits, point, more = body.partition(".")
    good = digits.isascii() and digits.isdigit() and (not point or (more.isascii() and more.isdigit()))
    if not good or (kind == "Integer" and point):
        return None
    return int(value) if kind == "Integer" else Decimal(value)


def _conversion(kind: str, asks: bool) -> Function:
    def function(scope: Scope, items: Items, arguments: list[Step]) -> Items:
        value = single(items)
        if value is None:
            return []
        made = None if type(value) is Node else _convert(kind, value)
        unit = one(arguments[0](scope), str) if arguments else None
        if made is not None and unit:
            made = made if type(made) is Quantity and comparable(made, Quantity(Decimal(1), unit)) else None
        return [made is not None] if asks else [] if made is None else [made]

    return function


# Numbers.


def _rounded(rounding: str) -> Callable[[Any], Any]:
    return lambda value: int(Decimal(value).to_integral_value(rounding))


def _number(operate: Callable[..., Any]) -> Function:
    """A function of one number; of a quantity where its unit stays. It answers None where there is no result."""

    def function(scope: Scope, items: Items, arguments: list[Step]) -> Items:
        value = one(items, int, Decimal, Quantity)
        given = [one(each(scope), int, Decimal) for each in arguments]
        if value is None or any(each is None for each in given):
            return []
        if type(value) is Quantity:
            made = operate(value.value, *given)
            return [] if made is None else [Quantity(Decimal(made), value.unit)]
        made = operate(value, *given)
        return [] if made is None else [made]

    return function


def _round(value: Any, digits: int = 0) -> Any:
    if not 0 <= digits <= 28:
        raise PathError("numbers are rounded to 0 to 28 digits")
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _power(value: Any, exponent: Any) -> Any:
    if abs(exponent) > 10_000 or (value < 0 and exponent != int(exponent)) or (not value and exponent < 0):
        return None
    made = Decimal(value) ** Decimal(exponent)
    whole = type(value) is int and type(exponent) is int and exponent >= 0
    return int(made) if whole and made < 10**28 else made


def _log(value: Any, base: Any) -> Any:
    return (
        None
        if value <= 0 or base <= 0 or base == 1
        else (Decimal(value).ln() / Decimal(base).ln()).quantize(Decimal("1e-15")).normalize()
    )


NUMBERS: dict[str, tuple[int, int, Function]] = {
    "abs": (0, 0, _number(abs)),
    "ceiling": (0, 0, _number(_rounded(ROUND_CEILING))),
    "floor": (0, 0, _number(_rounded(ROUND_FLOOR))),
    "truncate": (0, 0, _number(int)),
    "round": (0, 1, _number(_round)),
    "sqrt": (0, 0, _number(lambda value: None if value < 0 else Decimal(value).sqrt())),
    "exp": (0, 0, _number(lambda value: Decimal(value).exp() if abs(value) < 1000 else None)),
    "ln": (0, 0, _number(lambda value: None if value <= 0 else Decimal(value).ln())),
    "log": (1, 1, _number(_log)),
    "power": (1, 1, _number(_power)),
}
KINDS = ("Boolean", "Integer", "Decimal", "Date", "DateTime", "Time", "String", "Quantity")
CONVERSIONS: dict[str, tuple[int, int, Function]] = {
    f"{verb}{kind}": (0, int(kind == "Quantity"), _conversion(kind, verb == "convertsTo"))
    for kind in KINDS
    for verb in ("to", "convertsTo")
}
