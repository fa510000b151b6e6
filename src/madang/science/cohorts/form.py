"""The readable form of a definition: what most cohorts need, in a page of TOML; it becomes ATLAS JSON.

docs/cohorts.md shows the form. Everything in it has one meaning in circe's terms (`build`), and the same meaning can
be walked person by person, which is what the generated test does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from madang.base.translate import _
from madang.science.cohorts.codes import Book, Code
from madang.science.cohorts.definition import Definition, of_document, wrong

MALE, FEMALE = 8507, 8532

KINDS: Mapping[str, str] = {
    "condition": "ConditionOccurrence",
    "drug": "DrugExposure",
    "procedure": "ProcedureOccurrence",
    "measurement": "Measurement",
    "observation": "Observation",
    "device": "DeviceExposure",
    "visit": "VisitOccurrence",
    "death": "Death",
    "condition_era": "ConditionEra",
    "drug_era": "DrugEra",
}
"""What an event can be, and circe's name for it."""

TAKE = {"first": "First", "last": "Last", "all": "All"}


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; None: open on that side."""

    low: float | None = None
    high: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The range as circe has it."""
        if self.low is not None and self.high is not None:
            if self.low == self.high:
                return {"Value": self.low, "Op": "eq"}
            return {"Value": self.low, "Extent": self.high, "Op": "bt"}
        if self.low is not None:
            return {"Value": self.low, "Op": "gte"}
        return {"Value": self.high, "Op": "lte"}

    def holds(self, number: float | None) -> bool:
        """Whether a number lies in the range; one that is not known does not."""
        if number is None:
            return False
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


@dataclass(frozen=True)
class Days:
    """Days from `first` to `last`, both included; None: open on that side."""

    first: date | None = None
    last: date | None = None

    def as_json(self) -> dict[str, Any]:
        """The days as circe has them."""
        if self.first is not None and self.last is not None:
            return {"Value": self.first.isoformat(), "Extent": self.last.isoformat(), "Op": "bt"}
        if self.first is not None:
            return {"Value": self.first.isoformat(), "Op": "gte"}
        return {"Value": (self.last or date.max).isoformat(), "Op": "lte"}


@dataclass(frozen=True)
class Event:
    """Records of one kind about a concept set (any record without one), narrowed down."""

    kind: str
    concepts: str = ""
    first: bool = False
    age: Range | None = None
    sex: str = ""
    days: Days | None = None
    value: Range | None = None


@dataclass(frozen=True)
class Requirement:
    """An inclusion rule: so many of any of `events` in a window of days about the entry, and an age and sex at entry.

    `window` is in days from entry, None open within the observation period; `count` is the number allowed.
    """

    name: str
    events: tuple[Event, ...] = ()
    window: tuple[int | None, int | None] = (None, None)
    count: Range = field(default_factory=lambda: Range(1, None))
    age: Range | None = None
    sex: str = ""


@dataclass(frozen=True)
class Exit:
    """When people leave: `days` after the start (or `end`) of their event, with a drug exposure, else observation."""

    days: int | None = None
    after: str = "start"
    drug: str = ""
    gap: int = 0


@dataclass(frozen=True)
class ConceptSet:
    """Codes under a name; `include` are other sets of the form whose codes belong to it."""

    codes: tuple[Code, ...] = ()
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class Form:
    """A whole definition in the readable form."""

    name: str
    sets: Mapping[str, ConceptSet]
    entry: tuple[Event, ...]
    description: str = ""
    observed: tuple[int, int] = (0, 0)
    take: str = "first"
    require: tuple[Requirement, ...] = ()
    exit: Exit = Exit()
    join: int = 0

    def codes(self) -> list[Code]:
        """All codes of all sets."""
        return [code for each in self.sets.values() for code in each.codes]


def build(form: Form, book: Book) -> Definition:
    """The form as a definition, its codes as concepts of the book. Errors: `cohort.definition`."""
    numbers = {name: number for number, name in enumerate(form.sets)}
    document: dict[str, Any] = {
        "cdmVersionRange": ">=5.0.0",
        "ConceptSets": [
            {"id": numbers[name], "name": name, "expression": {"items": _items(all_codes(form, name), book)}}
            for name in form.sets
        ],
        "PrimaryCriteria": {
            "CriteriaList": [_criterion(event, numbers) for event in form.entry],
            "ObservationWindow": {"PriorDays": form.observed[0], "PostDays": form.observed[1]},
            "PrimaryCriteriaLimit": {"Type": "All" if form.require else TAKE[form.take]},
        },
        "QualifiedLimit": {"Type": "First"},
        "ExpressionLimit": {"Type": TAKE[form.take]},
        "InclusionRules": [_rule(rule, numbers) for rule in form.require],
        "CensoringCriteria": [],
        "CollapseSettings": {"CollapseType": "ERA", "EraPad": form.join},
        "CensorWindow": {},
    }
    if form.exit.days is not None:
        place = "EndDate" if form.exit.after == "end" else "StartDate"
        document["EndStrategy"] = {"DateOffset": {"DateField": place, "Offset": form.exit.days}}
    elif form.exit.drug:
        drug = {"DrugCodesetId": numbers[form.exit.drug], "GapDays": form.exit.gap, "Offset": 0}
        document["EndStrategy"] = {"CustomEra": drug}
    found = of_document(document, form.name)
    return Definition(form.name or found.name, found.text, form.description)


def all_codes(form: Form, name: str, above: tuple[str, ...] = ()) -> list[Code]:
    """The codes of a set with those of the sets that it includes. Errors: `cohort.definition` for a circle."""
    if name in above:
        chain = " → ".join([*above[above.index(name) :], name])
        raise wrong(_("Concept sets include each other in a circle: {chain}.").format(chain=chain))
    if name not in form.sets:
        raise wrong(_("There is no concept set “{name}”.").format(name=name))
    found = list(form.sets[name].codes)
    for other in form.sets[name].include:
        found += all_codes(form, other, (*above, name))
    return list(dict.fromkeys(found))


def _items(codes: list[Code], book: Book) -> list[dict[str, Any]]:
    items: dict[tuple[int, bool], dict[str, Any]] = {}
    for each in book.of(codes):
        for concept in each.concepts:
            key = (concept.concept_id, each.code.excluded)
            wide = each.code.descendants or (key in items and items[key]["includeDescendants"])
            items[key] = {
                "concept": concept.as_json(),
                "isExcluded": each.code.excluded,
                "includeDescendants": wide,
                "includeMapped": False,
            }
    return list(items.values())


def _criterion(event: Event, numbers: Mapping[str, int]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if event.concepts:
        if event.concepts not in numbers:
            raise wrong(_("There is no concept set “{name}”.").format(name=event.concepts))
        body["CodesetId"] = numbers[event.concepts]
    if event.first:
        body["First"] = True
    era = event.kind.endswith("_era")
    if event.age is not None:
        body["AgeAtStart" if era else "Age"] = event.age.as_json()
    if event.sex:
        body["Gender"] = [_sex(event.sex)]
    if event.days is not None:
        body["EraStartDate" if era else "OccurrenceStartDate"] = event.days.as_json()
    if event.value is not None:
        body["ValueAsNumber"] = event.value.as_json()
    return {KINDS[event.kind]: body}


def _rule(rule: Requirement, numbers: Mapping[str, int]) -> dict[str, Any]:
    group = _all()
    if len(rule.events) == 1:
        group["CriteriaList"] = _counted(rule, rule.events[0], numbers)
    elif rule.events:
        each = [_all() | {"CriteriaList": _counted(rule, event, numbers)} for event in rule.events]
        group["Groups"] = [_all() | {"Type": "ANY", "Groups": each}]
    if rule.age is not None or rule.sex:
        body: dict[str, Any] = {} if rule.age is None else {"Age": rule.age.as_json()}
        group["DemographicCriteriaList"].append(body | ({"Gender": [_sex(rule.sex)]} if rule.sex else {}))
    return {"name": rule.name, "expression": group}


def _all() -> dict[str, Any]:
    return {"Type": "ALL", "CriteriaList": [], "DemographicCriteriaList": [], "Groups": []}


def _counted(rule: Requirement, event: Event, numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "Criteria": _criterion(event, numbers),
            "StartWindow": {
                "Start": _endpoint(rule.window[0], -1),
                "End": _endpoint(rule.window[1], 1),
                "UseIndexEnd": False,
                "UseEventEnd": False,
            },
            "Occurrence": {"Type": kind, "Count": number, "IsDistinct": False},
        }
        for kind, number in _occurrences(rule.count)
    ]


def _occurrences(count: Range) -> list[tuple[int, int]]:
    """A range of counts as circe's occurrences: exactly 0, at most 1, at least 2."""
    low, high = int(count.low or 0), None if count.high is None else int(count.high)
    if high is not None and low == high:
        return [(0, low)]
    return ([(2, low)] if low else []) + ([(1, high)] if high is not None else [])


def _endpoint(day: int | None, open_to: int) -> dict[str, Any]:
    if day is None:
        return {"Coeff": open_to}
    return {"Days": abs(day), "Coeff": -1 if day < 0 else 1}


def _sex(name: str) -> dict[str, Any]:
    number, caption = (MALE, "MALE") if name == "male" else (FEMALE, "FEMALE")
    return {
        "CONCEPT_ID": number,
        "CONCEPT_NAME": caption,
        "CONCEPT_CODE": caption[0],
        "DOMAIN_ID": "Gender",
        "VOCABULARY_ID": "Gender",
        "STANDARD_CONCEPT": "S",
        "INVALID_REASON": "V",
    }
