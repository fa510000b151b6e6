"""A definition in sentences, as a protocol would say it, in the reader's language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from madang.base.translate import _
from madang.science.cohorts.definition import Definition, wrong
from madang.science.cohorts.parts import listed, rule_name, wrapped
from madang.science.cohorts.words import attribute_name, column_name, kind_name

_CONCEPTS_SHOWN = 12


@dataclass(frozen=True)
class Line:
    """One sentence; `level` 0 is a heading, 1 a sentence under it, deeper ones belong to the line above."""

    level: int
    text: str


def explain(definition: Definition) -> list[Line]:
    """The sentences of a definition: who enters, who stays, when they leave, and which concepts are meant."""
    try:
        return list(_Speaker(definition).lines())
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        message = _("The definition has another shape than circe's, so it cannot be put into sentences.")
        raise wrong(message, _("`madang cohort check` says where.")) from None


def as_text(lines: list[Line]) -> str:
    """Sentences as plain text, indented by their level."""
    out = []
    for line in lines:
        if line.level == 0:
            out += ["", line.text]
        else:
            out.append("  " * (line.level - 1) + ("- " if line.level > 1 else "") + line.text)
    return "\n".join(out).strip() + "\n"


class _Speaker:
    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.document = definition.document
        self.sets = {each.get("id"): str(each.get("name") or each.get("id")) for each in definition.concept_sets}

    def lines(self) -> Iterator[Line]:
        document = self.document
        primary = document.get("PrimaryCriteria") or {}
        yield Line(0, _("Who enters the cohort"))
        yield from self._initial(primary)
        if isinstance(document.get("AdditionalCriteria"), Mapping):
            yield Line(0, _("Restriction of the initial events"))
            yield from self._group(document["AdditionalCriteria"], 1)
            yield from self._limit_again(document.get("QualifiedLimit"), _("these events"))
        rules = listed(document.get("InclusionRules"))
        if rules:
            yield Line(0, _("Who stays: inclusion rules, all of which must hold"))
            for number, rule in enumerate(rules, 1):
                yield Line(1, f"{number}. {rule_name(rule, number)}")
                if rule.get("description"):
                    yield Line(2, str(rule["description"]))
                yield from self._group(rule.get("expression") or {}, 2)
        if rules or document.get("AdditionalCriteria") is not None:
            yield from self._limit_again(document.get("ExpressionLimit"), _("the events that are left"))
        yield Line(0, _("When they leave the cohort"))
        yield from self._exit()
        yield Line(0, _("Concept sets"))
        yield from self._concept_sets()

    def _initial(self, primary: Mapping[str, Any]) -> Iterator[Line]:
        found = listed(primary.get("CriteriaList"))
        if len(found) == 1:
            yield Line(1, _("A person enters with this event:"))
        else:
            yield Line(1, _("A person enters with any of these events:"))
        for each in found:
            yield from self._criterion(each, 2)
        window = primary.get("ObservationWindow") or {}
        before, after = int(window.get("PriorDays") or 0), int(window.get("PostDays") or 0)
        if before or after:
            text = _("The person must be observed without a gap for {before} days before and {after} days after it.")
            yield Line(1, text.format(before=before, after=after))
        else:
            yield Line(1, _("The event must lie within an observation period of the person."))
        yield Line(1, self._limit(primary.get("PrimaryCriteriaLimit"), _("such events")))

    def _limit(self, limit: Any, events: str) -> str:
        kind = str((limit or {}).get("Type") or "First").lower()
        if kind == "all":
            if self._limited_later():
                return _("All such events of a person are looked at.")
            return _("A person may enter several times: every such event counts.")
        if kind == "last":
            return _("Of {events}, only the latest of each person counts.").format(events=events)
        return _("Of {events}, only the earliest of each person counts.").format(events=events)

    def _limited_later(self) -> bool:
        """Whether a later limit leaves one event of a person."""
        later = []
        if isinstance(self.document.get("AdditionalCriteria"), Mapping):
            later.append(self.document.get("QualifiedLimit"))
        if later or listed(self.document.get("InclusionRules")):
            later.append(self.document.get("ExpressionLimit"))
        return any(str((limit or {}).get("Type") or "First").lower() != "all" for limit in later)

    def _limit_again(self, limit: Any, events: str) -> Iterator[Line]:
        """A later limit, where it takes anything away."""
        if str((limit or {}).get("Type") or "First").lower() != "all":
            yield Line(1, self._limit(limit, events))

    def _criterion(self, value: Any, level: int, prefix: str = "", suffix: str = "") -> Iterator[Line]:
        kind, body = wrapped(value)
        text = self._named(kind, body)
        conditions = self._conditions(body)
        if prefix:
            text = prefix.format(criterion=text)
        if suffix:
            text += ", " + suffix
        if conditions:
            text += " (" + "; ".join(conditions) + ")"
        yield Line(level, text)
        inner = listed(body.get("CriteriaList")) if kind == "CustomEra" else []
        for each in inner:
            yield from self._criterion(each, level + 1)
        nested = body.get("CorrelatedCriteria")
        if isinstance(nested, Mapping) and any(listed(nested.get(key)) for key in _GROUP):
            yield Line(level + 1, _("and for this event:"))
            yield from self._group(nested, level + 1)

    def _named(self, kind: str, body: Mapping[str, Any]) -> str:
        name = kind_name(kind)
        codeset = body.get("CodesetId")
        sources = [value for key, value in body.items() if key.endswith("SourceConcept") and value is not None]
        if kind == "CustomEra":
            gap = body.get("GapDays") or 0
            text = _("an era made of the following events, joined where at most {gap} days lie between").format(gap=gap)
        elif codeset is not None:
            text = _("{kind} of “{concepts}”").format(kind=name, concepts=self._set(codeset))
        elif sources and kind != "PayerPlanPeriod":
            text = _("{kind} with a source code of “{concepts}”").format(kind=name, concepts=self._set(sources[0]))
        else:
            text = _("any {kind}").format(kind=name)
        if body.get("First"):
            text = _("{event} for the first time in the person's history").format(event=text)
        return text

    def _set(self, number: Any) -> str:
        return self.sets.get(number, _("concept set {number}, which is missing").format(number=number))

    def _conditions(self, body: Mapping[str, Any]) -> list[str]:
        found = []
        for key, value in body.items():
            if key in _TOLD or value is None or value == []:
                continue
            text = self._condition(key, value, bool(body.get(f"{key}Exclude")))
            if text:
                found.append(text)
        adjusted = body.get("DateAdjustment")
        if isinstance(adjusted, Mapping):
            text = _("taken from {start_days} days after its {start} to {end_days} days after its {end}")
            point = {"START_DATE": _("start date"), "END_DATE": _("end date")}
            found.append(
                text.format(
                    start_days=adjusted.get("StartOffset", 0),
                    start=point.get(adjusted.get("StartWith", "START_DATE"), "?"),
                    end_days=adjusted.get("EndOffset", 0),
                    end=point.get(adjusted.get("EndWith", "END_DATE"), "?"),
                )
            )
        return found

    def _condition(self, key: str, value: Any, excluded: bool) -> str:
        name = attribute_name(key)
        if isinstance(value, list):
            names = _(" or ").join(dict.fromkeys(_concept_name(each) for each in listed(value)))
            text = _("{attribute} none of {values}") if excluded else _("{attribute} {values}")
            return text.format(attribute=name, values=names)
        if not isinstance(value, Mapping):
            if key == "Abnormal":
                return name if value else ""
            if key.endswith("SourceConcept"):
                return _("{attribute} in “{concepts}”").format(attribute=name, concepts=self._set(value))
            return _("{attribute} {values}").format(attribute=name, values=value) if not isinstance(value, bool) else ""
        if key.endswith("CS"):
            text = (
                _("{attribute} not in “{concepts}”") if value.get("IsExclusion") else _("{attribute} in “{concepts}”")
            )
            return text.format(attribute=name, concepts=self._set(value.get("CodesetId")))
        if "StartDate" in value or "EndDate" in value:
            return _("{attribute} from {start} to {end}").format(
                attribute=name, start=value.get("StartDate") or "…", end=value.get("EndDate") or "…"
            )
        if "Text" in value:
            return _text_filter(name, value)
        return f"{name} {compared(value)}" if "Op" in value else ""

    def _group(self, group: Mapping[str, Any], level: int) -> Iterator[Line]:
        criteria_ = listed(group.get("CriteriaList"))
        people, inner = listed(group.get("DemographicCriteriaList")), listed(group.get("Groups"))
        total = len(criteria_) + len(people) + len(inner)
        if not total:
            yield Line(level, _("No condition: everybody is let through."))
            return
        if total > 1 or str(group.get("Type", "ALL")).upper() != "ALL":
            yield Line(level, _how_many(group))
            level += 1
        for each in people:
            conditions = [_("at the event") + ": " + text for text in self._conditions(each)]
            yield Line(level, "; ".join(conditions) or _("No condition: everybody is let through."))
        for each in criteria_:
            yield from self._correlated(each, level)
        for each in inner:
            yield from self._group(each, level)

    def _correlated(self, each: Mapping[str, Any], level: int) -> Iterator[Line]:
        occurrence = each.get("Occurrence") or {}
        number = int(occurrence.get("Count") or 0)
        kind = occurrence.get("Type", 0)
        if (kind == 0 and not number) or (kind == 1 and not number):
            prefix = _("no {criterion}")
        elif kind == 0:
            prefix = _("exactly {number} × {criterion}")
        elif kind == 1:
            prefix = _("at most {number} × {criterion}")
        else:
            prefix = _("at least {number} × {criterion}")
        prefix = prefix.replace("{number}", str(number))
        windows = [_window(each.get("StartWindow"), start=True), _window(each.get("EndWindow"), start=False)]
        if occurrence.get("IsDistinct"):
            column = column_name(str(occurrence.get("CountColumn") or "DOMAIN_CONCEPT"))
            windows.append(_("counting different {columns}").format(columns=column))
        if each.get("RestrictVisit"):
            windows.append(_("within the same visit"))
        if each.get("IgnoreObservationPeriod"):
            windows.append(_("also outside the observation period"))
        yield from self._criterion(each.get("Criteria"), level, prefix, ", ".join(filter(None, windows)))

    def _exit(self) -> Iterator[Line]:
        strategy = self.document.get("EndStrategy") or {}
        offset, era = strategy.get("DateOffset"), strategy.get("CustomEra")
        if isinstance(offset, Mapping):
            end = offset.get("DateField", "StartDate") == "EndDate"
            at_once = _("On the day the event ends.") if end else _("On the day the event starts.")
            text = _("{days} days after the event ends.") if end else _("{days} days after the event starts.")
            days = offset.get("Offset", 0)
            yield Line(1, text.format(days=days) if days else at_once)
        elif isinstance(era, Mapping):
            text = _(
                "When exposure to “{concepts}” ends: exposures are one where at most {gap} days lie between, and the "
                "end is {offset} days later."
            )
            yield Line(
                1,
                text.format(
                    concepts=self._set(era.get("DrugCodesetId")),
                    gap=era.get("GapDays", 0),
                    offset=era.get("Offset", 0),
                ),
            )
            if era.get("DaysSupplyOverride") is not None:
                text = _("Each exposure is taken to last {days} days.")
                yield Line(1, text.format(days=era["DaysSupplyOverride"]))
        else:
            yield Line(1, _("When the observation period ends."))
        if isinstance(offset, Mapping) or isinstance(era, Mapping):
            yield Line(1, _("Never later than the end of the observation period."))
        censoring = listed(self.document.get("CensoringCriteria"))
        if censoring:
            yield Line(1, _("Earlier with the first of these events:"))
            for each in censoring:
                yield from self._criterion(each, 2)
        pad = int((self.document.get("CollapseSettings") or {}).get("EraPad") or 0)
        if pad:
            text = _("Two stays of a person are joined to one where no more than {days} day(s) lie between them.")
            yield Line(1, text.format(days=pad))
        else:
            yield Line(1, _("Stays of a person that overlap are joined to one."))
        window = self.document.get("CensorWindow") or {}
        if window.get("StartDate") or window.get("EndDate"):
            yield Line(
                1,
                _("Only the time from {start} to {end} counts.").format(
                    start=window.get("StartDate") or "…", end=window.get("EndDate") or "…"
                ),
            )

    def _concept_sets(self) -> Iterator[Line]:
        for each in self.definition.concept_sets:
            items = listed((each.get("expression") or {}).get("items"))
            yield Line(1, f"“{each.get('name') or each.get('id')}”")
            for item in sorted(items, key=lambda one: bool(one.get("isExcluded")))[:_CONCEPTS_SHOWN]:
                yield Line(2, _item(item))
            if len(items) > _CONCEPTS_SHOWN:
                yield Line(2, _("and {count} more").format(count=len(items) - _CONCEPTS_SHOWN))
            if not items:
                yield Line(2, _("no concepts"))
        if not self.definition.concept_sets:
            yield Line(1, _("none"))


_GROUP = ("CriteriaList", "DemographicCriteriaList", "Groups")
_TOLD = {"CodesetId", "First", "CorrelatedCriteria", "DateAdjustment", "CriteriaList", "GapDays"}


def _how_many(group: Mapping[str, Any]) -> str:
    kind, count = str(group.get("Type") or "ALL").upper(), group.get("Count") or 0
    if kind == "ANY":
        return _("any of the following:")
    if kind == "AT_LEAST":
        return _("at least {count} of the following:").format(count=count)
    if kind == "AT_MOST":
        return _("at most {count} of the following:").format(count=count)
    return _("all of the following:")


def compared(value: Mapping[str, Any]) -> str:
    """A range in words: `greater than 30`, `between 18 and 64`."""
    texts = {
        "lt": _("less than {value}"),
        "lte": _("at most {value}"),
        "eq": _("equal to {value}"),
        "!eq": _("other than {value}"),
        "gt": _("greater than {value}"),
        "gte": _("at least {value}"),
        "bt": _("between {value} and {extent}"),
        "!bt": _("not between {value} and {extent}"),
    }
    dated = {
        "lt": _("before {value}"),
        "lte": _("on or before {value}"),
        "eq": _("on {value}"),
        "gt": _("after {value}"),
        "gte": _("on or after {value}"),
    }
    operator = str(value.get("Op"))
    chosen = dated.get(operator) if isinstance(value.get("Value"), str) else None
    return (chosen or texts.get(operator, "? {value}")).format(value=value.get("Value"), extent=value.get("Extent"))


def _text_filter(name: str, value: Mapping[str, Any]) -> str:
    texts = {
        "startsWith": _("{attribute} starts with “{text}”"),
        "endsWith": _("{attribute} ends with “{text}”"),
        "contains": _("{attribute} contains “{text}”"),
        "eq": _("{attribute} is “{text}”"),
    }
    operator = str(value.get("Op"))
    text = texts.get(operator.removeprefix("!"), texts["eq"]).format(attribute=name, text=value.get("Text"))
    return _("not: {condition}").format(condition=text) if operator.startswith("!") else text


def _window(window: Any, *, start: bool) -> str:
    if not isinstance(window, Mapping):
        return ""
    first, last = window.get("Start"), window.get("End")
    index = _("the end of the event") if window.get("UseIndexEnd") else _("the event")
    uses_end = window.get("UseEventEnd")
    ends = not start if uses_end is None else bool(uses_end)
    low, high = _point(first, index), _point(last, index)
    if low is None and high is None:
        return _("ending at any time") if ends else _("starting at any time")
    if low is None:
        text = _("ending at any time up to {high}") if ends else _("starting at any time up to {high}")
    elif high is None:
        text = _("ending at any time from {low} on") if ends else _("starting at any time from {low} on")
    elif low == high:
        text = _("ending on {low}") if ends else _("starting on {low}")
    else:
        text = _("ending from {low} to {high}") if ends else _("starting from {low} to {high}")
    return text.format(low=low, high=high)


def _point(endpoint: Any, index: str) -> str | None:
    if not isinstance(endpoint, Mapping) or endpoint.get("Days") is None:
        return None
    days = int(endpoint["Days"])
    if days == 0:
        return _("the day of {event}").format(event=index)
    if days == 1:
        return (_("the day before {event}") if endpoint.get("Coeff", 0) < 0 else _("the day after {event}")).format(
            event=index
        )
    text = _("{days} days before {event}") if endpoint.get("Coeff", 0) < 0 else _("{days} days after {event}")
    return text.format(days=days, event=index)


def _concept_name(concept: Mapping[str, Any]) -> str:
    sexes = {8507: _("male", "sex"), 8532: _("female", "sex")}
    number = concept.get("CONCEPT_ID")
    return sexes.get(number) or str(concept.get("CONCEPT_NAME") or number)  # type: ignore[arg-type]  # or any other


def _item(item: Mapping[str, Any]) -> str:
    concept = item.get("concept") or {}
    parts = [_concept_name(concept)]
    about = " ".join(str(concept[key]) for key in ("VOCABULARY_ID", "CONCEPT_CODE") if concept.get(key))
    parts.append(f"[{concept.get('CONCEPT_ID')}{', ' + about if about else ''}]")
    options = []
    if item.get("includeDescendants"):
        options.append(_("and all below it"))
    if item.get("includeMapped"):
        options.append(_("with what is mapped to it"))
    text = " ".join(parts) + (" " + ", ".join(options) if options else "")
    return _("except {concept}").format(concept=text) if item.get("isExcluded") else text
