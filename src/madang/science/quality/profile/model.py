"""The content of a dataset version as plain values; None stands for what is kept back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1  # raised when a reader of older documents could misread a newer one


@dataclass(frozen=True)
class People:
    """Persons of one sex in a band of ages (at the end of their observation): years `youngest` to `oldest`.

    `sex` is a concept of the domain Gender, None where several are taken together; `oldest` None has no end.
    """

    sex: int | None
    youngest: int
    oldest: int | None
    persons: int


@dataclass(frozen=True)
class Observed:
    """Persons who were observed for `least` to `most` whole years; `most` None has no end."""

    least: int
    most: int | None
    persons: int


@dataclass(frozen=True)
class Period:
    """Records from one month (or year) to another, as `2020-03` or `2020`; they differ where periods were joined."""

    start: str
    end: str
    records: int


@dataclass(frozen=True)
class Concept:
    """A concept that occurs; `name` is empty where the vocabulary does not know it."""

    concept_id: int
    name: str
    records: int
    persons: int | None


@dataclass(frozen=True)
class SourceValue:
    """A value of the source that has no standard concept."""

    value: str
    records: int
    persons: int | None


@dataclass(frozen=True)
class Values:
    """Numbers that were measured, by concept and unit (None: no unit).

    `low`, `lower`, `median`, `upper`, `high` are the 5th, 25th, 50th, 75th and 95th percentile, None where too few
    people lie beyond.
    """

    concept_id: int
    name: str
    unit_concept_id: int | None
    unit: str
    records: int
    persons: int | None
    low: float | None = None
    lower: float | None = None
    median: float | None = None
    upper: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Records:
    """One table: its rows and the persons they are of, those of the version before, and what is in it.

    `unmapped` are records whose concept is 0. Where the rows are of too few persons all of it is None or empty.
    """

    table: str
    rows: int | None
    persons: int | None
    unmapped: int | None = None
    rows_before: int | None = None
    persons_before: int | None = None
    periods: tuple[Period, ...] = ()
    concepts: tuple[Concept, ...] = ()
    unmapped_values: tuple[SourceValue, ...] = ()


@dataclass(frozen=True)
class Profile:
    """What is in a dataset version. `minimum` is the fewest persons that any count is about; 1 keeps nothing back."""

    dataset: str
    version: int
    manifest: str
    vocabulary: str
    minimum: int
    before: int | None
    persons: int | None
    people: tuple[People, ...] = ()
    observed: tuple[Observed, ...] = ()
    tables: tuple[Records, ...] = ()
    values: tuple[Values, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)  # of CDM_SOURCE: name, holder, description


def document(found: Profile) -> dict[str, Any]:
    """The profile as plain JSON values."""
    about = {name: str(value) for name, value in found.about.items()}
    return {"format": FORMAT, **asdict(found), "about": about}
