"""Names and numbers that look like those of people and cannot be anybody's.

* A resident number has 13 digits and a hyphen like a real one, but its month is 21 to 32.
* A mobile number begins with 010-0 or 010-1, which are given to nobody.
* A street is one of made-up names.
"""

import numpy as np

from madang.science.synthesis.catalog import rows

_FAMILY = "김이박최정강조윤장임한오서신권황안송류홍"
_MALE = ("민준", "서준", "도윤", "영수", "성호", "정훈", "상철", "동현", "지훈", "병철", "재영", "광수", "태식", "현우")
_FEMALE = (
    "서연",
    "지우",
    "영희",
    "미경",
    "정숙",
    "은주",
    "혜진",
    "순자",
    "수빈",
    "현숙",
    "경자",
    "하은",
    "보람",
    "말순",
)
_STREETS = ("마당로", "가온누리길", "한빛솔로", "늘봄샛길", "두레박길", "참나래로")
_RARE = "솔샘결빛별찬늘봄"


def name_of(rng: np.random.Generator, female: bool) -> str:
    """A name; one in eight people has a third syllable of its own."""
    given = (_FEMALE if female else _MALE)[rng.integers(0, len(_MALE))]
    if rng.random() < 0.125:
        given = given[0] + _RARE[rng.integers(0, len(_RARE))]
    return _FAMILY[rng.integers(0, len(_FAMILY))] + given


def resident_number(rng: np.random.Generator, birth: str, female: bool) -> str:
    """A number in the form of a resident number for a birth YYYYMMDD; no such number can exist."""
    month = int(birth[4:6]) + 20
    century = (1 if birth < "20000101" else 3) + int(female)
    return f"{birth[2:4]}{month:02d}{birth[6:]}-{century}{rng.integers(0, 10**6):06d}"


def phone_number(rng: np.random.Generator) -> str:
    """A number in the form of a mobile number that is given to nobody."""
    return f"010-{rng.integers(0, 2000):04d}-{rng.integers(0, 10**4):04d}"


def address(rng: np.random.Generator, province: int) -> str:
    """An address in a street that does not exist."""
    street = _STREETS[rng.integers(0, len(_STREETS))]
    house, floor, door = rng.integers(1, 400), rng.integers(1, 25), rng.integers(1, 9)
    return f"{rows('provinces')[province]['name_ko']} {street} {house}, {rng.integers(101, 130)}동 {floor}{door:02d}호"


def patient_number(number: int) -> str:
    """The hospital's number of a patient, seven digits and a check digit, scattered so that it tells no order."""
    scattered = number * 7_368_787 % 9_999_991
    return f"{scattered:07d}-{sum(map(int, str(scattered))) % 10}"
