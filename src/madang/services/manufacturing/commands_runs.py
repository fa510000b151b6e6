"""`madang manufacturing runs`: record from OPC UA, look, ask by SQL, keep as a version; `simulate`: the plant."""

import re
from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _

app = typer.Typer(no_args_is_help=True, add_completion=False)

Name = Annotated[str, typer.Argument(help=_("Name of the run: small letters, digits, hyphens."))]


@app.callback()
def runs() -> None:
    """Runs: recorded without loss, read while they go on, compared when they are over."""


@app.command("record")
def record_command(
    url: Annotated[str, typer.Argument(help=_("Address of the equipment: opc.tcp://HOST:PORT/..."))],
    name: Name,
    seconds: Annotated[float | None, typer.Option(min=0.1, help=_("End after so many seconds."))] = None,
) -> None:
    """Record everything numeric that the equipment offers. It is only read, never written."""
    from madang.base.console import console
    from madang.science.bioprocess.runs.record import record

    out = console()
    text = _("Recording {tags} signals; Ctrl-C ends it.")
    folder = run_folder(name)
    count = record(url, folder, seconds or float("inf"), lambda tags: out.print(text.format(tags=tags), markup=False))
    out.print(_("{count} readings in {folder}").format(count=f"{count:,}", folder=folder), markup=False)


@app.command("list")
def list_command() -> None:
    """The runs of this home."""
    from madang.base.console import show_table
    from madang.node.home import Home

    base = Home.find().folder("runs")
    rows = []
    for folder in sorted(path for path in base.iterdir() if path.is_dir()):
        size = sum(file.stat().st_size for file in folder.glob("*.seg"))
        rows.append([folder.name, size])
    show_table(_("Runs"), [_("run"), _("bytes")], rows)


@app.command("show")
def show_command(name: Name) -> None:
    """What a run has: signals, readings, and exceptions first: gaps, bad quality, signals that repeat or jump."""
    from madang.base.console import show_table
    from madang.science.bioprocess.runs.exceptions import exceptions, overview
    from madang.science.bioprocess.runs.segments import read_log

    log = read_log(run_folder(name))
    found = [[each.kind, each.tag, each.begin, each.text] for each in exceptions(log)]
    show_table(_("Exceptions"), [_("kind"), _("signal"), _("from", "time"), ""], found[:100])
    show_table(
        _("Signals"),
        [_("signal"), _("unit"), _("readings"), _("first"), _("last"), _("least"), _("most")],
        overview(log),
    )


@app.command("sql")
def sql_command(
    name: Name, sql: Annotated[str, typer.Argument(help=_("One SELECT over signals, tags, events."))]
) -> None:
    """Ask a run by SQL, also while it goes on."""
    from madang.base.console import show_table
    from madang.science.bioprocess.runs.table import ask

    table = ask(run_folder(name), sql)
    rows = [
        [value if isinstance(value, int | float) else None if value is None else str(value) for value in row.values()]
        for row in table.slice(0, 1000).to_pylist()
    ]
    show_table(name, table.column_names, rows)


@app.command("finish")
def finish_command(
    name: Name,
    dataset: Annotated[str, typer.Option(help=_("Name of the dataset; run-NAME if not given."))] = "",
) -> None:
    """Make a run that has ended one version of the lake."""
    from madang.base.console import console
    from madang.node.home import Home
    from madang.science.bioprocess.runs.segments import open_log
    from madang.science.bioprocess.runs.table import finish

    folder = run_folder(name)
    if folder.is_dir():
        open_log(folder).close()  # nobody is writing it, and a torn end is gone
    version = finish(folder, Home.find().lake(), dataset or f"run-{name}", {"run": name})
    console().print(_("Version {version}").format(version=version), markup=False)


@app.command("compare")
def compare_command(
    files: Annotated[list[Path], typer.Argument(help=_("CSV or XLSX, one per run; the first column is hours."))],
    sheet: Annotated[Path | None, typer.Option(help=_("Laboratory sheet: run, hours, and what was measured."))] = None,
    golden: Annotated[int, typer.Option(min=0, help=_("How many of the first runs are good ones; 0: all."))] = 0,
    signal: Annotated[str, typer.Option(help=_("Signal by whose rise runs are aligned; by time if not given."))] = "",
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the answer to this file."))] = None,
) -> None:
    """Compare past runs: aligned, held against the envelope of good ones, exceptions first."""
    from madang.base.console import show_table
    from madang.science.bioprocess.runs.compare import compare, read_runs
    from madang.services.manufacturing.output import write_json

    done = compare(read_runs(files, sheet), golden, signal)
    if json_ is not None:
        write_json(json_, done.as_json())
    rows = [[each.run, each.signal, each.begin, each.finish, each.share] for each in done.exceptions[:50]]
    show_table(_("Outside the envelope"), [_("run"), _("signal"), _("from h"), _("to h"), _("share")], rows)
    show_table(_("Runs"), ["", *done.columns], done.rows)


@app.command("hold")
def hold_command(
    run: Annotated[Path, typer.Argument(help=_("The run to hold against good ones: CSV or XLSX, hours first."))],
    good: Annotated[list[Path], typer.Argument(help=_("Good runs, at least four."))],
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the answer to this file."))] = None,
) -> None:
    """Say when a run leaves what good runs did, and which signals make that."""
    from dataclasses import asdict

    from madang.base.console import show_table
    from madang.science.bioprocess import DEVELOPMENT_USE
    from madang.science.bioprocess.runs.compare import read_runs
    from madang.science.bioprocess.runs.golden import hold, learn
    from madang.services.manufacturing.output import write_json

    held = hold(learn(read_runs(good)), read_runs([run])[0])
    if json_ is not None:
        told = {"alarms": [asdict(each) for each in held.alarms], "missing": list(held.missing)}
        told |= {"use": DEVELOPMENT_USE, "hours": held.hours.tolist(), "ratio": held.ratio.tolist()}
        write_json(json_, told)
    rows = [
        [each.begin, each.finish, each.worst, ", ".join(f"{name} {share:.0%}" for name, share in each.signals)]
        for each in held.alarms
    ]
    show_table(run.stem, [_("from h"), _("to h"), _("times the limit"), _("explained by")], rows)


def simulate_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help=_("Port of this machine."))] = 4840,
    speed: Annotated[float, typer.Option(min=0.001, max=1e6, help=_("Process seconds in a second."))] = 3600.0,
    period: Annotated[float, typer.Option(min=0.01, max=3600, help=_("Seconds between readings."))] = 1.0,
    fault: Annotated[
        list[str] | None, typer.Option(help=_("NAME@HOURS or NAME:SIGNAL@HOURS; repeatable. `list` shows them."))
    ] = None,
    counters: Annotated[int, typer.Option(min=0, max=20_000, help=_("Extra signals that count up, for trials."))] = 0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help=_("End after so many seconds."))] = None,
    folder: Annotated[Path | None, typer.Option(help=_("Where the plant keeps its own log."))] = None,
) -> None:
    """The simulated plant: an OPC UA server of a bioreactor train, with faults on request. Everything is synthetic."""
    from madang.base.console import console, show_table
    from madang.node.home import Home
    from madang.science.bioprocess.plant.faults import FAULTS, read_fault
    from madang.science.bioprocess.plant.server import Plan, serve

    if fault == ["list"]:
        show_table(_("Faults"), [_("name"), ""], [[name, text] for name, text in FAULTS.items()])
        return
    plan = Plan(
        folder or Home.find().folder("plant"),
        port,
        speed,
        period,
        tuple(read_fault(text) for text in fault or []),
        counters,
        seconds or float("inf"),
    )
    text = _("Simulated plant at {url}; Ctrl-C ends it. Everything it says is synthetic.")
    serve(plan, lambda url: console().print(text.format(url=url), markup=False))


def run_folder(name: str) -> Path:
    """The folder of a run of this home. Raises `runs.name` for a name that cannot be one."""
    from madang.base.errors import MadangError
    from madang.node.home import Home

    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name):
        text = _("{name!r} cannot name a run.").format(name=name)
        raise MadangError("runs.name", text, _("Use small letters, digits and hyphens."))
    return Home.find().folder("runs") / name
