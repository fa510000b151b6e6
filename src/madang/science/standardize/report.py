"""What a run did, as values: for the terminal, for the manifest, for people who have to sign for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    """How many lines of a source left for one reason."""

    source: str
    fate: str
    reason: str
    lines: int


@dataclass(frozen=True)
class Report:
    """The account of one standardized version.

    `sources`: source -> (files, lines, used, rejected, unused). `tables`: CDM table -> rows. `mapped_records` and
    `mapped_codes`: (mapped, all). `levels`: mapping level -> (codes, records). `moved`: codes whose records go to
    another table than in the version before. `warnings`: what somebody should look at before the data are used.
    `unread`: files of the folder that no source reads, and the pattern that each was perhaps meant for, or empty.
    `seconds`: piece of work -> seconds.
    """

    sources: Mapping[str, tuple[int, int, int, int, int]]
    tables: Mapping[str, int]
    reasons: tuple[Reason, ...]
    repairs: Mapping[str, int]
    mapped_records: tuple[int, int]
    mapped_codes: tuple[int, int]
    levels: Mapping[str, tuple[int, int]]
    moved: tuple[tuple[str, str, str, str, int], ...] = ()
    newly_mapped: int = 0
    newly_unmapped: int = 0
    after_death: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def lines(self) -> int:
        """Source lines without headers."""
        return sum(counts[1] for counts in self.sources.values())

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON values; seconds to the millisecond."""
        document = asdict(self)
        document["seconds"] = {name: round(value, 3) for name, value in self.seconds.items()}
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Report":
        """The report in a manifest."""
        values = dict(document)
        values["reasons"] = tuple(Reason(**reason) for reason in document["reasons"])
        for name in ("mapped_records", "mapped_codes"):
            values[name] = tuple(document[name])
        values["sources"] = {name: tuple(counts) for name, counts in document["sources"].items()}
        values["levels"] = {name: tuple(counts) for name, counts in document["levels"].items()}
        values["warnings"] = tuple(document["warnings"])
        values["unread"] = tuple(tuple(one) for one in document.get("unread", ()))
        values["moved"] = tuple(tuple(move) for move in document["moved"])
        return cls(**values)
