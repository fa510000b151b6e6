"""`madang manufacturing twin`: compute a recipe, ask what if, fit the twin to runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.bioprocess.toml import Section
    from madang.science.bioprocess.twin.recipe import Recipe

app = typer.Typer(no_args_is_help=True, add_completion=False)

Answer = Annotated[Path | None, typer.Option("--json", help=_("Write the answer to this file."))]


@app.callback()
def twin() -> None:
    """The fed-batch twin: what a cultivation will do, and how sure that is."""


@app.command("run")
def run_command(
    file: Annotated[Path, typer.Argument(help=_("TOML with a recipe; see the documentation."))],
    json_: Answer = None,
) -> None:
    """Compute a recipe; with [what_if], [limits], [design_space] also how sure it is and what matters."""
    from madang.base.console import show_table
    from madang.science.bioprocess.toml import read_toml
    from madang.services.manufacturing.output import write_json

    section = read_toml(file)
    if "choice" in section:
        answer = _benchmark(section)
        rows = [[name, answer[name]] for name in ("penicillin", "co2", "hours")]
    else:
        answer = computed(section)
        rows = [[f"{name} ({answer['units'][name]})", value] for name, value in answer["end"].items()]
    if json_ is not None:
        write_json(json_, answer)
    show_table(_("At the end (development use)"), ["", _("value")], rows)
    if "what_if" in answer:
        told = answer["what_if"]
        columns = [_("attribute"), _("mean"), "5 %", "95 %", _("probability")]
        table = [[a["name"], a["mean"], a["low"], a["high"], a["probability"]] for a in told["attributes"]]
        title = _("{batches} batches: all limits hold with probability {probability}")
        show_table(title.format(batches=told["batches"], probability=f"{told['probability']:.3f}"), columns, table)
    if "control" in answer:
        told = answer["control"]
        table = [[each["from"], each["rate"]] for each in told["feed"]]
        title = _("Feed by model prediction: {aim} {reached} against {fixed} of the recipe's feed on the same plant")
        title = title.format(aim=told["aim"], reached=f"{told['reached']:.4g}", fixed=f"{told['fixed']:.4g}")
        show_table(title, [_("from h"), _("L/h")], table)
    if "sensitivities" in answer:
        table = [[s["attribute"], s["factor"], s["first"], s["total"]] for s in answer["sensitivities"]]
        show_table(_("What matters"), [_("attribute"), _("factor"), _("alone"), _("with others")], table)


@app.command("fit")
def fit_command(
    runs: Annotated[list[Path], typer.Argument(help=_("CSV files, one per cultivation."))],
    kinetics: Annotated[str, typer.Option(help=_("cho or penicillin."))] = "cho",
    parameters: Annotated[str, typer.Option(help=_("Names of parameters to fit, parted by commas."))] = "",
    json_: Answer = None,
) -> None:
    """Fit the twin's parameters to runs, with intervals; say which the runs do not tell."""
    from dataclasses import asdict

    from madang.base.console import ProgressBars, show_table
    from madang.science.bioprocess import DEVELOPMENT_USE
    from madang.science.bioprocess.twin.fit import fit, read_run
    from madang.science.bioprocess.twin.kinetics import kinetics as named
    from madang.services.manufacturing.output import write_json

    model = named(kinetics)
    names = [name.strip() for name in parameters.split(",") if name.strip()]
    with ProgressBars() as progress:
        done = fit([read_run(path, model) for path in runs], model, names, progress)
    rows = [
        [each.name, each.value, each.low, each.high, model.parameters[each.name][1], "" if each.told else _("not told")]
        for each in done.estimates
    ]
    if json_ is not None:
        write_json(
            json_,
            {
                "use": DEVELOPMENT_USE,
                "kinetics": model.name,
                "source": model.source,
                "runs": done.runs,
                "readings": done.readings,
                "parameters": done.parameters,
                "estimates": [asdict(each) for each in done.estimates],
                "correlations": [[round(float(value), 4) for value in row] for row in done.correlations],
                "residuals": done.residuals,
            },
        )
    title = _("Fitted to {readings} readings of {runs} runs (development use)")
    columns = [_("parameter"), _("value"), "2.5 %", "97.5 %", _("unit"), ""]
    show_table(title.format(readings=done.readings, runs=done.runs), columns, rows)


def computed(section: "Section") -> dict[str, Any]:
    """The answer to a description, as JSON-ready data."""
    from dataclasses import asdict

    from madang.science.bioprocess import DEVELOPMENT_USE
    from madang.science.bioprocess.twin.attributes import DERIVED, Limit, attribute, ph
    from madang.science.bioprocess.twin.control import control, read_controller
    from madang.science.bioprocess.twin.kinetics import STATES
    from madang.science.bioprocess.twin.recipe import read_recipe
    from madang.science.bioprocess.twin.solve import solve
    from madang.science.bioprocess.twin.space import sensitivities, what_if

    recipe = read_recipe(section)
    asked, space = section.section("what_if"), section.section("design_space")
    given = section.section("limits")
    limits = []
    for name in given.names():
        one = given.section(name)
        limits.append(
            Limit(
                name,
                one.number("least", float("-inf")) if "least" in one else float("-inf"),
                one.number("most") if "most" in one else float("inf"),
            )
        )
        one.end()
    steering = section.section("control")
    steered = read_controller(steering) if steering.names() else None
    section.end()
    times = recipe.times()
    states = solve(recipe.batches(), times)
    derived = {name: float(attribute(name, states, times, recipe.kinetics)[0]) for name in DERIVED}
    units = recipe.kinetics.units
    shown = [name for name in STATES if units[name] != "-"]
    answer: dict[str, Any] = {
        "use": DEVELOPMENT_USE,
        "kinetics": recipe.kinetics.name,
        "source": recipe.kinetics.source,
        "units": {**units, **{name: "" for name in DERIVED}},
        "hours": [float(hour) for hour in times],
        "states": {name: [float(value) for value in states[0, :, STATES.index(name)]] for name in shown},
        "pH": [float(value) for value in ph(states, recipe.kinetics)[0]],
        "end": {**{name: float(states[0, -1, STATES.index(name)]) for name in shown}, **derived},
    }
    if steered is not None:
        done = control(recipe, steered[0], limits, steered[1])
        answer["control"] = {
            "aim": steered[0].aim,
            "feed": [{"from": hour, "rate": rate} for hour, rate in zip(done.hours, done.feed, strict=True)],
            "reached": done.reached,
            "fixed": done.fixed,
            "limits_hold": done.held,
            "limits_hold_fixed": done.fixed_held,
            "states": {name: [float(value) for value in done.states[:, STATES.index(name)]] for name in shown},
        }
    if asked.names() or space.names():
        seed = asked.whole("seed", 1)
        spread = asked.section("spread")
        varied = {name: spread.number(name, least=0, most=2) for name in spread.names()}
        batches = asked.whole("batches", 10_000, 1, 1_000_000)
        told = what_if(recipe, varied, limits, batches, seed)
        answer["what_if"] = asdict(told)
        if varied:
            names = [limit.attribute for limit in limits] or ["product"]
            answer["sensitivities"] = [asdict(each) for each in sensitivities(recipe, varied, names, seed=seed)]
        asked.end()
        if space.names():
            answer["design_space"] = _space(recipe, space, varied, limits, seed)
    return answer


def _space(
    recipe: "Recipe", space: "Section", spread: dict[str, float], limits: list[Any], seed: int
) -> dict[str, Any]:
    from madang.science.bioprocess.twin.space import design_space

    axes = space.section("axes")
    ranges = {}
    for name in axes.names():
        low, high = axes.numbers(name, length=2)
        ranges[name] = (low, high)
    grid = space.whole("grid", 15, 2, 200)
    draws = space.whole("draws", 200, 1, 10_000)
    space.end()
    lines, sure = design_space(recipe, ranges, grid, spread, limits, draws, seed)
    return {
        "axes": {name: [float(v) for v in line] for name, line in zip(ranges, lines, strict=True)},
        "probability": sure.tolist(),
        "draws": draws,
    }


def _benchmark(section: "Section") -> dict[str, Any]:
    """The published penicillin benchmark: `kinetics = "liang-lai"` and a table `choice`."""
    from madang.science.bioprocess import DEVELOPMENT_USE
    from madang.science.bioprocess.twin.penicillin import FACTORS, batch

    section.text("kinetics", "liang-lai", ("liang-lai",))
    choice = section.section("choice")
    values = [choice.number(name) for name in FACTORS]
    choice.end()
    section.end()
    done = batch(values, trace=True)
    names = ("hour", "penicillin", "volume", "biomass", "glucose", "co2")
    return {
        "use": DEVELOPMENT_USE,
        "kinetics": "liang-lai",
        "penicillin": done.penicillin,
        "co2": done.co2,
        "hours": done.hours,
        "aims": list(done.aims),
        "trace": [dict(zip(names, row, strict=True)) for row in done.trace],
    }
