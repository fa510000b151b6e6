"""Which elements that must be supported were shown by at least one resource, and which references led nowhere."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from madang.science.fhir.compiler import Compiler
    from madang.science.fhir.validator import Verdict

KEPT = 3_000_000  # references and ids that are remembered
EXAMPLES = 20


@dataclass
class Shown:
    """Counted over all resources of a run."""

    elements: dict[str, set[str]] = field(default_factory=dict)  # profile -> element ids shown
    ids: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)
    _open: dict[str, dict[str, tuple[tuple[str, ...], bool]]] = field(default_factory=dict, repr=False)

    def add(self, other: "Shown") -> None:
        """Put another part of the run to this one."""
        for profile, found in other.elements.items():
            self.elements.setdefault(profile, set()).update(found)
        if len(self.ids) < KEPT:
            self.ids |= other.ids
        if len(self.references) < KEPT:
            self.references |= other.references

    def look(self, compiler: "Compiler", verdict: "Verdict") -> None:
        """Take note of what one resource shows."""
        context = verdict.context
        if verdict.id:
            self.ids.add(f"{verdict.type}/{verdict.id}")
        self.references.update(context.references)
        for profile in verdict.profiles:
            waiting = self._open.get(profile)
            if waiting is None:
                waiting = self._open[profile] = supported(compiler, profile)
                self.elements.setdefault(profile, set())
            if not waiting:
                continue
            found = [
                identifier
                for identifier, (steps, slices) in waiting.items()
                if _there(context.root, steps) and (not slices or _sliced(compiler, profile, identifier, context))
            ]
            for identifier in found:
                del waiting[identifier]
                self.elements[profile].add(identifier)

    def lost(self) -> list[str]:
        """Types of relative references that no resource of the run answers, one for each reference."""
        return sorted(
            each.partition("/")[0]
            for each in self.references - self.ids
            if each.count("/") == 1 and each[:1].isupper() and each not in self.ids
        )


def supported(compiler: "Compiler", profile: str) -> dict[str, tuple[tuple[str, ...], bool]]:
    """Element ids that a profile says must be supported, with the names on the way and whether a slice is meant."""
    found = compiler.tree(profile)
    if found is None:
        return {}
    return {
        identifier: (tuple(part.partition(":")[0] for part in identifier.split(".")[1:]), ":" in identifier)
        for identifier, node in found[1].items()
        if node.row.must_support and node.row.high != 0 and "." in identifier
    }


def _there(value: object, steps: tuple[str, ...]) -> bool:
    if not steps:
        return True
    if type(value) is list:
        return any(_there(each, steps) for each in value)
    if type(value) is not dict:
        return False
    step = steps[0]
    if step.endswith("[x]"):
        stem = step[:-3]
        return any(key.startswith(stem) and _there(part, steps[1:]) for key, part in value.items())
    return step in value and _there(value[step], steps[1:])


def _sliced(compiler: "Compiler", profile: str, identifier: str, context: Any) -> bool:
    """Whether an item of the slices on the way has the rest of the way."""
    from madang.science.fhir.slices import matcher, values_at

    found = compiler.tree(profile)
    assert found is not None
    nodes = found[1]
    values: list[object] = [context.root]
    way = identifier.split(".")[0]
    for part in identifier.split(".")[1:]:
        name, _colon, slice_name = part.partition(":")
        step = name.removesuffix("[x]")
        whole, way = f"{way}.{name}", f"{way}.{part}"
        values = [item for value in values for item in values_at(value, [step], context)]
        node, each = nodes.get(whole), nodes.get(way)
        if slice_name and node is not None and each is not None and not name.endswith("[x]"):
            match = matcher(compiler, node, each, node.row.discriminators or (("value", "url"),))
            values = [item for item in values if match(item, context)]
        if not values:
            return False
    return True
