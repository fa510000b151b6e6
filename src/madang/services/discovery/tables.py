"""The structure-activity table: what was measured of which lot, joined with properties, predictions and R groups."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.node import Node
from madang.node.people.actor import Actor
from madang.services.discovery.acts import SEE
from madang.services.discovery.lots import lots, read_lines
from madang.services.discovery.service import assays, see

OPERATORS = ("<", ">", "~", "=")
FACTS = ("weight", "logp", "tpsa", "qed", "alerts")
MOST_PAIRED = 2_000  # compounds whose matched pairs are looked for


@dataclass(frozen=True)
class Activity:
    """Columns in their order, rows by column, the R groups among the columns, and names of wells or lines that are
    neither a compound nor a lot nor a sample."""

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]
    groups: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """Two compounds that differ in one place, what is exchanged, and what that does to the value."""

    first: str
    second: str
    change: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.after - self.before


def read_results(table: str) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """Results from a table with columns compound (a compound, lot or sample), property, value (with `<` or `>` where it
    is only bounded), and if known unit, date, source; and the lines that were refused, with the reason."""
    from madang.science.chemistry.assay import number_of

    found: list[dict[str, Any]] = []
    refused: list[tuple[int, str]] = []
    units: dict[str, str] = {}
    for line, row in read_lines(table):
        name = row.get("compound") or row.get("lot") or row.get("sample") or ""
        text = row.get("value", "")
        operator = text[0] if text[:1] in OPERATORS else "="
        value, reason = number_of(text.lstrip("<>~= "))
        kind, unit = row.get("property", ""), row.get("unit", "")
        if not name or not kind:
            reason = reason or "no compound or no property"
        elif units.setdefault(kind, unit) != unit:
            reason = f"{kind} is in {units[kind] or 'no unit'} above"
        if reason or value is None:
            refused.append((line, reason))
            continue
        told = {"compound": name, "property": kind[:60], "operator": operator, "value": value, "unit": unit[:20]}
        found.append(told | {"date": row.get("date", "")[:10], "source": row.get("source", "")[:200]})
    return found, refused


def activity(
    node: Node,
    actor: Actor,
    library: str,
    *,
    sort: str = "",
    column: str = "",
    least: float | None = None,
    most: float | None = None,
    core: str = "",
) -> Activity:
    """The measured compounds of a library, each with its newest result of every kind, its lots and what models say.

    `sort` is a column, with `-` before it for the largest first; `column` with `least` and `most` keeps the rows whose
    value lies between; `core` (SMARTS or SMILES) adds a column for each R group and keeps the compounds that have it.
    """
    from madang.science.chemistry.library import newest, read_table
    from madang.services.discovery.studies import properties_of

    found = see(node, actor, library)
    rows = {row["id"]: row for row in read_table(newest(node.home.lake().dataset(library)), "compound").to_pylist()}
    node.audit.read(actor, SEE.name, f"library:{found.id}")
    of = {lot.name: lot.compound for lot in lots(node, actor, library)}
    results, kinds, unknown = _results(node, actor, library, rows, of)
    said = properties_of(node, actor, library)
    table = []
    for name, told in results.items():
        facts = {key: rows[name][key] for key in FACTS}
        table.append(
            {"id": name, "smiles": rows[name]["smiles"], **told, **facts, **{k: v.get(name) for k, v in said.items()}}
        )
    groups: tuple[str, ...] = ()
    if core.strip():
        table, groups = _with_groups(table, core)
    measured = ("ic50", "operator", "low", "high", "unit", "pic50", "hill", "lot", "results", "assay", "measured")
    columns = ("id", "smiles", *groups, *measured, *kinds, *FACTS, *said)
    table = [{**dict.fromkeys(columns), **row} for row in table]
    table = _between(table, columns, column, least, most)
    return Activity(columns, _sorted(table, columns, sort), groups, tuple(unknown))


def pairs(rows: Sequence[Mapping[str, Any]], column: str = "pic50", most: int = 50) -> list[Change]:
    """Matched pairs among rows that have a number in `column`, the largest changes first."""
    from madang.science.chemistry.series import matched_pairs

    kept = [row for row in rows if isinstance(row.get(column), int | float)][:MOST_PAIRED]
    found = [
        Change(kept[p.first]["id"], kept[p.second]["id"], p.change, kept[p.first][column], kept[p.second][column])
        for p in matched_pairs([row["smiles"] for row in kept], [row[column] for row in kept])
    ]
    return sorted(found, key=lambda each: -abs(each.difference))[:most]


def as_csv(table: Activity) -> str:
    """The table as CSV; a text that a spreadsheet would take for a formula gets a blank before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([csv_cell(row[name]) for name in table.columns])
    return out.getvalue()


def _results(
    node: Node, actor: Actor, library: str, rows: Mapping[str, Any], of: Mapping[str, str]
) -> tuple[dict[str, dict[str, Any]], list[str], list[str]]:
    """By compound: its newest curve, its newest result of each kind, of which lots, how many results."""
    results: dict[str, dict[str, Any]] = {}
    kinds: list[str] = []
    unknown: list[str] = []
    shown = ("ic50", "operator", "low", "high", "unit", "pic50", "hill")
    for assay in reversed(assays(node, actor, library)):
        found = json.loads(assay.found)
        when = f"{assay.created:%Y-%m-%d}"
        for one in [*found["curves"], *found.get("results", ())]:
            given = one["compound"]
            compound = given if given in rows else of.get(given, "")
            if compound not in rows:
                unknown.append(given)
                continue
            told = results.setdefault(compound, {"lot": "", "results": 0})
            told["results"] += 1
            if given != compound and given not in told["lot"].split(", "):
                told["lot"] = ", ".join(filter(None, (told["lot"], given)))
            if "property" in one:
                name = one["property"] + (f" ({one['unit']})" if one["unit"] else "")
                told[name] = one["value"] if one["operator"] == "=" else f"{one['operator']}{one['value']:g}"
                kinds += [] if name in kinds else [name]
                told["measured"] = one["date"] or when
            else:
                told |= {key: one[key] for key in shown} | {"assay": assay.title, "measured": when}
    return results, kinds, list(dict.fromkeys(unknown))


def _with_groups(table: list[dict[str, Any]], core: str) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    from madang.science.chemistry.series import r_groups

    names, found = r_groups([row["smiles"] for row in table], core)
    return [{**row, **has} for row, has in zip(table, found, strict=True) if has], tuple(names)


def _between(
    table: list[dict[str, Any]], columns: Sequence[str], column: str, least: float | None, most: float | None
) -> list[dict[str, Any]]:
    if not column or (least is None and most is None):
        return table
    _known(columns, column)
    low, high = -float("inf") if least is None else least, float("inf") if most is None else most
    return [row for row in table if isinstance(row[column], int | float) and low <= row[column] <= high]


def _sorted(table: list[dict[str, Any]], columns: Sequence[str], sort: str) -> list[dict[str, Any]]:
    """By a column; numbers before texts, rows without a value last either way."""
    name = sort.lstrip("-")
    if not name:
        return table
    _known(columns, name)
    there = [row for row in table if row[name] not in (None, "")]
    numbers = [row for row in there if isinstance(row[name], int | float)]
    texts = [row for row in there if not isinstance(row[name], int | float)]
    down = sort.startswith("-")
    numbers.sort(key=lambda row: row[name], reverse=down)
    texts.sort(key=lambda row: str(row[name]), reverse=down)
    return numbers + texts + [row for row in table if row[name] in (None, "")]


def _known(columns: Sequence[str], name: str) -> None:
    if name not in columns:
        raise MadangError(
            "chemistry.no_column",
            _("There is no column {name}.").format(name=repr(name)),
            _("There are: {names}.").format(names=", ".join(columns)),
        )


def csv_cell(value: Any) -> Any:
    """A value for CSV: a text that a spreadsheet would take for a formula gets a blank before it."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") and len(value) > 1:
        return f" {value}"
    return "" if value is None else value
