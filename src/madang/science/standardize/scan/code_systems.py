"""Of which system codes may be, by how they are written: check digits of LOINC and SNOMED CT, the letters of ICD-10."""

import re

_LOINC = re.compile(r"[0-9]{1,5}-[0-9]")
_SNOMED = re.compile(r"[1-9][0-9]{5,17}")
_ICD = re.compile(r"[A-TV-Z][0-9]{2}(\.?[0-9]{1,3}[A-Z]?)?")
_NDC = re.compile(r"[0-9]{5}-[0-9]{4}-[0-9]{2}|[0-9]{5}-[0-9]{3,4}-[0-9]{1,2}")
LEAST = 3
"""Fewest different codes from which a system is guessed."""

# Verhoeff's tables (1969): products in the dihedral group of ten elements, and the permutations by place.
_PRODUCT = [[(a + b) % 5 if a < 5 and b < 5 else 0 for b in range(10)] for a in range(10)]
for _a in range(10):
    for _b in range(10):
        _turn, _flip = ((_a + _b) % 5 if _a < 5 else (_a - _b) % 5), (_a < 5) != (_b < 5)
        _PRODUCT[_a][_b] = _turn + 5 * _flip
_PLACES = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _place in range(2, 8):
    _PLACES.append([_PLACES[-1][_PLACES[1][_digit]] for _digit in range(10)])


def system_of(code: str) -> str:
    """LOINC, SNOMED, ICD10 or NDC, where a code is written as its codes are; else nothing."""
    if _LOINC.fullmatch(code):
        return "LOINC" if _is_loinc(code) else ""
    if _NDC.fullmatch(code):
        return "NDC"
    if _ICD.fullmatch(code):
        return "ICD10"
    return "SNOMED" if _SNOMED.fullmatch(code) and _is_snomed(code) else ""


def _is_loinc(code: str) -> bool:
    """By its check digit, that of Luhn."""
    total = 0
    for place, digit in enumerate(reversed(code.replace("-", ""))):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def _is_snomed(code: str) -> bool:
    """By its check digit, that of Verhoeff; of concepts, whose last but two digits are 0 or 1, then 0."""
    if code[-3:-1] not in ("00", "10"):
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _PRODUCT[check][_PLACES[place % 8][int(digit)]]
    return check == 0
