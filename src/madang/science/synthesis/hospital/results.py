"""Laboratory results as the hospital's laboratory types them: free text, its own units, and what is meant by it."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from madang.science.synthesis.catalog import keys, rows
from madang.science.synthesis.health import present
from madang.science.synthesis.hospital.layout import table
from madang.science.synthesis.hospital.records import Facts
from madang.science.synthesis.lives import Lives
from madang.science.synthesis.measures import lab_values

LESS, MORE = 4171756, 4172704
NEGATIVE, POSITIVE = ("음성", "Negative", "(-)"), ("양성", "Positive", "(+)")
STRIP = ("(-)", "±", "1+", "2+", "3+", "4+")
VALUE_CONCEPTS = {
    **dict.fromkeys(NEGATIVE, 9189),
    **dict.fromkeys(POSITIVE, 9191),
    **dict(zip(STRIP[1:], (4127785, 4123508, 4126673, 4125547, 4126674), strict=True)),
}
NO_RESULT = ("검체부족", "용혈")
"""What is typed where a specimen could not be examined."""

_COUNTS = {"leukocytes": (6800, 1700, 1500), "platelets": (245_000, 52_000, 20_000), "reticulocytes": (1.2, 0.4, 0.2)}
"""Mean, spread and least of values that the simulation has no part in."""
_ANTIGENS = {"hbsag": 0.04, "influenza_antigen": 0.25, "stool_blood": 0.07}


@dataclass(frozen=True)
class Test:
    """One test of the laboratory: a row of `lab_codes`."""

    code: str
    service: str
    lab: str
    edi: str
    concept: int
    units: tuple[str, ...]
    unit_concept: int
    decimals: int
    floor: float | None
    ceiling: float | None
    reference: tuple[str, str] | None


@cache
def tests() -> tuple[Test, ...]:
    """All tests."""
    ranges = {row["key"]: (row["low"], row["high"]) for row in rows("labs")}
    return tuple(
        Test(
            code=row["code"],
            service=row["service"],
            lab=row["lab"],
            edi=row["edi"],
            concept=int(row["concept"]),
            units=tuple(row["units"].split("|")) if row["units"] else (),
            unit_concept=int(row["unit_concept"] or 0),
            decimals=int(row["decimals"] or 0),
            floor=float(row["floor"]) if row["floor"] else None,
            ceiling=float(row["ceiling"]) if row["ceiling"] else None,
            reference=ranges.get(row["lab"]) if row["decimals"] else None,
        )
        for row in table("lab_codes")
    )


def draw_values(
    rng: np.random.Generator, lives: Lives, test: Test, person: NDArray[np.int64], day: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What would be found: a number, or for a qualitative test 0 and 1, or the steps of `STRIP`."""
    if test.lab in keys("labs"):
        return lab_values(rng, lives.people, lives.health, person, day, test.lab).astype(np.float64)
    if test.lab in _COUNTS:
        mean, spread, least = _COUNTS[test.lab]
        return np.maximum(rng.normal(mean, spread, len(person)), least)
    if test.lab == "antigen":
        return (rng.random(len(person)) < _ANTIGENS[test.service]).astype(np.float64)
    kidney = present(lives.health, person, day, "kidney_disease")
    odds = np.where(kidney[:, None], [0.45, 0.65, 0.82, 0.94, 0.99], [0.955, 0.98, 0.993, 0.998, 0.9995])
    return (rng.random(len(person))[:, None] > odds).sum(axis=1).astype(np.float64)


def written(rng: np.random.Generator, test: Test, value: float) -> Facts:
    """The columns RESULT, UNIT and REF for a value, with what they mean."""
    facts = nothing(None)
    if not test.units:
        words = STRIP if test.lab == "protein" else (NEGATIVE, POSITIVE)[int(value)]
        word = words[int(value)] if test.lab == "protein" else words[rng.integers(0, len(words))]
        return facts | {"RESULT": word, "REF": "음성", "_value": VALUE_CONCEPTS[word]}
    facts["_unit"] = test.unit_concept
    facts["UNIT"] = test.units[rng.integers(0, len(test.units))]
    if test.reference:
        facts["REF"] = "~".join(test.reference)
        facts["_low"], facts["_high"] = map(float, test.reference)
    number = round(value, test.decimals)
    sign = ""
    if test.floor is not None and number < test.floor:
        number, sign, facts["_operator"] = test.floor, "<", LESS
    elif test.ceiling is not None and number > test.ceiling:
        number, sign, facts["_operator"] = test.ceiling, ">", MORE
    text = f"{number:.{test.decimals}f}" if not sign else f"{number:g}"
    if number >= 1000 and rng.random() < 0.8:
        text = f"{number:,.{test.decimals}f}"
    return facts | {"RESULT": sign + text, "_number": float(text.replace(",", ""))}


def nothing(word: str | None) -> Facts:
    """A result that is none: a word that says why, or nothing yet."""
    meant = dict.fromkeys(("_operator", "_number", "_value", "_unit", "_low", "_high"))
    return {"RESULT": word, "UNIT": None, "REF": None, **meant}
