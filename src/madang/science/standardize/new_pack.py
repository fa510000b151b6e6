"""A first pack from a scan: what can be known is written, what has to be decided is marked `DECIDE`.

The draft loads as it is, and compiles where the scan found persons; its comments say why each guess was made.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from madang.base.errors import MadangError
from madang.science.standardize.new_pack_roles import AGE_GROUP, Roles, entity_key, find_roles, is_day
from madang.science.standardize.new_pack_sql import death_sql, event_sql, person_sql, since_1800, visit_sql
from madang.science.standardize.scan.model import ColumnScan, Scan, SourceScan
from madang.science.standardize.scan.shapes import SOME_WITHOUT_A_DAY, STRONG

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_DIRECT = ("name", "resident number", "phone", "e-mail", "address", "identity document")


def new_pack(name: str, scan: Scan, to: Path) -> Path:
    """Write the folder `to`/`name` from a scan and return it.

    Raises `MadangError` where the name is none for a pack, where the folder exists already, where the scan found no
    source, or where the folder cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise MadangError(
            "pack.bad_name", f"{name} is no name of a pack.", "Use lower-case letters, digits and hyphens: my-hospital."
        )
    if not scan.sources:
        raise MadangError("pack.no_sources", f"No file in {scan.folder} could be read.", "Look at madang scan first.")
    folder = to / name
    roles = find_roles(scan)
    files = {
        "pack.toml": _pack_toml(name, scan, roles),
        "README.md": _readme(name, scan, roles),
    }
    if roles.person:
        files["entities/person.sql"] = person_sql(roles)
        files["cases/one-person.toml"] = _case(roles)
    if roles.death or roles.deaths:
        files["entities/death.sql"] = death_sql(roles)
    if roles.visit:
        files["entities/visit_occurrence.sql"] = visit_sql(roles)
    for event in roles.events:
        files[f"events/{event.source.name}.sql"] = event_sql(event, roles, name)
    try:
        folder.mkdir(parents=True)
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise MadangError("pack.exists", f"{folder} exists already.", "Choose another name, or take it away.") from None
    except OSError as error:
        raise MadangError(
            "pack.write", f"{folder} cannot be written: {error.strerror}.", "Give another --to."
        ) from error
    return folder


# pack.toml


def _pack_toml(name: str, scan: Scan, roles: Roles) -> str:
    parts = [
        f"# Draft made from a scan of {scan.folder}. A word in capitals marks what needs your knowledge of the data;\n"
        "# `madang pack check` counts these places.\n"
        f"name = {_quoted(name)}\n"
        'version = "0.1.0"\n'
        'license = "CC0-1.0"  # DECIDE: under which terms others may use this pack\n'
        f"title = {{ en = {_quoted(name + ' to OMOP CDM 5.4')} }}\n",
        "[cdm_source]\n"
        f"cdm_source_name = {_quoted(name)}  # DECIDE: the full name of the data\n"
        f"cdm_source_abbreviation = {_quoted(name[:25])}\n"
        f"cdm_holder = {_quoted(name)}  # DECIDE: the institution that holds the data\n",
    ]
    drafted = [source for source in scan.sources if source.name not in roles.undrafted]
    missing = sorted({mark for source in drafted for column in source.columns for mark in column.missing} & STRONG)
    parts += [_source_toml(source, roles, missing) for source in drafted] or ["[sources]\n"]
    if roles.undrafted:
        parts.append(
            "# What follows is read by no SELECT, so it is a comment. Its files are not read; each run names them.\n"
            "# DECIDE: take the # away from what you need, and write a SELECT for it.\n"
        )
    parts += [
        "".join(
            f"{line}\n" if line.startswith("#") else f"# {line}\n" if line else "#\n"
            for line in _source_toml(source, roles, []).replace("DECIDE: ", "").rstrip("\n").split("\n")
        )
        for source in scan.sources
        if source.name in roles.undrafted
    ]
    if roles.person:
        key = _quoted(entity_key(roles.person_key, "person"))
        parts.append(f"[entities.person]\nkey = [{key}]\ntype_concept_id = 32817\n")
    if roles.death or roles.deaths:
        parts.append('[entities.death]\nkey = ["person_id"]\ntype_concept_id = 32817\n')
    if roles.visit:
        key = _quoted(entity_key(roles.visit_key, "visit"))
        parts.append(f"[entities.visit_occurrence]\nkey = [{key}]\ntype_concept_id = 32817\n")
    parts += [
        f"[events.{_key(event.source.name)}]\n"
        f"domain = {_quoted(event.domain)}  # DECIDE: {event.why}; codes without a standard concept go there\n"
        "type_concept_id = 32817  # EHR\n"
        for event in roles.events
    ]
    return "\n".join(parts)


def _source_toml(source: SourceScan, roles: Roles, missing: Sequence[str]) -> str:
    lines = [f"# {source.rows:,} rows in {len(source.files)} files."]
    if source.name in roles.undrafted:
        lines.append(f"# No draft, because {roles.undrafted[source.name]}.")
    if not source.header:
        lines.append("# DECIDE: the first line of these files names no columns; put a header line before them.")
    lines += [f"[sources.{_key(source.name)}]", f"files = [{', '.join(map(_quoted, source.patterns))}]"]
    if source.format != "csv":
        lines.append(f"format = {_quoted(source.format)}")
    if source.encoding != "utf-8" or source.ask:
        asked = f"  # DECIDE: {source.ask}" if source.ask else ""
        lines.append(f"encoding = {_quoted(source.encoding)}{asked}")
    if source.format == "csv" and source.delimiter != ",":
        lines.append(f"delimiter = {_quoted(source.delimiter)}")
    if source.quoted_newlines:
        lines.append("quoted_newlines = true")
    key = _usable_key(source, roles)
    few = source.rows < MANY and any(event.source is source for event in roles.events)
    if missing:
        lines.append(f"missing = [{', '.join(map(_quoted, missing))}]  # words that say that there is no value")
    if not key and source.likely_keys and source.name not in roles.undrafted:
        lines.append(f"# DECIDE: key = [...]? Rows that come again are rejected by it: {_listed_keys(source)}.")
    if key:
        lines.append(f"key = [{', '.join(map(_quoted, key))}]  # {_why_key(key, source, few)}")
    captures = re.findall(r"\{(\w+)\}", source.patterns[0])
    if captures and source.operation and key:
        lines += [
            f"period = {_quoted(captures[-1])}",
            'kind = "delta"  # DECIDE: do later files correct rows of earlier ones?',
            f"operation = {_quoted(source.operation)}",
            f"withdraw = [{_quoted(source.withdraw)}]  # DECIDE: the values that withdraw a row",
        ]
    elif captures:
        lines.append(f"period = {_quoted(captures[-1])}  # DECIDE: does it order the deliveries?")
        lines.append('# kind = "delta"  # DECIDE: do later files correct rows of earlier ones? Then by which key?')
    lines += ["", f"[sources.{_key(source.name)}.columns]"]
    lines += [_column_toml(column, source, key or (), roles) for column in source.columns]
    return "\n".join(lines) + "\n"


def _usable_key(source: SourceScan, roles: Roles) -> tuple[str, ...] | None:
    """The key of a source: that by which others find its person or visit, else the likeliest without names."""
    wanted = {
        roles.person.name if roles.person else "": (roles.person_key,),
        roles.visit.name if roles.visit else "": (roles.visit_key,),
    }.get(source.name)
    direct = {column.name for column in source.columns if is_direct(column)}
    usable = [key for key in source.likely_keys if not direct & set(key)]
    if source is roles.deaths:  # several rows of one person are one death
        return None
    if wanted is not None:
        return wanted if wanted in usable and not (roles.several and source is roles.person) else None
    # Of records a guess must reject nothing: only what never repeats and is called a key is one, and not the number of
    # the visit that they are of: the next file may have two of one visit.
    visits = {(name,) for of, name in roles.visit_numbers if of == source.name}
    sure = [
        key for key in usable if key in source.keys and key not in visits and all(_KEY.search(name) for name in key)
    ]
    if source.operation:
        sure = sure or usable
    return next(iter(sure), None)


MANY = 5_000
"""Rows of a file of records from which on a number that never repeats is taken for that of the row."""
_KEY = re.compile(r"id$|_?no$|num$|key$|seq|순번|번호|_sn$|auftrag", re.IGNORECASE)


def _listed_keys(source: SourceScan) -> str:
    told = [" + ".join(key) for key in source.likely_keys[:3]]
    return (
        f"{', '.join(told)} never {'repeat' if len(told) > 1 else 'repeats'} in these files"
        if source.keys
        else (f"{', '.join(told)} nearly never repeat")
    )


def _why_key(key: tuple[str, ...], source: SourceScan, asked: bool) -> str:
    """The comment beside a key."""
    others = [" + ".join(other) for other in source.likely_keys if other != key][:3]
    if source.keys:
        few = "; DECIDE: is it the number of a row, in files to come as well?" if asked else ""
        also = f"; also without repetition: {', '.join(others)}" if others else ""
        return f"never repeats in these files{also}{few}"
    also = f"; nearly as rare: {', '.join(others)}" if others else ""
    if source.operation:
        return f"repeats where rows are corrected{also}; DECIDE"
    distinct = next(one.distinct for one in source.columns if one.name == key[0])
    count = f"{source.rows - distinct:,}" if len(key) == 1 else "a few"
    exactly = f" ({source.repeated:,} exactly)" if source.repeated else ""
    return f"{count} rows repeat{exactly}{also}; DECIDE"


def is_direct(column: ColumnScan) -> bool:
    """Whether a column is taken for a direct identifier, which never leaves the source."""
    return any(flag.kind in _DIRECT for flag in column.flags)


def _column_toml(column: ColumnScan, source: SourceScan, key: tuple[str, ...], roles: Roles) -> str:
    person = any(flag.kind == "person identifier" for flag in column.flags) and not is_direct(column)
    code = any(column.name in (event.code, event.system) for event in roles.events if event.source is source)
    visit = (source.name, column.name) in roles.visit_numbers and not person and not is_direct(column)
    as_text = person or is_direct(column) or code or visit
    entries = [f'type = "{"text" if as_text else column.type}"']
    comments = []
    if (column.name in key or column.name == roles.persons.get(source.name)) and column.empty == 0:
        entries.append("required = true")
    if is_direct(column):
        entries.append('identifier = "direct"')
    elif person or visit:
        entries.append('identifier = "pseudonym"')
    elif column.format and not as_text:
        entries.append(f"format = {_quoted(column.format)}")
    if not as_text:
        for word, mark in (("thousands", column.thousands), ("decimal", column.decimal)):
            if mark:
                entries.append(f"{word} = {_quoted(mark)}")
        if column.first_year:
            entries.append(f"first_year = {column.first_year}")
    own = [mark for mark in column.missing if mark not in STRONG]
    if own and not is_direct(column):
        entries.append(f"missing = [{', '.join(map(_quoted, own))}]")
        comments.append(f"DECIDE: does {' or '.join(own[:3])} mean that there is none?")
    if column.ask and not as_text:
        comments.append(f"DECIDE: {column.ask}")
    if source.format == "ndjson":
        entries.append(f"path = {_quoted(column.path or column.header)}")
    elif column.header != column.name:
        entries.append(f"header = {_quoted(column.header)}")
    if visit:
        comments.append("the number of a visit")
    if column.label:
        comments.append(" ".join(column.label.split()))
    if column.labels:
        comments.append(", ".join(f"{value}: {' '.join(label.split())}" for value, label in column.labels[:10]))
    comments += [f"DECIDE: {flag.kind}? {flag.why}" for flag in column.flags]
    if not column.flags and column.shape not in ("text", column.type):
        comments.append(column.shape + (f" in {column.fits:.1%} of rows" if column.fits < 1 else ""))
    if column.empty:
        share = column.filled / (column.filled + column.empty)
        comments.append("always empty" if not column.filled else f"filled in {share:.1%} of rows")
    comment = f"  # {'; '.join(comments)}" if comments else ""
    return f"{_key(column.name)} = {{ {', '.join(entries)} }}{comment}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


# The first case


def _case(roles: Roles) -> str:
    """One made-up person; no value is from the files but the code of a sex that many rows have."""
    source = roles.person
    assert source is not None
    row = {roles.person_key: "A1"}
    for column in source.columns:
        if column.name in (_usable_key(source, roles) or ()) and column.name not in row:
            row[column.name] = "1"
    expected = {}
    if roles.birth:
        dated = is_day(roles.birth)
        row[roles.birth.name] = _date_text(roles.birth) if dated else "180" if since_1800(roles.birth) else "1980"
        expected["year_of_birth"] = "1980"
    elif roles.age and roles.age_of:
        group = AGE_GROUP.search(roles.age.header)
        dated = is_day(roles.age_of)
        row[roles.age.name], row[roles.age_of.name] = (
            ("9" if group else "40"),
            _date_text(roles.age_of, 2020) if dated else "2020",
        )
        if roles.age_unit:
            row[roles.age_unit.name] = "year"
        expected["year_of_birth"] = "1978" if group else "1980"
    if roles.sex:
        value, concept = roles.sexes[0]
        row[roles.sex.name] = value
        expected["gender_concept_id"] = str(concept)
    given = "\n".join(f"{_key(name)} = {_quoted(value)}" for name, value in row.items())
    wanted = "\n".join(f"{name} = {value}" for name, value in expected.items())
    known = roles.birth or roles.age
    fate = "used" if known else "rejected: year of birth is unknown"
    expect = f"[[expect.person]]\n{wanted}\n" if known else "[expect]\nperson = []\n"
    return (
        "# A case gives source rows, all made up, and the rows that must come out. `madang pack check` runs it.\n"
        'title = "One person"\n\n'
        f"[[given.{_key(source.name)}]]\n{given}\n\n{expect}\n[fates]\n{_key(source.name)} = [{_quoted(fate)}]\n"
    )


def _date_text(column: ColumnScan, year: int = 1980) -> str:
    from datetime import datetime

    default = "%Y-%m-%dT%H:%M:%S" if column.type == "datetime" else "%Y-%m-%d"
    if column.shape.endswith(SOME_WITHOUT_A_DAY):
        default = "%Y%m%d" if column.shape.startswith("YYYYMM") else f"%Y{column.shape[4]}%m{column.shape[4]}%d"
    return datetime(year, 1, 2, 3, 4, 5).strftime(column.format or default)


# README.md


def _readme(name: str, scan: Scan, roles: Roles) -> str:
    flagged = [
        f"| {source.name} | {column.name} | {', '.join(f'{flag.kind} ({flag.certainty})' for flag in column.flags)} | "
        f"{'direct, never leaves the source' if is_direct(column) else 'pseudonym'} |"
        for source in scan.sources
        for column in source.columns
        if column.flags
    ]
    lines = [
        f"# {name}",
        "",
        f"A draft made from a scan of `{scan.folder}`: {len(scan.sources)} sources, "
        f"{sum(source.rows for source in scan.sources):,} rows.",
        "",
        "## What to do",
        "",
        "1. Search for `DECIDE` in all files here, and decide.",
        "2. Check the table of identifiers below with whoever is responsible for privacy.",
        f"3. `madang pack check {name}` says what does not fit; `cases/` holds examples that it runs. Add some.",
        f"4. `madang standardize --pack {name} --source DIR --vocabulary DIR --into NAME`.",
        "",
        "## Identifiers found",
        "",
        *(["| source | column | why | treated as |", "|---|---|---|---|", *flagged] if flagged else ["None."]),
        "",
        "## Sources that no SELECT reads yet",
        "",
        *(_listed(roles.undrafted)),
    ]
    return "\n".join(lines) + "\n"


def _listed(undrafted: Mapping[str, str]) -> list[str]:
    if not undrafted:
        return ["None."]
    why = (f"* `{name}`: no draft, because {reason}" for name, reason in undrafted.items())
    return [*why, "", "Write an entity or event SELECT for each, LEFT JOIN it in another one, or take it out."]
