"""What the values of a column look like: a type and format guessed from distinct values."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from madang.science.standardize.intake.exact import Bad, value_of
from madang.science.standardize.intake.fields import Field, Kind

EXAMINED = 5_000
"""Most distinct values of a column whose shape is looked at, in each block of a file."""
ENOUGH = 0.98
"""Share of the values that must have a shape for the column to have it."""


@dataclass(frozen=True)
class Form:
    """One shape of values: a pattern, and what a pack declares for it."""

    words: str
    type: Kind
    pattern: str
    format: str | None = None
    thousands: str | None = None

    def reader(self) -> Field:
        """The field that reads such values."""
        return Field("x", "x", self.type, False, False, False, True, self.format, self.thousands)


# From the narrowest to the widest; the first that fits nearly all values is taken.
FORMS = (
    Form("YYYYMMDD", "date", r"(1[89]|2[01]|9999)\d+", "%Y%m%d"),
    Form("YYYY-MM-DD", "date", r"\d{4}-\d{2}-\d{2}"),
    Form("YYYY/MM/DD", "date", r"\d{4}/\d{2}/\d{2}", "%Y/%m/%d"),
    Form("YYYY.MM.DD", "date", r"\d{4}\.\d{2}\.\d{2}", "%Y.%m.%d"),
    Form("YYYYMMDDHHMMSS", "datetime", r"(19|20)\d{12}", "%Y%m%d%H%M%S"),
    Form("YYYYMMDDHHMM", "datetime", r"(19|20)\d{10}", "%Y%m%d%H%M"),
    Form("YYYYMMDD HHMM", "datetime", r"(19|20)\d{6} \d{4}", "%Y%m%d %H%M"),
    Form("YYYY-MM-DD hh:mm:ss", "datetime", r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?"),
    Form("YYYY/MM/DD hh:mm:ss", "datetime", r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S"),
    Form("HH:MM", "time", r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?"),
    Form("HHMM", "time", r"[012]\d{3}", "%H%M"),
    Form("HHMMSS", "time", r"[012]\d{5}", "%H%M%S"),
    Form("whole numbers", "integer", r"[+-]?(0|[1-9]\d{0,18})(\.0+)?"),
    Form("numbers", "number", r"[+-]?(0|[1-9]\d*|)(\.\d*)?([eE][+-]?\d+)?"),
    Form("whole numbers with commas", "integer", r"[+-]?[\d,]+", thousands=","),
    Form("numbers with commas", "number", r"[+-]?[\d,]+(\.\d*)?", thousands=","),
)
_COMPILED = tuple((form, re.compile(form.pattern), form.reader()) for form in FORMS)
_OPERATOR = re.compile(r"[<>≤≥=]{1,2}\s*[+-]?[\d.,]+")
_MONTH = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])")
_TIME_WORDS = re.compile(r"time|시간|시각|_tm$|_hm$|_ti$", re.IGNORECASE)
_CODE_WORDS = re.compile(r"code|_cd$|코드|구분|zip|우편", re.IGNORECASE)


@dataclass
class Shape:
    """Counts of values by form, as blocks come in."""

    rows: Counter[str] = field(default_factory=Counter)
    examined: int = 0
    padded: int = 0
    """Rows of digits with a leading zero, or too long for a number: codes rather than quantities."""

    def add(self, values: list[str], counts: list[int]) -> None:
        """Look at distinct values and how often each occurs."""
        for value, count in zip(values, counts, strict=True):
            self.examined += count
            if _OPERATOR.fullmatch(value):
                self.rows["operator"] += count
                continue
            if value.isdigit() and ((len(value) > 1 and value[0] == "0") or len(value) > 18):
                self.padded += count
            if _MONTH.fullmatch(value):
                self.rows["YYYYMM"] += count
            for form, pattern, reader in _COMPILED:
                if pattern.fullmatch(value) and _reads(reader, value):
                    self.rows[form.words] += count

    def guess(self, header: str) -> tuple[Form, str, float]:
        """The form to declare, what the values look like in words, and the share of values that fit."""
        if not self.examined:
            return _TEXT, "empty", 1.0
        numeric = self.rows["numbers with commas"] + self.rows["operator"]
        for form in FORMS:
            share = self.rows[form.words] / self.examined
            if share < ENOUGH:
                continue
            if form.words in ("HHMM", "HHMMSS") and not _TIME_WORDS.search(header):
                continue
            if form.type in ("integer", "number") and (self.padded or _CODE_WORDS.search(header)):
                continue  # codes keep their leading zeros only as text
            if form.type == "integer" and self.rows["YYYYMM"] >= self.examined * ENOUGH:
                return _TEXT, "YYYYMM", share
            return form, form.words, share
        if self.rows["operator"] and numeric >= self.examined * 0.5:
            return _TEXT, "numbers, some as <0.5", 1.0
        if 0.5 <= numeric / self.examined < ENOUGH:
            return _TEXT, "numbers and text mixed", 1.0
        best = max(FORMS, key=lambda form: self.rows[form.words])
        if self.rows[best.words] >= self.examined * 0.8 and best.type not in ("integer", "number", "time"):
            return best, f"{best.words}, with other values", self.rows[best.words] / self.examined
        return _TEXT, "digits as codes" if self.padded >= self.examined * 0.5 else "text", 1.0


_TEXT = Form("text", "text", ".*")


def _reads(reader: Field, value: str) -> bool:
    try:
        moment = value_of(reader, value)
    except Bad:
        return False
    return not isinstance(moment, datetime) or 1800 <= moment.year <= 9999
