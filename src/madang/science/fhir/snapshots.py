"""Snapshots for profiles that bring only what they change: the base's rows with the differential laid over them.

Enough for profiles as people write them: constraints on elements, unfolding of data types, slices and slices of
slices, the short form of choices (`valueQuantity`), references to other content. What it cannot place it leaves out
and the rest still holds.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from madang.science.fhir.facts import Profile, Row, TypeRef

if TYPE_CHECKING:
    from madang.science.fhir.definitions import Definitions

DEEPEST = 12


def with_snapshot(profile: Profile, definitions: "Definitions", depth: int = 0) -> Profile:
    """The profile with all rows. Where the base is not at hand the profile has no rows, so nothing is held by it."""
    base = definitions.profile(profile.base) if depth < DEEPEST else None
    if base is None or not base.rows or base.url == profile.url:
        return replace(profile, rows=(), snapshot=True)
    rows = {row.id: row for row in base.rows}
    for row in profile.rows:
        _lay(rows, row, definitions)
    return replace(profile, rows=tuple(_sorted(rows)), snapshot=True)


def _lay(rows: dict[str, Row], said: Row, definitions: "Definitions") -> None:
    identifier = _identifier(rows, said, definitions)
    if identifier is None:
        return
    under = rows.get(identifier)
    if under is None:
        whole = rows.get(identifier.rpartition(":")[0]) if ":" in identifier.rpartition(".")[2] else None
        if whole is None:
            return
        under = replace(whole, id=identifier, slice=identifier.rpartition(":")[2], low=0, discriminators=None)
        _copy_children(rows, whole.id, identifier)
    rows[identifier] = _merged(under, said, identifier)


def _identifier(rows: dict[str, Row], said: Row, definitions: "Definitions") -> str | None:
    """The element id in the snapshot, with what is above it unfolded."""
    parts = said.id.split(".") if said.id.count(".") == said.path.count(".") else said.path.split(".")
    if said.slice and ":" not in parts[-1]:
        parts[-1] = f"{parts[-1]}:{said.slice}"
    at = parts[0]
    if at not in rows:
        return None
    for place, part in enumerate(parts[1:], start=1):
        name, _colon, slice_name = part.partition(":")
        if f"{at}.{name}" not in rows and not any(each.startswith(at + ".") for each in rows):
            _unfold(rows, at, definitions)
        choice = _choice(rows, at, name)
        if choice is not None:
            name, slice_name = choice[0], slice_name or choice[1]
        whole = f"{at}.{name}"
        if whole not in rows:
            return None
        here = f"{whole}:{slice_name}" if slice_name else whole
        if here not in rows and place < len(parts) - 1:
            _slice(rows, whole, here, choice[2] if choice else None)
        elif here not in rows and choice is not None:
            _slice(rows, whole, here, choice[2])
        at = here
    return at


def _choice(rows: dict[str, Row], at: str, name: str) -> tuple[str, str, TypeRef] | None:
    """For `valueQuantity` the choice `value[x]`, the name of its slice, and the type."""
    if f"{at}.{name}" in rows:
        return None
    for row in rows.values():
        above, _dot, last = row.id.rpartition(".")
        if above != at or not last.endswith("[x]"):
            continue
        for ref in row.types:
            if last[:-3] + ref.code[:1].upper() + ref.code[1:] == name:
                return last, name, ref
    return None


def _slice(rows: dict[str, Row], whole: str, here: str, ref: TypeRef | None) -> None:
    row = rows[whole]
    types = (ref,) if ref is not None else row.types
    rows[here] = replace(row, id=here, slice=here.rpartition(":")[2], low=0, discriminators=None, types=types)
    if ref is not None and row.discriminators is None:
        rows[whole] = replace(row, discriminators=(("type", "$this"),))
    _copy_children(rows, whole, here)


def _copy_children(rows: dict[str, Row], source: str, target: str) -> None:
    for identifier in [each for each in rows if each.startswith(source + ".")]:
        rows[target + identifier[len(source) :]] = replace(rows[identifier], id=target + identifier[len(source) :])


def _unfold(rows: dict[str, Row], at: str, definitions: "Definitions") -> None:
    """The children of a data type, or of the element whose content it has, under an element."""
    row = rows[at]
    if row.content:
        # What the profile says of the element that is named does not hold for its repetition, so the type is asked.
        type_ = definitions.profile(row.content.partition(".")[0])
        known = {each.id: each for each in type_.rows} if type_ is not None else rows
        source = row.content if row.content in known else at.partition(".")[0]
        for identifier in [each for each in known if each.startswith(source + ".")]:
            rows[at + identifier[len(source) :]] = replace(
                known[identifier],
                id=at + identifier[len(source) :],
                path=row.path + known[identifier].path[len(source) :],
            )
        rows[at] = replace(row, content="", types=(TypeRef("BackboneElement"),))
        return
    if not row.types:
        return
    ref = row.types[0]
    found = definitions.profile(ref.profiles[0]) if len(ref.profiles) == 1 else None
    found = found or definitions.profile(ref.code)
    if found is None:
        return
    for each in found.rows[1:]:
        tail = each.id[each.id.index(".") :]
        rows[at + tail] = replace(each, id=at + tail, path=row.path + each.path[each.path.index(".") :])


def _merged(under: Row, said: Row, identifier: str) -> Row:
    """What the base says with what the differential says over it."""
    given = said.given
    keys = {each.key for each in said.constraints}
    changed: dict[str, object] = {
        "id": identifier,
        "constraints": (*(each for each in under.constraints if each.key not in keys), *said.constraints),
        "must_support": under.must_support or said.must_support,
        "slice": said.slice or under.slice,
    }
    if "min" in given:
        changed["low"] = said.low
    if "max" in given:
        changed["high"] = said.high
    if said.types:
        changed["types"] = tuple(_narrowed(each, under.types) for each in said.types)
    if said.narrative:
        changed["narrative"] = said.narrative
    if said.instead:
        changed["instead"] = said.instead
    if said.must_value:
        changed["must_value"] = True
    for name in ("fixed", "pattern", "binding", "max_length", "least", "most", "discriminators"):
        if getattr(said, name) is not None:
            changed[name] = getattr(said, name)
    if said.discriminators is not None:
        changed |= {"rules": said.rules, "ordered": said.ordered}
        if not said.discriminators and under.discriminators:
            changed["discriminators"] = under.discriminators
    if said.widest:
        changed["widest"] = said.widest
    if said.content:
        changed["content"] = said.content
    if not under.base_max:
        changed["base_max"] = "*" if under.high is None or under.high > 1 else str(under.high)
    return replace(under, **changed)  # type: ignore[arg-type]  # names and types of Row's own fields


def _narrowed(said: TypeRef, under: tuple[TypeRef, ...]) -> TypeRef:
    before = next((each for each in under if each.code == said.code), None)
    if before is None:
        return said
    return TypeRef(
        said.code,
        said.profiles or before.profiles,
        said.targets or before.targets,
        said.aggregation or before.aggregation,
    )


def _sorted(rows: dict[str, Row]) -> list[Row]:
    """Parents before children, an element before its slices; otherwise in the order in which they came."""
    return sorted(rows.values(), key=lambda row: (row.id.count("."), row.id.rpartition(".")[2].count(":")))
