"""What a metadata form needs to know of a record, apart from database and web."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from urllib.parse import quote

from madang.services.catalog.description import Description

CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold
_IRI_SAFE = "%:/?#[]@!$&'()*+,;=~-._"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+\Z")
_MAIL = re.compile(r"[^\s<>\"'@,;:()\[\]\\]+@[^\s<>\"'@,;:()\[\]\\]+\.[^\s<>\"'@,;:()\[\]\\.]+\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*\Z")


@dataclass(frozen=True)
class EntryFile:
    """A file of the dataset: name, address, media type, bytes and SHA-256 (lower-case hexadecimal)."""

    name: str
    address: str
    media: str
    bytes: int
    sha256: str
    table: str = ""


@dataclass(frozen=True)
class EntryTable:
    """A table with its columns, each a name and a type of the lake."""

    name: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Entry:
    """A record for the forms. `address` is its landing page, `tier` what holds now; texts are as they were written.

    `identifier` is a DOI (`10.…`), a handle, or the landing page where it has neither.
    """

    name: str
    address: str
    title: str
    description: Description
    holder: str
    tier: str
    created: datetime
    changed: datetime
    title_en: str = ""
    holder_address: str = ""
    identifier: str = ""
    kind: str = "cdm"
    state: str = "published"
    published: datetime | None = None
    embargo_end: datetime | None = None
    embargo_reason: str = ""
    version: int = 1
    made_by: str = ""
    rows: int | None = None
    bytes: int | None = None
    download: str = ""
    files: tuple[EntryFile, ...] = ()
    tables: tuple[EntryTable, ...] = ()
    portal: str = "Madang"
    origin: str = field(default="")

    @property
    def issued(self) -> date:
        """When it was published; of a draft, when it was begun."""
        return (self.published or self.created).date()

    @property
    def creators(self) -> tuple[str, ...]:
        """Who made it; the holder, where nobody is named."""
        return tuple(name for name in self.description.creator if plain(name)) or (self.holder,)

    @property
    def publisher(self) -> str:
        """Who publishes it; the holder, where nobody is named."""
        return self.description.publisher or self.holder

    @property
    def titles(self) -> tuple[tuple[str, str], ...]:
        """Each title with its language."""
        return _spoken(self.title, self.title_en, self.description.language)

    @property
    def descriptions(self) -> tuple[tuple[str, str], ...]:
        """Each description with its language."""
        return _spoken(self.description.description, self.description.description_en, self.description.language)

    @property
    def keywords(self) -> tuple[tuple[str, str], ...]:
        """Each keyword once, with its language."""
        told = self.description
        pairs = [(plain(word), _tag(told.language)) for word in told.keyword] + [
            (plain(w), "en") for w in told.keyword_en
        ]
        return tuple(dict.fromkeys(pair for pair in pairs if pair[0]))

    @property
    def provenance(self) -> str:
        """Where the data come from, in a sentence."""
        return plain(self.description.provenance) or plain(self.made_by)

    @property
    def doi(self) -> str:
        """The DOI, if it has one."""
        found = re.search(r"(?:^|doi\.org/|doi:)(10\.[0-9]{4,9}/\S+)\Z", self.identifier)
        return found[1] if found else ""


def plain(text: str) -> str:
    """A text without the characters that no XML and no honest document holds, and without blank ends."""
    return CONTROL.sub("", text).strip()


def iri(text: str) -> str:
    """An address that every parser of RDF takes: what may not stand in one is percent-encoded."""
    return quote(plain(text), safe=_IRI_SAFE)


def is_address(text: str) -> bool:
    """Whether a text is an absolute IRI of the web."""
    return bool(_ABSOLUTE.match(text)) and text.partition(":")[0].lower() in ("http", "https", "ftp", "urn", "doi")


def is_mail(text: str) -> bool:
    """Whether a text is an address of e-mail."""
    return bool(_MAIL.match(text))


def is_sha256(text: str) -> bool:
    """Whether a text is a SHA-256 in lower-case hexadecimal."""
    return bool(_SHA256.match(text))


def contact_of(entry: Entry) -> tuple[str, str]:
    """Where questions go: `mail` or `page`, and the address; the landing page, where nothing is said."""
    contact = plain(entry.description.contact)
    if is_mail(contact):
        return "mail", contact
    return "page", iri(contact) if is_address(contact) else entry.address


def license_of(entry: Entry) -> tuple[str, str]:
    """The license as an address (empty if it has none) and as a name (empty where none is given)."""
    name = plain(entry.description.license)
    if is_address(name):
        return iri(name), name
    if _SPDX.match(name):
        return f"https://spdx.org/licenses/{name}", name
    return "", name


def rights_of(entry: Entry) -> str:
    """How access is given, in a sentence."""
    told = plain(entry.description.access_rights)
    return told or {
        "open": "Open to all.",
        "registered": "For registered people.",
        "controlled": "On request: a permit of the holder is needed.",
        "embargoed": "Under embargo.",
    }.get(entry.tier, "On request.")


def _spoken(first: str, english: str, language: str) -> tuple[tuple[str, str], ...]:
    pairs = [(plain(first), _tag(language)), (plain(english), "en")]
    return tuple(dict.fromkeys(pair for pair in pairs if pair[0]))


def _tag(language: str) -> str:
    return language if language in ("ko", "en") else ""


OBO = "http://purl.obolibrary.org/obo/"


def consent_of(entry: Entry) -> list[tuple[str, str]]:
    """The conditions of consent that the data carry, in English with their values, and their addresses in the Data Use
    Ontology."""
    if not entry.description.data_use:
        return []
    from madang.science.privacy.rules import read_pack

    names = {rule.id: rule.title["en"] for rule in read_pack("duo").rules}
    found = []
    for text in entry.description.data_use:
        term, _space, values = plain(text).partition(" ")
        said = f"{names.get(term, term)}: {values}" if values else names.get(term, term)
        found.append((said, OBO + term.replace(":", "_")))
    return found
