"""Past runs of a project: added from tables and files, joined with a laboratory sheet, compared."""

import csv
import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.node.acts import doing
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.projects import find_project
from madang.services.manufacturing.acts import ADD_RUN, SEE_RUN
from madang.services.manufacturing.models import Cultivation
from madang.services.manufacturing.service import checked_name, checked_size, no_table, project_of

FILES = 60  # runs that are added at once


def add_run(node: Node, actor: Actor, project: str, name: str, table: str) -> Cultivation:
    """Add a past run to a project, a table with a column of hours. Errors: `compare.*`, `cultivation.taken`."""
    checked_name(name)
    checked_size(table)
    [added] = _add(node, actor, project, {name: table})
    return added


def add_runs(node: Node, actor: Actor, project: str, table: str) -> list[str]:
    """Add several past runs from one table with a column `run`; the names of those that were added."""
    if not table.strip():
        raise no_table()
    checked_size(table)
    runs = {name: _as_csv(rows) for name, rows in _runs_of(_rows_of("table.csv", table.encode())).items()}
    for name in runs:
        checked_name(name)
    return [each.name for each in _add(node, actor, project, runs)]


def add_run_files(node: Node, actor: Actor, project: str, names: Sequence[str], files: Sequence[bytes]) -> list[str]:
    """Add past runs from files (CSV or XLSX), each named after its file or, if it has a column `run`, as stands there.
    The names of the runs. Errors: `cultivation.taken`, `compare.*`, `table.*`.
    """
    from madang.science.bioprocess.runs.compare import short_name

    runs: dict[str, str] = {}
    for place, data in enumerate(files):
        title = names[place] if place < len(names) else ""
        rows = _rows_of(title or f"run-{place + 1}.csv", data)
        if rows and "run" in rows[0]:
            found = _runs_of(rows)
        else:
            found = {short_name(Path(title).stem)[:63] or f"run-{place + 1}": rows}
        for name, lines in found.items():
            checked_name(name)
            if name in runs:
                text = _("Two of these files are the run {name}.").format(name=name)
                raise MadangError("cultivation.taken", text, _("Give the files different names."))
            runs[name] = _as_csv(lines)
            checked_size(runs[name])
    return [each.name for each in _add(node, actor, project, runs)]


def _add(node: Node, actor: Actor, project: str, runs: Mapping[str, str]) -> list[Cultivation]:
    """Add runs, tables by name; all are read before the first is added."""
    from madang.science.bioprocess.runs.compare import read_runs

    with tempfile.TemporaryDirectory(prefix="madang-run-") as folder:
        paths = [Path(folder) / f"{name}.csv" for name in runs]
        for path, table in zip(paths, runs.values(), strict=True):
            path.write_text(table)
        read_runs(paths)

    def new(session: Session, name: str, table: str) -> Cultivation:
        of = find_project(session, project)
        taken = select(Cultivation.id).where(Cultivation.project_id == of.id, Cultivation.name == name)
        if session.scalar(taken) is not None:
            raise MadangError("cultivation.taken", _("The project has a run {name} already.").format(name=name))
        return Cultivation(project_id=of.id, owner_id=actor.person_id, name=name, table=table)

    added = []
    for name, table in runs.items():
        with doing(node, actor, ADD_RUN, partial(new, name=name, table=table)) as done:
            done.tell(name=name)
        added.append(done.thing)
    return added


def _rows_of(title: str, data: bytes) -> list[dict[str, Any]]:
    """The rows of a file in any of the usual forms; errors name it as its owner does."""
    from madang.science.bioprocess.tables import read_table

    with tempfile.TemporaryDirectory(prefix="madang-table-") as folder:
        path = Path(folder) / (re.sub(r"[/\x00]", "", title)[-100:] or "table")
        path.write_bytes(data)
        return read_table(path)


def _runs_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    if not rows or "run" not in rows[0]:
        raise MadangError("cultivation.runs", _("The table has no column run."))
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault(str(row["run"]).strip(), []).append({key: row[key] for key in row if key != "run"})
    return parts


def _as_csv(rows: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0] if rows else [])
    writer.writerows(["" if cell is None else cell for cell in row.values()] for row in rows)
    return out.getvalue()


def add_sheet(node: Node, actor: Actor, project: str, sheet: str | bytes) -> list[str]:
    """Join a laboratory sheet (columns run, hours, and what was measured; text or the bytes of a CSV or XLSX file) with
    the past runs of a project; the names of the runs that it was joined with. Errors: `compare.sheet`, `table.*`."""
    import numpy as np

    from madang.science.bioprocess.runs.compare import read_runs

    if not sheet:
        raise no_table()
    if isinstance(sheet, str):
        checked_size(sheet)
        sheet = sheet.encode()
    with doing(node, actor, ADD_RUN, lambda session: find_project(session, project)) as done:
        query = select(Cultivation).where(Cultivation.project_id == done.thing.id).order_by(Cultivation.id)
        held = {each.name: each for each in done.session.scalars(query)}
        with tempfile.TemporaryDirectory(prefix="madang-sheet-") as folder:
            paths = [Path(folder) / f"{name}.csv" for name in held]
            for path, each in zip(paths, held.values(), strict=True):
                path.write_text(each.table)
            given = Path(folder) / "laboratory-sheet.csv"
            given.write_bytes(sheet)
            before, after = read_runs(paths), read_runs(paths, given)
        joined = []
        for old, new in zip(before, after, strict=True):
            fresh = [name for name in new.signals if name not in old.signals and np.isfinite(new.signals[name]).any()]
            if not fresh:
                continue
            names = [*old.signals, *fresh]
            out = io.StringIO()
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(["hours", *names])
            for place, hour in enumerate(new.hours):
                values = [new.signals[name][place] for name in names]
                writer.writerow([f"{hour:g}", *("" if value != value else f"{value:.10g}" for value in values)])
            held[new.name].table = out.getvalue()
            joined.append(new.name)
        done.tell(name=", ".join(joined) or "-")
    return joined


def compare_runs(node: Node, actor: Actor, project: str, indicator: str = "") -> tuple[list[str], Any]:
    """The runs of a project by name, and their comparison; None with fewer than three. Errors: `project.none`."""
    from madang.science.bioprocess.runs.compare import compare, read_runs

    with node.read() as session:
        of = project_of(session, actor, project)
        query = select(Cultivation).where(Cultivation.project_id == of.id).order_by(Cultivation.id)
        held = session.scalars(query).all()
    node.audit.read(actor, SEE_RUN.name, f"project:{of.id}")
    if len(held) < 3:
        return [each.name for each in held], None
    with tempfile.TemporaryDirectory(prefix="madang-runs-") as folder:
        paths = [Path(folder) / f"{each.name}.csv" for each in held]
        for path, each in zip(paths, held, strict=True):
            path.write_text(each.table)
        return [each.name for each in held], compare(read_runs(paths), 0, indicator)
