"""`madang discovery model`: train from an assay, predict, list and show."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.discovery.command_library import JsonOut, write_csv, write_json

app = typer.Typer(no_args_is_help=True, add_completion=False, help=_("Models trained from assays, with intervals."))

Name = Annotated[str, typer.Argument(help=_("Name of the model."))]
ADDED = ("value", "low", "high", "in_domain", "nearest", "nearest_value", "similarity", "problem")


@app.command("train")
def train_command(
    name: Name,
    assay: Annotated[Path, typer.Option(help=_("Table of measured values: CSV, XLSX or Parquet."))],
    structure: Annotated[str, typer.Option(help=_("The column with the structures."))],
    value: Annotated[str, typer.Option(help=_("The column with the values: numbers, or classes 0 and 1."))],
    date: Annotated[str, typer.Option(help=_("The column with the dates, for a split by time."))] = "",
    light: Annotated[bool, typer.Option("--light", help=_("Few descriptors: faster, a little worse."))] = False,
    threads: Annotated[int, typer.Option(help=_("Threads to work with."))] = 1,
    json_out: JsonOut = None,
) -> None:
    """Train a model from an assay; every row that is not used is accounted for."""
    from madang.base.console import ProgressBars, console
    from madang.science.chemistry.assay import read_assay
    from madang.science.chemistry.model import save, train, versions

    folder = model_folder(name)
    table = read_assay(assay, structure, value, date)
    last = _card(folder, None) if versions(folder) else None
    with ProgressBars() as progress:
        model = train(name, table, light=light, threads=threads, progress=progress)
    number, digest = save(model, folder)
    if json_out:
        write_json(json_out, model.card | {"version": number, "hash": digest})
    show_card(model.card, number)
    if last:
        _compare(last, model.card)
    text = _("{name}@{number}: {compounds} compounds of {rows} rows; {dropped} rows were not used.")
    counts = model.card["assay"]
    console().print(
        text.format(
            name=name,
            number=number,
            compounds=f"{counts['compounds']:,}",
            rows=f"{counts['rows']:,}",
            dropped=f"{len(counts['dropped']):,}",
        ),
        markup=False,
    )


@app.command("predict")
def predict_command(
    name: Annotated[str, typer.Argument(help=_("MODEL, or MODEL@VERSION."))],
    file: Annotated[Path, typer.Argument(help=_("Molecules: SMILES, SDF, CSV, XLSX or Parquet."))],
    out: Annotated[Path, typer.Option(help=_("Write the predictions to this CSV file."))],
    structure: Annotated[str, typer.Option(help=_("The column with the structures."))] = "",
    level: Annotated[float, typer.Option(help=_("Share of intervals that are to hold the truth."))] = 0.9,
) -> None:
    """Predict a value with its interval for each molecule of a file; a row for each row."""
    from madang.base.console import console
    from madang.science.chemistry.model import load
    from madang.science.chemistry.reading import kind_of, read_rows

    if not 0.5 <= level < 1:
        raise MadangError("chemistry.level", _("The level of an interval lies between 0.5 and 1."))
    named, number = _reference(name)
    model = load(model_folder(named), number)
    if not file.is_file():
        raise MadangError("chemistry.no_file", _("There is no file {file}.").format(file=file))
    structure = structure or _same_column(file, kind_of(file), str(model.card["assay"]["structure"]))
    rows = [row for row in read_rows(file, structure) if not row.unused]
    said = model.predict([row.given for row in rows], level=level)
    fields = list(dict.fromkeys(key for row in rows for key in row.fields if key not in (*ADDED, "id", "structure")))
    fields = [key for key in fields if key != "more"]
    shown = structure if structure and structure not in (*ADDED, "id") else "structure"
    columns = ["id", shown, *ADDED, *fields]
    table = []
    for row, one in zip(rows, said, strict=True):
        values: dict[str, Any] = asdict(one) | {"in_domain": str(one.in_domain).lower()}
        given = row.given if "\n" not in row.given else ""
        problem = row.problem or one.problem
        told = [problem if key == "problem" else _cell(values[key]) for key in ADDED]
        table.append([row.name, given, *told, *(row.fields.get(key, "") for key in fields)])
    write_csv(out, columns, table)
    failed = sum(one.value is None for one in said)
    outside = sum(one.value is not None and not one.in_domain for one in said)
    text = _("{rows} rows: {values} values, {outside} of them out of the domain, {failed} without a value: {file}")
    console().print(
        text.format(rows=len(said), values=len(said) - failed, outside=outside, failed=failed, file=out), markup=False
    )


@app.command("list")
def list_command(json_out: JsonOut = None) -> None:
    """List the models of this home."""
    from madang.base.console import show_table
    from madang.node.home import Home
    from madang.science.chemistry.model import versions

    folder = Home.find().path / "models"
    cards = [_card(path, None) for path in sorted(folder.glob("*")) if versions(path)]
    if json_out:
        write_json(json_out, cards)
    columns = [_("Model"), _("Version"), _("Compounds"), _("Made")]
    show_table(_("Models"), columns, [[c["name"], c["version"], c["assay"]["compounds"], c["made"]] for c in cards])


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help=_("MODEL, or MODEL@VERSION."))], json_out: JsonOut = None
) -> None:
    """Show the card of a model."""
    named, number = _reference(name)
    card = _card(model_folder(named), number)
    if json_out:
        write_json(json_out, card)
    show_card(card, card["version"])


def show_card(card: dict[str, Any], number: int) -> None:
    """The figures of a model for unseen molecules, beside those of the baseline."""
    from madang.base.console import show_table

    main = "auroc" if card["kind"] == "classes" else "pearson_r"
    second = "brier" if card["kind"] == "classes" else "mae"
    rows = []
    for split, found in card["splits"].items():
        model, baseline = found["model"], found["baseline"]
        covered = found.get("coverage", {}).get("0.9")
        interval = model.get("interval")
        span = f"{interval[0]:.3f} - {interval[1]:.3f}" if interval else ""
        rows.append([split, model["count"], _cell(model.get(main)), span, _cell(model.get(second))])
        rows[-1] += [_cell(baseline.get(main)), f"{covered:.1%}" if covered is not None else ""]
    columns = [_("Split"), _("Molecules"), main, _("95% interval"), second, _("Baseline"), _("In 90% intervals")]
    show_table(f"{card['name']}@{number}", columns, rows)


def model_folder(name: str) -> Path:
    """Where the versions of a model are kept."""
    from madang.node.home import Home

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) or name.endswith("."):
        raise MadangError(
            "chemistry.model_name",
            _("{name} cannot name a model.").format(name=repr(name)),
            _("Use letters, digits, - and _."),
        )
    return Home.find().path / "models" / name


def _reference(text: str) -> tuple[str, int | None]:
    name, _at, number = text.partition("@")
    return name, int(number) if number.isdigit() else None


def _card(folder: Path, number: int | None) -> dict[str, Any]:
    from madang.science.chemistry.model import load, versions

    numbers = versions(folder)
    if not numbers or (number is not None and number not in numbers):
        load(folder, number)  # which says what is wrong
    card: dict[str, Any] = json.loads((folder / str(number or numbers[-1]) / "card.json").read_bytes())
    return card


def _compare(last: dict[str, Any], card: dict[str, Any]) -> None:
    from madang.base.console import console

    main = "auroc" if card["kind"] == "classes" else "pearson_r"
    before = last["splits"]["cluster"]["model"].get(main)
    now = card["splits"]["cluster"]["model"].get(main)
    text = _("By cluster: {measure} was {before} in version {number}, is {now}.")
    line = text.format(measure=main, before=_cell(before), number=last["version"], now=_cell(now))
    console().print(line, markup=False)


def _same_column(file: Path, kind: str, structure: str) -> str:
    """The structure column of the training table, where the file has it too."""
    from madang.science.chemistry.reading import table

    if kind not in ("csv", "xlsx", "parquet"):
        return ""
    return structure if structure in table(file)[0] else ""


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
