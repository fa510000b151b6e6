"""How the tables of a CDM dataset hang on persons: what goes with a person who is removed."""

from pathlib import Path
from typing import TYPE_CHECKING

from madang.base.errors import MadangError

if TYPE_CHECKING:
    from madang.lake import Engine, Version
    from madang.lake.persons import Link

PSEUDONYM = "[0-9a-f]{32}"
SOURCE = "src_"  # how the companion's copies of source tables begin
# Concept identifiers of domains, as FACT_RELATIONSHIP uses them.
FACT_DOMAINS = {
    56: "person",
    8: "visit_occurrence",
    10: "procedure_occurrence",
    13: "drug_exposure",
    17: "device_exposure",
    19: "condition_occurrence",
    21: "measurement",
    27: "observation",
    36: "specimen",
    5085: "note",
}


def links_of(
    version: "Version", person_columns: list[str], without_persons: list[str], engine: "Engine"
) -> "list[Link]":
    """The ties between tables of `version`: those of the CDM, and those of the companion.

    Columns of kept source tables that name the person by pseudonym are found by themselves, others are
    `person_columns`. Without pseudonyms, a kept source table that has no such column and is not among
    `without_persons` is an error: it must not stay in silence.
    """
    from madang.lake.persons import Link
    from madang.science.omop.cdm import DOMAIN_TABLES, TABLES

    keys = {name: table.primary_key.name for name, table in TABLES.items() if table.primary_key}
    links = [
        Link("note_nlp", "note_id", "note", "note_id"),
        Link("episode_event", "episode_id", "episode", "episode_id"),
        Link("cohort", "subject_id", "person", "person_id"),
    ]
    for domain, table in {**DOMAIN_TABLES, "Visit Detail": "visit_detail"}.items():
        links.append(Link("cost", "cost_event_id", table, keys[table], f"cost_domain_id = '{domain}'"))
    for concept, table in FACT_DOMAINS.items():
        for side in (1, 2):
            condition = f"domain_concept_id_{side} = {concept}"
            links.append(Link("fact_relationship", f"fact_id_{side}", table, keys[table], condition))
    for writer in version.info.get("writers", ()):
        for table in writer["tables"]:
            if table in keys:
                entity = writer["select"].replace("'", "''")
                links.append(Link("members", "id", table, keys[table], f"entity = '{entity}'"))
    found = person_columns_of(version, engine)
    for name, kept in version.companion.items():
        if not name.startswith(SOURCE):
            continue
        columns = [column for column, _ in kept.schema if column in person_columns]
        if found is not None:
            columns += [column for column in found.get(name, ()) if column not in columns]
        elif not columns and name not in without_persons and name.removeprefix(SOURCE) not in without_persons:
            raise MadangError(
                "datasets.unlinked",
                f"It is not known which column of the kept source table {name} names the person.",
                "Give --person-column COLUMN, or --without-persons TABLE if it holds nothing about persons.",
            )
        links += [Link(name, column, "person", "person_source_value") for column in columns]
    return links


def person_columns_of(version: "Version", engine: "Engine") -> dict[str, list[str]] | None:
    """The columns of kept source tables in which pseudonyms of persons stand; None if persons have no pseudonyms.

    A pseudonym is a keyed hash, so a column that holds one of them cannot do so by chance. Where a holder's own
    identifiers are kept as they are, a number may mean anything, and the caller has to say which column it is.
    """
    from madang.lake import quote_name

    version.attach(engine, "_open")
    version.attach(engine, "_closed", restricted=True)
    person = version.tables.get("person")
    if person is None or "person_source_value" not in dict(person.schema):
        return None
    hashed = f"regexp_full_match(coalesce(person_source_value::VARCHAR, ''), '{PSEUDONYM}')"
    if not engine.value(f"SELECT bool_and({hashed}) FROM _open.person"):
        return None
    columns: dict[str, list[str]] = {}
    for name, kept in version.companion.items():
        texts = [column for column, kind in kept.schema if kind == "VARCHAR" and name.startswith(SOURCE)]
        for column in texts:
            table = f"_closed.{quote_name(name)}"
            within = f"{quote_name(column)} IN (SELECT person_source_value FROM _open.person)"
            if engine.value(f"SELECT EXISTS (FROM {table} WHERE {within})"):
                columns.setdefault(name, []).append(column)
    return columns


def read_identifiers(text: str, file: Path | None) -> list[int]:
    """The identifiers of persons in a text with commas and in a file of lines."""
    words = [word for word in text.split(",") if word.strip()]
    if file is not None:
        try:
            words += [line for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise MadangError("datasets.no_list", f"The list of persons {file} cannot be read: {error}.") from None
    identifiers = []
    for number, word in enumerate(words, start=1):
        try:
            identifier = int(word)
        except ValueError:
            identifier = -1
        if not 0 <= identifier < 1 << 63:
            raise MadangError("datasets.person_id", f"Entry {number} of the list is no PERSON_ID.")
        identifiers.append(identifier)
    if not identifiers:
        raise MadangError("datasets.no_persons", "No person was named.", "Give --ids or --file.")
    return identifiers
