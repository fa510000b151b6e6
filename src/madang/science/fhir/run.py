"""Many files, one verdict: what is to be read, cut into pieces, judged on every core, and put together again."""

import gc
import gzip
import multiprocessing
import os
import re
import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from madang.base.errors import MadangError
from madang.base.progress import Progress, Silent
from madang.base.translate import _
from madang.science.fhir import findings as f
from madang.science.fhir.definitions import Definitions, shipped
from madang.science.fhir.findings import Raw, here
from madang.science.fhir.reading import BOM, LONGEST_LINE, is_xml, judged, judged_xml
from madang.science.fhir.shown import Shown
from madang.science.fhir.validator import Validator, Verdict, entry_rule

PIECE = 8_000_000  # bytes of NDJSON that one process takes at a time
RARELY = 200_000  # objects made between two looks for cycles
KEPT = 2_000_000  # findings that are listed; beyond they are counted only
LINES = (".ndjson", ".jsonl")
_ID, _NUMBER = re.compile(r"[A-Za-z0-9\-.]{1,64}"), re.compile(r"\d{6}-?\d{7}")
UNREADABLE = frozenset(
    ["not_json", "not_utf8", "nested", "too_long", "not_gzip", "xml_form", "xml_deep", "xml_doctype", "not_fhir"]
)


@dataclass(frozen=True)
class Finding:
    """One finding in a file."""

    file: str
    line: int
    resource: str  # Type/id, as far as both can be told
    path: str
    place: str
    rule: str
    severity: str
    kind: str
    about: tuple[object, ...]
    profile: str


@dataclass
class Outcome:
    """What a run found: findings, and what is counted over all resources."""

    findings: list[Finding] = field(default_factory=list)
    resources: Counter[str] = field(default_factory=Counter)  # by type
    profiles: Counter[str] = field(default_factory=Counter)  # by profile that it was held against
    invalid: Counter[str] = field(default_factory=Counter)  # of these, with an error
    rules: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (profile, rule, severity)
    unsure: Counter[str] = field(default_factory=Counter)  # value sets, extensions, rules that cannot be told
    counted: Counter[str] = field(default_factory=Counter)
    shown: Shown = field(default_factory=Shown)
    files: dict[str, int] = field(default_factory=dict)  # resources of each
    left_out: list[str] = field(default_factory=list)
    unreadable: int = 0
    more: int = 0  # findings beyond those listed

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(count for (_profile, _rule, severity), count in self.rules.items() if severity == f.ERROR)

    @property
    def exit_code(self) -> int:
        """2: something could not be read; 1: an error was found; 0: none."""
        return 2 if self.unreadable else 1 if self.errors else 0

    def add(self, other: "Outcome", first_line: int = 0) -> None:
        """Put another part of the run to this one; its lines begin after `first_line`."""
        for each in other.findings:
            if len(self.findings) >= KEPT:
                self.more += 1
                continue
            if first_line:
                each = replace(each, line=each.line + first_line)
            self.findings.append(each)
        for name in ("resources", "profiles", "invalid", "rules", "unsure", "counted"):
            getattr(self, name).update(getattr(other, name))
        for name, count in other.files.items():
            self.files[name] = self.files.get(name, 0) + count
        self.shown.add(other.shown)
        self.left_out.extend(other.left_out)
        self.unreadable += other.unreadable
        self.more += other.more


@dataclass(frozen=True)
class Setup:
    """What a process needs to make its validator."""

    guide: str = "kr-core"
    packages: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    strict: bool = False
    refused: tuple[str, ...] = ()
    references: str = "type"
    entries: tuple[str, ...] = ()

    def definitions(self) -> Definitions:
        """The definitions that are asked for."""
        made = shipped(self.guide or "r4")
        for path in self.packages:
            made.load(Path(path))
        from madang.science.fhir.terms import load_terms

        for path in self.terms:
            load_terms(Path(path), made.terminology)
        return made

    def validator(self) -> Validator:
        """A validator of these definitions. Raises where a named profile is not among them."""
        definitions = self.definitions()
        for url in (*self.profiles, *(entry_rule(each)[2] for each in self.entries)):
            if not definitions.facts(url)[0]:
                raise MadangError(
                    "fhir.no_profile",
                    _("There is no profile {url} here.").format(url=repr(url)),
                    _("Name a guide (kr-core, r4), or give the profile with --package."),
                )
        return Validator(
            definitions, self.guide, self.profiles, self.strict, self.refused, self.references, self.entries
        )


@dataclass(frozen=True)
class Piece:
    """Part of a file: bytes from `start`, up to `end` (None: to the end), in whole lines."""

    path: str
    label: str
    start: int = 0
    end: int | None = None


def files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """Every file that is meant: a folder stands for all files in it, hidden ones left out."""
    for path in paths:
        if path.is_dir():
            for each in sorted(path.rglob("*")):
                if each.is_file() and not any(part.startswith(".") for part in each.relative_to(path).parts):
                    yield each
        elif path.exists() or str(path) == "-":
            yield path
        else:
            raise MadangError(
                "fhir.no_file",
                _("There is no file or folder {path}.").format(path=path),
                _("Give files or folders with FHIR resources, or - for standard input."),
            )


def validate_files(
    paths: Iterable[Path],
    setup: Setup,
    workers: int | None = None,
    progress: Progress | None = None,
    stdin: BinaryIO | None = None,
) -> Outcome:
    """Judge every resource of the files; findings are in the order of files and lines."""
    progress = progress or Silent()
    files = list(files_of(paths))
    pieces = [piece for path in files for piece in _pieces(path)]
    out = Outcome()
    judge = Judge(setup)
    for path in files:
        out.files[str(path)] = 0
    size = sum(_size(each) for each in pieces)
    workers = min(workers or os.cpu_count() or 1, len(pieces))
    alone = workers <= 1 or size < PIECE // 4 or threading.active_count() > 1
    lines: Counter[str] = Counter()
    with progress.step(_("validate"), total=len(pieces), unit=_("pieces")):
        results: Iterator[tuple[Outcome, int]]
        if alone:
            results = (judge.piece(each, stdin) for each in pieces)
            _gather(results, pieces, lines, out, progress)
            return out
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(setup,)) as pool:
            _gather(pool.map(_do, pieces), pieces, lines, out, progress)
    return out


def _gather(
    results: Iterator[tuple[Outcome, int]], pieces: list[Piece], lines: Counter[str], out: Outcome, progress: Progress
) -> None:
    for piece, (part, count) in zip(pieces, results, strict=True):
        out.add(part, lines[piece.label])
        lines[piece.label] += count
        progress.advance()


_judge: "Judge | None" = None


def _begin(setup: Setup) -> None:
    global _judge
    _judge = Judge(setup)


def _do(piece: Piece) -> tuple[Outcome, int]:
    assert _judge is not None
    return _judge.piece(piece, None)


def _size(piece: Piece) -> int:
    if piece.end is not None:
        return piece.end - piece.start
    return os.stat(piece.path).st_size if piece.path != "-" else 0


def _pieces(path: Path) -> Iterator[Piece]:
    label = str(path)
    if label == "-" or path.suffix not in LINES:
        yield Piece(label, label)
        return
    size = path.stat().st_size
    for start in range(0, max(size, 1), PIECE):
        yield Piece(label, label, start, min(start + PIECE, size))


class Judge:
    """One process's validator, made at first use."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._validator: Validator | None = None

    @property
    def validator(self) -> Validator:
        """The validator."""
        if self._validator is None:
            self._validator = self.setup.validator()
        return self._validator

    def piece(self, piece: Piece, stdin: BinaryIO | None) -> tuple[Outcome, int]:
        """The outcome of a piece, and how many lines it has. Objects are parsed by the thousand and hold no cycles, so
        the collector of cycles is asked less often meanwhile.
        """
        before = gc.get_threshold()
        gc.set_threshold(RARELY, *before[1:])
        try:
            return self._piece(piece, stdin)
        finally:
            gc.set_threshold(*before)

    def _piece(self, piece: Piece, stdin: BinaryIO | None) -> tuple[Outcome, int]:
        out = Outcome()
        say = partial(self._take, out, piece.label)
        try:
            if piece.end is not None:
                with open(piece.path, "rb") as file:
                    return out, self._lines(_span(file, piece.start, piece.end), say)
            return out, self._whole(piece, stdin, say, out)
        except (OSError, EOFError, zlib.error) as error:
            bad = isinstance(error, gzip.BadGzipFile | EOFError | zlib.error)
            say(1, Verdict("", "", (), here("reading", "not_gzip" if bad else "not_fhir")))
            return out, 1

    def _whole(self, piece: Piece, stdin: BinaryIO | None, say: "partial[None]", out: Outcome) -> int:
        if piece.path == "-":
            if stdin is None:
                return 0
            return self._stream(stdin, say, out, piece.label, ".ndjson")
        packed = piece.path.endswith(".gz")
        suffix = Path(piece.path.removesuffix(".gz")).suffix
        with gzip.open(piece.path) if packed else open(piece.path, "rb") as file:
            return self._stream(file, say, out, piece.label, suffix)

    def _stream(
        self, file: "BinaryIO | gzip.GzipFile", say: "partial[None]", out: Outcome, label: str, suffix: str
    ) -> int:
        """A file that is not cut into pieces: lines, or one resource."""
        if suffix in LINES:
            first = file.readline(LONGEST_LINE + 1)
            if label != "-" or _complete(first):
                return self._lines(_with_first(first, file), say)
            data = first + file.read(4 * LONGEST_LINE)
        else:
            data = file.read(4 * LONGEST_LINE)
        data = data.removeprefix(BOM)
        if is_xml(data):
            say(1, judged_xml(data, self.validator))
        elif data.lstrip()[:1] in (b"{", b"[", b"") or suffix == ".json":
            self._json(data, say)
        else:
            out.left_out.append(label)
        return 1

    def _json(self, data: bytes, say: "partial[None]") -> None:
        """One resource, or one on each line whatever the file is called."""
        lines = [line for line in data.split(b"\n") if line.strip()]
        if len(lines) > 1 and _complete(lines[0]):
            self._lines(iter(data.splitlines(keepends=True)), say)
        elif data[:1] == b"[" or data.lstrip()[:1] == b"[":
            import orjson

            try:
                items = orjson.loads(data)
            except orjson.JSONDecodeError:
                items = []
            for each in items if items and all(isinstance(x, dict) for x in items) else [data]:
                say(1, judged(each if isinstance(each, bytes) else orjson.dumps(each), self.validator))
        else:
            say(1, judged(data, self.validator))

    def _lines(self, lines: Iterator[bytes], say: "partial[None]") -> int:
        number = 0
        for number, line in enumerate(lines, start=1):
            if number == 1:
                line = line.removeprefix(BOM)
            if line.strip():
                say(number, judged(line, self.validator))
        return number

    def _take(self, out: Outcome, label: str, line: int, verdict: Verdict) -> None:
        out.files[label] = out.files.get(label, 0) + 1
        out.resources[verdict.type or "?"] += 1
        profile = verdict.profiles[0] if verdict.profiles else ""
        for url in verdict.profiles:
            out.profiles[url] += 1
        context = verdict.context
        if context.unsure:
            out.unsure.update(context.unsure)
        if context.counted:
            out.counted.update(context.counted)
        if verdict.findings:
            name = _name(verdict)
            if not verdict.valid:
                out.invalid.update(verdict.profiles or ("",))
            for each in verdict.findings:
                out.unreadable += each.kind in UNREADABLE
                out.rules[profile, each.rule, each.severity] += 1
                out.findings.append(_finding(label, line, name, each, profile))
        if verdict.type:
            out.shown.look(self.validator.compiler, verdict)


def _finding(label: str, line: int, name: str, each: Raw, profile: str) -> Finding:
    return Finding(label, line, name, each.path, each.place, each.rule, each.severity, each.kind, each.about, profile)


def _name(verdict: Verdict) -> str:
    """Type/id; an id that is none, or that could be a resident registration number, is left out."""
    if _ID.fullmatch(verdict.id) is None or _NUMBER.fullmatch(verdict.id):
        return verdict.type
    return f"{verdict.type}/{verdict.id}" if verdict.type else ""


def _complete(line: bytes) -> bool:
    """Whether a line is a whole JSON object."""
    import orjson

    try:
        return isinstance(orjson.loads(line.removeprefix(BOM)), dict)
    except orjson.JSONDecodeError:
        return False


def _with_first(first: bytes, file: "BinaryIO | gzip.GzipFile") -> Iterator[bytes]:
    if first:
        yield first
    yield from _bounded(file)


def _bounded(file: "BinaryIO | gzip.GzipFile") -> Iterator[bytes]:
    """The lines of a file; of one that is too long only its beginning, which is then refused as such."""
    while line := file.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and line[-1:] != b"\n" and (line := file.readline(LONGEST_LINE + 1)):
            pass


def _span(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """The lines that begin in a span of bytes."""
    if start:
        file.seek(start - 1)
        while (part := file.readline(LONGEST_LINE)) and part[-1:] != b"\n":
            pass
    while file.tell() < end and (line := file.readline(LONGEST_LINE + 1)):
        yield line
        while len(line) > LONGEST_LINE and line[-1:] != b"\n" and (line := file.readline(LONGEST_LINE + 1)):
            pass
