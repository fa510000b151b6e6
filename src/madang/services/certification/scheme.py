"""A certification scheme: what has to be shown, by what, and how long it then holds. A scheme is data, a TOML file.

How a criterion is shown is part of the scheme. `automatic` compares one measure (see `measures.py`) with bounds.
`document`, `on-site` and `decision` are shown by people: with documents that are kept, by looking at places or
records, or by the judgment of those who hold a role. A `slot` stands for a criterion whose text is not public. Dataset
schemes need automatic criteria only; those of products and of their use need all.
"""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from madang.base.canonical import sha256_of
from madang.base.errors import MadangError
from madang.base.translate import _, language
from madang.services.certification.measures import MEASURES, Kind

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}$")]
Words = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
LARGEST = 1_000_000  # bytes of a scheme that anybody reads


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Text(_Part):
    """One text in both languages."""

    en: Words
    ko: Words

    def __str__(self) -> str:
        return self.ko if language() == "ko" else self.en


class Division(_Part):
    """A part of the scheme that belongs together."""

    title: Text


class _Criterion(_Part):
    id: Name
    division: Name
    text: Text


class Automatic(_Criterion):
    """Shown by a number (or a text that has to be there) that anybody can compute again."""

    shown: Literal["automatic"]
    measure: str
    severity: Literal["fatal", "convention", "characterization"] | None = None
    category: Literal["Conformance", "Completeness", "Plausibility"] | None = None
    at_least: float | int | None = None
    at_most: float | int | None = None

    @model_validator(mode="after")
    def _fits_the_measure(self) -> "Automatic":
        measure = MEASURES.get(self.measure)
        if measure is None:
            raise ValueError(f"there is no measure {self.measure!r}; there are {', '.join(sorted(MEASURES))}")
        if (self.severity or self.category) and not measure.narrows:
            raise ValueError(f"the measure {self.measure!r} takes no severity or category")
        bounds = (self.at_least, self.at_most)
        if (measure.kind is Kind.TEXT) is not (bounds == (None, None)):
            wants = "no bounds" if measure.kind is Kind.TEXT else "at_least or at_most"
            raise ValueError(f"the measure {self.measure!r} needs {wants}")
        return self


class Document(_Criterion):
    """Shown by documents that the applicant hands in and an assessor reads."""

    shown: Literal["document"]
    documents: Annotated[tuple[Text, ...], Field(min_length=1, strict=False)]


class OnSite(_Criterion):
    """Shown by an assessor who goes and looks: at how many places or records, and at what."""

    shown: Literal["on-site"]
    look_at: Text
    sample: Annotated[int, Field(ge=1)]


class Decision(_Criterion):
    """Shown by the judgment of people who hold a role; `votes` of them have to agree."""

    shown: Literal["decision"]
    role: Words
    votes: Annotated[int, Field(ge=1)] = 1


class Slot(_Criterion):
    """A criterion whose text is not public: `text` says what is known of it, and from where (`source`).

    Nothing can meet a slot. The body that knows the criterion puts it in the slot's place in a copy of the scheme.
    """

    shown: Literal["slot"]
    source: Text


class Fact(_Part):
    """Something that is publicly known of a scheme, and where it stands."""

    text: Text
    source: Text


Criterion = Annotated[Automatic | Document | OnSite | Decision | Slot, Field(discriminator="shown")]


class Scheme(_Part):
    """A scheme as its file says it. `about` is what is certified, `months` how long a certificate holds."""

    name: Name
    version: Annotated[int, Field(ge=1, le=9999)]
    about: Literal["dataset version", "product", "use"]
    months: Annotated[int, Field(ge=1, le=120)]
    title: Text
    summary: Text
    audience: Text
    facts: Annotated[tuple[Fact, ...], Field(strict=False)] = ()
    divisions: Annotated[Mapping[Name, Division], Field(min_length=1)]
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1, strict=False)]

    @model_validator(mode="after")
    def _hangs_together(self) -> "Scheme":
        identifiers = [criterion.id for criterion in self.criteria]
        twice = sorted({each for each in identifiers if identifiers.count(each) > 1})
        if twice:
            raise ValueError(f"the criterion {twice[0]!r} is there twice")
        for criterion in self.criteria:
            if criterion.division not in self.divisions:
                raise ValueError(f"the criterion {criterion.id!r} is in a division {criterion.division!r} that is not")
        empty = sorted(set(self.divisions) - {criterion.division for criterion in self.criteria})
        if empty:
            raise ValueError(f"the division {empty[0]!r} has no criteria")
        for criterion in self.criteria:
            if isinstance(criterion, Automatic) and MEASURES[criterion.measure].about != self.about:
                about = MEASURES[criterion.measure].about
                raise ValueError(f"the measure {criterion.measure!r} is of a {about}, and the scheme is not")
        return self

    @property
    def slots(self) -> int:
        """How many criteria wait for their text; with one, nothing can be certified by the scheme."""
        return sum(isinstance(each, Slot) for each in self.criteria)

    @property
    def reference(self) -> str:
        """`NAME@VERSION`, as certificates name it."""
        return f"{self.name}@{self.version}"

    @property
    def digest(self) -> str:
        """Hex SHA-256 of what the scheme says, whatever its file looks like."""
        said = self.model_dump(mode="json")
        if not self.facts:
            del said["facts"]  # so that schemes without any keep the hash that certificates name
        return sha256_of(said)


def shipped() -> list[str]:
    """The names of the schemes that come with Madang."""
    folder = files("madang.services.certification") / "schemes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_scheme(reference: str) -> Scheme:
    """The scheme that ships under this name, or that of a TOML file.

    Errors: `scheme.unknown`, `scheme.unreadable`, `scheme.invalid` (with the place in the file and what is wrong).
    """
    if reference in shipped():
        data = (files("madang.services.certification") / "schemes" / f"{reference}.toml").read_bytes()
        return parse_scheme(data, f"{reference}.toml")
    path = Path(reference)
    if not path.is_file():
        raise MadangError(
            "scheme.unknown",
            _("There is no scheme {name}.").format(name=reference),
            _("It is one of {names}, or the path of a TOML file.").format(names=", ".join(shipped())),
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(path.name, error.strerror or str(error)) from None
    return parse_scheme(data, path.name)


def parse_scheme(data: bytes, label: str) -> Scheme:
    """The scheme in the bytes of a TOML file; `label` names the file in messages."""
    try:
        if len(data) > LARGEST:
            raise ValueError(f"larger than {LARGEST:,} bytes")
        document: dict[str, Any] = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _unreadable(label, str(error)) from None
    try:
        return Scheme.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or label
        what = str(first["msg"]).removeprefix("Value error, ")
        raise MadangError(
            "scheme.invalid",
            _("{file}: {place}: {what}.").format(file=label, place=place, what=what),
            _("docs/certificates.md says what a scheme holds."),
        ) from None


def _unreadable(label: str, why: str) -> MadangError:
    return MadangError("scheme.unreadable", _("{file} cannot be read: {why}.").format(file=label, why=why))
