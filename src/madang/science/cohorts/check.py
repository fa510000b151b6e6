"""What is wrong or suspicious in a definition, in words and with the place.

The questions are those of circe's own checkers (OHDSI/circe-be, org.ohdsi.circe.check), asked anew, and some that
only matter here: concept sets that are named but not there, versions of the model, definitions that cannot be run.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.cohorts.check_attributes import attributes
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.findings import Finding, Severity, at, error, note, warning
from madang.science.cohorts.parts import Criterion, criteria, groups, listed, rule_name
from madang.science.cohorts.seam import check_shape
from madang.science.cohorts.words import attribute_name


def check(definition: Definition) -> list[Finding]:
    """All findings about a definition, errors first."""
    found: list[Finding] = []
    for question in QUESTIONS:
        try:
            found += question(definition)
        except (AttributeError, KeyError, TypeError, ValueError):  # a list where an object belongs, and the like
            message = _("A part of the definition has another shape than circe's, so not everything could be checked.")
            found.append(error("shape", message))
    order = list(Severity)
    return sorted(dict.fromkeys(found), key=lambda finding: order.index(finding.severity))


def runnable(definition: Definition) -> Iterator[Finding]:
    """Whether it can become a query at all."""
    try:
        check_shape(definition)
    except MadangError as reason:
        yield error("cannot-run", reason.message)


def version(definition: Definition) -> Iterator[Finding]:
    """Whether it is for the model 5.4, which is what datasets are in here."""
    wanted = str(definition.document.get("cdmVersionRange") or "").strip()
    if wanted and not _includes(wanted, (5, 4, 0)):
        message = _("The definition is for versions {range} of the model; datasets here are in version 5.4.")
        yield error("version", message.format(range=wanted), "cdmVersionRange")


def columns(definition: Definition) -> Iterator[Finding]:
    """Attributes that rest on columns of CDM 5.0 which 5.4 has not."""
    for part in criteria(definition):
        for key in _OLD_COLUMNS.get(part.kind, ()):
            if part.body.get(key) is not None:
                message = _("{criterion} asks for {attribute}, which CDM 5.4 has no column for.")
                text = message.format(criterion=at(part), attribute=attribute_name(key))
                yield error("version", text, f"{part.path}.{key}")


_OLD_COLUMNS = {"DrugExposure": ("DoseUnit", "DoseUnitCS", "EffectiveDrugDose")}


def _includes(wanted: str, ours: tuple[int, int, int]) -> bool:
    """Whether a version range such as `>=5.0.0 <6.0.0` includes a version; one that cannot be read does."""
    for part in wanted.replace(",", " ").split():
        operator = part[: len(part) - len(part.lstrip("<>=^~"))]
        numbers = part[len(operator) :].split(".")
        if not all(number.isdecimal() and len(number) < 5 for number in numbers):
            return True
        bound = (*map(int, numbers), 0, 0, 0)[:3]
        compared: dict[str, bool] = {">=": ours >= bound, ">": ours > bound, "<=": ours <= bound, "<": ours < bound}
        if not compared.get(operator, ours[0] == bound[0]):
            return False
    return True


def concept_sets(definition: Definition) -> Iterator[Finding]:
    """Concept sets that are empty, not used, the same as others, or named and not there."""
    sets = definition.concept_sets
    used = _used(definition)
    known = {each.get("id") for each in sets}
    for number, each in enumerate(sets):
        path = f"ConceptSets[{number}]"
        name = each.get("name") or each.get("id")
        items = listed((each.get("expression") or {}).get("items"))
        if not items:
            yield error("empty-concept-set", _("Concept set “{name}” contains no concepts.").format(name=name), path)
        elif all(item.get("isExcluded") for item in items):
            message = _("Concept set “{name}” only excludes concepts, so it contains none.")
            yield error("empty-concept-set", message.format(name=name), path)
        if each.get("id") not in {place[0] for place in used}:
            yield warning("unused-concept-set", _("Concept set “{name}” is not used.").format(name=name), path)
        concepts = Counter(_concept(item) for item in items)
        for concept in (concept for concept, times in concepts.items() if times > 1):
            message = _("Concept set “{name}” contains the concept {concept} more than once.")
            yield warning("duplicate-concept", message.format(name=name, concept=concept[3] or concept[0]), path)
    for one, two in combinations(range(len(sets)), 2):
        mine, other = (_concepts(sets[place]) for place in (one, two))
        if mine and mine == other:
            message = _("Concept set “{one}” contains the same concepts as “{two}”.")
            text = message.format(one=sets[one].get("name"), two=sets[two].get("name"))
            yield warning("duplicate-concept-set", text, f"ConceptSets[{two}]")
    for repeated in (number for number, times in Counter(each.get("id") for each in sets).items() if times > 1):
        yield error("concept-set-id", _("Two concept sets have the number {number}.").format(number=repeated))
    for number, path in used:
        if number not in known:
            message = _("Concept set {number} is used, but the definition does not contain it.")
            yield error("no-concept-set", message.format(number=number), path)


def _concept(item: Mapping[str, Any]) -> tuple[Any, ...]:
    concept = item.get("concept") or {}
    return tuple(concept.get(key) for key in ("CONCEPT_ID", "CONCEPT_CODE", "VOCABULARY_ID", "CONCEPT_NAME"))


def _concepts(concept_set: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two concept sets the same, as circe sees it: code, domain and vocabulary, not their options."""
    found = [item.get("concept") or {} for item in listed((concept_set.get("expression") or {}).get("items"))]
    keys = ("CONCEPT_CODE", "DOMAIN_ID", "VOCABULARY_ID")
    return tuple(sorted({tuple(str(concept.get(key)) for key in keys) for concept in found})) + (len(found),) * bool(
        found
    )


def _used(definition: Definition) -> list[tuple[Any, str]]:
    """The numbers of concept sets that anything refers to, and where."""
    found = []
    for part in criteria(definition):
        for key, value in part.body.items():
            if key == "CodesetId" or (key.endswith("SourceConcept") and part.kind != "PayerPlanPeriod"):
                found.append((value, f"{part.path}.{key}"))
            elif key.endswith("CS") and isinstance(value, Mapping):
                found.append((value.get("CodesetId"), f"{part.path}.{key}"))
    for group in groups(definition):
        for number, demographic in enumerate(listed(group.body.get("DemographicCriteriaList"))):
            found += [
                (value.get("CodesetId"), f"{group.path}.DemographicCriteriaList[{number}].{key}")
                for key, value in demographic.items()
                if key.endswith("CS") and isinstance(value, Mapping)
            ]
    exit_ = (definition.document.get("EndStrategy") or {}).get("CustomEra")
    if isinstance(exit_, Mapping):
        found.append((exit_.get("DrugCodesetId"), "EndStrategy.CustomEra.DrugCodesetId"))
    return [(number, path) for number, path in found if number is not None]


_NEEDS_SET = {
    "ConditionEra", "ConditionOccurrence", "Death", "DeviceExposure", "DoseEra", "DrugEra", "DrugExposure",
    "Measurement", "Observation", "ProcedureOccurrence", "Specimen", "VisitOccurrence", "VisitDetail",
}  # fmt: skip


def criteria_without_set(definition: Definition) -> Iterator[Finding]:
    """Criteria that take any record of their table."""
    for part in criteria(definition):
        sources = [key for key in part.body if key.endswith("SourceConcept") and part.body[key] is not None]
        if part.kind in _NEEDS_SET and part.body.get("CodesetId") is None and not sources:
            message = _("No concept set is specified: {criterion} takes any record.")
            yield warning("no-concept-set-specified", message.format(criterion=at(part)), part.path)


def initial_event(definition: Definition) -> Iterator[Finding]:
    """Whether anything lets a person in."""
    if not listed((definition.document.get("PrimaryCriteria") or {}).get("CriteriaList")):
        yield error("no-initial-event", _("No initial event is specified."), "PrimaryCriteria.CriteriaList")


def exits(definition: Definition) -> Iterator[Finding]:
    """How people leave."""
    document = definition.document
    strategy = document.get("EndStrategy") or {}
    era, offset = strategy.get("CustomEra"), strategy.get("DateOffset")
    if isinstance(era, Mapping) and era.get("DrugCodesetId") is None:
        message = _("The exit by continuous exposure names no concept set of drugs.")
        yield error("exit-without-drugs", message, "EndStrategy.CustomEra")
    if isinstance(offset, Mapping) and offset.get("DateField", "StartDate") == "StartDate" and not offset.get("Offset"):
        message = _("The cohort ends on the day that it starts: the exit is 0 days after the start date.")
        yield warning("exit-offset", message, "EndStrategy.DateOffset")
    limits = [
        (document.get("PrimaryCriteria") or {}).get("PrimaryCriteriaLimit"),
        document.get("ExpressionLimit"),
    ]
    if document.get("AdditionalCriteria") is not None:
        limits.append(document.get("QualifiedLimit"))
    if not strategy and all(_limit(limit) == "all" for limit in limits):
        message = _("All events are taken and no exit is specified, so the events of a person run into one.")
        yield warning("no-exit", message, "EndStrategy")


def _limit(limit: Any) -> str:
    return str((limit or {}).get("Type") or "First").lower() if isinstance(limit, Mapping) or limit is None else ""


def limits(definition: Definition) -> Iterator[Finding]:
    """Limits of events that cannot do what they seem to."""
    weights = {"first": 0, "last": 1, "all": 2}
    document = definition.document
    initial = weights.get(_limit((document.get("PrimaryCriteria") or {}).get("PrimaryCriteriaLimit")), 0)
    qualified = weights.get(_limit(document.get("QualifiedLimit")), 0)
    included = weights.get(_limit(document.get("ExpressionLimit")), 0) if document.get("AdditionalCriteria") else 0
    message = _("{limit} asks for more events than the step before it leaves over.")
    if initial < qualified:
        yield warning("limits", message.format(limit=_("The limit of qualifying events")), "QualifiedLimit")
    if qualified < included or initial < included:
        yield warning("limits", message.format(limit=_("The limit of included events")), "ExpressionLimit")


def rules(definition: Definition) -> Iterator[Finding]:
    """Inclusion rules that let everybody through."""
    for number, rule in enumerate(listed(definition.document.get("InclusionRules"))):
        body = rule.get("expression") or {}
        if not any(listed(body.get(key)) for key in ("CriteriaList", "DemographicCriteriaList", "Groups")):
            message = _("Inclusion rule “{name}” has no criteria.").format(name=rule_name(rule, number + 1))
            yield error("empty-rule", message, f"InclusionRules[{number}]")


def occurrences(definition: Definition) -> Iterator[Finding]:
    """Counts that are no constraint, or that exclude each other."""
    counted = [part for part in criteria(definition) if part.correlated is not None]
    for part in counted:
        occurrence = (part.correlated or {}).get("Occurrence") or {}
        if occurrence.get("Type") == 2 and occurrence.get("Count", 0) == 0:
            message = _("“At least 0” is no constraint; probably 0 or at least 1 is meant: {criterion}.")
            yield warning("at-least-zero", message.format(criterion=at(part)), part.path)
    for one, two in combinations((part for part in counted if part.part == "rule"), 2):
        if _same(one, two) and not _overlap(one, two):
            message = _("{one} and {two} may contradict each other, so that nobody is left.")
            yield warning("contradiction", message.format(one=at(one), two=at(two)), two.path)


def _overlap(one: Criterion, two: Criterion) -> bool:
    ranges = []
    for part in (one, two):
        occurrence = (part.correlated or {}).get("Occurrence") or {}
        number, kind = occurrence.get("Count", 0), occurrence.get("Type", 0)
        ranges.append((number if kind != 1 else float("-inf"), number if kind != 2 else float("inf")))
    (low, high), (low_, high_) = ranges
    return bool(low <= high_ and low_ <= high)


def _same(one: Criterion, two: Criterion) -> bool:
    if one.kind != two.kind:
        return False
    if one.kind in _NEEDS_SET:
        sources = [key for key in {*one.body, *two.body} if key.endswith("SourceConcept")]
        return all(one.body.get(key) == two.body.get(key) for key in ("CodesetId", *sources))
    return dict(one.body) == dict(two.body)


def duplicates(definition: Definition) -> Iterator[Finding]:
    """Criteria about the same thing."""
    parts = [part for part in criteria(definition) if part.part != "censoring"]
    for one, two in combinations(parts, 2):
        if _same(one, two):
            message = _("{one} probably repeats {two}.").format(one=at(one), two=at(two))
            yield warning("duplicate-criteria", message, two.path)


def windows(definition: Definition) -> Iterator[Finding]:
    """Windows of time: negative, unusual, wider than what must be observed; deaths before the event."""
    document = definition.document
    observed = (document.get("PrimaryCriteria") or {}).get("ObservationWindow") or {}
    for key, name in (("PriorDays", _("days before")), ("PostDays", _("days after"))):
        if isinstance(observed.get(key), int) and observed[key] < 0:
            message = _("The observation window has a negative number of {days}.").format(days=name)
            yield error("negative", message, f"PrimaryCriteria.ObservationWindow.{key}")
    counted = [part for part in criteria(definition) if part.correlated is not None]
    for part in counted:
        around = part.correlated or {}
        for key in ("StartWindow", "EndWindow"):
            for end in ("Start", "End"):
                days = ((around.get(key) or {}).get(end) or {}).get("Days")
                if isinstance(days, int) and days < 0:
                    message = _("The window of time has a negative number of days ({days}): {criterion}.")
                    text = message.format(days=days, criterion=at(part))
                    yield error("negative", text, part.path.rpartition(".Criteria.")[0] + f".{key}.{end}")
        window = around.get("StartWindow")
        if part.kind == "Death" and _before(window):
            message = _("{criterion} looks for a death before the event; records after death may be missing.")
            yield warning("death-before", message.format(criterion=at(part)), part.path)
        if part.kind == "DrugEra" and not (window or {}).get("Start") and not (window or {}).get("End"):
            message = _("{criterion}: eras from claims may be wrong where the days of supply are not known.")
            yield note("drug-era", message.format(criterion=at(part)), part.path)
        if isinstance(window, Mapping) and part.part == "rule":
            length = sum(int(observed.get(key) or 0) for key in ("PriorDays", "PostDays"))
            if length < _day(window.get("End")) - _day(window.get("Start")):
                message = _("{criterion} looks at more days than the initial event asks to be observed.")
                yield note("window-beyond-observation", message.format(criterion=at(part)), part.path)
    yield from _pattern([part for part in counted if part.part == "rule"])


def _before(window: Any) -> bool:
    if not isinstance(window, Mapping):
        return False
    start, end = window.get("Start") or {}, window.get("End") or {}
    return bool(start) and start.get("Coeff", 0) < 0 and not end.get("Coeff", 0) > 0


def _day(endpoint: Any) -> int:
    endpoint = endpoint or {}
    return int(endpoint.get("Days") or 0) * int(endpoint.get("Coeff") or 0)


def _pattern(counted: list[Criterion]) -> Iterator[Finding]:
    starts = [_day(((part.correlated or {}).get("StartWindow") or {}).get("Start")) for part in counted]
    times = Counter(starts)
    most = max(times.values(), default=0)
    if most < 2:
        return
    usual = next(start for start in starts if times[start] == most)
    for part, start in zip(counted, starts, strict=True):
        if times[start] < most:
            message = _("{criterion}: its window starts on day {start}, most others start on day {usual}.")
            yield note("window-unusual", message.format(criterion=at(part), start=start, usual=usual), part.path)


_TYPES = {
    "ConditionOccurrence": "ConditionType", "Death": "DeathType", "DeviceExposure": "DeviceType",
    "DrugExposure": "DrugType", "Measurement": "MeasurementType", "Observation": "ObservationType",
    "ProcedureOccurrence": "ProcedureType", "Specimen": "SpecimenType", "VisitOccurrence": "VisitType",
    "VisitDetail": "VisitDetailType",
}  # fmt: skip


def types(definition: Definition) -> Iterator[Finding]:
    """Criteria that take records of any origin."""
    open_ = [
        at(part)
        for part in criteria(definition)
        if part.kind in _TYPES
        and part.body.get(_TYPES[part.kind]) is None
        and part.body.get(_TYPES[part.kind] + "CS") is None
    ]
    if open_:
        message = _("It is not specified what type of records to look for in: {places}.")
        yield note("record-type", message.format(places=", ".join(dict.fromkeys(open_))))


def drugs(definition: Definition) -> Iterator[Finding]:
    """Drugs that let people in and do not decide when they leave."""
    sets = {each.get("id"): each for each in definition.concept_sets}
    ends = ((definition.document.get("EndStrategy") or {}).get("CustomEra") or {}).get("DrugCodesetId")
    names = []
    for part in criteria(definition):
        found = sets.get(part.body.get("CodesetId"))
        if part.part != "initial" or part.correlated is not None or found is None or found.get("id") == ends:
            continue
        items = listed((found.get("expression") or {}).get("items"))
        if any(str((item.get("concept") or {}).get("DOMAIN_ID", "")).lower() == "drug" for item in items):
            names.append(str(found.get("name")))
    if names:
        message = _("Drugs let people in and do not decide when they leave: {names}.")
        yield note("drugs-not-in-exit", message.format(names=", ".join(dict.fromkeys(names))))


QUESTIONS: tuple[Callable[[Definition], Iterator[Finding]], ...] = (
    runnable, version, columns, initial_event, concept_sets, criteria_without_set, attributes, rules, occurrences,
    windows, exits, limits, duplicates, drugs, types,
)  # fmt: skip
"""All questions, in the order in which a person would look."""
