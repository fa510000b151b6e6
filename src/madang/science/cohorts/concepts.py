"""Concepts of a definition held against a vocabulary release: unknown, retired, not standard."""

from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.science.cohorts.definition import Definition
from madang.science.cohorts.findings import Finding, error, note, warning
from madang.science.cohorts.parts import listed
from madang.science.omop.vocabulary import Vocabulary


def look_up(definition: Definition, vocabulary: Version | None) -> list[Finding]:
    """What is wrong with the concepts of a definition's sets in a release."""
    if vocabulary is None:
        return []
    found: list[Finding] = []
    with Engine("2GB") as engine:
        words = Vocabulary.from_version(engine, vocabulary)
        for number, each in enumerate(definition.concept_sets):
            items = listed((each.get("expression") or {}).get("items"))
            numbers = [(item.get("concept") or {}).get("CONCEPT_ID") for item in items]
            known = {
                concept.concept_id: concept
                for concept in words.concepts([value for value in numbers if isinstance(value, int)])
            }
            for place, (item, value) in enumerate(zip(items, numbers, strict=True)):
                path = f"ConceptSets[{number}].expression.items[{place}]"
                facts = {"name": each.get("name"), "concept": value, "release": words.release}
                if value not in known:
                    message = _("Concept {concept} of “{name}” is not in the vocabulary {release}.")
                    found.append(error("unknown-concept", message.format(**facts), path))
                elif known[value].invalid_reason:
                    message = _("Concept {concept} of “{name}” is retired in the vocabulary {release}.")
                    found.append(warning("retired-concept", message.format(**facts), path))
                elif not known[value].standard and not item.get("includeMapped"):
                    message = _("Concept {concept} of “{name}” is not a standard concept, so few records have it.")
                    found.append(note("not-standard", message.format(**facts), path))
    return found
