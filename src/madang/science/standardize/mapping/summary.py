"""Counts of a review: how many codes and records are mapped, by vocabulary and level and by state of the review."""

from collections.abc import Iterable
from dataclasses import dataclass

from madang.science.standardize.mapping.codes import ReviewItem


@dataclass(frozen=True)
class Count:
    """Codes and records that share a source vocabulary, a level of mapping or a state of review."""

    vocabulary_id: str
    group: str
    codes: int
    records: int
    mapped_codes: int
    mapped_records: int


def count_by_level(items: Iterable[ReviewItem]) -> list[Count]:
    """Counts per vocabulary and level at which the run mapped, most records first within a vocabulary."""
    return _count((item.code.vocabulary_id, item.code.level, item) for item in items)


def count_by_status(items: Iterable[ReviewItem]) -> list[Count]:
    """Counts per vocabulary and state of review."""
    return _count((item.code.vocabulary_id, item.status, item) for item in items)


def total(counts: Iterable[Count]) -> Count:
    """The sum of counts, under the vocabulary `""`."""
    kept = list(counts)
    return Count(
        "",
        "",
        sum(count.codes for count in kept),
        sum(count.records for count in kept),
        sum(count.mapped_codes for count in kept),
        sum(count.mapped_records for count in kept),
    )


def _count(keyed: Iterable[tuple[str, str, ReviewItem]]) -> list[Count]:
    sums: dict[tuple[str, str], list[int]] = {}
    for vocabulary, group, item in keyed:
        row = sums.setdefault((vocabulary, group), [0, 0, 0, 0])
        records = item.code.records
        for place, amount in enumerate((1, records, int(item.mapped), records if item.mapped else 0)):
            row[place] += amount
    counts = [Count(vocabulary, group, *row) for (vocabulary, group), row in sums.items()]
    return sorted(counts, key=lambda count: (count.vocabulary_id, -count.records, count.group))
