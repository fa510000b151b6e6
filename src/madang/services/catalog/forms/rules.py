"""What keeps a record from being valid in a form, in sentences. Our own rules: no official shapes are needed for them.

They are at least as strict as the official shapes and schemas (tests show it): what these find good, those do too.
A *violation* makes the document invalid or untrue; *advice* says what would make it more useful.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from madang.base.translate import _
from madang.services.catalog.forms.entry import (
    CONTROL,
    Entry,
    is_address,
    is_mail,
    is_sha256,
    license_of,
    plain,
)
from madang.services.catalog.forms.healthdcat_ap import categories

ALL = ("dcat-ap", "healthdcat-ap", "datacite", "schema.org", "croissant", "ro-crate")
_HEALTH = ("healthdcat-ap",)
_FILES = ("dcat-ap", "healthdcat-ap", "schema.org", "croissant", "ro-crate")
_TIERS = ("open", "registered", "controlled", "embargoed")
_MEDIA = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\Z")
_DOI = re.compile(r"10\.[0-9]{4,9}/[^\s<>\"]+\Z")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (`violation`) or could be better (`advice`) in a field, and the forms that mind it."""

    forms: tuple[str, ...]
    severity: str
    field: str
    message: str
    hint: str = ""


def validate(entry: Entry, form: str | None = None) -> list[Finding]:
    """Everything that the rules find in a record, of one form or of all; violations first."""
    found = [each for rule in RULES for each in rule(entry) if form is None or form in each.forms]
    return sorted(dict.fromkeys(found), key=lambda each: each.severity != "violation")


def _wrong(field: str, message: str, hint: str = "", forms: tuple[str, ...] = ALL) -> Finding:
    return Finding(forms, "violation", field, message, hint)


def _better(field: str, message: str, hint: str = "", forms: tuple[str, ...] = ALL) -> Finding:
    return Finding(forms, "advice", field, message, hint)


def texts(entry: Entry) -> Iterator[Finding]:
    """Title, description, keywords, and characters that no document can hold."""
    told = entry.description
    if not entry.titles:
        yield _wrong("title", _("The record has no title."), _("Every form asks for one."))
    if not entry.descriptions:
        yield _wrong("description", _("The record has no description."), _("Say in a few sentences what it is."))
    if not entry.keywords:
        yield _wrong("keyword", _("The record has no keyword."), _("HealthDCAT-AP asks for at least one."), _HEALTH)
        yield _better("keyword", _("Keywords would let people find it."), "", ("dcat-ap", "datacite", "schema.org"))
    if not plain(told.description_en) and told.language != "en":
        yield _better("description_en", _("An English description would let people abroad find it."))
    for field, text in _every_text(entry):
        if CONTROL.search(text):
            yield _wrong(
                field,
                _("{field} holds control characters, which no XML can hold.").format(field=field),
                _("They are left out of the exports; write the field once more."),
            )
    if told.language not in ("ko", "en", ""):
        yield _wrong("language", _("The language {name!r} is not known.").format(name=told.language))


def _every_text(entry: Entry) -> Iterator[tuple[str, str]]:
    yield from (("title", entry.title), ("title_en", entry.title_en), ("holder", entry.holder))
    for field, value in entry.description:
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str):
                yield field, text


def people(entry: Entry) -> Iterator[Finding]:
    """Holder, publisher, creators and contact."""
    told = entry.description
    if not plain(entry.holder):
        yield _wrong("holder", _("The record has no holder."), _("Give the organization a title."))
    if not plain(entry.publisher):
        yield _wrong("publisher", _("The record has no publisher."))
    names = [plain(name) for name in told.creator]
    if any(not name for name in names):
        yield _wrong("creator", _("A creator has no name."))
    if len(set(names)) < len(names):
        yield _wrong("creator", _("A creator is named twice."))
    if not names:
        yield _better("creator", _("Nobody is named as creator; the holder stands for them."))
    contact = plain(told.contact)
    if contact and not is_mail(contact) and not contact.lower().startswith(("https://", "http://")):
        message = _("The contact {text!r} is neither an e-mail address nor a page.").format(text=contact)
        yield _wrong("contact", message, _("Write a@b.kr or https://…"))
    elif contact and not is_mail(contact) and not is_address(contact):
        yield _wrong("contact", _("The contact's address holds characters that no address may have."))
    if not contact:
        yield _better("contact", _("No contact is given; the record's own page stands for it."))


def terms(entry: Entry) -> Iterator[Finding]:
    """License, access, embargo and state."""
    address, name = license_of(entry)
    if not name:
        yield _better("license", _("No license is given: nobody knows what they may do with the data."))
    elif ":" in name and not is_address(name):
        yield _wrong("license", _("The license {name!r} is no address of the web.").format(name=name))
    elif not address:
        message = _("The license {name!r} is neither an SPDX identifier nor an address.").format(name=name)
        yield _better("license", message, _("For example CC-BY-4.0."))
    if entry.tier not in _TIERS:
        yield _wrong("tier", _("The access {name!r} is not known.").format(name=entry.tier))
    if entry.tier == "embargoed" and entry.embargo_end is None:
        yield _wrong("embargo_end", _("The embargo has no end."))
    if entry.tier == "embargoed" and not plain(entry.embargo_reason):
        yield _wrong("embargo_reason", _("The embargo has no reason."))
    if entry.state == "withdrawn":
        yield _wrong("state", _("The record was withdrawn: only its tombstone may be shown."))
    if entry.state == "published" and entry.published is None:
        yield _wrong("published", _("The record is published, but the day is missing."))
    if entry.tier == "controlled" and not plain(entry.description.access_rights):
        yield _better("access_rights", _("How access is given is not said."))


def time(entry: Entry) -> Iterator[Finding]:
    """Dates that can be true."""
    told = entry.description
    if told.start and told.end and told.start > told.end:
        yield _wrong("end", _("The data end before they begin."))
    if entry.changed < entry.created:
        yield _wrong("changed", _("The record was changed before it was made."))
    if entry.published is not None and entry.published < entry.created:
        yield _wrong("published", _("The record was published before it was made."))
    if not 1000 <= entry.issued.year <= 9999:
        yield _wrong("published", _("The year of publication has to have four digits."))


def identity(entry: Entry) -> Iterator[Finding]:
    """Identifier, address, version, numbers and relations."""
    name = entry.identifier
    if name != name.strip() or re.search(r"[\s\"'<>]", name):
        yield _wrong("identifier", _("The identifier {name!r} holds spaces, quotes or brackets.").format(name=name))
    elif name.startswith("10.") and not _DOI.match(name):
        yield _wrong("identifier", _("{name!r} is not a DOI.").format(name=name), _("A DOI is like 10.1234/abc."))
    if not entry.address.startswith(("http://", "https://")) or not is_address(entry.address):
        yield _wrong("address", _("The record's page {name!r} is no address of the web.").format(name=entry.address))
    if not plain(entry.kind):
        yield _wrong("kind", _("The kind of the dataset is not said."))
    if entry.version < 1:
        yield _wrong("version", _("The version has to be 1 or more."))
    if entry.rows is not None and entry.rows < 0:
        yield _wrong("rows", _("The number of rows is negative."))
    if entry.bytes is not None and entry.bytes < 0:
        yield _wrong("bytes", _("The size is negative."))
    for word in entry.description.related:
        if not is_address(word) and not _DOI.match(word):
            message = _("The related work {name!r} is neither a DOI nor an address.").format(name=word)
            yield _better("related", message, _("DataCite leaves it out."))


def health(entry: Entry) -> Iterator[Finding]:
    """What HealthDCAT-AP asks beside DCAT-AP."""
    told = entry.description
    if not categories(entry):
        hint = _("HealthDCAT-AP asks for at least one, for example Omics.")
        yield _wrong("health_category", _("The category of health data is not said."), hint, _HEALTH)
    if not entry.provenance:
        hint = _("HealthDCAT-AP asks for a statement of provenance.")
        yield _wrong("provenance", _("Where the data come from is not said."), hint, _HEALTH)
    if any(not plain(word) for word in (*told.health_category, *told.coding_system)):
        yield _wrong("health_category", _("A category or coding system has no name."), "", _HEALTH)
    if not plain(told.population):
        yield _better("population", _("Whom the data are about is not said."), "", _HEALTH)
    if not plain(told.legal_basis) and not told.synthetic:
        yield _better("legal_basis", _("The legal basis of the processing is not said."), "", _HEALTH)
    if entry.tier == "open":
        message = _("The official shapes known here are for non-public data; these are open.")
        yield _better("tier", message, "", _HEALTH)


def files(entry: Entry) -> Iterator[Finding]:
    """Files with names, sizes and hashes."""
    for file in entry.files:
        name = plain(file.name)
        if not name:
            yield _wrong("files", _("A file has no name."), "", _FILES)
        if not is_sha256(file.sha256):
            message = _("The SHA-256 of file {name} is not 64 lower-case hexadecimal digits.").format(name=name)
            yield _wrong("files", message, "", _FILES)
        if file.bytes < 0:
            yield _wrong("files", _("The size of file {name} is negative.").format(name=name), "", _FILES)
        if not _MEDIA.match(file.media):
            message = _("The media type {kind!r} of file {name} is none.").format(kind=file.media, name=name)
            yield _wrong("files", message, "", (*_FILES, "datacite"))
        if not is_address(file.address):
            yield _wrong("files", _("File {name} has no address.").format(name=name), "", _FILES)
    if len({file.address for file in entry.files}) < len(entry.files):
        yield _wrong("files", _("Two files have the same address."), "", _FILES)
    if not entry.files:
        message = _("No file is told of, so that no machine can load the data by this document.")
        yield _better("files", message, "", ("croissant", "ro-crate"))


def tables(entry: Entry) -> Iterator[Finding]:
    """Tables and columns, for Croissant."""
    form = ("croissant",)
    for table in entry.tables:
        name = plain(table.name)
        if not name:
            yield _wrong("tables", _("A table has no name."), "", form)
        if not table.columns:
            yield _wrong("tables", _("Table {name} has no columns.").format(name=name), "", form)
        columns = [plain(column) for column, _kind in table.columns]
        if len(set(columns)) < len(columns):
            yield _wrong("tables", _("Two columns of table {name} have the same name.").format(name=name), "", form)
        if any(not column for column in columns):
            yield _wrong("tables", _("A column of table {name} has no name.").format(name=name), "", form)
    if len({table.name for table in entry.tables}) < len(entry.tables):
        yield _wrong("tables", _("Two tables have the same name."), "", form)


RULES = (texts, people, terms, time, identity, health, files, tables)


def violations(found: Iterable[Finding]) -> list[Finding]:
    """Those that make a document invalid or untrue."""
    return [each for each in found if each.severity == "violation"]
