"""Loading a pack: all that can be checked without parsing its SQL, each error with file and line."""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import get_args

from madang.base.errors import MadangError
from madang.science.omop.cdm import TABLES
from madang.science.standardize.hints import did_you_mean, instead_of, listed
from madang.science.standardize.pack_model import (
    CAPTURE,
    EACH,
    SQL_TYPES,
    Column,
    Entity,
    Event,
    Imputed,
    Pack,
    Precision,
    Scalar,
    Source,
)
from madang.science.standardize.toml_lines import KeyPath, read_toml
from madang.science.standardize.toml_table import TomlTable, dotted

SHIPPED = Path(__file__).parent / "packs"

_BYTES = (
    "cp949", "latin-1", "cp1252", "cp932", "euc-jp", "gb18030", "cp950", "cp1250", "iso-8859-2", "iso-8859-15",
    "cp1251", "koi8-r", "cp1253", "cp1254", "cp1257", "cp866", "cp874", "cp850", "mac-roman",
)  # fmt: skip
ENCODINGS = ("utf-8", "utf-16", *_BYTES, "each", *(EACH + one for one in _BYTES))
FORMATS = ("csv", "tsv", "ndjson", "xlsx", "sas", "spss", "stata")
DOMAINS = ("Condition", "Drug", "Procedure", "Measurement", "Observation", "Device", "Specimen")
ENTITY_TABLES = (
    "person", "observation_period", "death", "visit_occurrence", "visit_detail", "location", "care_site", "provider",
    "payer_plan_period", "cost", "note", "episode",
)  # fmt: skip
"""The tables that entities fill. Events fill the tables of the domains and COST; eras and CDM_SOURCE are computed."""

CDM_SOURCE_OWN = ("cdm_version", "cdm_version_concept_id", "vocabulary_version")
"""Fields of CDM_SOURCE that follow from the run."""


def pack_folders(folders: Sequence[Path] = ()) -> dict[str, Path]:
    """All packs that can be named: those shipped, then those in `folders`; of equal names the first."""
    found: dict[str, Path] = {}
    for root in (SHIPPED, *folders):
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if (folder / "pack.toml").is_file():
                found.setdefault(folder.name, folder)
    return found


def load_pack(path_or_name: str | Path, folders: Sequence[Path] = ()) -> Pack:
    """The pack of a name (first those shipped, then those in `folders`), or the pack in a folder.

    Errors: `pack.not_found`, and `pack.*` with file and line for whatever is wrong in pack.toml.
    """
    known = pack_folders(folders)
    if str(path_or_name) in known:
        return _read(known[str(path_or_name)])
    path = Path(path_or_name)
    if path.is_dir():
        return _read(path.resolve())
    raise MadangError(
        "pack.not_found",
        f'There is no pack "{path_or_name}".',
        f"{instead_of(str(path_or_name), known)} A pack can also be given as the folder of its pack.toml.".strip(),
    )


def pack_hash(folder: Path) -> str:
    """SHA-256 over the relative names and the bytes of all files of a pack, hidden ones aside, in order of name."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            digest.update(f"{name.as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _read(folder: Path) -> Pack:
    file = read_toml(folder / "pack.toml", f"{folder.name}/pack.toml")
    top = TomlTable(file, ())
    name = top.take("name", "text", required=True)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        message = f'The name "{name}" has to be small letters and digits, with hyphens between.'
        raise top.error("pack.bad_name", message, key="name")
    version = top.take("version", "text", required=True)
    license_ = top.take("license", "text", required=True)
    title = _texts(top, "title")
    parameters = _scalars(top, "parameters")
    cdm_source = _scalars(top, "cdm_source", required=True)
    sources = {key: _source(table) for key, table in top.children("sources", required=True).items()}
    entities = {key: _entity(table, folder) for key, table in top.children("entities").items()}
    events = {key: _event(table, folder) for key, table in top.children("events").items()}
    imputed = tuple(_imputed(table, {**entities, **events}) for table in top.list_of_tables("imputed"))
    top.finish()
    _check_names(top, sources, entities)
    _check_cdm_source(top, cdm_source)
    _check_files(folder, entities, events)
    return Pack(
        name=name,
        version=version,
        license=license_,
        title=MappingProxyType(title or {"en": name}),
        folder=folder,
        parameters=MappingProxyType(parameters),
        cdm_source=MappingProxyType(cdm_source),
        sources=MappingProxyType(sources),
        entities=MappingProxyType(entities),
        events=MappingProxyType(events),
        sha256=pack_hash(folder),
        imputed=imputed,
        lines=MappingProxyType(file.lines),
    )


def _texts(top: TomlTable, key: str) -> dict[str, str]:
    """A text by language, as `{ en = "...", ko = "..." }`."""
    top.known.append(key)
    if key not in top.values:
        return {}
    table = TomlTable(top.file, (*top.path, key))
    texts = {language: table.take(language, "text", "") for language in ("en", "ko")}
    table.finish()
    return {language: text for language, text in texts.items() if text}


def _scalars(top: TomlTable, key: str, required: bool = False) -> dict[str, Scalar]:
    """A table of single values."""
    values = top.take(key, "a table", {}, required=required)
    table = TomlTable(top.file, (*top.path, key))
    for name, value in values.items():
        if not isinstance(value, str | int | float | bool | date):
            message = f"{dotted((*table.path, name))} has to be a single value: text, number, true or false, or date."
            raise table.error("pack.wrong_type", message, key=name)
    return dict(values)


def _source(table: TomlTable) -> Source:
    name = str(table.path[-1])
    format_ = table.take("format", "text", "csv", among=FORMATS)
    columns = {key: _column(child, format_) for key, child in table.children("columns", required=True).items()}
    source = Source(
        name=name,
        files=table.take("files", "a list of texts", required=True),
        columns=MappingProxyType(columns),
        format=format_,
        encoding=table.take("encoding", "text", "utf-8", among=ENCODINGS),
        delimiter=table.take("delimiter", "text", "\t" if format_ == "tsv" else ","),
        quoted_newlines=table.take("quoted_newlines", "true or false", False),
        kind=table.take("kind", "text", "snapshot", among=("snapshot", "delta")),
        key=table.take("key", "a list of texts", ()),
        latest=table.take("latest", "text"),
        version=table.take("version", "text"),
        operation=table.take("operation", "text"),
        withdraw=table.take("withdraw", "a list of texts", ()),
        period=table.take("period", "text"),
        within=table.take("within", "true or false", False),
        optional=table.take("optional", "true or false", False),
        missing=table.take("missing", "a list of texts", ()),
        other_layouts=MappingProxyType(_told(table, "other_layouts")),
        sheet=table.take("sheet", "text", ""),
        resource=table.take("resource", "text", ""),
        extra_columns=table.take("extra_columns", "text", "refuse", among=("refuse", "ignore")),
    )
    table.finish()
    _check_source(table, source)
    return source


def _told(table: TomlTable, key: str) -> dict[str, str]:
    """A table of sentences."""
    values: dict[str, str] = table.take(key, "a table", {})
    if not all(isinstance(text, str) for text in values.values()):
        raise table.error("pack.wrong_type", f"{dotted((*table.path, key))} has to hold texts.", key=key)
    return dict(values)


def _check_source(table: TomlTable, source: Source) -> None:
    """What has to hold between the keys of one source."""

    def refuse(key: str, message: str, hint: str = "") -> MadangError:
        return table.error("pack.contradiction", f"{dotted((*table.path, key))}: {message}", hint, key)

    if not source.files:
        raise refuse("files", "at least one file has to be named.")
    for pattern in source.files:
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts or "\\" in pattern:
            raise refuse("files", f'"{pattern}" has to lie within the source folder, with / between folders.')
        for word in CAPTURE.findall(pattern):
            if not word.isidentifier():
                raise refuse("files", f'"{{{word}}}" in "{pattern}" has to be a word.')
    if not source.columns:
        raise refuse("columns", "at least one column has to be declared.")
    if len(source.delimiter) != 1 or source.delimiter in '"\r\n':
        raise refuse("delimiter", "it has to be a single character, not a quote or a line break.")
    for word in source.captures:
        if word.lower() in {column.lower() for column in source.columns}:
            raise refuse("files", f'"{{{word}}}" is the name of a column already.')
    _check_columns(table, source)
    kept = source.schema
    for key in source.key:
        if key not in kept:
            if key in source.columns:
                raise refuse("key", f"{key} is a direct identifier, which never leaves the source.")
            raise refuse("key", f"{key} is not a column of this source.", did_you_mean(key, kept))
    if source.kind == "delta" and not source.key:
        raise refuse("kind", "a delta needs a key, by which its rows correct earlier ones.")
    if source.latest is not None and (source.kind == "delta" or not source.key):
        raise refuse("latest", "only a snapshot with a key has versions of its rows.")
    if source.latest is not None and kept.get(source.latest) != "VARCHAR":
        hint = did_you_mean(source.latest, kept)
        raise refuse("latest", f"{source.latest} is not a text column of this source.", hint)
    if source.version is not None and (source.latest is None or kept.get(source.version) != "VARCHAR"):
        raise refuse("version", "it needs a text column of this source, and latest.")
    if source.operation is not None and source.kind != "delta":
        raise refuse("operation", "only a delta has an operation.", 'Say kind = "delta".')
    if source.operation is not None and source.operation not in kept:
        hint = did_you_mean(source.operation, kept)
        raise refuse("operation", f"{source.operation} is not a column of this source.", hint)
    if bool(source.withdraw) != (source.operation is not None):
        key = "withdraw" if source.withdraw else "operation"
        raise refuse(key, "operation and withdraw go together: the column, and its values that withdraw a row.")
    if source.period is not None and any(source.period not in CAPTURE.findall(pattern) for pattern in source.files):
        raise refuse("period", f'every file pattern needs the capture "{{{source.period}}}".')
    if source.within and source.period is None:
        raise refuse("within", "it needs a period.")
    if source.resource and source.format != "ndjson":
        raise refuse("resource", "only an ndjson source has resources.")


def _check_columns(table: TomlTable, source: Source) -> None:
    seen: dict[str, str] = {}
    headers: dict[str, str] = {}
    for column in source.columns.values():
        at = dotted((*table.path, "columns", column.name))
        path = (*table.path, "columns", column.name)
        if column.name.lower() == "_row":
            raise table.file.error("pack.bad_name", path, f"{at}: the name _row is kept for the engine.")
        if column.name.lower() in seen:
            message = f"{at} and {seen[column.name.lower()]} differ only in case, which SQL does not tell apart."
            raise table.file.error("pack.contradiction", path, message)
        seen[column.name.lower()] = column.name
        label = column.path or column.header or column.name
        label += f" by {column.by}" if column.reference else " as identifiers" if column.identifiers else ""
        if label in headers:
            message = f'{at} and {headers[label]} both read "{label}" of the file.'
            raise table.file.error("pack.contradiction", path, message)
        headers[label] = column.name


def _column(table: TomlTable, format_: str) -> Column:
    column = Column(
        name=str(table.path[-1]),
        type=table.take("type", "text", required=True, among=tuple(SQL_TYPES)),
        required=table.take("required", "true or false", False),
        identifier=table.take("identifier", "text", among=("none", "direct", "pseudonym")),
        format=table.take("format", "text"),
        thousands=table.take("thousands", "text"),
        decimal=table.take("decimal", "text"),
        first_year=table.whole_number("first_year", None, 1, 9900),
        header=table.take("header", "text"),
        path=table.take("path", "text"),
        extract=table.take("extract", "text"),
        reference=table.take("reference", "a list of texts", ()),
        besides=table.take("besides", "a list of texts", ()),
        by=table.take("by", "text", "id", among=("id", "identifier", "value")),
        identifiers=table.take("identifiers", "true or false", False),
        missing=table.take("missing", "a list of texts", ()),
        zoned=table.take("zoned", "true or false", False),
    )
    table.finish()
    at = dotted(table.path)
    if column.zoned and column.type != "text":
        raise table.error("pack.contradiction", f"{at}.zoned: only text has it; dates are zoned anyway.", key="zoned")
    if column.reference and (format_ != "ndjson" or column.type != "text" or column.extract is not None):
        message = f"{at}.reference: only text of an ndjson source without extract has it."
        raise table.error("pack.contradiction", message, key="reference")
    if column.identifiers and (format_ != "ndjson" or column.type != "text" or column.extract or column.reference):
        message = f"{at}.identifiers: only text of an ndjson source without extract or reference has it."
        raise table.error("pack.contradiction", message, key="identifiers")
    if not column.reference and (column.besides or column.by != "id"):
        key = "besides" if column.besides else "by"
        raise table.error("pack.contradiction", f"{at}.{key}: only a column with reference has it.", key=key)
    if column.format is not None and column.type not in ("date", "time", "datetime"):
        message = f"{at}.format: only a date, time or datetime has a format, and this column is {column.type}."
        raise table.error("pack.contradiction", message, key="format")
    for key, mark in (("thousands", column.thousands), ("decimal", column.decimal)):
        if mark is not None and column.type not in ("integer", "number"):
            message = f"{at}.{key}: only an integer or number has it, and this column is {column.type}."
            raise table.error("pack.contradiction", message, key=key)
        if mark is not None and (len(mark) != 1 or mark in "0123456789+-eE"):
            raise table.error("pack.contradiction", f"{at}.{key} has to be a single mark.", key=key)
    if column.thousands is not None and column.thousands == (column.decimal or "."):
        raise table.error("pack.contradiction", f"{at}: thousands and decimal are the same mark.", key="thousands")
    two_digits = "%y" in (column.format or "")
    if two_digits and column.first_year is None:
        message = f"{at}: the format {column.format} has years of two digits, and nothing says of which century."
        hint = "Say first_year = 1925, if 25 is 1925 and 24 is 2024; births and visits may need different ones."
        raise table.error("pack.contradiction", message, hint, "format")
    if column.first_year is not None and not two_digits:
        raise table.error("pack.contradiction", f"{at}.first_year: only a format with %y has it.", key="first_year")
    if column.path is not None and format_ != "ndjson":
        message = f"{at}.path: only an ndjson source has paths."
        raise table.error("pack.contradiction", message, "Use header for the name in a csv or tsv file.", "path")
    if column.header is not None and format_ == "ndjson":
        message = f"{at}.header: an ndjson source has no header."
        raise table.error("pack.contradiction", message, "Use path.", "header")
    if column.extract is not None:
        _check_extract(table, column)
    if column.identifier == "pseudonym" and column.type != "text":
        message = f"{at}: a pseudonym is text, and this column is {column.type}."
        raise table.error("pack.contradiction", message, 'Say type = "text".', "type")
    return column


def _check_extract(table: TomlTable, column: Column) -> None:
    """A regular expression with one group, for text."""
    at = f"{dotted(table.path)}.extract"
    if column.type != "text":
        message = f"{at}: only text has it, and this column is {column.type}."
        raise table.error("pack.contradiction", message, key="extract")
    try:
        groups = re.compile(column.extract or "").groups
    except re.error as error:
        raise table.error("pack.contradiction", f"{at} is no regular expression: {error}.", key="extract") from None
    if groups != 1:
        hint = "Write (?:...) around what is not the value."
        raise table.error("pack.contradiction", f"{at} needs exactly one group, the value.", hint, "extract")


def _entity(table: TomlTable, folder: Path) -> Entity:
    name = str(table.path[-1])
    cdm_table = table.take("table", "text", name)
    if cdm_table not in ENTITY_TABLES:
        key = "table" if "table" in table.values else None
        message = f'{dotted(table.path)}: entities do not fill a table "{cdm_table}".'
        hint = did_you_mean(cdm_table, ENTITY_TABLES) or f"They fill {listed(ENTITY_TABLES)}; say which as table = ...."
        raise table.error("pack.unknown_table", message, hint, key)
    path = folder / "entities" / f"{name}.sql"
    entity = Entity(
        name=name,
        table=cdm_table,
        key=table.take("key", "a list of texts", ()),
        alternate_keys=_alternate_keys(table),
        names=table.take("names", "a list of texts", ()),
        extra=table.take("extra", "a list of texts", ()),
        sql_path=path,
        sql=_sql(table, path, folder),
        type_concept_id=table.whole_number("type_concept_id", None, 0, 2**31 - 1),
    )
    table.finish()
    if entity.names and cdm_table == "death":
        message = f"{dotted(table.path)}.names: rows of DEATH have no identifier of their own."
        raise table.error("pack.contradiction", message, key="names")
    return entity


def _alternate_keys(table: TomlTable) -> tuple[tuple[str, ...], ...]:
    """One other key, as a list of columns, or several, as a list of such lists."""
    table.known.append("alternate_key")
    value = table.values.get("alternate_key", [])
    lists = value if isinstance(value, list) and value and isinstance(value[0], list) else [value] if value else []
    if not isinstance(value, list) or not all(isinstance(c, str) for key in lists for c in key):
        message = f"{dotted((*table.path, 'alternate_key'))} has to be a list of texts, or a list of such lists."
        raise table.error("pack.wrong_type", message, key="alternate_key")
    return tuple(tuple(key) for key in lists)


def _event(table: TomlTable, folder: Path) -> Event:
    name = str(table.path[-1])
    path = folder / "events" / f"{name}.sql"
    event = Event(
        name=name,
        domain=table.take("domain", "text", required=True, among=DOMAINS),
        sql_path=path,
        sql=_sql(table, path, folder),
        type_concept_id=table.whole_number("type_concept_id", None, 0, 2**31 - 1),
        vocabulary=table.take("vocabulary", "text"),
        fan_out=table.whole_number("fan_out", 8, 1, 1024) or 8,
        items=table.whole_number("items", 1, 1, 65536) or 1,
    )
    table.finish()
    return event


def _imputed(table: TomlTable, selects: Collection[str]) -> Imputed:
    imputed = Imputed(
        of=table.take("of", "text", required=True),
        column=table.take("column", "text", required=True),
        precision=table.take("precision", "text", required=True, among=get_args(Precision)),
        rule=table.take("rule", "text", required=True),
    )
    table.finish()
    if imputed.of not in selects:
        message = f'{dotted(table.path)}.of: there is no entity or event "{imputed.of}".'
        raise table.error("pack.unknown_value", message, instead_of(imputed.of, selects), "of")
    return imputed


def _check_cdm_source(top: TomlTable, given: Mapping[str, Scalar]) -> None:
    """CDM_SOURCE has one row, and its versions are for Madang to say."""
    path = (*top.path, "cdm_source")
    told = [name for name in TABLES["cdm_source"].names if name not in CDM_SOURCE_OWN]
    for name in given:
        if name in CDM_SOURCE_OWN:
            raise top.file.error("pack.contradiction", (*path, name), f"cdm_source.{name} is filled in by Madang.")
        if name not in told:
            message = f"CDM_SOURCE has no field {name}."
            raise top.file.error("pack.unknown_key", (*path, name), message, instead_of(name, told))


def _sql(table: TomlTable, path: Path, folder: Path) -> str:
    """The text of the SELECT of an entity or event."""
    label = path.relative_to(folder).as_posix()
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError:
        near = did_you_mean(path.stem, (other.stem for other in path.parent.glob("*.sql")))  # .sql makes all alike
        message = f"{dotted(table.path)} needs the file {label}, which is missing."
        raise table.error("pack.missing_file", message, near) from None
    except UnicodeDecodeError as error:
        message = f"{label} is not UTF-8 text (byte {error.start})."
        raise table.error("pack.unreadable", message, "Save the file as UTF-8.") from None
    except OSError as error:
        raise table.error("pack.unreadable", f"{label} cannot be read: {error.strerror}.") from None


def _check_names(top: TomlTable, sources: Mapping[str, Source], entities: Mapping[str, Entity]) -> None:
    """Sources, entities and their members share the names that SELECTs may use."""
    taken: dict[str, str] = {}
    for group, names in (("sources", sources), ("entities", entities)):
        for name in names:
            path: KeyPath = (group, name)
            if not name.isidentifier() or name.startswith("_") or name.lower().endswith("_members"):
                message = f'"{name}" cannot be a name: a word is needed, not beginning with _ nor ending in _members.'
                raise top.file.error("pack.bad_name", path, message)
            if name.lower() in taken:
                message = f"{dotted(path)}: the name is taken by {taken[name.lower()]}."
                raise top.file.error("pack.contradiction", path, message)
            taken[name.lower()] = dotted(path)
    for entity in entities.values():
        for table in entity.name_tables:
            if table.lower() in taken:
                message = f"entities.{entity.name}.names makes a table {table}, a name that is taken."
                raise top.file.error("pack.contradiction", ("entities", entity.name, "names"), message)


def _check_files(folder: Path, entities: Mapping[str, Entity], events: Mapping[str, Event]) -> None:
    """A SELECT that pack.toml does not name would be silently out of work."""
    for kind, named in (("entities", entities), ("events", events)):
        for path in sorted((folder / kind).glob("*.sql")):
            if path.stem not in named:
                raise MadangError(
                    "pack.unused_file",
                    f"{folder.name}/{kind}/{path.name} is not named in pack.toml.",
                    f"Add [{kind}.{path.stem}], or remove the file.",
                )


__all__ = [
    "SHIPPED", "SQL_TYPES", "Column", "Entity", "Event", "Pack", "Scalar", "Source",
    "load_pack", "pack_folders", "pack_hash",
]  # fmt: skip
