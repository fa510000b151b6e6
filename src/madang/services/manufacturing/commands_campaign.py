"""`madang manufacturing campaign`: describe a campaign, ask what to try next, add results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.bioprocess.campaign import Campaign, Done, Next

app = typer.Typer(no_args_is_help=True, add_completion=False)

File = Annotated[Path, typer.Argument(help=_("TOML that describes the campaign."))]


@app.callback()
def campaign() -> None:
    """A campaign of experiments that says what to try next, why, and when to stop."""


@app.command("new")
def new_command(file: File) -> None:
    """Check a description and show how the campaign begins; without one, write one to start from."""
    from madang.base.console import console, show_table
    from madang.lake.files import put_if_absent, sentences
    from madang.science.bioprocess.campaign import next_experiments, read_campaign, read_done
    from madang.science.bioprocess.campaign.description import TEMPLATE

    if not file.exists():
        with sentences("write the description"):
            put_if_absent(file, TEMPLATE.format(name=file.name).encode(), 0o644)
        console().print(_("A description to start from: {file}").format(file=file), markup=False)
    described = read_campaign(file)
    done = read_done(described)
    following = next_experiments(described, done)
    text = _("Campaign {name}: {factors} factors, {aims} results, {done} of {most} experiments done.")
    console().print(
        text.format(
            name=described.name,
            factors=len(described.space.factors),
            aims=len(described.aims),
            done=len(done),
            most=described.experiments,
        ),
        markup=False,
    )
    names = [factor.name for factor in described.space.factors]
    show_table(_("Next"), names, [[each.point[name] for name in names] for each in following.experiments])


@app.command("suggest")
def suggest_command(
    file: File,
    json_: Annotated[Path | None, typer.Option("--json", help=_("Write the suggestions to this file."))] = None,
    count: Annotated[int | None, typer.Option(min=1, max=100, help=_("How many, instead of the batch."))] = None,
) -> None:
    """Say what to try next, what is expected, how sure, and whether to stop."""
    from madang.base.console import console, show_table
    from madang.science.bioprocess.campaign import next_experiments, read_campaign, read_done
    from madang.services.manufacturing.output import write_json

    described = read_campaign(file)
    done = read_done(described)
    following = next_experiments(described, done, count)
    if json_ is not None:
        write_json(json_, as_json(described, done, following))
    names = [factor.name for factor in described.space.factors]
    aims = [aim.name for aim in described.aims]
    rows = []
    for each in following.experiments:
        told = [f"{each.expected[a][0]:.4g} ± {1.96 * each.expected[a][1]:.2g}" if each.expected else "" for a in aims]
        rows.append([*(each.point[name] for name in names), *told, _why(each.why)])
    show_table(_("To try next (development use)"), [*names, *aims, _("why")], rows)
    for line in (following.note, following.stop):
        if line:
            console().print(line, markup=False)


@app.command("add")
def add_command(
    file: File,
    results: Annotated[Path, typer.Argument(help=_("CSV, XLSX or JSON with factors and results."))],
) -> None:
    """Add results; lines that cannot be taken are named, the others are taken."""
    from madang.base.console import console
    from madang.science.bioprocess.campaign import add_results, read_campaign

    described = read_campaign(file)
    added = add_results(described, results)
    text = _("{taken} experiments added ({failed} without a result), {duplicates} were there already.")
    out = console()
    out.print(text.format(taken=added.taken, failed=added.failed, duplicates=added.duplicates), markup=False)
    for line, why in added.refused:
        out.print(_("Not taken, line {line}: {why}").format(line=line, why=why), markup=False)
    for line, name, value, middle in added.outliers:
        told = _("Line {line}: {name} = {value} is far from all others (median {middle}); it was kept.")
        out.print(told.format(line=line, name=name, value=f"{value:g}", middle=f"{middle:g}"), markup=False)
    if added.refused:
        raise typer.Exit(3)


def as_json(described: "Campaign", done: "Done", following: "Next") -> dict[str, Any]:
    """Suggestions as JSON-ready data; intervals are 95 %."""
    from madang.science.bioprocess import DEVELOPMENT_USE

    return {
        "campaign": described.name,
        "use": DEVELOPMENT_USE,
        "done": len(done),
        "experiments": described.experiments,
        "suggestions": [
            {
                "experiment": len(done) + number,
                "factors": {name: value for name, value in each.point.items() if name != "block"},
                "block": each.point.get("block"),
                "why": each.why,
                "promise": None if each.why == "begin" else each.promise,
                "expected": {
                    name: {"mean": mean, "low": mean - 1.96 * deviation, "high": mean + 1.96 * deviation}
                    for name, (mean, deviation) in each.expected.items()
                },
            }
            for number, each in enumerate(following.experiments, 1)
        ],
        "best": [
            {
                "experiment": place + 1,
                "factors": done.points[place],
                "results": {name: float(values[place]) for name, values in done.results.items()},
            }
            for place in following.best
        ],
        "matters": following.matters,
        "stop": {"advised": bool(following.stop), "why": following.stop},
        "note": following.note,
    }


def _why(kind: str) -> str:
    names = {"begin": _("starting design"), "improve": _("promises more"), "explore": _("little is known")}
    return names[kind]
