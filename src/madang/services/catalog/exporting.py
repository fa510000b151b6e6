"""A record, as far as a reader may know of it, in the forms that others read; and what each form says of it."""

from dataclasses import dataclass

import orjson
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node import files
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.catalog import disclosure, service
from madang.services.catalog.forms import FORMS, Entry, EntryFile, EntryTable, Finding, find_form, validate
from madang.services.catalog.forms.entry import license_of
from madang.services.catalog.holding import originals_of
from madang.services.catalog.models import Record
from madang.services.catalog.prepare import outline

MOST_FILES = service.FILES  # of a document; a record of a hundred thousand files still opens at once
PUBLIC = select(Record).where(Record.state == "published").options(joinedload(Record.organization))
PARQUET = "application/vnd.apache.parquet"


@dataclass(frozen=True)
class Report:
    """What the rules of one form say of a record."""

    form: str
    known: str
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """Whether nothing makes the document invalid or untrue."""
        return not any(each.severity == "violation" for each in self.findings)


def origin_of(node: Node, asked: str = "") -> str:
    """The address under which this installation is known; the one that was asked, where none is set."""
    return (node.settings.web.address or asked or "http://localhost:8000").rstrip("/")


def entry_of(node: Node, actor: Actor, record: Record, origin: str) -> Entry:
    """What the forms tell of a record that the actor has seen: no size, no hash, no file under embargo."""
    told, holder = record.told, record.organization
    address = f"{origin}/records/{record.name}"
    versions = [each for each in record.versions if each.state in ("published", "ready")]
    current = None if record.withheld or not versions else service.version_of(actor, record, None)
    counts = current is not None and disclosure.may_count(actor, record)
    entry = Entry(
        name=record.name,
        address=address,
        identifier=told.doi or address,
        title=record.title,
        title_en=record.title_en,
        description=told,
        holder=holder.title,
        tier=record.access,
        kind=record.kind,
        state=record.state,
        created=record.created,
        changed=record.changed,
        published=record.published,
        embargo_end=record.embargo_end,
        embargo_reason=record.embargo_reason,
        portal=node.settings.title,
        origin=origin,
    )
    if current is None:
        return entry
    kept = current.documents.get("outline")
    told_of = orjson.loads(files.read(node.home, kept)) if kept else None
    if told_of is None:
        told_of = outline(node.home.lake().dataset(record.dataset).version(current.number))
    made = ", ".join(filter(None, (told_of["provenance"].get(name) for name in ("made_by", "pack", "vocabulary"))))
    listed = service.files_of(node, current) if counts else []
    return entry.__class__(
        **{
            **entry.__dict__,
            "version": current.number,
            "made_by": f"Made by Madang: {made}" if made else "",
            "rows": current.rows if disclosure.may_look(actor, record, current) else None,
            "bytes": current.bytes if counts else None,
            "download": f"{address}/download.zip?version={current.number}",
            "files": _originals(node, record, origin if counts else "")
            + tuple(
                EntryFile(
                    file.name,
                    f"{address}/download/{file.table}.parquet?version={current.number}&file={file.sha256}",
                    PARQUET,
                    file.bytes,
                    file.sha256,
                    file.table,
                )
                for file in listed
            ),
            "tables": tuple(
                EntryTable(each["name"], tuple((column, kind) for column, kind in each["columns"]))
                for each in told_of["tables"]
            ),
        }
    )


def _originals(node: Node, record: Record, origin: str) -> tuple[EntryFile, ...]:
    found = originals_of(node, record.dataset, record.name) if origin else []
    return tuple(EntryFile(each.name, origin + each.address, each.media, each.bytes, each.sha256) for each in found)


def export(
    node: Node, actor: Actor, name: str, form: str, syntax: str = "", origin: str = ""
) -> tuple[bytes, str, str]:
    """A record in a form: the document, its media type, a name for its file. Errors: `catalog.none`, `catalog.form`."""
    wanted = find_form(form)
    record = service.see(node, actor, name)
    if record.state == "withdrawn":
        raise MadangError(
            "catalog.removed", _("The record {name} was withdrawn.").format(name=name), _("Its page says why.")
        )
    content, media, ending = wanted.write(entry_of(node, actor, record, origin_of(node, origin)), syntax)
    stem = "ro-crate-metadata" if form == "ro-crate" else f"{record.name}.{form}"
    return content, media, f"{stem}.{ending}"


def reports(node: Node, actor: Actor, name: str, origin: str = "") -> tuple[Record, list[Report]]:
    """What every form says of a record. Errors: `catalog.none`."""
    record = service.see(node, actor, name)
    entry = entry_of(node, actor, record, origin_of(node, origin))
    return record, [Report(form.name, form.known, tuple(validate(entry, form.name))) for form in FORMS.values()]


def short_entry(node: Node, record: Record, origin: str) -> Entry:
    """A published record as harvesters get it, a hundred at a time: without its files and columns."""
    address = f"{origin}/records/{record.name}"
    return Entry(
        name=record.name,
        address=address,
        identifier=record.told.doi or address,
        title=record.title,
        title_en=record.title_en,
        description=record.told,
        holder=record.organization.title,
        tier=record.access,
        kind=record.kind,
        created=record.created,
        changed=record.changed,
        published=record.published,
        embargo_end=record.embargo_end,
        embargo_reason=record.embargo_reason,
        download=f"{address}/download.zip" if record.access == "open" else "",
        portal=node.settings.title,
        origin=origin,
    )


def links(entry: Entry) -> dict[str, list[dict[str, str]]]:
    """Signposting: relation to targets, with their media types."""
    described = [
        {"href": f"{entry.address}/as/{form.name}", "type": next(iter(form.syntaxes.values()))[0]}
        for form in FORMS.values()
    ]
    license_address, _name = license_of(entry)
    found = {
        "cite-as": [{"href": f"https://doi.org/{entry.doi}" if entry.doi else entry.address}],
        "type": [{"href": "https://schema.org/Dataset"}, {"href": "https://schema.org/AboutPage"}],
        "describedby": described,
        "license": [{"href": license_address}] if license_address else [],
        "item": [{"href": file.address, "type": file.media} for file in entry.files] if entry.tier == "open" else [],
    }
    return {name: targets for name, targets in found.items() if targets}
