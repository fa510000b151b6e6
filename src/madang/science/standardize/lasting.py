"""What the events of earlier files rest on.

Events of a source that passes file by file are written once, and later versions carry them on. They rest on rows of
entities and of staged sources (whose visit, which day), and a later delivery may correct or withdraw those. Then the
earlier files have to be read again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from madang.base.errors import MadangError
from madang.lake.engine import Engine, quote_name
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.identify import LINE_BITS


class Corrected(Exception):
    """A delivery changes rows that events of earlier files rest on; `relation` is the first such relation.

    `stage`: the relation is a source that has to be seen whole from now on.
    """

    def __init__(self, relation: str, stage: bool = False) -> None:
        super().__init__(relation)
        self.relation, self.stage = relation, stage


def foundations(engine: Engine, program: Program, last: int) -> dict[str, str]:
    """A fingerprint per relation that events of passing sources join, over its rows from files up to number `last`.

    The fingerprint is the engine's own: under another release of the engine it may differ, and files are read again.
    """
    columns: dict[str, set[str]] = {}
    for select in program.events:
        if select.source not in program.staged:
            for name in select.reads:
                columns.setdefault(name, set()).update(select.columns_read.get(name, ()))
    found = {}
    for name, read in sorted(columns.items()):
        row = ", ".join(quote_name(column) for column in ("_row", *sorted(read)))
        sql = f"SELECT count(*), sum(hash({row})) FROM {quote_name(name)} WHERE _row < {(last + 1) << LINE_BITS}"
        found[name] = " ".join(str(part) for part in engine.rows(sql)[0])
    return found


def check(engine: Engine, program: Program, last: int, known: Mapping[str, str]) -> None:
    """Raise `Corrected` if what earlier events rest on is not what it was when they were written."""
    now = foundations(engine, program, last)
    for name, fingerprint in now.items():
        if known.get(name) != fingerprint:
            raise Corrected(name)


def check_all_there(folder: Path, files: Sequence[str], corrected: Corrected) -> None:
    """Refuse if one of the files that have to be read again is not there: `standardize.files_needed`."""
    absent = [name for name in files if not (folder / name).is_file()]
    if absent:
        raise MadangError(
            "standardize.files_needed",
            f"A delivery changes rows of {corrected.relation} that earlier events rest on, so all files have to be "
            f"read again, but {absent[0]} is not in {folder}.",
            "Put all files of the dataset into the folder.",
        ) from None
