"""Which columns are taken for personal, and which are not."""

import random

import pytest
from scan_kit import resident_number

from madang.science.standardize.scan.personal import flags_of, has_check_digit, is_resident_number


def kinds(header: str, values: list[str]) -> set[str]:
    return {flag.kind for flag in flags_of(header, values)}


def test_resident_numbers_by_date_and_check_digit() -> None:
    assert is_resident_number("000101-3000000")
    assert is_resident_number("0001013000000")
    assert not is_resident_number("001301-3000000")  # no month 13
    assert not is_resident_number("000230-3000000")  # no 30 February
    assert not is_resident_number("000101-300000")
    digits = [number for number in range(10) if has_check_digit(f"000101-300000{number}")]
    assert len(digits) == 1


@pytest.mark.parametrize("form", ["{}", "{} "])
def test_resident_numbers_are_found_whatever_the_header_says(form: str) -> None:
    rng = random.Random(1)
    numbers = [resident_number(rng).replace("-", rng.choice(["", "-"])) for _ in range(50)]
    assert "resident number" in kinds("COL7", numbers)
    assert "resident number" in kinds("memo", ["text"] * 30 + [f"born 900101-1234567, {n}" for n in range(3)])


@pytest.mark.parametrize(
    ("header", "values", "expected"),
    [
        ("c", ["010-1234-5678", "02-123-4567", "031-123-4567"] * 4, "phone"),
        ("c", ["a@example.org", "b.c@example.com"] * 4, "e-mail"),
        ("c", ["서울특별시 강남구 테헤란로 1", "경기도 수원시 팔달구 인계동 2"] * 4, "address"),
        ("c", ["12 Main Street", "7 Oak Avenue Apt 3"] * 4, "address"),
        ("c", ["김민준", "이서연", "박도윤", "남궁민수", "최지우"] * 4, "name"),
        ("c", [f"{a} {b}" for a in ("Anna", "Bert", "Carl", "Dora") for b in ("Young", "Stone", "Hill", "Wood", "Ray")],
         "name"),
        ("환자명", [], "name"),
        ("PT_NM", [], "name"),
        ("firstName", [], "name"),
        ("보호자연락처", [], "phone"),
        ("등록번호", [], "person identifier"),
        ("PERSON_ID", [], "person identifier"),
        ("name[0].family", [], "name"),
    ],
)  # fmt: skip
def test_flagged(header: str, values: list[str], expected: str) -> None:
    assert expected in kinds(header, values)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("진료과", ["내과", "외과", "안과", "정형외과", "신경과", "소아과", "이비인후과"] * 3),
        ("검사명", ["혈당", "크레아티닌", "총콜레스테롤"] * 5),
        ("DRUG_NAME", ["아스피린", "타이레놀"] * 5),
        ("CODE", ["1012345678", "1112345678"] * 5),
        ("KEY_SEQ", [str(10**12 + n * 7919) for n in range(100)]),
        ("AMT", ["1,000", "12,345"] * 5),
        ("DAY", ["20200101", "20191231"] * 5),
        ("DISPLAY", ["Encounter for problem", "Blood Pressure panel"] * 10),
    ],
)
def test_not_flagged(header: str, values: list[str]) -> None:
    assert kinds(header, values) == set()
