"""`madang manufacturing monitor`: train a model of normal operation; hold a record against it."""

from pathlib import Path
from typing import Annotated

import typer

from madang.base.translate import _

app = typer.Typer(no_args_is_help=True, add_completion=False)

Product = Annotated[str, typer.Option(help=_("Product that the records are of; a model of another one is refused."))]


@app.callback()
def monitor() -> None:
    """Watch a process: alarms against a model of normal operation, and what explains them."""


@app.command("train")
def train_command(
    files: Annotated[list[Path], typer.Argument(help=_("Normal operation first, then known disturbances."))],
    out: Annotated[Path, typer.Option(help=_("Where to write the model."))],
    normal: Annotated[int, typer.Option(min=1, help=_("How many of the files are normal operation."))] = 1,
    product: Product = "",
    alarms: Annotated[
        float, typer.Option(min=1e-5, max=0.2, help=_("Share of samples of normal operation above a limit."))
    ] = 0.01,
) -> None:
    """Learn normal operation. Known disturbances choose settings; the limits never see them."""
    from madang.base.console import ProgressBars, console
    from madang.base.errors import MadangError
    from madang.science.bioprocess.monitoring import Settings, save, train, tune
    from madang.science.bioprocess.signals import read_signals

    if normal > len(files):
        raise MadangError("monitor.training", _("There are fewer files than --normal says."))
    records = [read_signals(files[0])]
    records += [read_signals(file, len(records[0].names)) for file in files[1:]]
    with ProgressBars() as progress:
        settings = Settings(alarms=alarms)
        if len(records) > normal:
            model = tune(records[:normal], records[normal:], settings, product, progress)
        else:
            model = train(records, settings, product, progress)
    save(model, out)
    text = _("Model of {variables} signals from {samples} samples: {file}")
    samples = sum(record.samples for record in records[:normal])
    console().print(text.format(variables=len(model.variables), samples=samples, file=out), markup=False)


@app.command("test")
def hold_command(
    model: Annotated[Path, typer.Argument(help=_("A model that `train` wrote."))],
    file: Annotated[Path, typer.Argument(help=_("The record to hold against it."))],
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the answer to this file."))] = None,
    product: Product = "",
) -> None:
    """Say for each sample whether it alarms, and which signals explain the alarms."""
    from madang.base.canonical import sha256_of_file
    from madang.base.console import show_table
    from madang.science.bioprocess.monitoring import load, watch
    from madang.science.bioprocess.signals import read_signals
    from madang.services.manufacturing.output import write_json

    learned = load(model)
    watched = watch(learned, read_signals(file, len(learned.variables)), product, explain=True)
    begin = next((place for place, on in enumerate(watched.alarm) if on), None)
    rows = [
        [each.sample, each.length, ", ".join(f"{name} {share:.0%}" for name, share in each.variables)]
        for each in watched.explanations
    ]
    if json_ is not None:
        answer = {
            "file": file.name,
            "model": sha256_of_file(model),
            "samples": len(watched.alarm),
            "alarm": [bool(on) for on in watched.alarm],
            "first_alarm": begin,
            "alarms": int(watched.alarm.sum()),
            "ratio": [round(float(value), 4) for value in watched.ratio],
            "missing": [int(place) for place in watched.missing.nonzero()[0]],
            "explanations": [
                {
                    "sample": each.sample,
                    "length": each.length,
                    "variables": [{"name": name, "share": share} for name, share in each.variables],
                }
                for each in watched.explanations
            ],
        }
        write_json(json_, answer)
    title = _("{file}: {alarms} of {samples} samples alarm ({share})")
    count, share = int(watched.alarm.sum()), f"{watched.alarm.mean():.1%}"
    named = title.format(file=file.name, alarms=count, samples=len(watched.alarm), share=share)
    show_table(named, [_("from sample"), _("samples"), _("explained by")], rows[:20])
