"""`madang audit`: who did what, and the proof that nothing was changed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.translate import _

app = typer.Typer(no_args_is_help=True, add_completion=False)

AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]


@app.callback()
def audit() -> None:
    """Read who did what, and prove that nothing was changed."""


@app.command()
def verify(
    anchor: Annotated[
        list[Path] | None, typer.Option(help=_("File with an anchor that was published earlier, may be repeated."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every event, the end of the chain, and anchors that were published."""
    from madang.base.console import console, show_table
    from madang.base.errors import MadangError
    from madang.node.audit.anchor import verify as check
    from madang.node.node import opened
    from madang.node.people.tokens import commander

    with opened() as node:
        report = check(node, commander(node), anchor or [])
    rows = [{"event": found.number, "problem": found.problem} for found in report.findings]
    if as_json:
        print(json.dumps({"length": report.length, "digest": report.digest, "findings": rows}, ensure_ascii=False))
    elif rows:
        show_table(_("Not as written"), [_("event"), _("problem")], [[row["event"], row["problem"]] for row in rows])
    else:
        said = _("{count} events, none changed; the last has the digest {digest}.")
        console().print(said.format(count=report.length, digest=report.digest), markup=False)
    if rows:
        raise MadangError(
            "chain.changed",
            _("The events are not what was written: {count} findings.").format(count=len(rows)),
            _("Compare with a backup, and ask who had access."),
        )


@app.command()
def anchor(
    out: Annotated[Path | None, typer.Option(help=_("New file to write it to; printed if missing."))] = None,
) -> None:
    """Sign how far the events reach. Publish it where nobody here can change it."""
    from madang.base.errors import MadangError
    from madang.lake.files import put_if_absent, sentences
    from madang.node.audit.anchor import make_anchor
    from madang.node.node import opened
    from madang.node.people.tokens import commander

    with opened() as node:
        text = make_anchor(node, commander(node))
    if out is None:
        print(text)
        return
    with sentences(f"write {out}"):
        if not put_if_absent(out.absolute(), f"{text}\n".encode(), 0o644):
            raise MadangError("anchor.exists", _("{file} is there already.").format(file=out))


@app.command()
def export(out: Annotated[Path, typer.Argument(help=_("New file: one canonical JSON text per line."))]) -> None:
    """Write every event to a file, from which anybody can compute what an anchor says."""
    from madang.base.console import console
    from madang.node.audit.anchor import export as write
    from madang.node.node import opened
    from madang.node.people.tokens import commander

    with opened() as node:
        count = write(node, commander(node), out)
    console().print(_("Wrote {count} events to {file}.").format(count=count, file=out), markup=False)


@app.command("list")
def list_events(
    actor: Annotated[str | None, typer.Option(help=_("Only of this account, or `owner`."))] = None,
    act: Annotated[str | None, typer.Option(help=_("Only this act, or an area such as `person.*`."))] = None,
    thing: Annotated[str | None, typer.Option(help=_("Only on this thing, such as `person:12`."))] = None,
    before: Annotated[int | None, typer.Option(help=_("Only events before this number."))] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help=_("At most so many."))] = 50,
    as_json: AsJson = False,
) -> None:
    """List events, the newest first."""
    from dataclasses import asdict

    from madang.base.console import console, show_table
    from madang.node.node import opened
    from madang.node.people.accounts import find_person
    from madang.node.people.tokens import commander

    with opened() as node:
        owner = commander(node)
        node.audit.read(owner, "audit.read")
        with node.read() as session:
            if actor is not None and actor not in ("owner", "stranger", "node") and ":" not in actor:
                actor = f"person:{find_person(session, actor).id}"
            events = node.audit.events(session, actor=actor, act=act, thing=thing, before=before, limit=limit)
    if as_json:
        print(json.dumps([asdict(event) for event in events], ensure_ascii=False))
    elif events:
        rows = [
            [
                event.number,
                event.at,
                event.name or event.actor,
                event.act,
                event.thing,
                json.dumps(event.details, ensure_ascii=False),
            ]
            for event in events
        ]
        heads = [_("number"), _("when"), _("who"), _("act"), _("on what"), _("details")]
        show_table(_("Events"), heads, rows)
    else:
        console().print(_("No event is like that."), markup=False)


def _as_text(details: dict[str, Any]) -> str:
    return json.dumps(details, ensure_ascii=False) if details else ""
