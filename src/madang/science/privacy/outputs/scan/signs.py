"""Signs of people in any text: identifiers, numbers in rows, blocks that are no language."""

import re

IDENTIFIERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("resident registration number", re.compile(r"(?<!\d)\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])[-\s]?[1-8]\d{6}(?!\d)")),
    ("e-mail address", re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*[A-Za-z]{2,}")),
    ("telephone number", re.compile(r"(?<!\d)01[016789][-. ]?\d{3,4}[-. ]?\d{4}(?!\d)")),
)
IDENTIFYING_NAMES = re.compile(
    r"^(person|patient|subject|member|mrn|chart|visit|ssn|rrn|jumin|indi|pt)[ _-]?(id|no|num(ber)?|key)?$"
    r"|주민|환자.?번호|등록번호|성명|이름|^(first|last|full|patient)[ _-]?name$|birth[ _-]?date|생년월일",
    re.IGNORECASE,
)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
BLOCK = re.compile(r"[A-Za-z0-9+/=_-]{160,}")
ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2}){24,}")
WORD = re.compile(r"[\w.:/+-]{0,24}")
MANY_NUMBERS = 24
MANY_LINES = 8


def identifiers(text: str) -> list[str]:
    """The kinds of identifiers that a text holds."""
    return [name for name, pattern in IDENTIFIERS if pattern.search(text)]


def identifying_column(name: str) -> bool:
    """Whether a column is called like something that names a person."""
    return bool(IDENTIFYING_NAMES.search(name.strip()))


def blocks(text: str) -> int:
    """How many blocks there are that are encoded data rather than language."""
    return len(BLOCK.findall(text)) + len(ESCAPED.findall(text))


def most_numbers_between(text: str) -> int:
    """The longest run of numbers that only separators part, over lines as well: a table in disguise."""
    longest = run = 0
    last = 0
    for match in NUMBER.finditer(text):
        between = text[last : match.start()]
        run = run + 1 if run and re.fullmatch(r"[\s,;|\t()\[\]{}'\"#*/%:!-]*(?:c\()?[\s,(\[]*", between) else 1
        longest = max(longest, run)
        last = match.end()
    return longest


def lines_of_data(text: str) -> int:
    """The longest run of lines that have the same number of fields, most of them numbers or single words."""
    longest = run = 0
    before = (0, "")
    for line in text.splitlines():
        stripped = line.strip().lstrip("#*%!-/ ").strip()
        shape = (0, "")
        for separator in (",", "\t", ";", "|"):
            fields = stripped.split(separator)
            plain = sum(bool(WORD.fullmatch(field.strip().strip("'\""))) for field in fields)
            numbers = sum(any(letter.isdigit() for letter in field) for field in fields)
            if len(fields) >= 3 and plain >= 0.8 * len(fields) and 3 * numbers >= len(fields):
                shape = (len(fields), separator)
                break
        run = run + 1 if shape == before and shape[0] else int(bool(shape[0]))
        before = shape
        longest = max(longest, run)
    return longest
