"""What happens to a record on its way: each duty is a component, and each step of life asks all of them in order.

A later duty (a deposit's promise, a grant, an access request) is one more component in `COMPONENTS`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from madang.lake import Version
from madang.lake.engine import Engine
from madang.node import editions, files
from madang.node.database import now
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.catalog import contents, words
from madang.services.catalog.description import Description
from madang.services.catalog.models import CATALOG, Record, RecordFile, RecordVersion
from madang.services.catalog.prepare import Prepared, last_year


class Component:
    """A duty; does nothing at the steps that do not concern it."""

    def prepared(self, session: Session, node: Node, version: RecordVersion, lake: Version, made: Prepared) -> None:
        """A version was assessed and profiled."""

    def edited(self, session: Session, node: Node, actor: Actor, record: Record) -> None:
        """A record was described anew."""

    def published(self, session: Session, node: Node, record: Record, version: RecordVersion) -> None:
        """A version is about to be found by everybody."""

    def withdrawn(self, session: Session, record: Record) -> None:
        """A record is about to become a tombstone."""


class State(Component):
    """Where record and version are on their way."""

    def prepared(self, session: Session, node: Node, version: RecordVersion, lake: Version, made: Prepared) -> None:
        """Ready to be published."""
        version.state, version.minimum = "ready", made.minimum
        version.documents = dict(made.documents)
        if version.published is not None:  # it was published, and only made anew
            version.state = "published"
            newest = next(each for each in version.record.versions if each.state == "published")
            summarize(version.record, newest)
            index(session, node, version.record)
            editions.changed(session, CATALOG)

    def published(self, session: Session, node: Node, record: Record, version: RecordVersion) -> None:
        """Published."""
        at = now()
        version.state, version.published = "published", at
        record.state, record.published, record.changed = "published", record.published or at, at
        record.edition += 1

    def withdrawn(self, session: Session, record: Record) -> None:
        """Withdrawn."""
        record.state, record.changed = "withdrawn", now()
        record.edition += 1


class Verdict(Component):
    """What the checks said, and the certificate."""

    def prepared(self, session: Session, node: Node, version: RecordVersion, lake: Version, made: Prepared) -> None:
        """Of the version."""
        version.verdict, version.passed, version.failed, version.fatal = (
            made.verdict,
            made.passed,
            made.failed,
            made.fatal,
        )

    def published(self, session: Session, node: Node, record: Record, version: RecordVersion) -> None:
        """Of the record, whose newest version speaks for it."""
        summarize(record, version)
        if "profile" in version.documents:
            record.year = last_year(json.loads(files.read(node.home, version.documents["profile"])))


def summarize(record: Record, version: RecordVersion | None) -> None:
    """Have a record say what its newest published version says; without one, nothing."""
    record.verdict = version.verdict if version is not None else ""
    record.certificate = version.certificate if version is not None else ""
    record.certified_until = version.certified_until if version is not None else None
    record.rows = version.rows if version is not None else 0


class Files(Component):
    """The list of files."""

    def prepared(self, session: Session, node: Node, version: RecordVersion, lake: Version, made: Prepared) -> None:
        """As the manifest has them."""
        session.execute(delete(RecordFile).where(RecordFile.version_id == version.id))
        rows: list[dict[str, Any]] = []
        for name, table in sorted(lake.tables.items()):
            for file in table.files:
                rows.append(
                    {
                        "version_id": version.id,
                        "place": len(rows),
                        "table": name,
                        "name": file.name,
                        "rows": file.rows,
                        "bytes": file.bytes,
                        "sha256": file.sha256,
                    }
                )
        if rows:
            session.execute(insert(RecordFile), rows)
        version.tables, version.files = len(lake.tables), len(rows)
        version.rows, version.bytes = sum(row["rows"] for row in rows), sum(row["bytes"] for row in rows)


class Words(Component):
    """What a record is found by."""

    def edited(self, session: Session, node: Node, actor: Actor, record: Record) -> None:
        """By its new words."""
        if record.state == "published":
            index(session, node, record)

    def published(self, session: Session, node: Node, record: Record, version: RecordVersion) -> None:
        """From now on."""
        index(session, node, record)

    def withdrawn(self, session: Session, record: Record) -> None:
        """No more."""
        words.drop(session, record.id)


class Edition(Component):
    """What was answered about the catalog is asked anew."""

    def edited(self, session: Session, node: Node, actor: Actor, record: Record) -> None:
        """From now on."""
        editions.changed(session, CATALOG)

    def published(self, session: Session, node: Node, record: Record, version: RecordVersion) -> None:
        """From now on."""
        editions.changed(session, CATALOG)

    def withdrawn(self, session: Session, record: Record) -> None:
        """From now on."""
        editions.changed(session, CATALOG)


COMPONENTS: tuple[Component, ...] = (Files(), Verdict(), State(), Words(), Edition())


def prepared(session: Session, node: Node, version: RecordVersion, lake: Version, made: Prepared) -> None:
    """A version was assessed and profiled."""
    for component in COMPONENTS:
        component.prepared(session, node, version, lake, made)


def edited(session: Session, node: Node, actor: Actor, record: Record) -> None:
    """A record was described anew."""
    for component in COMPONENTS:
        component.edited(session, node, actor, record)


def published(session: Session, node: Node, record: Record, version: RecordVersion) -> None:
    """A version is published."""
    for component in COMPONENTS:
        component.published(session, node, record, version)


def withdrawn(session: Session, record: Record, reason: str) -> None:
    """A record is withdrawn."""
    record.withdrawn_reason = reason
    for component in COMPONENTS:
        component.withdrawn(session, record)


def index(session: Session, node: Node, record: Record) -> None:
    """Have a record found by its titles, its description, its holder, and by what is in its data.

    Of data under embargo nothing but the description is found.
    """
    told, holder = record.told, record.organization
    body = [
        *(told.description, told.description_en, *told.keyword, *told.keyword_en, *told.creator, told.publisher),
        *(*told.health_category, *told.coding_system, told.spatial, told.population, told.purpose),
        *(holder.title, holder.title_en, record.name.replace("-", " ")),
    ]
    newest = next((each for each in record.versions if each.state == "published"), None)
    inside, years = [], described_years(told)
    if newest is not None and record.access != "embargoed" and newest.minimum >= record.minimum:
        inside, years = contents.said(node.home, newest.documents), contents.years(node.home, newest.documents) or years
    words.put(session, record.id, f"{record.title} {record.title_en}", [*body, *inside], years)


def described_years(told: Description) -> list[int]:
    """The years that a description names."""
    if told.start is None and told.end is None:
        return []
    first, last = told.start or told.end, told.end or told.start
    return list(range(first.year, last.year + 1))[:200] if first and last else []


@dataclass(frozen=True)
class Told:
    """What a dataset says about itself."""

    title: str
    description: Description


def told_by(version: Version) -> Told:
    """The title and description that CDM_SOURCE and the manifest give, so that a steward has less to write."""
    from madang.science.quality.assess import about_source
    from madang.science.quality.columns import read_columns

    with Engine() as engine:
        version.attach(engine)
        source = about_source(engine, read_columns(engine))
    pack = version.info.get("pack")
    name = pack.get("name", "") if isinstance(pack, dict) else ""
    parts = [
        f"madang {version.kind}",
        f"pack {name}" if name else "",
        str(version.info.get("vocabulary", {}).get("release", "")),
    ]
    description = Description(
        description=str(source.get("source_description", "")),
        description_en=str(source.get("source_description", "")),
        publisher=str(source.get("cdm_holder", "")),
        keyword=("OMOP CDM",),
        keyword_en=("OMOP CDM",),
        coding_system=("OMOP",),
        end=_day(source.get("source_release_date")),
        provenance=", ".join(filter(None, parts)),
        synthetic="synthe" in str(source).lower() or "합성" in str(source),
    )
    return Told(str(source.get("cdm_source_name", "")) or version.dataset.name, description)


def _day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC).date()
    return value if isinstance(value, date) else None
