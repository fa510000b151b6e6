"""`madang access` and `madang extract`: apply, decide, record; make the extract of a permit."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.services.access.models import Application

app = typer.Typer(no_args_is_help=True, add_completion=False)

Number = Annotated[int, typer.Argument(help=_("Number of the application."), metavar="N")]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]


@app.callback()
def access() -> None:
    """Apply for data, decide on applications, keep the record."""


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help=_("TOML or JSON file with the application; docs/access.md shows one."))],
    submit: Annotated[bool, typer.Option("--submit", help=_("Hand it in at once."))] = False,
    edit: Annotated[int | None, typer.Option(help=_("Number of an application to change instead."))] = None,
    count: Annotated[bool, typer.Option("--count", help=_("Also say about how many persons fit."))] = False,
    lists: Annotated[
        Path | None, typer.Option("--codes", help=_("Workbook (XLSX, CSV) with the lists of codes of the population."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Begin an application, and see at once what the rules find."""
    from madang.base.errors import MadangError
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.access import counting, service

    given = _read(file)
    content = given.pop("content", {})
    if lists is not None:
        content.setdefault("population", {})["criteria"] = _criteria(lists)
    with opened() as node:
        actor = commander(node)
        if edit is not None:
            service.edit(node, actor, edit, content, str(given.get("title", "")))
            number = edit
        else:
            known = (
                "project",
                "dataset",
                "title",
                "organization",
                "applicant_kind",
                "pack",
                "urgent",
                "kind",
                "parent",
            )
            unknown = sorted(set(given) - set(known))
            if unknown or not {"project", "dataset", "title"} <= set(given):
                raise MadangError(
                    "access.content",
                    _("The application needs project, dataset and title, and has no field {name}.").format(
                        name=unknown[0] if unknown else ""
                    ),
                    _("docs/access.md shows a whole one."),
                )
            number = service.apply(node, actor, content=content, **given)
        if submit:
            service.submit(node, actor, number)
        found = service.see(node, actor, number)
        told = counting.count(node, actor, number) if count else None
        _show(node, found, as_json, None if told is None else {"count": told.count, "least": told.least})


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the applications that you may see."""
    from madang.base.console import show_table
    from madang.node.acts import label
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.access import service
    from madang.services.access.shown import waits

    with opened() as node:
        found = service.list_applications(node, commander(node))
        rows = [
            {
                "number": each.id,
                "title": each.title,
                "project": each.project.name,
                "holder": each.organization.name,
                "dataset": each.dataset,
                "kind": each.kind,
                "state": each.state,
                "waits": waits(each),
            }
            for each in found
        ]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    show_table(
        _("Applications"),
        (_("number"), _("title"), _("project"), _("state"), _("waits for")),
        [
            (each.id, each.title, each.project.name, label("application", each.state), "; ".join(waits(each)))
            for each in found
        ],
    )


@app.command()
def show(number: Number, as_json: AsJson = False) -> None:
    """Show an application: what the rules find, which step waits for whom, votes."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.access import service

    with opened() as node:
        _show(node, service.see(node, commander(node), number), as_json)


@app.command()
def decide(
    number: Number,
    step: Annotated[
        str | None, typer.Option(help=_("Close this step (screening, ethics, adequacy, linkage, fee)."))
    ] = None,
    leave_out: Annotated[bool, typer.Option("--leave-out", help=_("The step is left out."))] = False,
    vote: Annotated[
        str | None, typer.Option(help=_("Vote: approve, conditional, results-only, refuse, abstain."))
    ] = None,
    edition: Annotated[
        int | None, typer.Option(help=_("The edition that you read; another one is not voted on."))
    ] = None,
    ask: Annotated[str | None, typer.Option(help=_("Give it back to the applicant with this question."))] = None,
    close: Annotated[bool, typer.Option("--close", help=_("Close the vote of the committee."))] = False,
    permit: Annotated[bool, typer.Option("--permit", help=_("Issue the permit."))] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help=_("Take your application back."))] = False,
    not_urgent: Annotated[str | None, typer.Option("--not-urgent", help=_("Say why it can wait."))] = None,
    appeal: Annotated[str | None, typer.Option(help=_("Appeal against a refusal, with this reason."))] = None,
    note: Annotated[str, typer.Option(help=_("Reasons, conditions, or a note to the step."))] = "",
    as_json: AsJson = False,
) -> None:
    """Do the next thing with an application; without an option, say what waits."""
    from madang.base.console import console
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.access import deciding, permits, service

    with opened() as node:
        actor = commander(node)
        if step is not None:
            deciding.close_step(node, actor, number, step, "left-out" if leave_out else "done", note)
        if vote is not None:
            deciding.vote(node, actor, number, vote, note, edition)
        if ask is not None:
            deciding.ask_applicant(node, actor, number, ask)
        if close:
            deciding.close_vote(node, actor, number)
        if permit:
            issued = permits.issue(node, actor, number)
            if not as_json:
                console().print(_("Permit {number}").format(number=issued))
        if withdraw:
            service.withdraw(node, actor, number)
        if not_urgent is not None:
            deciding.not_urgent(node, actor, number, not_urgent)
        if appeal is not None:
            service.appeal(node, actor, number, appeal)
        _show(node, service.see(node, actor, number), as_json)


@app.command()
def record(
    number: Number,
    minutes: Annotated[bool, typer.Option("--minutes", help=_("The minutes of the committee instead."))] = False,
) -> None:
    """Print the record of processing of pseudonymized data (가명정보 처리 기록), as JSON."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.access import ending

    with opened() as node:
        made = ending.minutes if minutes else ending.processing_record
        print(json.dumps(made(node, commander(node), number), ensure_ascii=False, indent=2))


@app.command()
def permit(
    number: Annotated[str, typer.Argument(help=_("Number of the permit."))],
    suspend: Annotated[str | None, typer.Option(help=_("Stop it for a time, with this reason."))] = None,
    resume: Annotated[str | None, typer.Option(help=_("Let it go on, with this reason."))] = None,
    report: Annotated[
        str | None, typer.Option(help=_("Report a suspected re-identification: it stops at once."))
    ] = None,
    end: Annotated[str | None, typer.Option(help=_("End it before its time, with this reason."))] = None,
    destroy: Annotated[str | None, typer.Option(help=_("Destroy its extract and key, with this reason."))] = None,
    visas: Annotated[
        bool, typer.Option("--visas", help=_("Print a GA4GH visa for each person of the project."))
    ] = False,
    study: Annotated[Path | None, typer.Option(help=_("Hand in this study (results only), a JSON file."))] = None,
    run: Annotated[int | None, typer.Option(help=_("Run the study with this number, and ask for its release."))] = None,
    compare: Annotated[
        str | None, typer.Option(help=_("Try these recipes, separated by commas; nothing is kept."))
    ] = None,
) -> None:
    """Show a permit, or suspend, end, destroy it; print its visas."""
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.node.permissions import check
    from madang.services.access import acts, ending, extracting, permits, studies
    from madang.services.access.shown import permit_as_json

    with opened() as node:
        actor = commander(node)
        for text, act in (
            (suspend, permits.suspend),
            (resume, permits.resume),
            (report, permits.report),
            (end, permits.end),
        ):
            if text is not None:
                act(node, actor, number, text)
        if study is not None:
            print(json.dumps({"study": studies.hand_in(node, actor, number, _bytes(study))}))
            return
        if run is not None:
            print(json.dumps({"study": run, "release": studies.run(node, actor, number, run)}))
            return
        if destroy is not None:
            print(json.dumps(ending.destroy(node, actor, number, destroy), ensure_ascii=False, indent=2))
            return
        if visas:
            print(json.dumps(permits.visas(node, actor, number), indent=2))
            return
        grant = permits.see_permit(node, actor, number)
        if compare is not None:
            check(actor, acts.EXTRACT, grant)
            found = extracting.compare(node, number, [name.strip() for name in compare.split(",")])
            print(json.dumps(found, ensure_ascii=False, indent=2))
            return
        print(json.dumps(permit_as_json(node, grant), ensure_ascii=False, indent=2))


def extract(
    number: Annotated[str, typer.Argument(help=_("Number of the permit."), metavar="PERMIT")],
    as_json: AsJson = False,
) -> None:
    """Make the extract that a permit allows: exactly its rows and columns, pseudonymized, with its risk measured."""
    from madang.base.console import ProgressBars, console, show_table
    from madang.node.node import opened
    from madang.node.people.tokens import commander
    from madang.services.access.extracting import extract as run

    with opened() as node, ProgressBars() as progress:
        done = run(node, commander(node), number, progress)
    if as_json:
        print(
            json.dumps(
                {"dataset": done.dataset, "version": done.version, "rows": done.rows, "report": done.report},
                ensure_ascii=False,
            )
        )
        return
    show_table(f"{done.dataset}@{done.version}", (_("table"), _("rows")), list(done.rows.items()))
    before, after = done.report.get("before"), done.report.get("after")
    if before and after:
        rows: list[tuple[str, str, str]] = []
        for old, new in zip(before["singled_out"], after["singled_out"], strict=True):
            name = _("singled out by {count} known events").format(count=old["known_events"])
            rows.append((name, f"{100 * old['share']:.1f}%", f"{100 * new['share']:.1f}%"))
        show_table(_("Risk per person"), (_("who knows sex, age band and"), _("before"), _("after")), rows)
    moved = [(_(m["question"]), f"{100 * m['moved']:.1f}%") for m in done.report["utility"] if m["moved"] is not None]
    show_table(_("What is lost"), (_("question"), _("answers move by")), moved)
    if after:
        console().print(after["not_covered"], markup=False)


def _criteria(path: Path) -> list[dict[str, Any]]:
    from madang.services.access.codes import criteria_in

    return criteria_in(_bytes(path), path.stem)


def _bytes(path: Path) -> bytes:
    from madang.base.errors import MadangError

    try:
        return path.read_bytes()
    except OSError as error:
        raise MadangError("access.file", _("Cannot read {file}.").format(file=path), str(error.strerror)) from None


def _read(path: Path) -> dict[str, Any]:
    import tomllib

    from madang.base.errors import MadangError

    try:
        text = path.read_text(encoding="utf-8")
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise MadangError(
            "access.content",
            _("{file} cannot be read as an application: {why}.").format(file=path, why=str(error).splitlines()[0]),
            _("docs/access.md shows a whole one."),
        ) from None
    if not isinstance(given, dict):
        raise MadangError("access.content", _("{file} is no application.").format(file=path), "")
    return given


def _show(node: Any, found: "Application", as_json: bool, more: dict[str, Any] | None = None) -> None:
    from madang.base.console import console, show_table
    from madang.node.acts import label
    from madang.services.access.shown import application_as_json, finding_word

    document = application_as_json(node, found) | (more or {})
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
        return
    out = console()
    out.print(f"{found.id}  {found.title}  ({label('application', found.state)})", markup=False)
    for each in document["waits"]:
        out.print(f"  {each}", markup=False)
    if more:
        told = more["count"] if more["count"] is not None else _("fewer than {least}").format(least=more["least"])
        out.print(_("About {count} persons fit.").format(count=told), markup=False)
    show_table(
        _("What the rules find"),
        (_("rule"), _("finding"), _("about"), _("source", "rule")),
        [
            (
                each["title"],
                finding_word(each["finding"]),
                ", ".join(each["about"]),
                f"{each['source']}, {each['date']}",
            )
            for each in document["findings"]
        ],
    )
