"""Every command of `madang`, with one line of help and where its code is. Imports nothing but the rooms' plans, so that
help is instant."""

from dataclasses import dataclass
from importlib.util import resolve_name

from madang.base.translate import _
from madang.node.rooms import plans


@dataclass(frozen=True)
class Entry:
    """One command.

    `target` is "module:attribute", a Typer application or a function with Typer's options; a module without a dot is
    one of app.commands, others are named in full.
    """

    name: str
    help: str
    target: str


def commands() -> list[Entry]:
    """The commands in the order in which a newcomer meets them."""
    of_rooms = [
        Entry(command.name, _(command.help), resolve_name(command.target, plan.package))
        for plan in plans()
        for command in plan.commands
    ]
    return [
        Entry("scan", _("Look at unknown files: encodings, columns, types, keys, identifiers."), "scan:command"),
        Entry("packs", _("List the mapping packs: how a holder's files become CDM tables."), "packs:packs"),
        Entry("pack", _("Start a mapping pack from files, or check one."), "packs:app"),
        Entry("standardize", _("Turn raw files into a version of an OMOP CDM dataset."), "standardize:command"),
        Entry("import", _("Take an OMOP CDM that exists already into the lake."), "import_:command"),
        Entry("datasets", _("List datasets and versions; show, compare, verify, remove."), "datasets:app"),
        Entry("sql", _("Ask a version with one SELECT; table, JSON, CSV or Parquet."), "sql:command"),
        Entry("export", _("Take a version away: DuckDB, Parquet, CSV, PostgreSQL scripts."), "export:command"),
        Entry("trace", _("Follow a record to its source file and line, and back."), "trace:command"),
        Entry("quality", _("Assess a dataset: every check of the field's standard, in seconds."), "quality:app"),
        Entry("privacy", _("Measure how risky a table is, and make it anonymous."), "privacy:app"),
        Entry("mappings", _("Review how source codes are mapped to concepts."), "mappings:app"),
        Entry("vocabulary", _("Load OMOP vocabularies, look concepts up, compare releases."), "vocabulary:app"),
        *of_rooms,
        Entry("outputs", _("Check what may leave after all that left before; protect tables."), "outputs:app"),
        Entry("serve", _("Serve the portal to browsers and programs."), "serve:command"),
        Entry("admin", _("Make accounts, give roles, add organizations."), "admin:app"),
        Entry("audit", _("Read who did what; prove that nothing was changed."), "audit:app"),
        Entry("backup", _("Write a backup of this node while work goes on."), "backup:backup"),
        Entry("restore", _("Put a backup into an empty home."), "backup:restore"),
        Entry("doctor", _("Say what is wrong with this installation, and what to do."), "doctor:doctor"),
        Entry("demo", _("Make the synthetic insurer and hospital and standardize both."), "demo:command"),
        Entry("synthesize", _("Make raw data of people who never lived."), "synthesize:command"),
    ]
