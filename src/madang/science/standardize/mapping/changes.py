"""What a new vocabulary release does to approved mappings."""

from collections.abc import Iterable
from dataclasses import dataclass

from madang.science.omop.vocabulary import CURRENT, Vocabulary
from madang.science.standardize.mapping.model import Mapping, Status


@dataclass(frozen=True)
class TargetChange:
    """An approved mapping whose target is no longer what the reviewer saw."""

    mapping: Mapping
    kinds: tuple[str, ...]
    """Of: missing, retired, not standard, replaced, moved domain, renamed."""
    now: str
    """A sentence about the target in the new release."""
    replacements: tuple[int, ...]
    """Standard concepts of the new release that stand for the target, if it says any."""


def changed_targets(mappings: Iterable[Mapping], vocabulary: Vocabulary) -> list[TargetChange]:
    """The approved mappings that `vocabulary` changes, in the order given."""
    approved = [m for m in mappings if m.status is Status.APPROVED and m.target_concept_id]
    if not approved:
        return []
    engine, table = vocabulary.engine, vocabulary.table
    ids = "(SELECT unnest(?::BIGINT[]) AS concept_id)"
    wanted: list[object] = [sorted({m.target_concept_id for m in approved})]
    concepts = {
        row[0]: row[1:]
        for row in engine.rows(
            "SELECT concept_id, concept_name, domain_id, standard_concept, invalid_reason, valid_end_date "
            f"FROM {table('concept')} JOIN {ids} USING (concept_id)",
            wanted,
        )
    }
    replaced: dict[int, list[int]] = {}
    for old, new in engine.rows(
        "SELECT DISTINCT concept_id_1, concept_id_2 "
        f"FROM (SELECT * FROM {table('concept_relationship')} WHERE {CURRENT}) r "
        f"JOIN {ids} ids ON concept_id_1 = ids.concept_id "
        f"JOIN (SELECT * FROM {table('concept')} WHERE {CURRENT}) c ON c.concept_id = concept_id_2 "
        "WHERE relationship_id IN ('Maps to', 'Concept replaced by') AND concept_id_1 <> concept_id_2 "
        "AND c.standard_concept = 'S' ORDER BY ALL",
        wanted,
    ):
        replaced.setdefault(old, []).append(new)
    changes = []
    for mapping in approved:
        change = _change(mapping, concepts.get(mapping.target_concept_id), replaced.get(mapping.target_concept_id, []))
        if change:
            changes.append(change)
    return changes


def _change(mapping: Mapping, now: tuple[object, ...] | None, replaced: list[int]) -> TargetChange | None:
    if now is None:
        return TargetChange(mapping, ("missing",), "is not in this release", ())
    name, domain, standard, invalid, ends = now
    kinds: list[str] = []
    words: list[str] = []
    if invalid:
        kinds.append("retired")
        words.append(f"was retired on {ends}")
    elif standard != "S":
        kinds.append("not standard")
        words.append("is no longer standard")
    if kinds and replaced:
        kinds.append("replaced")
        words.append(f"is replaced by {', '.join(map(str, replaced))}")
    if mapping.target_domain_id and domain != mapping.target_domain_id:
        kinds.append("moved domain")
        words.append(f"moved from {mapping.target_domain_id} to {domain}")
    if mapping.target_name and name != mapping.target_name:
        kinds.append("renamed")
        words.append(f"is now called '{name}'")
    if not kinds:
        return None
    return TargetChange(mapping, tuple(kinds), " and ".join(words), tuple(replaced) if "replaced" in kinds else ())
