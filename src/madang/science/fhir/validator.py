"""The validator: one parsed resource in, findings out.

Which profiles a resource is held against: those that it claims in `meta.profile` and that are at hand, those that the
caller names, and, where a guide is asked for and the resource claims none of it, the one profile of the guide that its
type and fixed codes lead to. Otherwise the definition of its type.
"""

from dataclasses import dataclass, field
from typing import Any

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.fhir import findings as f
from madang.science.fhir.compiler import Compiler, Context
from madang.science.fhir.definitions import CORE, Definitions
from madang.science.fhir.extensions import misplaced
from madang.science.fhir.findings import Found, Raw, at, here, under
from madang.science.fhir.selection import Selection

DEEPEST_RESOURCE = 20  # resources inside resources


@dataclass
class Verdict:
    """The outcome for one resource."""

    type: str
    id: str
    profiles: tuple[str, ...]
    findings: list[Raw]
    context: Context = field(repr=False, default_factory=Context)

    @property
    def valid(self) -> bool:
        """Whether nothing of severity error was found."""
        return all(each.severity != f.ERROR for each in self.findings)


class Validator:
    """Holds resources against definitions. Compiles what it needs at first use; not to be shared by threads."""

    def __init__(
        self,
        definitions: Definitions,
        guide: str = "",
        profiles: tuple[str, ...] = (),
        strict: bool = False,
        refused: tuple[str, ...] = (),
        references: str = "type",
        entries: tuple[str, ...] = (),
    ) -> None:
        self.definitions = definitions
        self.compiler = Compiler(definitions, strict=strict, refused=refused, references=references)
        self.compiler.resource = self._inside
        self.selection = Selection(definitions, self.compiler, guide)
        self.named = profiles
        self.entries = tuple(map(entry_rule, entries))

    def validate(self, resource: Any) -> Verdict:
        """Check one parsed resource."""
        context = Context(root=resource, resource=resource)
        if type(resource) is not dict:
            return Verdict("", "", (), here(f.FORM, "not_object"), context)
        name = resource.get("resourceType")
        try:
            found, profiles = self._resource(resource, context, self.named)
        except RecursionError:
            found, profiles = here(f.FORM, "too_deep"), ()
        label = name if type(name) is str and self.definitions.is_resource(name) else ""
        identifier = resource.get("id")
        path = label or "Resource"
        return Verdict(
            label,
            identifier if type(identifier) is str else "",
            profiles,
            under(path, path, found) if found else [],
            context,
        )

    def _inside(self, resource: Any, context: Context) -> Found:
        """A resource in another: contained, or in an entry of a Bundle."""
        if type(resource) is not dict:
            return here(f.FORM, "not_object")
        found, _profiles = self._resource(resource, context, context.asked.get(id(resource), ()))
        return found

    def _resource(
        self, resource: dict[str, Any], context: Context, named: tuple[str, ...]
    ) -> tuple[Found, tuple[str, ...]]:
        name = resource.get("resourceType")
        if type(name) is not str or not self.definitions.is_resource(name):
            context.keys += len(resource)
            kind = "no_type" if "resourceType" not in resource else "unknown_resource"
            return here(f.TYPE, kind), ()
        if context.depth > DEEPEST_RESOURCE:
            return here(f.FORM, "too_deep"), ()
        context.depth += 1
        above, local, entries = context.resource, context.local, context.entries
        contained = resource is not context.root and any(resource is each for each in _list(above, "contained"))
        if not contained:
            context.resource, context.local = resource, []
        if name == "Bundle":
            from madang.science.fhir.bundles import entries_of

            context.entries = entries_of(resource)
            if self.entries:
                context.asked.update(_asked_of(resource, self.entries))
        out: Found = None
        profiles, trouble = self.selection.profiles(resource, named, by_codes=not contained)
        for number, url in enumerate(profiles):
            keys = context.keys
            found = self.compiler.of_type(name, "" if url == CORE + name else url)(resource, context)
            if number:
                context.keys = keys
                found = [each for each in found or () if each not in (out or ())]
            if found:
                out = (out or []) + found
        if out and any(each.kind in ("extension_context", "extension_rule") for each in out):
            out = misplaced(out, resource, self.compiler, context)
        out = (out or []) + trouble if trouble else out
        if not contained:
            wrong = self._local_references(resource, context)
            out = (out or []) + wrong if wrong else out
            context.resource, context.local = above, local
        if name == "StructureDefinition":
            from madang.science.fhir.structures import problems as structure_problems

            wrong = structure_problems(resource, self.definitions)
            out = (out or []) + wrong if wrong else out
        if name == "Bundle":
            from madang.science.fhir.bundles import problems

            wrong = problems(resource, context)
            out = (out or []) + wrong if wrong else out
            context.entries = entries
        context.depth -= 1
        return out, profiles

    def _local_references(self, resource: dict[str, Any], context: Context) -> Found:
        """ref-1, and that resources contained have ids which differ."""
        contained = _list(resource, "contained")
        if not context.local and not contained:
            return None
        ids = [each.get("id") for each in contained if type(each) is dict]
        out: list[Raw] = []
        if any(text != "#" and text[1:] not in ids for text in context.local):
            out += here("ref-1", "local_reference")
        if any(type(each) is not str for each in ids):
            out += at("contained", f.REFERENCE, "contained_id")
        elif len(set(ids)) != len(ids):
            out += at("contained", f.REFERENCE, "contained_twice")
        return out or None


def entry_rule(text: str) -> tuple[str, int | None, str]:
    """`Patient:0=URL` or `Patient=URL` as (type, number among those of the type or None for all, profile)."""
    which, _equals, url = text.partition("=")
    name, _colon, number = which.partition(":")
    if not name or not url or (number and not number.isdigit()):
        raise MadangError(
            "fhir.entry_rule",
            _("{text} names no entry and profile.").format(text=repr(text)),
            _("Write it as Patient=URL, or Patient:0=URL for the first Patient of a Bundle."),
        )
    return name, int(number) if number else None, url.partition("|")[0]


def _asked_of(bundle: dict[str, Any], rules: tuple[tuple[str, int | None, str], ...]) -> dict[int, tuple[str, ...]]:
    """The profiles that the caller names for the entries of a Bundle, by the identity of their resources."""
    found: dict[int, tuple[str, ...]] = {}
    seen: dict[str, int] = {}
    for entry in _list(bundle, "entry"):
        resource = entry.get("resource") if type(entry) is dict else None
        name = resource.get("resourceType") if type(resource) is dict else None
        if type(name) is str:
            place = seen[name] = seen.get(name, -1) + 1
            found[id(resource)] = tuple(url for kind, number, url in rules if kind == name and number in (None, place))
    return found


def _list(resource: Any, name: str) -> list[Any]:
    found = resource.get(name) if type(resource) is dict else None
    return found if type(found) is list else []
