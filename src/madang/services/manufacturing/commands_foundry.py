"""`madang manufacturing foundry`: the loop of design, build, test and learn."""

import math
from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _

app = typer.Typer(no_args_is_help=True, add_completion=False)

File = Annotated[Path, typer.Argument(help=_("TOML that describes the foundry run."))]


@app.callback()
def foundry() -> None:
    """The biofoundry: constructs, plates, worklists, readings, and the next round."""


@app.command("run")
def run_command(
    file: File,
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the outcome to this file."))] = None,
) -> None:
    """Close the rounds of a description; go on where an earlier start ended."""
    from madang.base.console import ProgressBars, console, show_table
    from madang.science.bioprocess import DEVELOPMENT_USE
    from madang.science.bioprocess.foundry.description import read_foundry
    from madang.science.bioprocess.foundry.loop import run
    from madang.services.manufacturing.output import write_json

    plan = read_foundry(file)
    with ProgressBars() as progress:
        done = run(plan, progress=progress)
    if json_ is not None:
        plain = {name: value for name, value in vars(done).items()}
        plain["best_reading"] = done.best_reading if math.isfinite(done.best_reading) else None
        plain["best_by_round"] = [value if math.isfinite(value) else None for value in done.best_by_round]
        write_json(json_, {"use": DEVELOPMENT_USE, "simulated": plan.simulated, "folder": str(plan.folder), **plain})
    rows = [[number, value] for number, value in enumerate(done.best_by_round, 1)]
    show_table(_("Best reading so far (development use)"), [_("round"), plan.result], rows)
    out = console()
    out.print(_("Best: {best}").format(best=", ".join(f"{k} = {v}" for k, v in done.best.items())), markup=False)
    fates = _("Wells: {read} read, {empty} not filled, {unread} not read, {skipped} skipped.")
    out.print(fates.format(**done.wells), markup=False)
    for note in done.notes:
        told = ", ".join(f"{name}: {value}" for name, value in note.items() if name not in ("round", "kind"))
        out.print(
            _("Round {round}: {kind} ({told})").format(round=note["round"], kind=note["kind"], told=told), markup=False
        )
    if done.fixed is not None and done.found is not None:
        text = _("In truth {found} against {fixed} of a fixed design of the same size (simulated).")
        out.print(text.format(found=f"{done.found:.1f}", fixed=f"{done.fixed:.1f}"), markup=False)
    if done.waiting:
        out.print(
            _("Carry out the worklist, put the readings at {file}, and run this again.").format(file=done.waiting)
        )


@app.command("station")
def station_command(
    file: File,
    port: Annotated[int, typer.Option(min=1, max=65535, help=_("Port of this machine."))] = 50052,
    seconds: Annotated[float | None, typer.Option(min=0.1, help=_("End after so many seconds."))] = None,
) -> None:
    """Offer the simulated devices of a description as a station of SiLA 2, on loopback, without discovery."""
    import contextlib
    import time
    from dataclasses import replace

    from madang.base.console import console
    from madang.science.bioprocess.foundry.description import read_foundry
    from madang.science.bioprocess.foundry.loop import devices_of
    from madang.science.bioprocess.foundry.station import HOST, serve

    plan = replace(read_foundry(file), mode="simulated")
    with devices_of(plan) as devices, contextlib.suppress(KeyboardInterrupt):
        assert devices is not None
        with serve(devices, port):
            console().print(_("Station at {address}; Ctrl-C ends it.").format(address=f"{HOST}:{port}"), markup=False)
            time.sleep(seconds or 1e8)


@app.command("history")
def history_command(file: File, well: Annotated[str, typer.Option(help=_("Only this well, as B7."))] = "") -> None:
    """Every well's history: what was in it, what became of it, what was read."""
    from madang.base.console import show_table
    from madang.science.bioprocess.foundry.description import read_foundry
    from madang.science.bioprocess.foundry.loop import history

    rows = [
        [
            each["round"],
            each["well"],
            ", ".join(f"{k}={v}" for k, v in each["design"].items()),
            each["fate"],
            each["reading"],
        ]
        for each in history(read_foundry(file), well.upper())
    ]
    show_table(_("Wells"), [_("round"), _("well"), _("design"), _("fate"), _("reading")], rows)
