"""The chain of evidence below a dataset version: what it was made from, who certified it, by which checks, and from
which raw file and line; each room adds its own link above (a release, a permit)."""

from collections.abc import Iterator
from dataclasses import dataclass

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Version
from madang.lake.engine import Engine
from madang.node.acts import label
from madang.node.node import Node
from madang.services import certification


@dataclass(frozen=True)
class Link:
    """One link of the chain: what kind of thing, its name, a sentence about it, and where it is looked at."""

    kind: str
    name: str
    says: str
    address: str = ""


def chain_of(node: Node, reference: str, *, lines: bool) -> Iterator[Link]:
    """The links of a version, from itself down to a raw line; `lines` only for who may see the source.

    An extract leads on to the version that it was made from. A link that cannot be followed stays, with the reason.
    """
    try:
        version = node.home.lake().find(reference)
    except MadangError as error:
        yield Link("version", reference, error.message)
        return
    yield Link("version", version.name, version.digest)
    yield from _certificates(node, version)
    source = version.info.get("source")
    if isinstance(source, str) and "@" in source and source != version.name:
        yield from chain_of(node, source, lines=lines)
        return
    yield from _sources(version, lines)


def _certificates(node: Node, version: Version) -> Iterator[Link]:
    for entry in certification.of_version(node, version.digest):
        number, state = entry.certificate.number, label("certificate", entry.stands)
        yield Link("certificate", number, f"{entry.certificate.scheme}: {state}", f"/certificates/{number}")
        try:
            report = entry.report
        except MadangError as error:
            yield Link("check", entry.certificate.report[:16], error.message, f"/certificates/{number}")
            continue
        results = report.get("quality", report).get("results", [])
        if results:
            failed = sum(1 for each in results if each.get("status") == "failed")
            says = _("{count} checks, {failed} failed").format(count=len(results), failed=failed)
            yield Link("check", entry.certificate.report[:16], says, f"/certificates/{number}")


def _sources(version: Version, lines: bool) -> Iterator[Link]:
    files = list(version.info.get("files", []))
    shown = _example(version) if lines and files else None
    if shown is not None:
        yield shown
    for file in files[:5]:
        yield Link("source", str(file.get("name", "")), _("{count} lines").format(count=file.get("lines", "?")))
    if len(files) > 5:
        yield Link("source", _("and {count} more files").format(count=len(files) - 5), "")


def _example(version: Version) -> Link | None:
    """The raw line of one row, so that the chain ends where it began: the first visit, or the first person."""
    from madang.science.standardize.trace import Tracer

    for table, key in (("visit_occurrence", "visit_occurrence_id"), ("person", "person_id")):
        if table not in version.tables or not version.tables[table].rows:
            continue
        try:
            with Engine() as engine:
                version.attach(engine)
                identifier = int(engine.value(f"SELECT min({key}) FROM {table}"))
            with Engine() as engine:
                found = Tracer(version, engine).row(table, identifier)
        except MadangError:
            continue
        if found.lines:
            line = found.lines[0]
            return Link("line", f"{line.file.name}:{line.line}", f"{table}:{identifier}")
    return None
