"""Checks and thresholds of one's own, from TOML files.

    [[change]]
    check = "field_isrequired_person_*"     # an identifier, * for anything
    threshold = 5.0                         # percent; also severity = "convention", or off = true

    [[check]]
    id = "weight_of_adults"
    table = "measurement"
    rule = { en = "An adult weighs more than 20 kg.", ko = "성인의 몸무게는 20 kg을 넘는다." }
    rows = "SELECT measurement_id FROM measurement WHERE measurement_concept_id = 3025315 AND value_as_number <= 20"

`rows` is one SELECT of the rows that break the rule, with the primary key of their table; `of` one of the rows that
the rule is about, all of the table if not given. Both see the tables of the dataset and of its vocabulary, no file and
no setting besides, and are stopped after `timeout` seconds.
"""

import tomllib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from madang.base.errors import Cancelled, MadangError
from madang.base.translate import _
from madang.lake.engine import Engine, quote_name
from madang.science.omop import cdm
from madang.science.quality.model import Check, Count, Level, Severity

PREFIX = "custom_"  # so that no check of one's own is taken for one of the dashboard
TIMEOUT = 60.0

Text = Annotated[str, Field(min_length=1, max_length=500)]
Percent = Annotated[float, Field(ge=0, le=100)]
Several = Text | dict[Literal["en", "ko"], Text]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Change(_Table):
    """What is to be different about checks that exist."""

    check: Text
    threshold: Percent | None = None
    severity: Severity | None = None
    off: bool = False


class Own(_Table):
    """A check as somebody wrote it."""

    id: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,99}$")]
    table: Text
    rule: Several
    rows: Annotated[str, Field(min_length=1, max_length=20_000)]
    of: Annotated[str, Field(max_length=20_000)] = ""
    hint: Several = ""
    severity: Severity = Severity.CHARACTERIZATION
    context: Literal["Verification", "Validation"] = "Verification"
    category: Literal["Conformance", "Completeness", "Plausibility"] = "Plausibility"
    threshold: Percent | None = None
    timeout: Annotated[float, Field(gt=0, le=3600)] = TIMEOUT

    def as_check(self) -> Check:
        """The check that it is."""
        table = self.table.lower()
        model = cdm.TABLES.get(table)
        more: dict[str, Any] = {"rule": self.rule, "rows": self.rows, "of": self.of, "timeout": self.timeout}
        more |= {"hint": self.hint} if self.hint else {}
        return Check(
            id=PREFIX + self.id,
            name="custom",
            level=Level.CUSTOM,
            table=table,
            threshold=self.threshold,
            severity=self.severity,
            context=self.context,
            category=self.category,
            parameters=more | {"cohort": model is not None and "person_id" in model},
        )


class _File(_Table):
    change: tuple[Change, ...] = ()
    check: tuple[Own, ...] = ()


def with_files(checks: Sequence[Check], files: Iterable[Path]) -> tuple[Check, ...]:
    """`checks` as the files change them, and the files' own checks after them.

    Errors: `quality.checks_file` with one sentence about the first thing that is wrong.
    """
    kept = {check.id: check for check in checks}
    own: dict[str, Check] = {}
    for path in files:
        read = _read(path)
        for change in read.change:
            matching = [name for name in kept if fnmatchcase(name, change.check)]
            if not matching:
                near = get_close_matches(change.check, kept, 1, 0.5)
                hint = _("Did you mean {name}?").format(name=near[0]) if near else ""
                raise _bad(path, _("there is no check {name}").format(name=change.check), hint)
            for name in matching:
                if change.off:
                    del kept[name]
                else:
                    kept[name] = _changed(kept[name], change)
        for made in (each.as_check() for each in read.check):
            if made.id in own:
                raise _bad(path, _("there are two checks {name}").format(name=made.id.removeprefix(PREFIX)))
            own[made.id] = made
    return (*kept.values(), *own.values())


def _changed(check: Check, change: Change) -> Check:
    from dataclasses import replace

    changes: dict[str, Any] = {"threshold": change.threshold, "severity": change.severity}
    return replace(check, **{name: value for name, value in changes.items() if value is not None})


def _read(path: Path) -> _File:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _bad(path, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise _bad(path, _("it is not text in UTF-8")) from None
    except tomllib.TOMLDecodeError as error:
        raise _bad(path, str(error)) from None
    try:
        read = _File.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = [part for part in first["loc"] if not str(part).startswith(("function-", "dict", "constrained"))]
        where = ".".join(str(part + 1) if isinstance(part, int) else part for part in place)
        raise _bad(path, f"{where}: {first['msg'].lower()}") from None
    if not read.change and not read.check:
        raise _bad(path, _("it has neither [[change]] nor [[check]]"))
    return read


def _bad(path: Path, what: str, hint: str = "") -> MadangError:
    message = _("{file} cannot be used: {what}.").format(file=path.name, what=what.rstrip("."))
    return MadangError("quality.checks_file", message, hint or _("docs/quality.md shows how such a file looks."))


def count(engine: Engine, checks: Iterable[Check], *, cohort: int | None = None) -> dict[str, Count]:
    """What each check of one's own counts, by identifier. `engine` has the tables and is confined already."""
    counts = {}
    for check in checks:
        try:
            with in_time(engine, check):
                violated = engine.value(f"SELECT count(*) FROM ({rows(engine, check, cohort)})")
                counts[check.id] = Count(violated, engine.value(f"SELECT count(*) FROM ({_of(engine, check, cohort)})"))
        except MadangError as error:
            if isinstance(error, Cancelled):
                raise
            counts[check.id] = Count(None, None, _sentence(error))
    return counts


def rows(engine: Engine, check: Check, cohort: int | None = None) -> str:
    """A SELECT of the rows that break the rule. Errors: `quality.custom` if it is not one SELECT with the key."""
    return _narrowed(engine, check, str(check.parameters["rows"]), cohort)


def _of(engine: Engine, check: Check, cohort: int | None) -> str:
    return _narrowed(engine, check, str(check.parameters["of"]) or f"FROM {quote_name(check.table)}", cohort)


def _narrowed(engine: Engine, check: Check, sql: str, cohort: int | None) -> str:
    """One SELECT as it was written, or only its rows of a cohort's persons."""
    try:
        sql = engine.one_select(sql)
    except MadangError as error:
        if error.code != "engine.select_only":
            raise
        raise MadangError("quality.custom", _("Exactly one SELECT is accepted.")) from None
    key = key_of(check)
    if key and key not in {name.lower() for name, _kind in engine.describe(sql)}:
        raise MadangError("quality.custom", _("Its SELECT has to give the column {key}.").format(key=key))
    if cohort is None or not check.parameters["cohort"] or not key:
        return sql
    members = f"SELECT subject_id FROM cohort WHERE cohort_definition_id = {cohort}"
    narrow = f"SELECT {quote_name(key)} FROM {quote_name(check.table)} WHERE person_id IN ({members})"
    return f"SELECT * FROM ({sql}) WHERE {quote_name(key)} IN ({narrow})"


def key_of(check: Check) -> str:
    """The primary key of the table that a check is about; empty where the model has none."""
    model = cdm.TABLES.get(check.table)
    return model.primary_key.name if model is not None and model.primary_key is not None else ""


def in_time(engine: Engine, check: Check) -> AbstractContextManager[None]:
    """Stop what the engine does when the check has taken too long: `quality.time`."""
    seconds = float(check.parameters["timeout"])
    message = _("It took longer than {seconds} seconds.").format(seconds=f"{seconds:g}")
    return engine.within(seconds, MadangError("quality.time", message))


def _sentence(error: MadangError) -> str:
    """Why nothing was counted; what the engine says of a value would quote it, and reports hold no values."""
    if error.code in ("engine.conversion", "engine.value"):
        return _("A value cannot be converted, or lies out of range.")
    return error.message
