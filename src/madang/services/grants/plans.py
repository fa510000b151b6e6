"""Reading what funders and projects have: awards as tables, plans as RDA DMP Common Standard JSON or as a table."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from madang.base.errors import MadangError
from madang.base.translate import _

LARGEST = 20_000_000
_ACCESS = {"open": "open", "shared": "controlled", "closed": "metadata-only"}
_HEADS = {  # names of columns, in either language, as offices write them
    "number": ("number", "award", "award_number", "grant", "과제번호", "과제고유번호", "국가과제번호"),
    "title": ("title", "과제명", "제목"),
    "program": ("program", "programme", "사업명", "사업"),
    "institution": ("institution", "organization", "수행기관", "주관기관", "기관"),
    "leader": ("leader", "pi", "principal_investigator", "연구책임자", "책임자"),
    "begins": ("begins", "start", "begin", "시작일", "연구시작일"),
    "ends": ("ends", "end", "종료일", "연구종료일"),
    "rule": ("rule", "규칙"),
    "dataset": ("dataset", "promised", "데이터", "데이터셋", "약속데이터"),
    "due": ("due", "release", "공개일", "공개예정일", "기한"),
    "tier": ("tier", "access", "공개구분", "공개등급"),
    "license": ("license", "licence", "라이선스"),
    "key": ("key", "id", "identifier", "식별자"),
}
_TIERS = {
    **{"open": "open", "공개": "open", "개방": "open"},
    **{"controlled": "controlled", "shared": "controlled", "제한": "controlled", "제한공개": "controlled"},
    **{"metadata-only": "metadata-only", "closed": "metadata-only", "비공개": "metadata-only"},
}


@dataclass(frozen=True)
class Promised:
    """A dataset that a plan promises: by what it is known, when it is to be released and how."""

    key: str
    title: str
    due: date | None = None
    tier: str = "open"
    license: str = ""


@dataclass(frozen=True)
class AwardRow:
    """An award as it came in, with what it promises where its table says so."""

    number: str
    title: str
    program: str = ""
    institution: str = ""
    leader: str = ""
    begins: date | None = None
    ends: date | None = None
    rule: str = ""
    promises: tuple[Promised, ...] = ()


@dataclass(frozen=True)
class Read:
    """What was read of a file: awards with promises, and what was not used of it and why."""

    awards: tuple[AwardRow, ...]
    unused: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())


def read(path: Path) -> Read:
    """Awards and plans of a file: .json, .csv or .xlsx. Errors: `grants.file`, `grants.plan`, `grants.table`."""
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= LARGEST else b""
    except OSError as error:
        raise _no_file(path, error.strerror or str(error)) from None
    if size > LARGEST:
        raise _no_file(path, _("it is larger than {most} MB").format(most=LARGEST // 1_000_000))
    return read_bytes(path.name, content)


def read_bytes(name: str, content: bytes) -> Read:
    """The same of a file that was sent."""
    suffix = Path(name).suffix.lower()
    if suffix == ".json":
        return read_plan(content)
    if suffix == ".xlsx":
        return _of_rows(_sheet(content))
    if suffix in (".csv", ".tsv"):
        return _of_rows(_delimited(content))
    raise _no_file(Path(name), _("it is neither .json, .csv nor .xlsx"))


def read_plan(content: bytes) -> Read:
    """A machine-actionable plan (RDA DMP Common Standard 1.0 to 1.2)."""
    try:
        document = orjson.loads(content)
        plan = document["dmp"]
        if not isinstance(plan, dict):
            raise TypeError
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise MadangError(
            "grants.plan", _("This is no data management plan: it has no `dmp`."), _("Export it as maDMP JSON.")
        ) from None
    used: set[str] = {"dmp.title", "dmp.dmp_id.identifier"}
    warnings: list[str] = []
    projects = [each for each in _list(plan.get("project")) if isinstance(each, dict)]
    ends = [found for each in projects if (found := _day(each.get("end"), "project.end", warnings))]
    begins = [found for each in projects if (found := _day(each.get("start"), "project.start", warnings))]
    used |= {"dmp.project[].end", "dmp.project[].start", "dmp.project[].title"}
    numbers = []
    for project in projects:
        for funding in _list(project.get("funding")):
            number = str(_member(_member(funding), "grant_id").get("identifier") or "").strip()
            if number:
                numbers.append(number)
    used.add("dmp.project[].funding[].grant_id.identifier")
    if not numbers:
        numbers = [str(_member(plan, "dmp_id").get("identifier") or plan.get("title") or "").strip()]
        warnings.append(
            _("The plan names no award; it is kept under its own identifier {number}.").format(number=numbers[0])
        )
    if begins and ends and min(begins) > max(ends):
        warnings.append(_("The project begins after it ends."))
    promised, keys = [], set[str]()
    for place, dataset in enumerate(_list(plan.get("dataset")), 1):
        if not isinstance(dataset, dict):
            continue
        made = _promised(dataset, place, used, warnings)
        if made.key in keys:  # plans give one identifier to several, as long as there is none yet
            made = replace(made, key=f"{made.key}#{place}")
        keys.add(made.key)
        if made.due is not None and begins and made.due < min(begins):
            warnings.append(_("{title} was to be released before the award began.").format(title=made.title))
        promised.append(made)
    title = str(projects[0].get("title") or plan.get("title") or "") if projects else str(plan.get("title") or "")
    awards = [
        AwardRow(
            number,
            title[:500] or number,
            leader=str(_member(plan, "contact").get("name") or "")[:120],
            begins=min(begins, default=None),
            ends=max(ends, default=None),
            promises=tuple(promised),
        )
        for number in dict.fromkeys(numbers)
    ]
    used.add("dmp.contact.name")
    unused = sorted({path for path in _paths(document) if path not in used and not path.startswith("$")})
    return Read(tuple(awards), tuple(unused), tuple(dict.fromkeys(warnings)))


def _promised(dataset: Mapping[str, Any], place: int, used: set[str], warnings: list[str]) -> Promised:
    at = "dmp.dataset[]"
    identifier = str(_member(dataset, "dataset_id").get("identifier") or "").strip()
    title = str(dataset.get("title") or "").strip() or _("Dataset {number}").format(number=place)
    used |= {f"{at}.title", f"{at}.dataset_id.identifier", f"{at}.issued"}
    distributions = [each for each in _list(dataset.get("distribution")) if isinstance(each, dict)]
    access = [str(each.get("data_access") or "") for each in distributions]
    unknown = [each for each in access if each and each not in _ACCESS]
    if unknown:
        warnings.append(_("{title}: {access} is no kind of access.").format(title=title, access=unknown[0]))
    tiers = [_ACCESS[each] for each in access if each in _ACCESS]
    tier = next((each for each in ("open", "controlled", "metadata-only") if each in tiers), "open")
    starts, license_ = [], ""
    for each in distributions:
        for terms in _list(each.get("license")):
            if isinstance(terms, dict):
                license_ = license_ or str(terms.get("license_ref") or "")
                found = _day(terms.get("start_date"), "license.start_date", warnings)
                starts += [found] if found else []
    used |= {
        *(f"{at}.distribution[].data_access", f"{at}.distribution[].license[].license_ref"),
        f"{at}.distribution[].license[].start_date",
    }
    # The start of a license is when others may use the data: a dated release is that day, not the day of the file.
    issued = _day(dataset.get("issued"), "dataset.issued", warnings)
    due = max(starts) if starts else issued
    key = identifier or f"dataset-{place}"
    return Promised(key[:300], title[:500], due, tier, license_[:300])


def _paths(value: Any, at: str = "") -> Iterator[str]:
    """The places of all values in a document, positions in lists left out."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{at}.{name}" if at else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{at}[]")
    else:
        yield at


def _member(value: Any, name: str = "") -> Mapping[str, Any]:
    """A value, or a member of it, if that is an object; else an empty one, since plans have anything anywhere."""
    found = value.get(name) if name and isinstance(value, dict) else value
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _day(value: Any, what: str, warnings: list[str]) -> date | None:
    """A day, as plans and spreadsheets write it: ISO 8601, 2026.12.31, 20261231, or a spreadsheet's number."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, int | float) and 20_000 < value < 80_000:
        return date(1899, 12, 30) + timedelta(days=int(value))
    text = str(value).strip()
    match = re.match(r"(\d{4})\s*[-./년]?\s*(\d{1,2})\s*[-./월]?\s*(\d{1,2})", text)
    try:
        if match is None:
            raise ValueError
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        warnings.append(_("{what}: {value} is no day.").format(what=what, value=text[:40]))
        return None


def _delimited(content: bytes) -> list[list[Any]]:
    for encoding in ("utf-8-sig", "cp949"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise MadangError("grants.table", _("The table is neither UTF-8 nor CP949."), _("Save it as UTF-8."))
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    return [list(row) for row in csv.reader(io.StringIO(text), delimiter=delimiter)]


def _sheet(content: bytes) -> list[list[Any]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        return list(book.get_sheet_by_index(0).to_python(skip_empty_area=False))
    except (CalamineError, OSError, ValueError):
        raise MadangError(
            "grants.table", _("This workbook cannot be read."), _("Save it as .xlsx without a password.")
        ) from None


def _of_rows(rows: list[list[Any]]) -> Read:
    """Awards of a table with one award, or one promised dataset of an award, in each row."""
    start = next((place for place, row in enumerate(rows) if "number" in _columns(row)), None)
    if start is None:
        raise MadangError(
            "grants.table",
            _("The table has no column with the numbers of awards."),
            _("Call it `number` (과제번호); others are title, ends, dataset, due, tier, license."),
        )
    columns = _columns(rows[start])
    warnings: list[str] = []
    found: dict[str, AwardRow] = {}
    promises: dict[str, list[Promised]] = {}
    for line, row in enumerate(rows[start + 1 :], start + 2):
        cell = {name: row[place] if place < len(row) else "" for name, place in columns.items()}
        number = _text(cell.get("number"))
        if not number:
            if any(_text(each) for each in row):
                warnings.append(_("Line {line} has no number of an award.").format(line=line))
            continue
        days = {name: _day(cell.get(name), f"{name}, {line}", warnings) for name in ("begins", "ends")}
        made = AwardRow(
            number[:100],
            _text(cell.get("title"))[:500] or number,
            program=_text(cell.get("program"))[:200],
            institution=_text(cell.get("institution"))[:200],
            leader=_text(cell.get("leader"))[:120],
            begins=days["begins"],
            ends=days["ends"],
            rule=_text(cell.get("rule")),
        )
        known = found.setdefault(number, made)
        if (known.title, known.ends) != (made.title, made.ends):
            warnings.append(
                _("Line {line}: award {number} stands there with other words or days; the first counts.").format(
                    line=line, number=number
                )
            )
        dataset = _text(cell.get("dataset"))
        if dataset:
            promises.setdefault(number, []).append(_row_promise(cell, dataset, line, warnings))
    whole = (replace(award, promises=tuple(_told_apart(promises.get(number, [])))) for number, award in found.items())
    return Read(tuple(whole), (), tuple(dict.fromkeys(warnings)))


def _row_promise(cell: Mapping[str, Any], title: str, line: int, warnings: list[str]) -> Promised:
    tier = _text(cell.get("tier")).lower()
    if tier and tier not in _TIERS:
        warnings.append(_("Line {line}: {tier} is no way to release; open is taken.").format(line=line, tier=tier))
    due = _day(cell.get("due"), f"due, {line}", warnings)
    return Promised(
        _text(cell.get("key")) or title[:300], title[:500], due, _TIERS.get(tier, "open"), _text(cell.get("license"))
    )


def _told_apart(promises: list[Promised]) -> Iterator[Promised]:
    seen: dict[str, int] = {}
    for each in promises:
        seen[each.key] = seen.get(each.key, 0) + 1
        again = seen[each.key] > 1
        yield replace(each, key=f"{each.key}#{seen[each.key]}") if again else each


def _columns(row: list[Any]) -> dict[str, int]:
    names = [re.sub(r"[\s_()]+", "_", str(cell).strip().lower()).strip("_") for cell in row]
    return {
        name: next(place for place, each in enumerate(names) if each in known)
        for name, known in _HEADS.items()
        if any(each in known for each in names)
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def _no_file(path: Path, why: str) -> MadangError:
    return MadangError(
        "grants.file", _("{file} cannot be read: {why}.").format(file=path.name, why=why), _("Give a plan or a table.")
    )
