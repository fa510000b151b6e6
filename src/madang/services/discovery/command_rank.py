"""`madang discovery rank`, `rgroups` and `pairs`: what to make next, and why."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.services.discovery.command_library import JsonOut, library, write_csv, write_json

PRINTED = 30
Source = Annotated[str, typer.Argument(help=_("A library (NAME or NAME@VERSION), or a CSV, XLSX or Parquet file."))]
Structure = Annotated[str, typer.Option(help=_("The column with the structures."))]


def rank_command(
    source: Source,
    goals: Annotated[
        Path, typer.Option(help=_("Table of goals: property, shape (higher, lower, target, range), low, high, weight."))
    ],
    structure: Structure = "",
    join: Annotated[
        Path | None, typer.Option(help=_("CSV file with an id column and more properties, as predictions or scores."))
    ] = None,
    pick: Annotated[
        int, typer.Option(help=_("Also pick so many that are unlike each other, from the best tenth."))
    ] = 0,
    cost: Annotated[str, typer.Option(help=_("The column with what a compound costs."))] = "",
    budget: Annotated[
        float | None, typer.Option(help=_("What the picked compounds may cost together; needs --cost."))
    ] = None,
    out: Annotated[Path | None, typer.Option(help=_("Write the ranking to this CSV file."))] = None,
    json_out: JsonOut = None,
) -> None:
    """Rank compounds by what is wanted of them; every place is explained by its parts."""
    from madang.base.console import show_table
    from madang.science.chemistry.ranking import picked, rank, read_goals

    wanted = read_goals(goals)
    rows = _rows(source, structure)
    if join:
        more = {str(row.get("id", "")): row for row in _rows(str(join), "", structures=False)}
        rows = [{**more.get(str(row.get("id", "")), {}), **row} for row in rows]
    ranked = rank(rows, wanted)
    costs = _costs(rows, cost) if cost else {}
    chosen = set(picked(ranked, pick, costs or None, budget))
    names = [goal.property for goal in wanted]
    wished = [f"{name} desirability" for name in names]
    columns = ["place", "id", "smiles", "score", "front", *names, *wished, *(["cost"] if cost else []), "picked"]
    table: list[list[Any]] = []
    for one in ranked:
        values = ["" if part.value is None else f"{part.value:.6g}" for part in one.parts]
        wishes = [f"{part.desirability:.3f}" for part in one.parts]
        mark = "yes" if one.place in chosen else ""
        price = [costs.get(one.id, "")] if cost else []
        table.append([one.place, one.id, one.smiles, f"{one.score:.4f}", one.front, *values, *wishes, *price, mark])
    if out:
        write_csv(out, columns, table)
    if json_out:
        priced = [{"cost": costs.get(one.id)} if cost else {} for one in ranked]
        told = [asdict(one) | more | {"picked": one.place in chosen} for one, more in zip(ranked, priced, strict=True)]
        write_json(json_out, told)
    show_table(_("Ranking"), columns, table[:PRINTED])
    if pick:
        spent = sum(costs.get(one.id, 0) for one in ranked if one.place in chosen)
        text = _("{count} picked; they cost {cost} together.") if cost else _("{count} picked.")
        typer.echo(text.format(count=len(chosen), cost=f"{spent:,.6g}"))


def rgroups_command(
    source: Source,
    core: Annotated[str, typer.Option(help=_("The common core as SMARTS or SMILES."))],
    structure: Structure = "",
    out: Annotated[Path | None, typer.Option(help=_("Write the table to this CSV file."))] = None,
    json_out: JsonOut = None,
) -> None:
    """Show what hangs on a common core, beside the values of each compound."""
    from madang.base.console import show_table
    from madang.science.chemistry.series import r_groups

    rows = _rows(source, structure)
    names, found = r_groups([row["smiles"] for row in rows], core)
    kept = [{**row, **groups} for row, groups in zip(rows, found, strict=True) if groups]
    others = [key for key in (rows[0] if rows else {}) if key not in ("id", "smiles")]
    columns = ["id", "smiles", *names, *others]
    table = [[row.get(key, "") for key in columns] for row in kept]
    if out:
        write_csv(out, columns, table)
    if json_out:
        write_json(json_out, [dict(zip(columns, row, strict=True)) for row in table])
    show_table(_("R groups"), columns[: 2 + len(names)], [row[: 2 + len(names)] for row in table[:PRINTED]])
    text = _("{with_core} of {rows} compounds have the core.")
    typer.echo(text.format(with_core=len(kept), rows=len(rows)))


def pairs_command(
    assay: Annotated[Path, typer.Option(help=_("Table of measured values: CSV, XLSX or Parquet."))],
    structure: Annotated[str, typer.Option(help=_("The column with the structures."))],
    value: Annotated[str, typer.Option(help=_("The column with the values."))],
    out: Annotated[Path | None, typer.Option(help=_("Write the pairs to this CSV file."))] = None,
    json_out: JsonOut = None,
) -> None:
    """List pairs of compounds that differ in one place, with the change of the value."""
    from madang.base.console import show_table
    from madang.science.chemistry.assay import read_assay
    from madang.science.chemistry.series import matched_pairs

    table = read_assay(assay, structure, value)
    pairs = matched_pairs(table.smiles, table.values)
    columns = ["first", "second", "change", "core", "value_first", "value_second", "difference"]
    rows: list[list[Any]] = []
    for pair in pairs:
        ends = [table.smiles[pair.first], table.smiles[pair.second]]
        values = [table.values[pair.first], table.values[pair.second]]
        rows.append([*ends, pair.change, pair.core, *values, pair.difference])
    if out:
        write_csv(out, columns, rows)
    if json_out:
        write_json(json_out, [dict(zip(columns, row, strict=True)) for row in rows])
    largest = sorted(rows, key=lambda row: -abs(row[6] or 0))[:PRINTED]
    show_table(_("Matched pairs, largest changes first"), columns[2:], [row[2:] for row in largest])
    typer.echo(_("{count} pairs.").format(count=f"{len(pairs):,}"))


def _rows(source: str, structure: str, structures: bool = True) -> list[dict[str, Any]]:
    """Rows with id, smiles and whatever else is known, from a library or a file."""
    from madang.science.chemistry.library import read_table
    from madang.science.chemistry.properties import properties
    from madang.science.chemistry.reading import cell_text, read_rows, table
    from madang.science.chemistry.structure import Unreadable, canonical, read_structure

    path = Path(source)
    if not path.is_file():
        if not structures or path.suffix:
            raise MadangError("chemistry.no_file", _("There is no file {file}.").format(file=source))
        return list(read_table(library(source), "compound").to_pylist())
    if not structures:
        header, records = table(path)
        return [dict(zip(header, map(cell_text, cells), strict=False)) for _line, cells in records]
    rows = []
    for row in read_rows(path, structure):
        if row.unused or row.problem:
            continue
        try:
            molecule = read_structure(row.given)
        except Unreadable:
            continue
        known = {"id": row.name or f"line {row.line}", "smiles": canonical(molecule)}
        rows.append({**properties(molecule), **row.fields, **known})
    return rows


def _costs(rows: list[dict[str, Any]], column: str) -> dict[str, float]:
    """What the rows cost, by id; rows without a number are left out."""
    if rows and not any(column in row for row in rows):
        raise MadangError(
            "chemistry.no_column",
            _("There is no column {name}.").format(name=repr(column)),
            _("There are: {names}.").format(names=", ".join(list(rows[0])[:30])),
        )
    found: dict[str, float] = {}
    for row in rows:
        try:
            price = float(str(row.get(column, "")).replace(",", ""))
        except ValueError:
            continue
        if 0 <= price < float("inf"):
            found[str(row["id"])] = price
    return found
