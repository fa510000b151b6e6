"""Populations by lists of codes: who has one code of each list, within a time."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from madang.base.errors import MadangError
from madang.lake.engine import quote_text

_CODE = re.compile(r"[A-Za-z0-9.]{1,20}")
TABLES_OF = {"diagnosis": "condition_occurrence", "drug": "drug_exposure", "procedure": "procedure_occurrence"}
COLUMN_OF = {
    "diagnosis": ("condition_source_value", "condition_start_date"),
    "drug": ("drug_source_value", "drug_exposure_start_date"),
    "procedure": ("procedure_source_value", "procedure_date"),
}
MOST_CODES = 2_000


@dataclass(frozen=True)
class Criterion:
    """One code of the list, of this kind; a code stands for all that begin with it (E11 for E11.2)."""

    kind: str  # diagnosis, drug, procedure
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Population:
    """Persons who meet all criteria between two days (both included); without criteria, everybody with a record."""

    criteria: tuple[Criterion, ...] = ()
    begins: date | None = None
    ends: date | None = None
    among: str = ""  # a table of the engine, with a column person_id, of those who may be in it; empty: everybody

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "criteria": [{"kind": each.kind, "codes": list(each.codes)} for each in self.criteria],
            "begins": self.begins.isoformat() if self.begins else None,
            "ends": self.ends.isoformat() if self.ends else None,
        }

    def persons_sql(self) -> str:
        """A SELECT of the column person_id, each person once."""
        if not self.criteria:
            among = f" SEMI JOIN main.{self.among} USING (person_id)" if self.among else ""
            return f"SELECT DISTINCT person_id FROM person{among}"
        parts = " INTERSECT ".join(self._one(each) for each in self.criteria)
        if self.among:
            parts += f" INTERSECT SELECT person_id FROM main.{self.among}"
        return f"SELECT DISTINCT person_id FROM ({parts})"

    def _one(self, each: Criterion) -> str:
        column, day = COLUMN_OF[each.kind]
        tidy = f"upper(replace({column}, '.', ''))"
        codes = " OR ".join(f"starts_with({tidy}, {quote_text(code.replace('.', '').upper())})" for code in each.codes)
        return f"SELECT person_id FROM {TABLES_OF[each.kind]} WHERE ({codes}){self.within(day)}"

    def within(self, day: str) -> str:
        """The window as a condition on a column of dates, beginning with AND; empty without one."""
        found = ""
        if self.begins:
            found += f" AND {day} >= DATE '{self.begins.isoformat()}'"
        if self.ends:
            found += f" AND {day} <= DATE '{self.ends.isoformat()}'"
        return found


def population_of(given: Mapping[str, Any]) -> Population:
    """A population from its JSON, checked. Raises `privacy.population`."""

    def wrong(what: str, hint: str = "") -> MadangError:
        return MadangError("privacy.population", f"The population cannot be used: {what}.", hint)

    criteria = []
    for each in given.get("criteria", ()):
        kind, codes = str(each.get("kind", "")), [str(code).strip() for code in each.get("codes", ())]
        if kind not in TABLES_OF:
            raise wrong(f"{kind!r} is no kind of code", f"Use one of {', '.join(TABLES_OF)}.")
        bad = [code for code in codes if not _CODE.fullmatch(code)]
        if bad or not codes or len(codes) > MOST_CODES:
            raise wrong(f"{bad[0]!r} is no code" if bad else f"a list has 1 to {MOST_CODES} codes")
        criteria.append(Criterion(kind, tuple(codes)))
    return Population(tuple(criteria), _day(given.get("begins"), wrong), _day(given.get("ends"), wrong))


def _day(value: Any, wrong: Any) -> date | None:
    if value in (None, ""):
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise wrong(f"{value!r} is no day", "Write it as 2010-01-01.") from None


def codes_in(text: str) -> Sequence[str]:
    """Codes as people paste them: separated by commas, semicolons, blanks or lines; ranges as E10-E14."""
    found: list[str] = []
    for part in re.split(r"[,;\s]+", text.strip()):
        span = re.fullmatch(r"([A-Za-z])(\d{1,3})[-~]\1?(\d{1,3})", part)
        if span:
            letter, first, last = span[1].upper(), int(span[2]), int(span[3])
            if last < first or last - first > 99:
                raise MadangError("privacy.population", f"{part!r} is no range of codes.", "Write it as E10-E14.")
            found += [f"{letter}{number:0{len(span[2])}d}" for number in range(first, last + 1)]
        elif part:
            found.append(part)
    return found
