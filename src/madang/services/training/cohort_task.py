"""Answers that are a cohort definition (ATLAS JSON), judged by whom it finds in small made-up data of each case."""

import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.lake import Engine, Lake, Version
from madang.science.grading.answers import Verdict, text_from
from madang.science.grading.compare import Difference, differ
from madang.science.grading.tasks import Case, Task

MEMORY = "512MB"


def judge(task: Task, data: bytes) -> list[Verdict]:
    """Of each case: `expect` are the [person_id, first day] that have to be found, and no others.

    The tables of the task are those of every case that has none of that name. Errors: `answer.*`,
    `cohort.definition` where the answer is no definition.
    """
    from madang.science.cohorts import of_bytes

    definition = of_bytes(text_from(data).encode(), task.name)
    common = task.rest.get("tables", {})
    return [_of_case(definition, {**common, **case.tables}, case, task.seconds) for case in task.cases]


def _of_case(definition: Any, tables: Mapping[str, Any], case: Case, seconds: float) -> Verdict:
    with tempfile.TemporaryDirectory(prefix="madang-cohort-") as folder:
        version = _version(Path(folder), tables)
        try:
            found = _members(definition, version, seconds)
        except MadangError as error:
            return Verdict(False, Difference.MISSING, error.message)
    difference = differ(case.expect, found, case.close)
    people = ", ".join(f"{person} ({day})" for person, day in found[:10]) or _("nobody")
    return Verdict(difference is Difference.NONE, difference, _("Found: {people}").format(people=people))


def _version(folder: Path, tables: Mapping[str, Any]) -> Version:
    """The tables as a version of a lake of its own. Columns were checked when the task was read."""
    dataset = Lake(folder / "lake", folder / "restricted").dataset("case")
    with Engine() as engine, dataset.write(None) as writer:
        for name, table in tables.items():
            engine.execute(f'CREATE TABLE "{name}" ({", ".join(table["columns"])})')
            for row in table["rows"]:
                engine.execute(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(row))})', row)
            path = writer.new_file(name)
            engine.copy_to_parquet(f'FROM "{name}"', path)
            writer.add(name, path)
        return writer.commit("example", {})


def _members(definition: Any, version: Version, seconds: float) -> list[list[Any]]:
    """Person and first day of each entry, by person. Errors: those of a cohort, `answer.time`."""
    from madang.science.cohorts import opened
    from madang.science.cohorts.members import generate, rows

    with opened(version, version, memory=MEMORY, threads=1) as found:
        over = threading.Event()

        def stop() -> None:
            over.set()
            found.engine.cancel()

        clock = threading.Timer(seconds, stop)
        clock.start()
        try:
            generate(found, definition)
            return [[row["subject_id"], str(row["cohort_start_date"])] for row in rows(found).to_pylist()]
        except Exception:
            if over.is_set():
                raise MadangError("answer.time", _("It took too long and was stopped.")) from None
            raise
        finally:
            clock.cancel()
