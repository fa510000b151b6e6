"""Whether a new table may leave, given every table that left before it."""

import contextlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from madang.base.translate import later
from madang.science.privacy.outputs.attacker import Attacker, Bounds, InfeasibleError, Proof
from madang.science.privacy.outputs.joint import Cell, System, TooLargeError, build
from madang.science.privacy.outputs.names import Alias, aliases
from madang.science.privacy.outputs.rules import Rules
from madang.science.privacy.outputs.said import said
from madang.science.privacy.outputs.tables import CountTable, Key, margin

MOST_ATTRIBUTES = 4  # in common, of which every margin is compared


@dataclass(frozen=True)
class Opened:
    """A count that must stay unknown and would not: the reader could tell that it lies in `lower..upper`."""

    table: int
    name: str
    cell: Key
    lower: int
    upper: int | None
    proved: bool = True

    def document(self) -> dict[str, Any]:
        """As JSON; `value` where only one is left."""
        return {
            "table": self.table,
            "name": self.name,
            "cell": list(self.cell),
            "lower": self.lower,
            "upper": self.upper,
            "value": self.lower if self.lower == self.upper else None,
            "proved": self.proved,
        }


@dataclass(frozen=True)
class Reason:
    """Why a table may not leave: a stable word, and a sentence for the applicant that names no protected cell."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """`released`: it may leave. `opens` is for the checker only; `already_open` are cells that others gave away."""

    released: bool
    interval: str
    rules: Rules
    reasons: tuple[Reason, ...] = ()
    opens: tuple[Opened, ...] = ()
    already_open: tuple[Opened, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Any]:
        """The verdict as JSON."""
        return {
            "verdict": "released" if self.released else "refused",
            "released": self.released,
            "interval": self.interval,
            "rules": self.rules.document(),
            "reasons": [{"code": reason.code, "message": reason.sentence} for reason in self.reasons],
            "opens": [cell.document() for cell in self.opens],
            "already_open": [cell.document() for cell in self.already_open],
            "notes": list(self.notes),
        }


class _Findings:
    """What was found so far, without doubles."""

    def __init__(self) -> None:
        self.reasons: dict[str, Reason] = {}
        self.opens: dict[tuple[int, Key], Opened] = {}
        self.already: dict[tuple[int, Key], Opened] = {}
        self.notes: list[str] = []

    def add(self, code: str, sentence: str, opens: Sequence[Opened] = ()) -> None:
        self.reasons.setdefault(code, Reason(code, sentence))
        for cell in opens:
            self.opens.setdefault((cell.table, cell.cell), cell)


def check(new: CountTable, released: Sequence[CountTable], rules: Rules, interval: str = "protect") -> Verdict:
    """Whether `new` may leave after the tables `released`, in their order; tables are numbered as given, `new` last.

    `interval` is `exact` (a suppressed count may not become certain) or `protect` (it keeps at least
    `rules.protection_values` possible values). A table whose cells cannot be shown to stay unknown is refused.
    """
    found = _Findings()
    _own_counts(new, len(released), rules, found)
    _against(new, released, rules, interval, found)
    for alias in aliases(new, released):
        _as_alias(alias, released, rules, interval, found)
    return Verdict(
        not found.reasons,
        interval,
        rules,
        tuple(found.reasons.values()),
        tuple(found.opens.values()),
        tuple(found.already.values()),
        tuple(found.notes),
    )


def _own_counts(new: CountTable, number: int, rules: Rules, found: _Findings) -> None:
    small = [
        Opened(number, new.name, key, low, high)
        for key, (low, high) in new.cells.items()
        if key not in new.hidden
        and high is not None
        and low >= 1
        and high < rules.minimum_count
        and high - low < rules.protection_values - 1
    ]
    if small:
        found.add("minimum_count", said(later("Counts below {n} are shown."), n=rules.minimum_count), small)
    if rules.zeros != "allowed":
        empty = [
            Opened(number, new.name, key, 0, 0)
            for key, (low, high) in new.cells.items()
            if high == 0 and key not in new.hidden
        ]
        if empty and rules.zeros == "disclosive":
            found.add("zeros", said(later("Empty cells say that nobody is like that.")), empty)
        elif empty:
            found.notes.append(said(later("Empty cells are to be looked at.")))


def _against(new: CountTable, released: Sequence[CountTable], rules: Rules, interval: str, found: _Findings) -> None:
    """Hold the table against everything that left."""
    same = [i for i, table in enumerate(released) if table.population == new.population]
    try:
        _infer(new, [released[i] for i in same], [*same, len(released)], rules, interval, found)
    except InfeasibleError:
        _against_groups(new, released, same, rules, interval, found)
    _not_believed(new, released, rules, interval, found)
    for number, table in enumerate(released):
        if table.population != new.population:
            _differences(new, table, number, len(released), rules, found, nested=False)
        elif table.where != new.where:
            _differences(new, table, number, len(released), rules, found, nested=True)


def _not_believed(
    new: CountTable, released: Sequence[CountTable], rules: Rules, interval: str, found: _Findings
) -> None:
    """What a table says of its people is not believed where its counts fit those of others.

    Tables of another name are held against it as if they were of the same people, and a condition is tried as one that
    holds for everybody. Where no counts fit, they are other people indeed.
    """
    everybody = replace(new, where={}, population="")
    names = {table.population for table in released} - {new.population}
    if new.where:
        names.add(new.population)
    for name in sorted(names):
        numbers = [i for i, table in enumerate(released) if table.population == name]
        tables = [replace(released[i], population="") for i in numbers]
        with contextlib.suppress(InfeasibleError):
            _infer(everybody, tables, [*numbers, len(released)], rules, interval, found)


def _against_groups(
    new: CountTable,
    released: Sequence[CountTable],
    same: Sequence[int],
    rules: Rules,
    interval: str,
    found: _Findings,
) -> None:
    """Where tables of one name cannot all be of the same people: hold the new one against those that can."""
    for group in _consistent_groups(released, same, rules):
        tables = [released[i] for i in group]
        numbers = [*group, len(released)]
        partial = _partial([*tables, new], rules)
        if partial is not None:
            _infer(new, tables, numbers, rules, interval, found, partial)
        elif len(group) == len(same) or not _fits_elsewhere(new, released, same, group, rules):
            found.add(
                "population",
                said(
                    later("These counts cannot be of the same people, or were rounded or changed after they were made.")
                ),
            )
        if partial is None or partial:
            for number in group:
                _differences(new, released[number], number, len(released), rules, found, nested=False)


def _consistent_groups(released: Sequence[CountTable], numbers: Sequence[int], rules: Rules) -> list[list[int]]:
    """The released tables of one name, in groups that can be of the same people: one group if all goes well."""
    if not numbers or _feasible([released[i] for i in numbers], rules):
        return [list(numbers)]
    groups: list[list[int]] = []
    for number in numbers:
        for group in groups:
            if _feasible([released[i] for i in (*group, number)], rules):
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


def _feasible(tables: Sequence[CountTable], rules: Rules) -> bool:
    return not tables or _partial(tables, rules) is not None


def _partial(tables: Sequence[CountTable], rules: Rules) -> frozenset[str] | None:
    """Which attributes have values that no table lists, so that all tables can be of the same people: none as a rule.

    None where no choice makes that possible. Those of the last table are tried first, one by one, then all.
    """
    own = tables[-1].attributes
    others = sorted({name for table in tables for name in table.attributes} - set(own))
    tries = [(), *((name,) for name in own), own, *((name,) for name in others), (*own, *others)]
    for names in tries:
        try:
            if Attacker(build(tables, rules.minimum_count, partial=names)).feasible():
                return frozenset(names)
        except InfeasibleError:
            continue
        except TooLargeError:
            return frozenset()
    return None


def _fits_elsewhere(
    new: CountTable, released: Sequence[CountTable], same: Sequence[int], group: Sequence[int], rules: Rules
) -> bool:
    others = [i for i in same if i not in group]
    return any(
        _feasible([*(released[i] for i in other), new], rules) for other in _consistent_groups(released, others, rules)
    )


def _infer(
    new: CountTable,
    tables: Sequence[CountTable],
    numbers: Sequence[int],
    rules: Rules,
    interval: str,
    found: _Findings,
    partial: frozenset[str] = frozenset(),
) -> None:
    """Ask what all the tables together tell of each hidden count, and whether they told it before."""
    everything = [*tables, new]
    try:
        system = build(everything, rules.minimum_count, len(tables), partial)
    except TooLargeError:
        _infer_part(new, tables, numbers, rules, interval, found)
        return
    narrow = _narrow(system, everything, rules, interval)
    if not narrow:
        return
    before = _before(tables, narrow, rules, interval, partial)
    for cell, bounds in narrow.items():
        table = everything[cell.table]
        proved = bounds.proof is not Proof.UNSETTLED
        opened = Opened(numbers[cell.table], table.name, cell.key, bounds.lower, bounds.upper, proved)
        earlier = before.get(cell)
        if earlier is not None and _width(earlier) <= _width(bounds):
            found.already.setdefault((opened.table, opened.cell), opened)
        elif _protected(bounds, rules):
            code, sentence = (
                (
                    "derivable",
                    said(later("With what was released before, counts that must stay unknown can be worked out.")),
                )
                if proved
                else ("not_proved", said(later("It could not be shown in time that every hidden count stays unknown.")))
            )
            found.add(code, sentence, [opened])


def _protected(bounds: Bounds, rules: Rules) -> bool:
    """Whether a count within these bounds must stay unknown; that there is nobody may be told if the rules say so."""
    if bounds.upper == 0 and rules.zeros == "allowed":
        return False
    return bounds.upper is None or bounds.lower < rules.minimum_count


def _width(bounds: Bounds) -> float:
    return math.inf if bounds.upper is None else bounds.upper - bounds.lower


def _narrow(
    system: System, tables: Sequence[CountTable], rules: Rules, interval: str, only: Sequence[Cell] | None = None
) -> dict[Cell, Bounds]:
    """The hidden cells of which too little stays unknown."""
    widths = []
    for cell in system.cells:
        low, high = tables[cell.table].cells[cell.key]
        wanted = 1 if interval == "exact" else rules.protection_values - 1
        widths.append(max(1, wanted if high is None else min(wanted, high - low)))
    chosen = None if only is None else [i for i, cell in enumerate(system.cells) if cell in set(only)]
    settled = Attacker(system).settle(widths, chosen)
    return {system.cells[i]: bounds for i, bounds in settled.items() if bounds.proof is not Proof.VARIES}


def _before(
    tables: Sequence[CountTable],
    narrow: Mapping[Cell, Bounds],
    rules: Rules,
    interval: str,
    partial: frozenset[str],
) -> dict[Cell, Bounds]:
    """What was known of these cells, of tables before the new one, without it."""
    old = [cell for cell in narrow if cell.table < len(tables)]
    if not old:
        return {}
    try:
        return _narrow(build(tables, rules.minimum_count, partial=partial), tables, rules, interval, old)
    except (TooLargeError, InfeasibleError):
        return {}


def _infer_part(
    new: CountTable,
    tables: Sequence[CountTable],
    numbers: Sequence[int],
    rules: Rules,
    interval: str,
    found: _Findings,
) -> None:
    """Where the joint domain is too large: name what single tables open, and refuse what cannot be shown safe."""
    for number, table in enumerate(tables):
        if set(table.attributes) & set(new.attributes):
            try:
                pair = [table, new]
                narrow = _narrow(build(pair, rules.minimum_count, new=1), pair, rules, interval)
            except TooLargeError:
                continue
            opens = [
                Opened(numbers[(number, -1)[cell.table]], pair[cell.table].name, cell.key, b.lower, b.upper)
                for cell, b in narrow.items()
                if _protected(b, rules)
            ]
            if opens:
                found.add(
                    "derivable",
                    said(later("With what was released before, counts that must stay unknown can be worked out.")),
                    opens,
                )
    found.add(
        "not_proved", said(later("Together with what was released before, the tables are too large to be shown safe."))
    )


def _differences(
    new: CountTable, old: CountTable, number: int, own: int, rules: Rules, found: _Findings, nested: bool
) -> None:
    """Compare two tables of people that are not the same: a small difference is a small group of people.

    `nested` demands that one condition contains the other, so that the difference counts somebody.
    """
    if nested and not _contains(new, old) and not _contains(old, new):
        return
    common = sorted(set(new.attributes) & set(old.attributes) - set(new.where) - set(old.where))
    sizes = range(len(common) + 1) if len(common) <= MOST_ATTRIBUTES else (0, 1, len(common))
    opens = []
    for size in sizes:
        for names in itertools.combinations(common, size):
            ours, theirs = margin(new, names), margin(old, names)
            for key in ours.keys() & theirs.keys():
                least, most = _apart(ours[key], theirs[key])
                if least >= 1 and most < rules.minimum_count and most - least < rules.protection_values - 1:
                    opens.append(Opened(own, new.name, key or (said(later("all")),), int(least), int(most)))
    if opens:
        found.add(
            "difference",
            said(
                later("It differs from the released table {name} by fewer than {n} people."),
                name=old.name,
                n=rules.minimum_count,
            ),
            opens,
        )


def _contains(large: CountTable, small: CountTable) -> bool:
    return all(name in small.where and small.where[name] <= values for name, values in large.where.items())


def _apart(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    low, high = one[0] - other[1], one[1] - other[0]
    if low >= 0:
        return low, high
    return (-high, -low) if high <= 0 else (0, max(-low, high))


def _as_alias(alias: Alias, released: Sequence[CountTable], rules: Rules, interval: str, found: _Findings) -> None:
    """Judge the table once more as if its attributes were those that they look like."""
    trial = _Findings()
    try:
        _infer(alias.table, released, [*range(len(released) + 1)], rules, interval, trial)
    except InfeasibleError:
        return
    if trial.reasons:
        found.add("renamed", alias.sentence, list(trial.opens.values()))
    else:
        found.notes.append(alias.sentence)
