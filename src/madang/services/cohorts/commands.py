"""`madang cohort`: who is in it, how many, what the definition says and what is wrong with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _
from madang.node.second_engine import Master, OnEngine, chosen_engine, second_engine

if TYPE_CHECKING:
    from madang.base.progress import Progress
    from madang.lake import Lake, Version
    from madang.science.cohorts import Loaded
    from madang.science.cohorts.opened import Laid

app = typer.Typer(add_completion=False, no_args_is_help=True)

HAS_ERRORS = 3  # exit status of a check that found an error
SHOWN = 20

Reference = Annotated[str, typer.Argument(metavar="DATASET", help=_("NAME, or NAME@VERSION."))]
DefinitionFile = Annotated[
    Path,
    typer.Argument(metavar="DEFINITION", help=_("ATLAS JSON, a form in TOML, or a workbook of codes (XLSX, CSV).")),
]
Vocabulary = Annotated[
    str | None, typer.Option(help=_("A loaded vocabulary, instead of the one that the data were mapped with."))
]
On = Annotated[
    str | None, typer.Option("--on", help=_("Dataset or vocabulary in which codes and concepts are looked up."))
]
Json = Annotated[Path | None, typer.Option("--json", help=_("Write the answer as JSON to this file."))]
Minimum = Annotated[
    int, typer.Option(min=1, help=_("The fewest persons that a count may be about; 1 keeps nothing back."))
]
Threads = Annotated[int | None, typer.Option(min=1, help=_("Threads; all cores if not given."))]


@app.callback()
def cohort() -> None:
    """Cohorts by the definitions of ATLAS: members, counts, checks, sentences."""


@app.command()
def members(
    reference: Reference,
    definition: DefinitionFile,
    json_: Json = None,
    limit: Annotated[int, typer.Option(min=0, help=_("Most rows of the table on the terminal."))] = SHOWN,
    vocabulary: Vocabulary = None,
    threads: Threads = None,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """Who is in a cohort: subject_id, cohort_start_date, cohort_end_date."""
    from madang.base.console import ProgressBars, show_table
    from madang.science.cohorts.members import members_laid

    chosen_engine(engine)
    version, words = _places(reference, vocabulary)
    loaded = _load(definition, words)
    with ProgressBars() as progress, _laid(version, words, engine, master, threads, progress) as found:
        table = members_laid(found, loaded.definition)
    if json_ is not None:
        _write(json_, table.to_pylist())
        _say(_("{count} rows written to {path}.").format(count=f"{table.num_rows:,}", path=json_))
        return
    title = _("{name} on {version}: {count} rows").format(
        name=loaded.definition.name, version=version.name, count=f"{table.num_rows:,}"
    )
    rows = [[str(value) for value in row.values()] for row in table.slice(0, limit).to_pylist()]
    show_table(title, table.column_names, rows)


@app.command()
def count(
    reference: Reference,
    definition: Annotated[Path, typer.Argument(metavar="DEFINITION|FOLDER", help=_("A definition, or a folder."))],
    json_: Json = None,
    vocabulary: Vocabulary = None,
    threads: Threads = None,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """How many persons a definition finds, or each definition of a folder."""
    from madang.base.console import ProgressBars, show_table
    from madang.base.errors import MadangError
    from madang.science.cohorts.load import files_in
    from madang.science.cohorts.members import counted

    chosen_engine(engine)
    version, words = _places(reference, vocabulary)
    files = files_in(definition)
    loaded, left_out = _load_all(files, words, alone=not definition.is_dir())
    with ProgressBars() as progress, _laid(version, words, engine, master, threads, progress) as found:
        done = list(counted(found, [each.definition for _path, each in loaded], progress))
        release = found.release
    rows: list[dict[str, Any]] = []
    for (path, _loaded), each in zip(loaded, done, strict=True):
        rows.append(
            {
                "definition": each.definition.name,
                "file": path.name,
                "sha256": each.definition.digest,
                "persons": None if each.error else each.persons,
                "entries": None if each.error else each.entries,
                "seconds": round(each.seconds, 3),
                "error": str(each.error) if each.error else None,
            }
        )
    if json_ is not None:
        document = {
            "dataset": version.name,
            "manifest": version.digest,
            "vocabulary": release,
            "definitions": rows,
            "left_out": [{"file": path.name, "reason": str(error)} for path, error in left_out],
        }
        _write(json_, document)
    if len(rows) == 1 and done[0].error is not None:
        raise done[0].error
    shown = [[r["definition"], r["persons"], r["entries"], f"{r['seconds']:.2f}", r["error"] or ""] for r in rows]
    columns = [_("definition"), _("persons"), _("entries"), _("seconds"), ""]
    show_table(_("Counts on {version}").format(version=version.name), columns, shown)
    for path, error in left_out:
        _say(_("Left out: {file}: {reason}").format(file=path.name, reason=error))
    failed = [each for each in done if each.error is not None]
    if failed:
        message = _("{failed} of {count} definitions could not be run.")
        raise MadangError("cohort.failed", message.format(failed=len(failed), count=len(done)))


@app.command()
def characterize(
    reference: Reference,
    definition: DefinitionFile,
    html: Annotated[Path | None, typer.Option(help=_("Write the report as one page to this file."))] = None,
    json_: Json = None,
    minimum: Minimum = 5,
    vocabulary: Vocabulary = None,
    threads: Threads = None,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """Describe a cohort: attrition, years, age and sex, what people have before and after, incidence."""
    from madang.base.console import ProgressBars, show_table
    from madang.science.cohorts.describe import describe_laid
    from madang.science.cohorts.report import few, page, rule

    chosen_engine(engine)
    version, words = _places(reference, vocabulary)
    loaded = _load(definition, words)
    with ProgressBars() as progress, _laid(version, words, engine, master, threads, progress) as laid:
        found = describe_laid(laid, loaded.definition, minimum=minimum, progress=progress)
    if html is not None:
        _write_bytes(html, page(found, loaded.definition).encode())
    if json_ is not None:
        _write(json_, found.document())
    title = _("{name} on {version}").format(name=found.definition, version=found.dataset)
    show_table(
        title, [_("step"), _("persons")], [[step.title(), few(step.persons, minimum)] for step in found.attrition]
    )
    _say(rule(found.minimum))


@app.command()
def overlap(
    reference: Reference,
    folder: Annotated[Path, typer.Argument(help=_("Folder of definitions."))],
    json_: Json = None,
    minimum: Minimum = 1,
    vocabulary: Vocabulary = None,
    engine: OnEngine = "duckdb",
    master: Master = "",
) -> None:
    """How many people the cohorts of a folder share."""
    from madang.base.console import ProgressBars, show_table
    from madang.science.cohorts.load import files_in
    from madang.science.cohorts.overlap import overlap_laid

    chosen_engine(engine)
    version, words = _places(reference, vocabulary)
    loaded, _left_out = _load_all(files_in(folder), words, alone=not folder.is_dir())
    definitions = [each.definition for _path, each in loaded]
    with ProgressBars() as progress, _laid(version, words, engine, master, None, progress) as laid:
        found = overlap_laid(laid, definitions, minimum=minimum, progress=progress)
    names = [each.name for each in definitions]
    if json_ is not None:
        _write(json_, {"dataset": version.name, "definitions": names, "persons": found, "minimum": minimum})
    rows = [
        [name, *("…" if number is None else number for number in row)] for name, row in zip(names, found, strict=True)
    ]
    show_table(_("Persons in both cohorts"), ["", *names], rows)


@app.command()
def check(definition: DefinitionFile, json_: Json = None, on: On = None) -> None:
    """What is wrong or suspicious in a definition, in words and with the place; status 3 if anything is wrong."""
    from madang.science.cohorts import Severity
    from madang.science.cohorts import check as ask

    loaded = _load(definition, _words(on))
    findings = ask(loaded.definition)
    if on is not None:
        from madang.science.cohorts.concepts import look_up

        findings += look_up(loaded.definition, _words(on))
    order = list(Severity)
    findings.sort(key=lambda finding: order.index(finding.severity))
    if json_ is not None:
        _write(
            json_,
            {
                "definition": loaded.definition.name,
                "sha256": loaded.definition.digest,
                "findings": [
                    {"check": f.check, "severity": f.severity.value, "message": f.message, "path": f.path}
                    for f in findings
                ],
            },
        )
    names = {Severity.ERROR: _("error"), Severity.WARNING: _("warning"), Severity.NOTE: _("note", "severity")}
    for finding in findings:
        _say(f"[{names[finding.severity]}] {finding.message}")
        if finding.path:
            _say(f"    {finding.path}")
    _show_unmapped(loaded)
    if not findings:
        _say(_("Nothing is wrong or suspicious."))
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise typer.Exit(HAS_ERRORS)


@app.command()
def explain(
    definition: DefinitionFile,
    language: Annotated[str | None, typer.Option(help=_("ko or en; the language of the command if not given."))] = None,
    on: On = None,
) -> None:
    """A definition in sentences, as a protocol would say it."""
    from madang.base.errors import MadangError
    from madang.base.translate import LANGUAGES, speaking
    from madang.base.translate import language as spoken
    from madang.science.cohorts import as_text
    from madang.science.cohorts import explain as lines

    if language is not None and language not in LANGUAGES:
        raise MadangError(
            "cohort.language", _("{language} is no language here.").format(language=repr(language)), "ko, en"
        )
    loaded = _load(definition, _words(on))
    with speaking(language or spoken()):
        text = as_text(lines(loaded.definition))
    name = loaded.definition.name
    print(f"{name}\n{'=' * max(4, len(name))}\n\n{text}" if name else text, end="")


@app.command()
def build(
    definition: DefinitionFile,
    output: Annotated[Path, typer.Option(help=_("Write ATLAS JSON to this file."))],
    on: On = None,
) -> None:
    """Make ATLAS JSON of a form or workbook, and show what became of each code."""
    loaded = _load(definition, _words(on))
    _show_codes(loaded)
    _write(output, loaded.definition.document)
    _say(_("{name} written to {path}.").format(name=loaded.definition.name, path=output))


@app.command()
def codes(definition: DefinitionFile, on: On = None, json_: Json = None) -> None:
    """Show the mapping of each code of a form or workbook; unmapped ones are said."""
    loaded = _load(definition, _words(on))
    _show_codes(loaded)
    if json_ is not None:
        from dataclasses import asdict

        _write(json_, asdict(loaded.book) if loaded.book else {"release": "", "resolved": []})


def _show_codes(loaded: "Loaded") -> None:
    from madang.base.console import show_table

    if loaded.book is None:
        return
    rows = []
    for each in loaded.book.resolved:
        names = "; ".join(f"{concept.name} [{concept.concept_id}]" for concept in each.concepts[:5])
        more = f" … +{len(each.concepts) - 5}" if len(each.concepts) > 5 else ""
        rows.append([each.code.vocabulary, each.code.code, each.code.name, _level(each.level), names + more])
    columns = [_("vocabulary"), _("code"), _("name"), _("mapping"), _("concepts")]
    show_table(_("Codes, by vocabulary {release}").format(release=loaded.book.release), columns, rows)
    _show_unmapped(loaded)


def _show_unmapped(loaded: "Loaded") -> None:
    lost = loaded.book.unmapped if loaded.book else []
    if lost:
        text = ", ".join(f"{code.vocabulary}:{code.code}" for code in lost[:20])
        _say(_("{count} codes are not mapped and find nobody: {codes}").format(count=len(lost), codes=text))


def _level(level: str) -> str:
    names = {
        "own map": _("own map"),
        "exact": _("exact"),
        "other date": _("other date"),
        "undotted": _("without the dot"),
        "parent code": _("broader code"),
        "other vocabulary": _("other vocabulary"),
        "unmapped": _("not mapped"),
        "codes below": _("all codes below it"),
        "class": _("class, with what is below it"),
        "concept": _("concept"),
    }
    return names.get(level, level)


def _lake() -> "Lake":
    from madang.node.home import Home

    return Home.find().lake()


def _places(reference: str, vocabulary: str | None) -> "tuple[Version, Version | None]":
    """The version, and the vocabulary in which its concepts are looked up. Who acts must be allowed to read its rows,
    and the event stands before the first of them is read."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.node.permissions import check as permitted
    from madang.science.omop.release import mapped_with
    from madang.services.cohorts.acts import READ_ROWS
    from madang.services.cohorts.service import rows_of

    with opened() as node:
        lake = node.home.lake()
        version = lake.find(reference)
        actor = commander(node)
        with node.read() as session:
            permitted(actor, READ_ROWS, rows_of(session, version.dataset.name))
        told = {"version": version.number, "what": "cohort"}
        node.audit.read(actor, READ_ROWS.name, f"dataset:{version.dataset.name}", told)
    return version, lake.find(vocabulary) if vocabulary else mapped_with(lake, version)


@contextmanager
def _laid(
    version: "Version", words: "Version | None", engine: str, master: str, threads: int | None, progress: "Progress"
) -> "Iterator[Laid]":
    """The version laid open for definitions, on the engine that was chosen."""
    from madang.science.cohorts.on_spark import opened_on_spark
    from madang.science.cohorts.opened import opened

    with second_engine(engine, master) as second:
        if second is None:
            with opened(version, words, threads=threads, progress=progress) as found:
                yield found
        else:
            with opened_on_spark(second, version, words, progress=progress) as there:
                yield there


def _words(on: str | None) -> "Version | None":
    """The vocabulary that `--on` names: itself one, or the one that a dataset was mapped with."""
    from madang.base.errors import MadangError
    from madang.science.omop.release import mapped_with
    from madang.science.omop.vocabulary import KIND

    if on is None:
        return None
    lake = _lake()
    version = lake.find(on)
    found = version if version.kind == KIND else mapped_with(lake, version)
    if found is None:
        raise MadangError("cohort.vocabulary", _("{name} has no vocabulary here.").format(name=version.name))
    return found


def _load(path: Path, words: "Version | None") -> "Loaded":
    from madang.science.cohorts import load

    return load(path, words)


def _load_all(files: list[Path], words: "Version | None", *, alone: bool) -> tuple[list[tuple[Path, Any]], list[Any]]:
    """The definitions of files, and those files that hold none; of one file that was named, its error."""
    from madang.base.errors import MadangError

    loaded: list[tuple[Path, Any]] = []
    left_out: list[Any] = []
    for path in files:
        try:
            loaded.append((path, _load(path, words)))
        except MadangError as error:
            if alone:
                raise
            left_out.append((path, error))
    return loaded, left_out


def _say(text: str) -> None:
    from madang.base.console import console

    console().print(text, markup=False)


def _write(path: Path, document: Any) -> None:
    import orjson

    _write_bytes(path, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _write_bytes(path: Path, data: bytes) -> None:
    from madang.lake.files import explain as explained

    try:
        path.write_bytes(data)
    except OSError as error:
        raise explained(error, f"write {path}") from None
