"""`madang outputs`: whether a table may leave after all that left before, and the cheapest cells to suppress."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from madang.base.translate import _

if TYPE_CHECKING:
    from madang.science.privacy.outputs.check import Verdict
    from madang.science.privacy.outputs.protect import Protection
    from madang.science.privacy.outputs.suppression import Problem

app = typer.Typer(add_completion=False, no_args_is_help=True)

MAY_NOT = 1
SHOWN = 20


class Interval(StrEnum):
    """What a hidden count may not become: certain, or narrower than its protection."""

    EXACT = "exact"
    PROTECT = "protect"


class Many(TyperCommand):
    """A command whose option `--released` takes all files that follow it, as in `--released A.json B.json`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write the option before each of its files."""
        given: list[str] = []
        taking = False
        for place, arg in enumerate(args):
            if arg == "--":
                given += args[place:]
                break
            if arg == "--released":
                taking = True
            elif arg.startswith("-") and arg != "-":
                taking = False
                given.append(arg)
            elif taking:
                given += ["--released", arg]
            else:
                given.append(arg)
        return super().parse_args(ctx, given)


Json = Annotated[Path | None, typer.Option("--json", help=_("Write the answer as JSON to this file."))]
RulesOption = Annotated[
    str | None, typer.Option("--rules", help=_("Rules by their identifier, or a TOML file; standard-1 if not given."))
]
Released = Annotated[
    list[Path] | None, typer.Option("--released", help=_("Tables that left before, in their order; takes many files."))
]
IntervalOption = Annotated[
    Interval, typer.Option(help=_("exact: only counts that become certain; protect: also those left too few values."))
]


@app.callback()
def outputs() -> None:
    """Check what may leave, and protect what may not."""


@app.command(cls=Many)
def check(
    new: Annotated[Path, typer.Argument(help=_("The table that is to leave, as JSON."))],
    released: Released = None,
    json_: Json = None,
    interval: IntervalOption = Interval.PROTECT,
    rules: RulesOption = None,
) -> None:
    """Say whether a table may leave after the released ones, and which hidden counts it would open. Exit 1: may not."""
    from madang.science.privacy.outputs.check import check as decide
    from madang.science.privacy.outputs.propose import propose
    from madang.science.privacy.outputs.rules import read_rules
    from madang.science.privacy.outputs.tables import read_table

    limits = read_rules(rules)
    table = read_table(new, limits.minimum_count)
    earlier = [read_table(path, limits.minimum_count) for path in released or []]
    verdict = decide(table, earlier, limits, interval.value)
    proposals = [] if verdict.released else propose(table, earlier, limits, interval.value)
    if json_ is not None:
        _write(json_, {**verdict.document(), "proposals": [proposal.document() for proposal in proposals]})
    _show_verdict(new, verdict, [_proposed(proposal.kind, len(proposal.hidden)) for proposal in proposals])
    if not verdict.released:
        raise typer.Exit(MAY_NOT)


def _proposed(kind: str, cells: int) -> str:
    if kind == "rounded":
        return _("It may leave with its counts rounded.")
    return _("It may leave with {n} more cells suppressed.").format(n=cells)


def _show_verdict(new: Path, verdict: "Verdict", proposals: list[str]) -> None:
    from madang.base.console import console, show_table

    out = console()
    if verdict.released:
        out.print(_("{file} may leave.").format(file=new.name))
    else:
        out.print(_("{file} may not leave.").format(file=new.name))
        for reason in verdict.reasons:
            out.print(f"  {reason.sentence}", markup=False)
    for note in verdict.notes:
        out.print(f"  {note}", markup=False)
    if verdict.opens:
        show_table(
            _("Counts that would open (for checkers only)"),
            [_("table"), _("cell"), _("from", "range"), _("to", "range")],
            [[cell.name, " / ".join(cell.cell), cell.lower, cell.upper] for cell in verdict.opens[:SHOWN]],
        )
    for sentence in proposals:
        out.print(sentence)


@app.command(cls=Many)
def protect(
    table: Annotated[Path, typer.Argument(help=_("The table with its sums and cells to protect, as JSON."))],
    released: Released = None,
    json_: Json = None,
    seconds: Annotated[float, typer.Option(min=1, help=_("Stop looking for a cheaper pattern after this."))] = 120.0,
    interval: IntervalOption = Interval.PROTECT,
    rules: RulesOption = None,
) -> None:
    """Find the cheapest cells to suppress so that nothing can be worked out. Exit 1: nothing protects it."""
    from madang.science.privacy.outputs.tables import read_json

    document = read_json(table)
    if isinstance(document, dict) and isinstance(document.get("instances"), list):
        from madang.base.errors import MadangError

        raise MadangError(
            "outputs.table",
            _("{file}: this is a collection of tables.").format(file=table.name),
            _("Give one of them, in a file of its own."),
        )
    if isinstance(document, dict) and "attributes" in document and "equations" not in document:
        _protect_counts(document, table, released or [], json_, interval, rules)
    else:
        _protect_sums(document, table, json_, seconds)


def _protect_sums(document: Any, path: Path, json_: Path | None, seconds: float) -> None:
    from madang.base.console import ProgressBars, console
    from madang.science.privacy.outputs.protect import protect as search
    from madang.science.privacy.outputs.suppression import problem_of

    problem = problem_of(document, path.name)
    with ProgressBars() as progress:
        found = search(problem, seconds, progress)
    if json_ is not None:
        _write(json_, _protection(problem, found))
    out = console()
    if not found.safe:
        cells = ", ".join(map(str, found.unprotected[:SHOWN]))
        out.print(_("Nothing protects the cells {cells}, even if all others are suppressed.").format(cells=cells))
        raise typer.Exit(MAY_NOT)
    names = [problem.names[i] if problem.names else str(i) for i in found.suppressed]
    out.print(_("Suppressed: {cells}").format(cells=", ".join(names)), markup=False)
    if found.optimal:
        out.print(_("Cost {cost:g}, proved to be the least.").format(cost=found.cost))
    else:
        out.print(_("Cost {cost:g}; the least is not below {bound:g}.").format(cost=found.cost, bound=found.bound))


def _protection(problem: "Problem", found: "Protection") -> dict[str, Any]:
    import math

    primary = set(problem.primary)
    return {
        "suppressed": list(found.suppressed),
        "secondary": [cell for cell in found.suppressed if cell not in primary],
        "cost": found.cost,
        "optimal": found.optimal,
        "bound": found.bound if math.isfinite(found.bound) else None,
        "safe": found.safe,
        "unprotected": list(found.unprotected),
        "intervals": [
            {"cell": each.cell, "lower": each.lower, "upper": each.upper, "safe": each.safe} for each in found.exposures
        ],
    }


def _protect_counts(
    document: Any, path: Path, released: list[Path], json_: Path | None, interval: Interval, rules: str | None
) -> None:
    from madang.base.console import console
    from madang.science.privacy.outputs.propose import suppress
    from madang.science.privacy.outputs.rules import read_rules
    from madang.science.privacy.outputs.tables import read_table, table_of

    limits = read_rules(rules)
    earlier = [read_table(each, limits.minimum_count) for each in released]
    proposal = suppress(table_of(document, path.name, limits.minimum_count), earlier, limits, interval.value)
    out = console()
    if proposal is None:
        if json_ is not None:
            _write(json_, {"safe": False, "suppressed": [], "cost": None, "optimal": False})
        out.print(_("No pattern was found that lets this table leave."))
        raise typer.Exit(MAY_NOT)
    hidden = sorted(proposal.table.hidden)
    if json_ is not None:
        answer = {"safe": True, "suppressed": [list(key) for key in hidden], "cost": len(hidden), "optimal": False}
        _write(json_, {**answer, "table": proposal.document()["table"]})
    out.print(_("Suppressed: {cells}").format(cells=", ".join(" / ".join(key) for key in hidden)), markup=False)


def _write(path: Path, document: Any) -> None:
    import orjson

    from madang.base.errors import MadangError

    try:
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise MadangError("outputs.file", _("Cannot write {file}.").format(file=path), str(error.strerror)) from None
