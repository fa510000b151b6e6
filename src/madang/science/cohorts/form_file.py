"""Reading the readable form from TOML: every mistake is one sentence with the place where it stands."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.cohorts.codes import CONCEPT, Code
from madang.science.cohorts.form import KINDS, TAKE, ConceptSet, Days, Event, Exit, Form, Range, Requirement

_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)?\s*\.\.\s*(-?\d+(?:\.\d+)?)?\s*")
_COUNT = re.compile(r"\s*(>=|<=|=|≥|≤)?\s*(\d{1,6})\s*")
_SEXES = {"male": "male", "female": "female", "남": "male", "여": "female", "남성": "male", "여성": "female"}
_EVENT = (*KINDS, "first", "age", "sex", "from", "to", "value")


def form_error(message: str, hint: str = "") -> MadangError:
    """The error of a form that cannot be read."""
    return MadangError("cohort.form", message, hint or _("docs/cohorts.md shows the form."))


def read_form(data: bytes, name: str = "") -> Form:
    """The form in the bytes of a TOML file. Errors: `cohort.form`."""
    try:
        document = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise form_error(_("The form is not in UTF-8."), _("Save it as UTF-8.")) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise form_error(_("The form is no TOML: {reason}.").format(reason=str(error).rstrip("."))) from None
    _only(document, ("name", "description", "sets", "entry", "require", "exit", "join"), _("the form"))
    entry = _table(document.get("entry"), "entry")
    _only(entry, ("events", "observed_before", "observed_after", "take"), "entry")
    events = entry.get("events")
    if not isinstance(events, list) or not events:
        raise form_error(_("The form names no event with which people enter: entry.events is missing."))
    take = entry.get("take", "first")
    if take not in TAKE:
        raise form_error(_("entry.take is {value}, and can be first, last or all.").format(value=repr(take)))
    sets = _table(document.get("sets", {}), "sets")
    rules = document.get("require", [])
    if not isinstance(rules, list):
        raise form_error(_("{place} must be a list of tables.").format(place="require"))
    found = Form(
        name=_text(document.get("name", name), "name"),
        description=_text(document.get("description", ""), "description"),
        sets={key: _set(_table(value, f"sets.{key}"), f"sets.{key}") for key, value in sets.items()},
        entry=tuple(_event(_table(each, f"entry.events[{n}]"), f"entry.events[{n}]") for n, each in enumerate(events)),
        observed=(_days(entry, "observed_before"), _days(entry, "observed_after")),
        take=take,
        require=tuple(_requirement(_table(each, f"require[{n}]"), n) for n, each in enumerate(rules)),
        exit=_exit(_table(document.get("exit", {}), "exit")),
        join=_days(document, "join"),
    )
    _check_names(found)
    return found


def _check_names(form: Form) -> None:
    events = [*form.entry, *(event for rule in form.require for event in rule.events)]
    named = [event.concepts for event in events if event.concepts] + ([form.exit.drug] if form.exit.drug else [])
    named += [other for each in form.sets.values() for other in each.include]
    for name in named:
        if name not in form.sets:
            near = difflib.get_close_matches(name, form.sets, 1)
            hint = _("Did you mean {name}?").format(name=near[0]) if near else ""
            raise form_error(_("There is no concept set “{name}”.").format(name=name), hint)


def _only(table: Mapping[str, Any], allowed: Iterable[str], place: str) -> None:
    for key in table:
        if key not in (known := tuple(allowed)):
            near = difflib.get_close_matches(key, known, 1)
            hint = _("Did you mean {name}?").format(name=near[0]) if near else ""
            raise form_error(_("{place} has no entry {key}.").format(place=place, key=repr(key)), hint)


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise form_error(_("{place} must be a table.").format(place=place))
    return value


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise form_error(_("{place} must be a text.").format(place=place))
    return value


def _days(table: Mapping[str, Any], key: str) -> int:
    value = table.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 36_525:
        raise form_error(_("{place} must be a whole number of days from 0 on.").format(place=key))
    return value


def _set(table: Mapping[str, Any], place: str) -> ConceptSet:
    _only(table, ("codes", "concepts", "include", "exclude", "descendants"), place)
    wide = table.get("descendants", True)
    if not isinstance(wide, bool):
        raise form_error(_("{place} must be true or false.").format(place=f"{place}.descendants"))
    codes = [_code(each, wide, False, place) for each in _list(table, "codes", place)]
    codes += [_concept(each, wide, False, place) for each in _list(table, "concepts", place)]
    for each in _list(table, "exclude", place):
        codes.append(_concept(each, wide, True, place) if isinstance(each, int) else _code(each, wide, True, place))
    include = tuple(_text(each, f"{place}.include") for each in _list(table, "include", place))
    if not codes and not include:
        raise form_error(_("The concept set {place} is empty.").format(place=place))
    return ConceptSet(tuple(codes), include)


def _list(table: Mapping[str, Any], key: str, place: str) -> list[Any]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise form_error(_("{place} must be a list.").format(place=f"{place}.{key}"))
    return value


def _code(value: Any, wide: bool, excluded: bool, place: str) -> Code:
    vocabulary, colon, code = str(value).partition(":")
    if not isinstance(value, str) or not colon or not vocabulary.strip() or not code.strip():
        message = _("{place} has the code {value}, which names no vocabulary.")
        raise form_error(message.format(place=place, value=repr(value)), _("Write it as KCD:E11 or ATC:A10BA02."))
    return Code(vocabulary.strip(), code.strip(), "", wide, excluded)


def _concept(value: Any, wide: bool, excluded: bool, place: str) -> Code:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        message = _("{place} has the concept {value}, which is no number.")
        raise form_error(message.format(place=place, value=repr(value)))
    return Code(CONCEPT, str(value), "", wide, excluded)


def _event(table: Mapping[str, Any], place: str, more: tuple[str, ...] = ()) -> Event:
    _only(table, (*_EVENT, *more), place)
    kinds = [kind for kind in KINDS if kind in table]
    if len(kinds) != 1:
        message = _("{place} must name one of {kinds}.")
        raise form_error(message.format(place=place, kinds=", ".join(KINDS)))
    kind = kinds[0]
    value = table[kind]
    first = table.get("first", False)
    if not isinstance(first, bool) or (first and kind == "death"):
        raise form_error(_("{place} must be true or false.").format(place=f"{place}.first"))
    if "value" in table and kind not in ("measurement", "observation"):
        raise form_error(_("{place} has a value, which only measurements and observations have.").format(place=place))
    return Event(
        kind=kind,
        concepts="" if value == "any" else _text(value, f"{place}.{kind}"),
        first=first,
        age=_range(table["age"], f"{place}.age", whole=True) if "age" in table and not more else None,
        sex=_sex(table["sex"], place) if "sex" in table and not more else "",
        days=_span(table, place),
        value=_range(table["value"], f"{place}.value") if "value" in table else None,
    )


def _span(table: Mapping[str, Any], place: str) -> Days | None:
    if "from" not in table and "to" not in table:
        return None
    found = []
    for key in ("from", "to"):
        value = table.get(key)
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                value = "?"
        if value is not None and type(value) is not date:
            raise form_error(_("{place} is no date such as 2020-12-31.").format(place=f"{place}.{key}"))
        found.append(value)
    if found[0] and found[1] and found[0] > found[1]:
        raise form_error(_("{place} ends before it begins.").format(place=place))
    return Days(*found)


def _range(value: Any, place: str, *, whole: bool = False) -> Range:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Range(value, value)
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if found is None or (found[1] is None and found[2] is None):
        message = _("{place} is {value}, and must be a range such as 18.. or ..64 or 18..64.")
        raise form_error(message.format(place=place, value=repr(value)))
    numbers = [None if text is None else float(text) for text in found.groups()]
    if whole and any(number is not None and (number != int(number) or number < 0) for number in numbers):
        raise form_error(_("{place} must be whole numbers from 0 on.").format(place=place))
    low, high = (int(number) if number is not None and number == int(number) else number for number in numbers)
    if low is not None and high is not None and low > high:
        raise form_error(_("{place} ends before it begins.").format(place=place))
    return Range(low, high)


def _sex(value: Any, place: str) -> str:
    if value not in _SEXES:
        raise form_error(_("{place} must be male or female.").format(place=f"{place}.sex"))
    return _SEXES[value]


def _requirement(table: Mapping[str, Any], number: int) -> Requirement:
    place = f"require[{number}]"
    own = ("name", "days", "count", "age", "sex")
    kinds = [kind for kind in KINDS if kind in table]
    name = _text(table.get("name", ""), f"{place}.name") or _("rule {number}").format(number=number + 1)
    if not kinds:
        _only(table, ("name", "age", "sex"), place)
        if "age" not in table and "sex" not in table:
            raise form_error(_("{place} requires nothing.").format(place=place))
    events = (_event(table, place, own),) if kinds else ()
    return Requirement(
        name=name,
        events=events,
        window=_window(table.get("days"), place),
        count=_count(table.get("count", ">=1"), place),
        age=_range(table["age"], f"{place}.age", whole=True) if "age" in table else None,
        sex=_sex(table["sex"], place) if "sex" in table else "",
    )


def _window(value: Any, place: str) -> tuple[int | None, int | None]:
    if value is None:
        return None, None
    place = f"{place}.days"
    texts = isinstance(value, list) and len(value) == 2
    ends: list[int | None] = []
    for each in value if texts else [object()]:
        if isinstance(each, int) and not isinstance(each, bool) and abs(each) <= 36_525:
            ends.append(each)
        elif each == "any":
            ends.append(None)
        else:
            message = _("{place} must be two numbers of days from entry, such as [-365, -1]; `any` leaves a side open.")
            raise form_error(message.format(place=place).replace("`any`", '"any"'))
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise form_error(_("{place} ends before it begins.").format(place=place))
    return ends[0], ends[1]


def _count(value: Any, place: str) -> Range:
    place = f"{place}.count"
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000:
        return Range(value, value)
    text = value if isinstance(value, str) else ""
    found = _COUNT.fullmatch(text)
    if found:
        number = int(found[2])
        low, high = {">=": (number, None), "≥": (number, None), "<=": (0, number), "≤": (0, number)}.get(
            found[1] or "=", (number, number)
        )
        if (low, high) == (0, None):
            raise form_error(_("{place} is no constraint: at least 0.").format(place=place))
        return Range(low, high)
    if ".." in text:
        return _range(text, place, whole=True)
    raise form_error(_("{place} must be a count such as 0, >=2 or 1..3.").format(place=place))


def _exit(table: Mapping[str, Any]) -> Exit:
    _only(table, ("days", "after", "drug", "gap"), "exit")
    after = table.get("after", "start")
    if after not in ("start", "end"):
        raise form_error(_("{place} must be start or end.").format(place="exit.after"))
    if "days" in table and "drug" in table:
        raise form_error(_("The exit is either by days or by a drug."))
    days = _days(table, "days") if "days" in table else None
    return Exit(days, after, _text(table.get("drug", ""), "exit.drug"), _days(table, "gap"))
