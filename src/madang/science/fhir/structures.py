"""Rules of a StructureDefinition that look at its base: paths that exist, values fixed once, discriminators that lead
somewhere."""

from typing import Any

from madang.science.fhir import findings as f
from madang.science.fhir.definitions import Definitions
from madang.science.fhir.facts import Profile, Row, profile_of
from madang.science.fhir.findings import Found, Raw

CALLS = ("$this", "resolve()", "extension(", "ofType(", "as(", "where(")


def problems(definition: dict[str, Any], definitions: Definitions) -> Found:
    """What is wrong in the differential of a profile whose base is at hand."""
    differential = definition.get("differential")
    elements = differential.get("element") if type(differential) is dict else None
    base = definitions.profile(str(definition.get("baseDefinition", "")))
    if type(elements) is not list or base is None or not base.rows or definition.get("derivation") != "constraint":
        return None
    bare = {key: value for key, value in definition.items() if key != "snapshot"}
    try:
        said = profile_of(bare).rows
    except (TypeError, ValueError, AttributeError):
        return None  # said by the checks of its elements
    rows = {row.id: row for row in base.rows}
    out: list[Raw] = []
    for place, row in enumerate(said):
        under = rows.get(row.id) or rows.get(row.path)
        if under is None and not _known(row.path, rows):
            out.append(_at(place, "structure_path"))
        if under is not None and row.fixed is not None and under.fixed is not None and row.fixed != under.fixed:
            out.append(_at(place, "structure_fixed"))
        if row.discriminators and not all(_leads(path, under, rows, definitions) for _kind, path in row.discriminators):
            out.append(_at(place, "structure_discriminator"))
    return out or None


def _known(path: str, rows: dict[str, Row]) -> bool:
    """Whether a path may be one of the base: an element of it, a choice by a type, or something below a data type."""
    above, _dot, name = path.rpartition(".")
    siblings = [row for row in rows.values() if row.path.rpartition(".")[0] == above]
    if not above or not siblings:
        return True  # the root, or below an element that the base does not unfold
    if any(row.path == path for row in siblings):
        return True
    for row in siblings:
        stem = row.path.rpartition(".")[2].removesuffix("[x]")
        if row.path.endswith("[x]") and name.startswith(stem):
            return any(stem + ref.code[:1].upper() + ref.code[1:] == name for ref in row.types)
    return False


def _leads(path: str, under: Row | None, rows: dict[str, Row], definitions: Definitions) -> bool:
    step = path.partition(".")[0]
    if under is None or not step or path.startswith(CALLS) or not under.types:
        return True
    below = [row.path for row in rows.values() if row.path.rpartition(".")[0] == under.path]
    if not below:
        kinds: list[Profile | None] = [definitions.profile(ref.code) for ref in under.types]
        below = [row.path for kind in kinds if kind for row in kind.rows if row.path.count(".") == 1]
    names = {each.rpartition(".")[2].removesuffix("[x]") for each in below}
    return not names or any(step == name or (step.startswith(name) and name) for name in names)


def _at(place: int, kind: str) -> Raw:
    return Raw("differential.element", f"differential.element[{place}]", f.PROFILE, f.ERROR, kind, ())
