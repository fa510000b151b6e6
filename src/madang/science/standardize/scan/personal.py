"""Columns that tell who somebody is, by the words of their header and by their content.

The patterns of Korean identifiers are public facts: a resident registration number is a date of birth (YYMMDD), a digit
for century and sex (1 to 8, 9 and 0 for the 19th century), and six more digits, the last of them a check digit.
"""

import re
from calendar import monthrange
from collections.abc import Sequence

from madang.science.standardize.identifiers import HEADERS, KINDS, looks_like_identifier
from madang.science.standardize.scan.model import Flag

LOOKED_AT = 300
"""Characters of a value that are searched for personal patterns."""

_RRN = re.compile(r"(\d{2})(\d{2})(\d{2})[- ]?(\d)\d{6}")
_RRN_INSIDE = re.compile(r"(?<!\d)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])-[0-9]\d{6}(?!\d)")
_SSN = re.compile(r"\d{3}-\d{2}-\d{4}")
_PHONE = re.compile(
    r"(\+82[- ]?\(?0?|\(?0)(1[016789]|2|[3-6][1-5]|70|80|50\d)\)?[- .]?\d{3,4}[- .]?\d{4}"
    r"|10\d{8}"  # a mobile number whose first zero a spreadsheet has lost
    r"|\+?\d?[- (]*\d{3}[-) ]+\d{3}-\d{4}"
)
_PHONE_INSIDE = re.compile(r"(?<!\d)01[016789][- .]\d{3,4}[- .]\d{4}(?!\d)")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_ADDRESS = re.compile(
    r"[가-힣]+(특별시|광역시|자치시|자치도|시|도|군|구)\s+.*[가-힣]+\d*(구|군|시|읍|면|동|로|길|리)(\s|\d|$).*"
    r"|\d+\s+.*\b(street|road|avenue|lane|drive|court|way|unit|apt|st|rd|ave|boulevard|place)\b.*",
    re.IGNORECASE,
)
# The most frequent Korean family names (public statistics); nearly all people bear one of them.
_SURNAMES = "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모탁국어은편용"  # noqa: E501
_KOREAN_NAME = re.compile(rf"(남궁|황보|제갈|선우|독고|[{_SURNAMES}])[가-힣]{{1,2}}")
_ENGLISH_NAME = re.compile(r"(Mr|Mrs|Ms|Dr)?\.? ?[A-Z][a-z'-]+\d*,? [A-Z][a-z'.-]*\d*( [A-Z][a-z'-]+\d*)?")
_OF_A_PERSON = re.compile(r"owner|holder|guarantor|signed|author|subscriber|contact|next.?of.?kin", re.IGNORECASE)
_CODES = re.compile(r"(과|실|병동|팀|부|센터|병원|의원|약국|검사|수술|치료)$")


def is_resident_number(text: str) -> bool:
    """Whether text has the form of a resident registration number with a possible date of birth."""
    match = _RRN.fullmatch(text)
    if not match:
        return False
    year, month, day, century = (int(part) for part in match.groups())
    full = year + {0: 1800, 9: 1800, 1: 1900, 2: 1900, 5: 1900, 6: 1900}.get(century, 2000)
    return 1 <= month <= 12 and 1 <= day <= monthrange(full, month)[1]


def has_check_digit(text: str) -> bool:
    """Whether the last digit of a resident registration number is the check digit of the others.

    Numbers given since October 2020 have none, so this is evidence for, never against.
    """
    digits = [int(c) for c in text if c.isdigit()]
    weights = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
    return len(digits) == 13 and (11 - sum(map(int.__mul__, digits, weights)) % 11) % 10 == digits[12]


def flags_of(header: str, values: Sequence[str], type: str = "text") -> tuple[Flag, ...]:
    """The flags of a column by its header and a sample of its distinct values, which look like a `type`."""
    if type in ("date", "datetime", "time"):  # a day is no number of a person, whatever its name
        return ()
    found: dict[str, Flag] = {}
    values = [value[:LOOKED_AT] for value in values]  # long texts are notes, and patterns are slow on them
    for kind, why in _by_content(values, header):
        found.setdefault(kind, Flag(kind, "likely", why))
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", header).replace("_", " ").strip()
    for kind, pattern in HEADERS:
        if match := pattern.search(words) or pattern.search(header):
            found.setdefault(kind, Flag(kind, "possible", f"the header says “{match.group(0).strip()}”"))
    for kind in _look_alikes(header):
        found.setdefault(kind, Flag(kind, "possible", "the header looks like it"))
    for kind, count in _inside(values):
        found.setdefault(kind, Flag(kind, "possible", f"found inside the text of {_at_least(count)} values"))
    if "resident number" in found:
        found.pop("person identifier", None)
        if found["resident number"].certainty == "likely":
            found.pop("phone", None)
    return tuple(found.values())


def _look_alikes(header: str) -> set[str]:
    """What `madang pack check` will ask about, so that a draft pack never lacks an answer."""
    found = {looks_like_identifier(part) for part in (header, header.rpartition(".")[2])}
    return {KINDS[what] for what in found if what}


def _at_least(count: int) -> str:
    return "some" if count < 10 else f"{count:,}"


def _by_content(values: Sequence[str], header: str) -> list[tuple[str, str]]:
    if not values:
        return []
    total = len(values)
    found = []
    numbers = [value for value in values if is_resident_number(value)]
    if len(numbers) >= total * 0.5:
        checked = sum(map(has_check_digit, numbers))
        found.append(
            (
                "resident number",
                f"{len(numbers) / total:.0%} of values are 13 digits that begin with a date, "
                f"{checked / len(numbers):.0%} of these with the check digit",
            )
        )
    for kind, pattern, words in (
        ("resident number", _SSN, "are numbers like 000-00-0000"),
        ("phone", _PHONE, "look like phone numbers"),
        ("e-mail", _EMAIL, "are e-mail addresses"),
        ("address", _ADDRESS, "look like addresses"),
    ):
        short = [value for value in values if len(value) <= 100]
        share = sum(1 for value in short if pattern.fullmatch(value)) / total
        # A column of bare digits is a phone number only if nearly all of it is.
        needed = 0.5 if kind != "phone" or any("-" in value for value in values[:50]) else 0.95
        if share >= needed and not (kind == "phone" and all(len(value) < 9 for value in values)):
            found.append((kind, f"{share:.0%} of values {words}"))
    korean = [value for value in values if _KOREAN_NAME.fullmatch(value) and not _CODES.search(value)]
    three = sum(len(value) >= 3 for value in korean)
    if total >= 5 and len(korean) >= total * 0.8 and three >= total * 0.5:
        found.append(("name", f"{len(korean) / total:.0%} of values are two to four syllables after a family name"))
    english = sum(1 for value in values if _ENGLISH_NAME.fullmatch(value))
    named = _OF_A_PERSON.search(header) and total >= 3 and english >= total * 0.7
    if named or (total >= 20 and english >= total * 0.9):
        found.append(("name", f"{english / total:.0%} of values are two or three capitalized words"))
    return found


def _inside(values: Sequence[str]) -> list[tuple[str, int]]:
    counts = {
        "resident number": sum(1 for value in values if _RRN_INSIDE.search(value)),
        "phone": sum(1 for value in values if _PHONE_INSIDE.search(value)),
        "e-mail": sum(1 for value in values if "@" in value and _EMAIL.search(value)),
    }
    return [(kind, count) for kind, count in counts.items() if count]
