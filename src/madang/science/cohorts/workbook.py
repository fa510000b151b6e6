"""Lists of codes in a workbook (XLSX or CSV) as a definition: what a clinician or claims expert hands over.

One row per code: which list it belongs to, its vocabulary, the code, and what the list is for (`entry`, `with`,
`without`). Column names may be Korean. The lists become concept sets and the roles a form; the rest is its default.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from madang.base.translate import _
from madang.science.cohorts.codes import CONCEPT, Book, Code
from madang.science.cohorts.form import ConceptSet, Event, Form, Range, Requirement
from madang.science.cohorts.form_file import form_error

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "set": ("set", "concept set", "list", "목록", "개념집합", "구분", "이름"),
    "vocabulary": ("vocabulary", "vocabulary_id", "code system", "system", "체계", "코드체계", "용어체계"),
    "code": ("code", "concept_code", "코드", "concept", "concept_id"),
    "name": ("name", "label", "description", "명칭", "코드명", "한글명", "설명"),
    "descendants": ("descendants", "include descendants", "하위", "하위 포함", "하위포함"),
    "excluded": ("exclude", "excluded", "제외", "제외 여부"),
    "role": ("role", "use", "역할", "용도"),
}
"""The columns of a workbook, and the names by which they are known."""

ROLES: Mapping[str, str] = {
    "entry": "entry", "with": "with", "without": "without",
    "진입": "entry", "대상": "entry", "동반": "with", "포함": "with",
    "배제": "without", "제외": "without", "없음": "without",
}  # fmt: skip
_YES, _NO = ("yes", "y", "true", "1", "o", "예", "포함", "제외", "v"), ("", "no", "n", "false", "0", "x", "아니오")
MOST_ROWS = 20_000

DOMAIN_KINDS: Mapping[str, str] = {
    "Condition": "condition",
    "Drug": "drug",
    "Procedure": "procedure",
    "Measurement": "measurement",
    "Observation": "observation",
    "Device": "device",
    "Visit": "visit",
}


class Lists:
    """The lists of a workbook: codes and role by name, in the order of the workbook."""

    def __init__(self, name: str) -> None:
        """An empty workbook of that name."""
        self.name = name
        self.codes: dict[str, list[Code]] = {}
        self.roles: dict[str, str] = {}

    def all_codes(self) -> list[Code]:
        """The codes of all lists."""
        return [code for codes in self.codes.values() for code in codes]


def read_workbook(data: bytes, name: str, *, xlsx: bool) -> Lists:
    """The lists in the bytes of a workbook. Errors: `cohort.workbook` as `cohort.form` with the row."""
    rows = _xlsx_rows(data) if xlsx else _csv_rows(data)
    heads: dict[str, int] = {}
    found = Lists(name)
    for number, row in enumerate(rows, 1):
        if number > MOST_ROWS:
            raise form_error(_("The workbook has more than {most} rows.").format(most=MOST_ROWS))
        texts = [_cell(value) for value in row]
        if not any(texts):
            continue
        if not heads:
            heads = _heads(texts)
            continue
        _take(found, {key: texts[place] if place < len(texts) else "" for key, place in heads.items()}, number)
    if not found.codes:
        raise form_error(_("The workbook has no codes."), _("It needs the columns vocabulary and code."))
    return found


def _heads(texts: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, text in enumerate(texts):
        for key, names in COLUMNS.items():
            if text.strip().lower() in names and key not in found:
                found[key] = place
    for needed in ("vocabulary", "code"):
        if needed not in found:
            message = _("The workbook has no column {column}.").format(column=needed)
            columns = ", ".join(filter(None, texts[:20])) or "-"
            raise form_error(message, _("Its first row says: {columns}.").format(columns=columns))
    return found


def _take(found: Lists, row: Mapping[str, str], number: int) -> None:
    if not row["code"] and not row["vocabulary"]:
        return
    if not row["code"] or not row["vocabulary"]:
        raise form_error(_("Row {number} of the workbook lacks its code or its vocabulary.").format(number=number))
    name = row.get("set") or found.name
    role = row.get("role", "").lower()
    if role and role not in ROLES:
        message = _("Row {number} of the workbook has the role {role}, and can have entry, with or without.")
        raise form_error(message.format(number=number, role=repr(role)))
    wide = _truth(row.get("descendants", "yes") or "yes", number, "descendants")
    excluded = _truth(row.get("excluded", ""), number, "excluded")
    vocabulary = CONCEPT if row["vocabulary"].upper() in (CONCEPT, "CONCEPT", "CONCEPT_ID") else row["vocabulary"]
    found.codes.setdefault(name, []).append(Code(vocabulary, row["code"], row.get("name", ""), wide, excluded))
    if role:
        before = found.roles.setdefault(name, ROLES[role])
        if before != ROLES[role]:
            raise form_error(_("The list “{name}” has two roles in the workbook.").format(name=name))


def _truth(text: str, number: int, column: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    message = _("Row {number} of the workbook has {value} in the column {column}, which is neither yes nor no.")
    raise form_error(message.format(number=number, value=repr(text), column=column))


def as_form(lists: Lists, book: Book) -> Form:
    """The lists as a form: entry with any code of the entry lists, the others before or after it, or never before.

    Without roles the first list is the entry and the others are only kept. What kind of record a code is found in
    follows from the domain of its concept.
    """
    roles = lists.roles or {next(iter(lists.codes)): "entry"}
    sets: dict[str, ConceptSet] = {}
    events: dict[str, list[Event]] = {}
    for name, codes in lists.codes.items():
        kinds: dict[str, list[Code]] = {}
        for each in book.of(codes):
            for concept in each.concepts:
                kinds.setdefault(DOMAIN_KINDS.get(concept.domain, "observation"), []).append(each.code)
        if len(kinds) < 2:
            sets[name] = ConceptSet(tuple(dict.fromkeys(codes)))
            events[name] = [Event(kind, name) for kind in kinds]
        for kind in kinds if len(kinds) > 1 else ():
            part = f"{name} ({kind})"
            sets[part] = ConceptSet(tuple(dict.fromkeys(kinds[kind])))
            events.setdefault(name, []).append(Event(kind, part))
    entry = [event for name, role in roles.items() if role == "entry" for event in events.get(name, [])]
    if not entry:
        message = _("No code of the lists that people enter with leads to a concept of this vocabulary.")
        raise form_error(message, _("Look at the mapping of each code: madang cohort codes."))
    require = []
    for name, role in roles.items():
        found = tuple(events.get(name, []))
        if role == "with" and found:
            require.append(Requirement(_("with {name}").format(name=name), found))
        elif role == "without":
            for event in found:
                text = _("without {name} before").format(name=event.concepts)
                require.append(Requirement(text, (event,), (None, 0), Range(0, 0)))
    return Form(lists.name, sets, tuple(entry), require=tuple(require))


def _csv_rows(data: bytes) -> Iterator[list[Any]]:
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        break
    else:
        raise form_error(_("The workbook is neither in UTF-8 nor in cp949."), _("Save it as CSV in UTF-8."))
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text), delimiter=delimiter)
    except csv.Error as error:
        raise form_error(_("The workbook cannot be read: {reason}.").format(reason=error)) from None


def _xlsx_rows(data: bytes) -> Iterator[list[Any]]:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise form_error(
            _("Reading XLSX needs the package python-calamine, which is not installed here."),
            _("Run script/up, or save the workbook as CSV."),
        ) from None
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        yield from book.get_sheet_by_index(0).to_python()
    except (CalamineError, ValueError, OSError, IndexError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise form_error(_("The workbook cannot be read: {reason}.").format(reason=text[:200])) from None


def _cell(value: Any) -> str:
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value).strip() if value is not None else ""
