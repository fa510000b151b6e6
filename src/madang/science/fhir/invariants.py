"""Invariants of KR Core and of the data types under it as plain functions of a parsed object.

`FUNCTIONS` maps a FHIRPath expression to a function (object, context) -> whether it holds. An expression that is not
here is evaluated by `science.fhir.paths`, which is also the slow twin of these functions.
"""

from collections.abc import Callable, Iterator
from typing import Any

Holds = Callable[[Any, Any], bool]
UCUM = "http://unitsofmeasure.org"
_ALLERGY = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
ABSENT = ("",)


def some(node: Any, stem: str) -> bool:
    """Whether a choice element (`value` of value[x]) is there, with a value or with extensions only."""
    size = len(stem)
    for key in node:  # a loop, since this is asked of every observation
        if key.startswith(stem) and key[size : size + 1].isupper():
            return True
        if key[0] == "_" and key.startswith(stem, 1) and key[size + 1 : size + 2].isupper():
            return True
    return False


def codings(concept: Any) -> list[Any]:
    """The codings of a CodeableConcept."""
    found = concept.get("coding") if isinstance(concept, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def has(concept: Any, system: str, *codes: str) -> bool:
    """Whether a concept has one of these codes of a system."""
    return any(each.get("system") == system and each.get("code") in codes for each in codings(concept))


def there(node: Any, *names: str) -> bool:
    """Whether any of these elements is there."""
    return any(name in node or "_" + name in node for name in names)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _not_negative(node: Any, name: str) -> bool:
    value = _number(node.get(name))
    return value is None or value >= 0


def period(node: Any, context: Any) -> bool:
    """Start is not after end; where the two have other precisions or zones, as far as both say."""
    start, end = node.get("start"), node.get("end")
    if not isinstance(start, str) or not isinstance(end, str):
        return True
    return not later(start, end)


def later(one: str, other: str) -> bool:
    """Whether one date or time is not known to be before the other or the same."""
    if "T" in one and "T" in other:
        first, second = _moment(one), _moment(other)
        if first is not None and second is not None:
            return first > second
    short = min(len(one.partition("T")[0]), len(other.partition("T")[0]))
    if one[:short] == other[:short]:  # FHIRPath cannot order a day and an hour of it, and then the rule does not hold
        return len(one) != len(other) and not ("T" in one and "T" in other)
    return one[:short] > other[:short]


def _moment(text: str) -> Any:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _range(node: Any, context: Any) -> bool:
    low, high = node.get("low"), node.get("high")
    if not isinstance(low, dict) or not isinstance(high, dict):
        return True
    if low.get("code", low.get("unit")) != high.get("code", high.get("unit")):
        return True
    one, other = _number(low.get("value")), _number(high.get("value"))
    return one is None or other is None or one <= other


def _contained_used(node: Any, context: Any) -> bool:
    contained = node.get("contained")
    if not isinstance(contained, list):
        return True
    texts = set(_texts(node))
    shown = "".join(_divs(node))
    return all(
        "#" + str(each.get("id")) in texts or f'"#{each.get("id")}"' in shown or any(x == "#" for x in _texts(each))
        for each in contained
        if isinstance(each, dict)
    )


def _divs(node: Any) -> Iterator[str]:
    """The narratives of a resource, of its sections too: a picture or a link in one refers as well."""
    open_ = [node]
    while open_:
        each = open_.pop()
        if isinstance(each, dict):
            div = each.get("div")
            if isinstance(div, str):
                yield div
            open_.extend(each.values())
        elif isinstance(each, list):
            open_.extend(each)


def _texts(node: Any) -> list[str]:
    found, open_ = [], [node]
    while open_:
        each = open_.pop()
        if isinstance(each, dict):
            open_.extend(each.values())
        elif isinstance(each, list):
            open_.extend(each)
        elif isinstance(each, str) and each.startswith("#"):
            found.append(each)
    return found


def _contained(node: Any) -> list[dict[str, Any]]:
    found = node.get("contained")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _meta(node: Any, *names: str) -> bool:
    return not any(
        there(each.get("meta") or {}, *names) for each in _contained(node) if isinstance(each.get("meta"), dict)
    )


def _component_codes(node: Any, context: Any) -> bool:
    if not some(node, "value"):
        return True
    own = {(x.get("system"), x.get("code"), x.get("display"), x.get("version")) for x in codings(node.get("code"))}
    components = node.get("component")
    return not any(
        (x.get("system"), x.get("code"), x.get("display"), x.get("version")) in own
        for each in (components if isinstance(components, list) else [])
        if isinstance(each, dict)
        for x in codings(each.get("code"))
    )


def _offset(node: Any, context: Any) -> bool:
    if "offset" not in node:
        return True
    when = node.get("when")
    return isinstance(when, list) and bool(when) and not set(map(str, when)) & {"C", "CM", "CD", "CV"}


def _trigger(node: Any, context: Any) -> bool:
    kind = str(node.get("type", ""))
    if kind == "named-event":
        return there(node, "name")
    if kind == "periodic":
        return some(node, "timing")
    return there(node, "data") if kind.startswith("data-") else True


def _measure(node: Any) -> bool:
    return (there(node, "code") or not there(node, "value")) and node.get("system", UCUM) == UCUM


def _positive(node: Any) -> bool:
    value = _number(node.get("value"))
    return value is None or value > 0


def _count(node: Any, context: Any) -> bool:
    value = node.get("value")
    return _measure(node) and node.get("code", "1") == "1" and (not isinstance(value, float) or value == int(value))


def _component_values(node: Any, context: Any) -> bool:
    components = node.get("component")
    return any(
        isinstance(each, dict) and (some(each, "value") or there(each, "dataAbsentReason"))
        for each in (components if isinstance(components, list) else [])
    )


def _not_home(node: Any, context: Any) -> bool:
    return node.get("use") != "home"


def _con_3(node: Any, context: Any) -> bool:
    if there(node, "clinicalStatus") or has(node.get("verificationStatus"), _VERIFIED, "entered-in-error"):
        return True
    # As it is written the rule looks at whether there is any category, not at which; it is a warning, kept as it is.
    return not there(node, "category")


def _parameter(node: Any, context: Any) -> bool:
    valued, part, resource = some(node, "value"), there(node, "part"), there(node, "resource")
    return not valued and not resource if part else valued != resource


FUNCTIONS: dict[str, Holds] = {
    "(part.exists() and value.empty() and resource.empty()) or (part.empty() and (value.exists() xor resource.exists()))": _parameter,  # noqa: E501
    "contained.contained.empty()": lambda n, c: not any("contained" in each for each in _contained(n)),
    "contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().as(canonical) | %resource.descendants().as(uri) | %resource.descendants().as(url))) or descendants().where(reference = '#').exists() or descendants().where(as(canonical) = '#').exists() or descendants().where(as(canonical) = '#').exists()).not()).trace('unmatched', id).empty()": _contained_used,  # noqa: E501
    "contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()": lambda n, c: _meta(
        n, "versionId", "lastUpdated"
    ),
    "contained.meta.security.empty()": lambda n, c: _meta(n, "security"),
    "text.`div`.exists()": lambda n, c: isinstance(n.get("text"), dict) and there(n["text"], "div"),
    "dataAbsentReason.empty() or value.empty()": lambda n, c: not there(n, "dataAbsentReason") or not some(n, "value"),
    "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()": _component_codes,
    "low.exists() or high.exists() or text.exists()": lambda n, c: there(n, "low", "high", "text"),
    "(identifier.count() + name.count()) > 0": lambda n, c: there(n, "identifier", "name"),
    "where(use = 'home').empty()": _not_home,
    "name.exists() or telecom.exists() or address.exists() or organization.exists()": lambda n, c: there(
        n, "name", "telecom", "address", "organization"
    ),
    "value.exists() or dataAbsentReason.exists()": lambda n, c: some(n, "value") or there(n, "dataAbsentReason"),
    "clinicalStatus.exists() or verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and code = 'entered-in-error').exists() or category.select($this='problem-list-item').empty()": _con_3,  # noqa: E501
    "abatement.empty() or clinicalStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-clinical' and (code='resolved' or code='remission' or code='inactive')).exists()": (  # noqa: E501
        lambda n, c: (
            not some(n, "abatement") or has(n.get("clinicalStatus"), _CLINICAL, "resolved", "remission", "inactive")
        )
    ),
    "verificationStatus.coding.where(system='http://terminology.hl7.org/CodeSystem/condition-ver-status' and code='entered-in-error').empty() or clinicalStatus.empty()": (  # noqa: E501
        lambda n, c: (
            not has(n.get("verificationStatus"), _VERIFIED, "entered-in-error") or not there(n, "clinicalStatus")
        )
    ),
    "summary.exists() or assessment.exists()": lambda n, c: there(n, "summary", "assessment"),
    "code.exists() or detail.exists()": lambda n, c: there(n, "code", "detail"),
    "verificationStatus.coding.where(system = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification' and code = 'entered-in-error').exists() or clinicalStatus.exists()": (  # noqa: E501
        lambda n, c: has(n.get("verificationStatus"), _ALLERGY, "entered-in-error") or there(n, "clinicalStatus")
    ),
    "verificationStatus.coding.where(system = 'http://terminology.hl7.org/CodeSystem/allergyintolerance-verification' and code = 'entered-in-error').empty() or clinicalStatus.empty()": (  # noqa: E501
        lambda n, c: (
            not has(n.get("verificationStatus"), _ALLERGY, "entered-in-error") or not there(n, "clinicalStatus")
        )
    ),
    "component.value.exists() or component.dataAbsentReason.exists()": _component_values,
    "documentType.exists() or reference.exists()": lambda n, c: there(n, "documentType", "reference"),
    "duration.empty() or durationUnit.exists()": lambda n, c: not there(n, "duration") or there(n, "durationUnit"),
    "period.empty() or periodUnit.exists()": lambda n, c: not there(n, "period") or there(n, "periodUnit"),
    "duration.exists() implies duration >= 0": lambda n, c: _not_negative(n, "duration"),
    "period.exists() implies period >= 0": lambda n, c: _not_negative(n, "period"),
    "periodMax.empty() or period.exists()": lambda n, c: not there(n, "periodMax") or there(n, "period"),
    "durationMax.empty() or duration.exists()": lambda n, c: not there(n, "durationMax") or there(n, "duration"),
    "countMax.empty() or count.exists()": lambda n, c: not there(n, "countMax") or there(n, "count"),
    "offset.empty() or (when.exists() and ((when in ('C' | 'CM' | 'CD' | 'CV')).not()))": _offset,
    "timeOfDay.empty() or when.empty()": lambda n, c: not there(n, "timeOfDay") or not there(n, "when"),
    "data.empty() or timing.empty()": lambda n, c: not there(n, "data") or not some(n, "timing"),
    "condition.exists() implies data.exists()": lambda n, c: not there(n, "condition") or there(n, "data"),
    "(type = 'named-event' implies name.exists()) and (type = 'periodic' implies timing.exists()) and (type.startsWith('data-') implies data.exists())": _trigger,  # noqa: E501
    "(code.exists() or value.empty()) and (system.empty() or system = %ucum) and (value.empty() or value.hasValue().not() or value > 0)": (  # noqa: E501
        lambda n, c: _measure(n) and _positive(n)
    ),
    "comparator.empty()": lambda n, c: not there(n, "comparator"),
    "code.empty() or system.exists()": lambda n, c: not there(n, "code") or there(n, "system"),
    "low.empty() or high.empty() or (low <= high)": _range,
    "path.exists() xor searchParam.exists()": lambda n, c: there(n, "path") != there(n, "searchParam"),
    "code.exists() implies ((system = %ucum) and value.exists())": lambda n, c: (
        not there(n, "code") or (n.get("system") == UCUM and there(n, "value"))
    ),
    "expression.exists() or reference.exists()": lambda n, c: there(n, "expression", "reference"),
    "value.empty() or system.exists()": lambda n, c: not there(n, "value") or there(n, "system"),
    "data.empty() or contentType.exists()": lambda n, c: not there(n, "data") or there(n, "contentType"),
    "(numerator.empty() xor denominator.exists()) and (numerator.exists() or extension.exists())": lambda n, c: (
        there(n, "numerator") == there(n, "denominator") and there(n, "numerator", "extension")
    ),
    "(code.exists() or value.empty()) and (system.empty() or system = %ucum) and (code.empty() or code = '1') and (value.empty() or value.hasValue().not() or value.toString().contains('.').not())": _count,  # noqa: E501
    "(code.exists() or value.empty()) and (system.empty() or system = %ucum)": lambda n, c: _measure(n),
    "start.hasValue().not() or end.hasValue().not() or (start <= end)": period,
}
# Held elsewhere: by the form of JSON, of an extension, of a reference and of a narrative.
BUILT_IN = frozenset(["ele-1", "ext-1", "ref-1", "txt-1", "txt-2"])
COUNTED = frozenset(["dom-6"])  # advice that nearly every resource disregards: counted, not listed

# If neither this member nor its hidden half is there the rule holds, and the function need not be called.
NEEDS = {
    "contained.contained.empty()": "contained",
    "contained.meta.versionId.empty() and contained.meta.lastUpdated.empty()": "contained",
    "contained.meta.security.empty()": "contained",
    "dataAbsentReason.empty() or value.empty()": "dataAbsentReason",
    "value.empty() or component.code.where(coding.intersect(%resource.code.coding).exists()).empty()": "component",
    "where(use = 'home').empty()": "use",
    "duration.empty() or durationUnit.exists()": "duration",
    "period.empty() or periodUnit.exists()": "period",
    "duration.exists() implies duration >= 0": "duration",
    "period.exists() implies period >= 0": "period",
    "periodMax.empty() or period.exists()": "periodMax",
    "durationMax.empty() or duration.exists()": "durationMax",
    "countMax.empty() or count.exists()": "countMax",
    "offset.empty() or (when.exists() and ((when in ('C' | 'CM' | 'CD' | 'CV')).not()))": "offset",
    "timeOfDay.empty() or when.empty()": "timeOfDay",
    "comparator.empty()": "comparator",
    "code.empty() or system.exists()": "code",
    "low.empty() or high.empty() or (low <= high)": "low",
    "value.empty() or system.exists()": "value",
    "data.empty() or contentType.exists()": "data",
    "start.hasValue().not() or end.hasValue().not() or (start <= end)": "end",
} | {expression: "contained" for expression in FUNCTIONS if expression.startswith("contained.where(")}
