"""What the values of a column look like: a type and format guessed from distinct values."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from madang.science.standardize.intake.exact import ROUNDED, Bad, value_of
from madang.science.standardize.intake.fields import Field, Kind
from madang.science.standardize.scan.code_systems import LEAST, system_of

EXAMINED = 5_000
"""Most distinct values of a column whose shape is looked at, in each block of a file."""
FIRST_YEAR = date.today().year - 99
"""The hundred years that end now: of them are years of two digits, until somebody says otherwise."""
ENOUGH = 0.98
"""Share of the values that must have a shape for the column to have it."""
OF_A_SYSTEM = 0.9
"""Share of the codes that must be written as those of a system: own codes stand among them, and somebody decides."""


@dataclass(frozen=True)
class Form:
    """One shape of values: a pattern, and what a pack declares for it."""

    words: str
    type: Kind
    pattern: str
    format: str | None = None
    thousands: str | None = None
    decimal: str | None = None
    first_year: int | None = None
    ask: str = ""
    """What only somebody who knows the data can tell."""

    def reader(self) -> Field:
        """The field that reads such values."""
        return Field(
            "x", "x", self.type, False, False, False, True, self.format, self.thousands, self.decimal,
            self.first_year or 1969,
        )  # fmt: skip


_MON = "[A-Za-z]{3}"
_D, _DD = r"\d{1,2}", r"\d{2}"
_CLOCK = r"\d{1,2}:\d{2}(:\d{2})?"

# From the narrowest to the widest; the first that fits nearly all values is taken.
FORMS = (
    Form("YYYYMMDD", "date", r"(1[89]|2[01]|9999)\d+", "%Y%m%d"),
    Form("YYYYMMDD.0", "date", r"(19|20)\d{6}\.0", "%Y%m%d.0"),
    Form("YYYY-MM-DD", "date", r"\d{4}-\d{2}-\d{2}"),
    Form("YYYY/MM/DD", "date", r"\d{4}/\d{2}/\d{2}", "%Y/%m/%d"),
    Form("YYYY.MM.DD", "date", r"\d{4}\.\d{2}\.\d{2}", "%Y.%m.%d"),
    Form("DD.MM.YYYY", "date", rf"{_DD}\.{_DD}\.\d{{4}}", "%d.%m.%Y"),
    Form("DD/MM/YYYY", "date", rf"{_DD}/{_DD}/\d{{4}}", "%d/%m/%Y"),
    Form("MM/DD/YYYY", "date", rf"{_DD}/{_DD}/\d{{4}}", "%m/%d/%Y"),
    Form("DD-MM-YYYY", "date", rf"{_DD}-{_DD}-\d{{4}}", "%d-%m-%Y"),
    Form("MM-DD-YYYY", "date", rf"{_DD}-{_DD}-\d{{4}}", "%m-%d-%Y"),
    Form("D.M.YYYY", "date", rf"{_D}\.{_D}\.\d{{4}}", "%-d.%-m.%Y"),
    Form("D/M/YYYY", "date", rf"{_D}/{_D}/\d{{4}}", "%-d/%-m/%Y"),
    Form("M/D/YYYY", "date", rf"{_D}/{_D}/\d{{4}}", "%-m/%-d/%Y"),
    Form("YYYY-M-D", "date", rf"\d{{4}}-{_D}-{_D}", "%Y-%-m-%-d"),
    Form("YYYY/M/D", "date", rf"\d{{4}}/{_D}/{_D}", "%Y/%-m/%-d"),
    Form("YYYY.M.D", "date", rf"\d{{4}}\.{_D}\.{_D}", "%Y.%-m.%-d"),
    Form("YYYY. M. D.", "date", rf"\d{{4}}\. {_D}\. {_D}\.", "%Y. %-m. %-d."),
    Form("YYYY년 M월 D일", "date", rf"\d{{4}}년 {_D}월 {_D}일", "%Y년 %-m월 %-d일"),
    Form("YYYY년M월D일", "date", rf"\d{{4}}년{_D}월{_D}일", "%Y년%-m월%-d일"),
    Form("YYYY年M月D日", "date", rf"\d{{4}}年{_D}月{_D}日", "%Y年%-m月%-d日"),
    Form("DD-MON-YYYY", "date", rf"{_D}-{_MON}-\d{{4}}", "%-d-%b-%Y"),
    Form("DD MON YYYY", "date", rf"{_D} {_MON} \d{{4}}", "%-d %b %Y"),
    Form("DDMONYYYY", "date", rf"{_DD}{_MON}\d{{4}}", "%d%b%Y"),
    Form("Month D, YYYY", "date", rf"[A-Za-z]+ {_D}, \d{{4}}", "%B %-d, %Y"),
    Form("DD-MON-YY", "date", rf"{_D}-{_MON}-\d{{2}}", "%-d-%b-%y", first_year=FIRST_YEAR),
    Form("YY-MM-DD", "date", r"\d{2}-\d{2}-\d{2}", "%y-%m-%d", first_year=FIRST_YEAR),
    Form("YY/MM/DD", "date", r"\d{2}/\d{2}/\d{2}", "%y/%m/%d", first_year=FIRST_YEAR),
    Form("YY.MM.DD", "date", r"\d{2}\.\d{2}\.\d{2}", "%y.%m.%d", first_year=FIRST_YEAR),
    Form("DD.MM.YY", "date", r"\d{2}\.\d{2}\.\d{2}", "%d.%m.%y", first_year=FIRST_YEAR),
    Form("DD-MM-YY", "date", r"\d{2}-\d{2}-\d{2}", "%d-%m-%y", first_year=FIRST_YEAR),
    Form("D/M/YY", "date", rf"{_D}/{_D}/\d{{2}}", "%-d/%-m/%y", first_year=FIRST_YEAR),
    Form("M/D/YY", "date", rf"{_D}/{_D}/\d{{2}}", "%-m/%-d/%y", first_year=FIRST_YEAR),
    Form("YYMMDD", "date", r"\d{6}", "%y%m%d", first_year=FIRST_YEAR),
    Form("YYYYMMDDHHMMSS", "datetime", r"(19|20)\d{12}", "%Y%m%d%H%M%S"),
    Form("YYYYMMDDHHMM", "datetime", r"(19|20)\d{10}", "%Y%m%d%H%M"),
    Form("YYYYMMDD HHMM", "datetime", r"(19|20)\d{6} \d{4}", "%Y%m%d %H%M"),
    Form("YYYY-MM-DD hh:mm:ss", "datetime", r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?"),
    Form("YYYY/MM/DD hh:mm:ss", "datetime", r"\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}", "%Y/%m/%d %H:%M:%S"),
    Form("YYYY.MM.DD hh:mm:ss", "datetime", r"\d{4}\.\d{2}\.\d{2} \d{2}:\d{2}:\d{2}", "%Y.%m.%d %H:%M:%S"),
    Form(
        "YYYY-MM-DD 오전 h:mm:ss",
        "datetime",
        rf"\d{{4}}-{_D}-{_D} (오전|오후|AM|PM) {_CLOCK}",
        "%Y-%-m-%-d %p %-I:%M:%S",
    ),
    Form("YYYY-MM-DD 오전 h:mm", "datetime", rf"\d{{4}}-{_D}-{_D} (오전|오후|AM|PM) {_CLOCK}", "%Y-%-m-%-d %p %-I:%M"),
    Form("M/D/YYYY h:mm:ss AM", "datetime", rf"{_D}/{_D}/\d{{4}} {_CLOCK} [AaPp][Mm]", "%-m/%-d/%Y %-I:%M:%S %p"),
    Form("D/M/YYYY h:mm:ss AM", "datetime", rf"{_D}/{_D}/\d{{4}} {_CLOCK} [AaPp][Mm]", "%-d/%-m/%Y %-I:%M:%S %p"),
    Form("M/D/YYYY h:mm AM", "datetime", rf"{_D}/{_D}/\d{{4}} {_CLOCK} [AaPp][Mm]", "%-m/%-d/%Y %-I:%M %p"),
    Form("D/M/YYYY hh:mm:ss", "datetime", rf"{_D}/{_D}/\d{{4}} {_CLOCK}", "%-d/%-m/%Y %-H:%M:%S"),
    Form("M/D/YYYY hh:mm:ss", "datetime", rf"{_D}/{_D}/\d{{4}} {_CLOCK}", "%-m/%-d/%Y %-H:%M:%S"),
    Form("D/M/YYYY hh:mm", "datetime", rf"{_D}/{_D}/\d{{4}} {_CLOCK}", "%-d/%-m/%Y %-H:%M"),
    Form("M/D/YYYY hh:mm", "datetime", rf"{_D}/{_D}/\d{{4}} {_CLOCK}", "%-m/%-d/%Y %-H:%M"),
    Form("DD.MM.YYYY hh:mm:ss", "datetime", rf"{_D}\.{_D}\.\d{{4}} {_CLOCK}", "%-d.%-m.%Y %-H:%M:%S"),
    Form("DD.MM.YYYY hh:mm", "datetime", rf"{_D}\.{_D}\.\d{{4}} {_CLOCK}", "%-d.%-m.%Y %-H:%M"),
    Form("YYYY-MM-DD h:mm", "datetime", rf"\d{{4}}-{_D}-{_D} {_CLOCK}", "%Y-%-m-%-d %-H:%M"),
    Form("DD-MON-YYYY hh:mm:ss", "datetime", rf"{_D}-{_MON}-\d{{4}} {_CLOCK}", "%-d-%b-%Y %-H:%M:%S"),
    Form("M/D/YY hh:mm", "datetime", rf"{_D}/{_D}/\d{{2}} {_CLOCK}", "%-m/%-d/%y %-H:%M", first_year=FIRST_YEAR),
    Form("D/M/YY hh:mm", "datetime", rf"{_D}/{_D}/\d{{2}} {_CLOCK}", "%-d/%-m/%y %-H:%M", first_year=FIRST_YEAR),
    Form("DDMONYYYY:hh:mm:ss", "datetime", rf"{_DD}{_MON}\d{{4}}:{_CLOCK}", "%d%b%Y:%H:%M:%S"),
    Form("HH:MM", "time", r"\d{2}:\d{2}(:\d{2}(\.\d+)?)?"),
    Form("HHMM", "time", r"[012]\d{3}", "%H%M"),
    Form("HHMMSS", "time", r"[012]\d{5}", "%H%M%S"),
    Form("whole numbers", "integer", r"[+-]?(0|[1-9]\d{0,18})(\.0+)?"),
    Form("numbers", "number", r"[+-]?(0|[1-9]\d*|)(\.\d*)?([eE][+-]?\d+)?"),
    Form("whole numbers with commas", "integer", r"[+-]?[\d,]+", thousands=","),
    Form("numbers with commas", "number", r"[+-]?[\d,]+(\.\d*)?", thousands=","),
    Form("numbers with decimal commas", "number", r"[+-]?\d*(,\d*)?", decimal=","),
    Form("numbers with points and decimal commas", "number", r"[+-]?[\d.]*(,\d*)?", thousands=".", decimal=","),
)
_COMPILED = tuple((form, re.compile(form.pattern), form.reader()) for form in FORMS)
_TWINS = {  # day and month, the other way round
    "DD/MM/YYYY": "MM/DD/YYYY", "DD-MM-YYYY": "MM-DD-YYYY", "D/M/YYYY": "M/D/YYYY",
    "D/M/YYYY hh:mm:ss": "M/D/YYYY hh:mm:ss", "D/M/YYYY hh:mm": "M/D/YYYY hh:mm",
    "M/D/YYYY h:mm:ss AM": "D/M/YYYY h:mm:ss AM", "D/M/YY": "M/D/YY", "M/D/YY hh:mm": "D/M/YY hh:mm",
}  # fmt: skip
_YEAR_FIRST = {"YY-MM-DD": ("DD-MM-YY",), "YY/MM/DD": ("D/M/YY", "M/D/YY"), "YY.MM.DD": ("DD.MM.YY",)}
_CENTURY = "of which hundred years are these two digits?"
_OPERATOR = re.compile(r"[<>≤≥=]{1,2}\s*[+-]?[\d.,]+")
_PARTLY = re.compile(r"(1[89]|20)\d{2}(?P<mark>[-/.]?)(00(?P=mark)\d{2}|(0\d|1[0-2])(?P=mark)00|(0[1-9]|1[0-2]))")
_YEAR = re.compile(r"(19|20)\d{2}")
"""A day of which only the year, or year and month, is known: 20200300, 2020-03, 2020."""
SOME_WITHOUT_A_DAY = ", some without a day"
_COUNTED = {
    "days of Excel, DATE '1899-12-30' + n": re.compile(r"[1-5]\d{4}(\.0)?"),
    "seconds since 1970, epoch: to_timestamp(n)": re.compile(r"-?\d{8,10}(\.0)?"),
    "milliseconds since 1970, epoch_ms(n)": re.compile(r"-?\d{10,13}(\.0)?"),
    "a year and the day of it, YYYYDDD": re.compile(r"(19|20)\d{2}[0-3]\d{2}(\.0)?"),
}
"""Days told as numbers, which no format reads; the SELECT does."""
_ID_WORDS = re.compile(r"(^|_)(id|no|num|nr|key|mrn)$|id$|number|번호|아이디", re.IGNORECASE)
_MONTH = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])")
_GROUPS = re.compile(r"[+-]?\d{1,3}(,\d{3}){2,}(\.\d*)?|[+-]?\d{1,3}(,\d{3})+\.\d*")
_TIME_WORDS = re.compile(r"time|시간|시각|_tm$|_hm$|_ti$", re.IGNORECASE)
_DAY_WORDS = re.compile(r"birth|생년|출생|dob|date|일자|일시|날짜|일$|_?dt$|day|ymd|mmdd", re.IGNORECASE)
_CODE_WORDS = re.compile(
    r"code|_cd$|cd$|코드|구분|zip|우편|itemid|item_id|concept_id|^dx\d*$|diagnosis|진단명?\d*$|상병", re.IGNORECASE
)

STRONG = frozenset({"NULL", "null", "Null", "(null)", "<NULL>", "<null>", "\\N", "#N/A", "#NULL!", "N/A", "n/a"})
"""Words that never are values."""
WEAK = frozenset({
    "NA", "na", "NaN", "nan", "None", "none", "NONE", "nil", "-", "--", "---", ".", "..", "?", "*", "unknown",
    "Unknown", "UNKNOWN", "UNK", "없음", "미상", "모름", "해당없음",
})  # fmt: skip
"""Words that say so where all else is numbers or days."""
_NO_DAY = re.compile(
    r"9999[-/.]?(12|01)[-/.]?(31|30|01)([T ].*)?|2999[-/.]?12[-/.]?31([T ].*)?|0000[-/.]?00[-/.]?00([T ].*)?"
    r"|0{6,8}|9{6,8}|8{8}|1111[-/.]?11[-/.]?11|99/99/9999|00/00/0000|31/12/9999|12/31/9999|31\.12\.9999"
)
"""What stands for a day that there is not."""


@dataclass
class Shape:
    """Counts of values by form, as blocks come in."""

    rows: Counter[str] = field(default_factory=Counter)
    examined: int = 0
    padded: int = 0
    """Rows of digits with a leading zero, or too long for a number: codes rather than quantities."""
    marks: Counter[str] = field(default_factory=Counter)
    """Words that may say that there is no value, and days that are none."""
    systems: Counter[str] = field(default_factory=Counter)
    """Different codes by the system that they are written as."""
    codes: int = 0
    """Different values that were looked at."""
    commas: bool = True
    """The delimiter is a comma, so that one within a number is quoted and more likely groups thousands."""

    def add(self, values: list[str], counts: list[int]) -> None:
        """Look at distinct values and how often each occurs."""
        for value, count in zip(values, counts, strict=True):
            if value in STRONG or value in WEAK or _NO_DAY.fullmatch(value):
                self.marks[value] += count
                if value in STRONG:
                    continue
            self.examined += count
            self.codes += 1
            self.systems[system_of(value)] += 1
            if _OPERATOR.fullmatch(value):
                self.rows["operator"] += count
                continue
            if value.isdigit() and ((len(value) > 1 and value[0] == "0") or len(value) > 18):
                self.padded += count
            if _MONTH.fullmatch(value):
                self.rows["YYYYMM"] += count
            if _YEAR.fullmatch(value):
                self.rows["YYYY"] += count
            if match := _PARTLY.fullmatch(value):
                self.rows[f"YYYY{match['mark']}MM{match['mark']}DD{SOME_WITHOUT_A_DAY}"] += count
            if _GROUPS.fullmatch(value):
                self.rows["groups"] += count
            for name, pattern in _COUNTED.items():
                if pattern.fullmatch(value):
                    self.rows[name] += count
            if ROUNDED.fullmatch(value):
                self.rows["rounded"] += count
            for form, pattern, reader in _COMPILED:
                if pattern.fullmatch(value) and _reads(reader, value):
                    self.rows[form.words] += count

    def system(self) -> str:
        """The system of codes that nearly all values are written as; empty where there is none."""
        found, most = max(self.systems.items(), key=lambda one: one[1], default=("", 0))
        return found if most >= LEAST and most >= self.codes * OF_A_SYSTEM else ""

    def guess(self, header: str) -> tuple[Form, str, float]:
        """The form to declare, what the values look like in words, and the share of values that fit."""
        return self.told(header)[:3]

    def told(self, header: str) -> tuple[Form, str, float, tuple[str, ...]]:
        """As `guess`, with the texts that are no values: for these the rest has to be of a type."""
        strong = tuple(sorted(mark for mark in self.marks if mark in STRONG))
        if not self.examined:
            return _TEXT, "empty", 1.0, strong
        weak = Counter({m: n for m, n in self.marks.items() if m not in STRONG})
        days = {m: n for m, n in weak.items() if _NO_DAY.fullmatch(m)}
        words = {m: n for m, n in weak.items() if m not in days}
        for marks in ({}, words, days, weak):
            if marks is not weak and not marks and marks != {}:
                continue
            form, shape, fits = self._guess(header, self.examined - sum(marks.values()), marks)
            told = strong + tuple(sorted(marks))
            if marks and form.type in ("date", "datetime") and set(marks) & set(days) and fits >= ENOUGH:
                return form, shape, fits, told
            if form.type != "text" and fits >= ENOUGH:
                # Days like 9999-12-31 can be read and are none; where a column of days has them, they are marks.
                also = tuple(sorted(days)) if form.type in ("date", "datetime") else ()
                return form, shape, fits, tuple(dict.fromkeys((*told, *also)))
        form, shape, fits = self._guess(header, self.examined, {})
        also = tuple(sorted(days)) if form.type in ("date", "datetime") else ()
        return form, shape, fits, strong + also

    def _guess(self, header: str, examined: int, marks: Mapping[str, int]) -> tuple[Form, str, float]:
        if examined <= 0:
            return _TEXT, "text", 1.0
        rows = Counter(self.rows)
        for mark, count in marks.items():
            for form, pattern, reader in _COMPILED:
                if pattern.fullmatch(mark) and _reads(reader, mark):
                    rows[form.words] -= count
        padded = self.padded - sum(n for m, n in marks.items() if m.isdigit() and (m[0] == "0" or len(m) > 18))
        numeric = rows["numbers with commas"] + rows["operator"]
        if rows["operator"] and numeric >= examined * 0.5:  # a limit of detection is part of the result
            return _TEXT, "numbers, some as <0.5", 1.0
        for form in FORMS[:4]:  # as text, since a day 00 is none; the SELECT says which day stands for it
            partly = rows[form.words + SOME_WITHOUT_A_DAY]
            share = (rows[form.words] + partly + rows["YYYY"]) / examined
            if rows[form.words] >= examined * 0.5 and partly + rows["YYYY"] and share >= ENOUGH:
                return _ASK_DAY, form.words + SOME_WITHOUT_A_DAY, share
        for form in FORMS:
            share = rows[form.words] / examined
            if share < ENOUGH:
                continue
            if form.words in ("HHMM", "HHMMSS") and not _TIME_WORDS.search(header):
                continue
            if form.words == "YYMMDD" and (share < 1 or not _DAY_WORDS.search(header)):
                continue
            if form.type in ("integer", "number") and (padded > 0 or _CODE_WORDS.search(header)):
                continue  # codes keep their leading zeros only as text
            if form.type == "integer" and rows["YYYYMM"] >= examined * ENOUGH:
                return _TEXT, "YYYYMM", share
            if form.thousands == ",":
                comma = rows["numbers with decimal commas"]
                if comma > rows[form.words]:
                    continue  # 0,775 and 12,5 are no thousands
                if not rows["groups"] and comma >= rows[form.words] and not self.commas:
                    return _ASK_COMMA, "numbers with commas", share
                if not rows["groups"]:
                    form = replace(form, ask="is 1,234 a thousand, or a decimal comma?")
            if (twin := _TWINS.get(form.words)) and rows[twin] > rows[form.words]:
                continue
            if twin and rows[twin] >= rows[form.words]:
                form = replace(form, ask="every value can also be read with the month first; which is it?")
            if form.first_year:
                form = replace(form, ask=f"{form.ask}; and {_CENTURY}" if form.ask else _CENTURY)
            for other in _YEAR_FIRST.get(form.words, ()):
                if rows[other] >= rows[form.words]:
                    form = replace(form, ask=f"every value can also be read as {other}; which is it? And {_CENTURY}")
            if form.type == "integer" and (asked := _counted(rows, examined, header)):
                form = replace(form, ask=asked)
            if form.type in ("integer", "number") and rows["rounded"] and _ID_WORDS.search(header):
                form = replace(form, ask="a spreadsheet has rounded some of these numbers: which are they really?")
            return form, form.words, share
        if 0.5 <= numeric / examined < ENOUGH:
            return _TEXT, "numbers and text mixed", 1.0
        best = max(FORMS, key=lambda form: rows[form.words])
        share = rows[best.words] / examined
        if share >= 0.8 and best.type not in ("integer", "number", "time") and best.words != "YYMMDD":
            if best.first_year:
                best = replace(best, ask=_CENTURY)
            return best, f"{best.words}, with other values", share
        return _TEXT, "digits as codes" if padded >= examined * 0.5 else "text", 1.0


def _counted(rows: Mapping[str, int], examined: int, header: str) -> str:
    """What to ask of whole numbers that are days by their header and size; empty where they are none."""
    if not _DAY_WORDS.search(header):
        return ""
    found = next((name for name in _COUNTED if rows[name] >= examined * ENOUGH), "")
    return f"are these {found}? Then cast it in the SELECT" if found else ""


_TEXT = Form("text", "text", ".*")
_ASK_DAY = Form("text", "text", ".*", ask="which day stands for a day 00?")
_ASK_COMMA = Form(
    "text", "text", ".*", ask='are these decimal commas? Then type = "number", decimal = ","; or thousands = ","'
)


def _reads(reader: Field, value: str) -> bool:
    try:
        moment = value_of(reader, value)
    except Bad:
        return False
    return not isinstance(moment, datetime) or 1800 <= moment.year <= 9999
