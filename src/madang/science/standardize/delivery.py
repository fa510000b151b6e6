"""What came: the files of a source folder, told apart into known and new ones, and registered for good."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from madang.base.errors import MadangError
from madang.base.progress import Progress
from madang.lake import Version
from madang.science.standardize.compiler.outputs import identifier_of
from madang.science.standardize.compiler.program import Program
from madang.science.standardize.identify import Registered, Writer, allocate
from madang.science.standardize.intake import SourceFile, find_files
from madang.science.standardize.intake import register as register_file
from madang.science.standardize.records import EVENT_TABLES
from madang.science.standardize.sources import Incoming


@dataclass(frozen=True)
class Delivery:
    """All files of the dataset in the order of their numbers, and the new ones among them with their paths."""

    files: tuple[Registered, ...]
    new: tuple[Incoming, ...]
    counters: Mapping[str, int]
    copies: tuple[tuple[str, str], ...] = ()
    """Files that are byte for byte another one of their source, which is read; they are not."""

    def of(self, source: str) -> list[Incoming]:
        """The new files of one source."""
        return [incoming for incoming in self.new if incoming.registered.source == source]


def writers(program: Program) -> list[Writer]:
    """Where each SELECT of a program writes, as far as identifiers are concerned."""
    made = [
        Writer(s.name, s.source, (str(s.table),)) for s in program.entities if identifier_of(str(s.table)) is not None
    ]
    for select in program.events:
        event = program.pack.events[select.name]
        made.append(Writer(select.name, select.source, (*EVENT_TABLES, "cost"), event.items, event.fan_out))
    return made


def register(program: Program, folder: Path, before: Version | None, progress: Progress, threads: int = 2) -> Delivery:
    """Find the files of the pack's sources in `folder` and register those that `before` does not know.

    Files are registered in the order of their period, then of the sources in the pack, then of their names: so a
    dataset that grows period by period gets the same numbers as one made at once.
    Raises `source.changed_since` for a known file name with other bytes.
    """
    sources = program.pack.sources
    order = {name: place for place, name in enumerate(sources)}
    known = {entry["name"]: Registered.from_json(entry) for entry in before.info["files"]} if before else {}
    counters: dict[str, int] = dict(before.info["counters"]) if before else {}
    pending: list[tuple[str, int, str, Path, SourceFile]] = []
    copies: list[tuple[str, str]] = []
    first: dict[tuple[str, str, str], str] = {}
    found = find_files(folder, list(sources.values()))
    with ThreadPoolExecutor(threads) as pool:  # SHA-256 is what takes the time
        taken_down = pool.map(lambda one: register_file(one[1], one[0], folder=folder, captures=one[2]), found)
        for (source, path, captures), file in zip(found, taken_down, strict=True):
            progress.advance(file.size)
            earlier = known.get(file.name)
            if earlier is None:
                period = captures.get(source.period, "") if source.period else ""
                if file.lines > (0 if source.format == "ndjson" else 1):
                    same = first.setdefault((source.name, period, file.sha256), file.name)
                    first[source.name, period, file.sha256] = min(same, file.name, key=lambda n: (len(n), n))
                pending.append((period, order[source.name], file.name, path, file))
            elif earlier.sha256 != file.sha256:
                raise MadangError(
                    "source.changed_since",
                    f"{file.name} is in the dataset already, but with other content.",
                    "Deliver the correction under a new file name, or make the dataset anew with --rebuild.",
                )
    first |= {(f.source, f.period, f.sha256): f.name for f in known.values()}
    for one in list(pending):
        same = first.get((one[4].source, one[0], one[4].sha256), one[4].name)
        if same != one[4].name:
            copies.append((one[4].name, same))
            pending.remove(one)
    if before is None and not pending:
        raise MadangError(
            "source.none", f"{folder} holds no file of the pack {program.pack.name}.", "Look at `files` in pack.toml."
        )
    made = writers(program)
    new = []
    for number, (period, _, name, path, file) in enumerate(sorted(pending, key=lambda p: p[:3]), len(known) + 1):
        entry = allocate(number, name, file.source, period, file.lines, file.size, file.sha256, made, counters)
        new.append(Incoming(path, file, entry))
    return Delivery((*known.values(), *(incoming.registered for incoming in new)), tuple(new), counters, tuple(copies))
