"""`check_pack`: compile a pack, run its cases through the whole of `standardize`, and say what came out otherwise."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.lake.engine import Engine
from madang.science.standardize.cases import (
    Case,
    Row,
    Written,
    as_cases_have_it,
    load_case,
    unmatched,
    write_sources,
    write_vocabulary,
)
from madang.science.standardize.compile import compile_pack
from madang.science.standardize.compile import problems as compile_problems
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.pack_model import Pack

if TYPE_CHECKING:
    from madang.science.standardize.result import Standardized

Run = Callable[..., "Standardized"]

KEY = b"the key of made-up rows in cases"
"""Pseudonyms in cases are those of this key."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a pack: `where` is a file and line, `case` the case that shows it, or empty."""

    where: str
    message: str
    hint: str = ""
    case: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (f"{self.where}: {self.message}" if self.where else self.message, self.hint)))


def check_pack(pack: Pack, run: Run | None = None, progress: Progress | None = None) -> list[Problem]:
    """Compile `pack` and run each of its cases; the list is empty if all is as the cases say.

    What does not compile is told at once, one problem for each SELECT; the cases run when all of it compiles.
    `run` is `standardize`, or something that takes the same arguments. Every case is run, whatever the others do.
    """
    if run is None:
        from madang.science.standardize.run import standardize  # costs a second, which compiling alone need not pay

        run = standardize
    progress = progress or Silent()
    with Engine() as engine:
        refused = compile_problems(pack, engine)
        if refused:
            return [Problem("", error.message, error.hint) for error in refused]
        program = compile_pack(pack, engine)
    problems: list[Problem] = _nobody(program, pack)
    with progress.step("cases", total=len(pack.cases), unit="cases"):
        for path in pack.cases:
            try:
                problems += run_case(pack, load_case(pack, path), run)
            except MadangError as error:
                label = f"{pack.folder.name}/cases/{path.name}"
                where = "" if error.message.startswith(label) else label
                problems.append(Problem(where, error.message, error.hint, path.stem))
            progress.advance()
    return problems


def _nobody(program: Program, pack: Pack) -> list[Problem]:
    """A SELECT of persons that rejects each of them, as a draft does that knows no birth."""
    return [
        Problem(
            f"{pack.folder.name}/{select_path(pack, select.name)}:{rule.line}",
            f"every person is rejected, because {rule.reason}.",
            "Decide where the year of birth comes from.",
        )
        for select in program.entities
        if select.table == "person"
        for rule in select.rules
        if rule.kind == "reject" and rule.always
    ]


def select_path(pack: Pack, name: str) -> str:
    """The file of the SELECT of an entity, within its pack."""
    return pack.entities[name].sql_path.relative_to(pack.folder).as_posix()


def run_case(pack: Pack, case: Case, run: Run) -> list[Problem]:
    """Run one case on files written for it and compare what came with what it says."""
    with tempfile.TemporaryDirectory(prefix="madang-case-") as name:
        source, vocabulary = Path(name) / "source", Path(name) / "vocabulary"
        source.mkdir()
        vocabulary.mkdir()
        pack = as_cases_have_it(pack)
        written = write_sources(pack, case, source)
        folder = write_vocabulary(case, vocabulary)
        result = run(pack, source, folder, parameters=case.parameters, key=KEY, threads=1)
        problems = [
            problem
            for table, rows in case.expect.items()
            for problem in _compare(case, table, rows, _rows(result, table))
        ]
        return problems + _compare_fates(case, written, result)


def _rows(result: "Standardized", table: str) -> list[Row]:
    rows: list[Row] = result.table(table).to_pylist()
    return rows


def _compare(case: Case, table: str, expected: Sequence[Row], actual: Sequence[Row]) -> list[Problem]:
    """The rows of one table that are missing, and those that nobody expects."""
    lonely, others = unmatched(expected, actual)
    stated = list(dict.fromkeys(name for row in expected for name in row))
    problems = [
        Problem(
            f"{case.file.label}:{case.file.line(('expect', table, index))}",
            f"no row of {table.upper()} has {_show(expected[index])}.",
            _nearest(expected[index], [actual[other] for other in others]),
            case.name,
        )
        for index in lonely
    ]
    extra = [actual[other] for other in others[len(lonely) :]] if lonely else [actual[other] for other in others]
    where = f"{case.file.label}:{case.file.line(('expect', table))}"
    for row in extra:
        shown = {name: row[name] for name in stated} or {
            name: value for name, value in row.items() if value is not None
        }
        problems.append(
            Problem(where, f"{table.upper()} has a row that is not expected: {_show(shown)}.", "", case.name)
        )
    return problems


def _nearest(expected: Row, actual: Sequence[Row]) -> str:
    """The actual row that shares most with an expected one."""
    if not actual:
        return "No other row came."
    best = max(actual, key=lambda row: sum(str(row.get(name)) == str(value) for name, value in expected.items()))
    return f"The nearest has {_show({name: best.get(name) for name in expected})}."


def _show(row: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{name} = {'null' if value in (None, '') else value}" for name, value in row.items()) or "no columns"
    )


def _compare_fates(case: Case, written: Written, result: "Standardized") -> list[Problem]:
    """The given rows that ended otherwise than the case says."""
    if not case.fates:
        return []
    files = {entry["number"]: entry["name"] for entry in result.version.info["files"]}
    companion = result.version.companion.get("fates")
    found: dict[tuple[str, int], str] = {}
    if companion is not None:
        with Engine() as engine:
            result.version.attach(engine, restricted=True)
            for file, line, fate, reason in engine.rows("SELECT file, line, fate, reason FROM fates"):
                found[files[file], line] = f"{fate}: {reason}"
    problems = []
    for source, fates in case.fates.items():
        where = f"{case.file.label}:{case.file.line(('fates', source))}"
        for number, (expected, place) in enumerate(zip(fates, written.places[source], strict=True), start=1):
            actual = found.get(place, "used")
            if actual != expected:
                message = f'row {number} of {source} should be "{expected}" and is "{actual}".'
                problems.append(Problem(where, message, "", case.name))
    return problems
