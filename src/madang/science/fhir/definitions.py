"""Definitions at hand: the facts that ship, and packages of others from a folder, a .tgz or single files."""

import gzip
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from madang.base.errors import MadangError
from madang.base.translate import _
from madang.science.fhir.facts import Constraint, Profile, from_json, profile_of
from madang.science.fhir.terminology import Clause, CodeSystem, Terminology, ValueSet, code_system_of, value_set_of

DATA = Path(__file__).parent / "data"
CORE = "http://hl7.org/fhir/StructureDefinition/"
SHIPPED = {"r4": ("r4-4.0.1",), "kr-core": ("r4-4.0.1", "kr-core-2.0.0")}
TOO_NARROW = ("required", "http://hl7.org/fhir/ValueSet/ucum-vitals-common")
LARGEST_MEMBER, LARGEST_PACKAGE = 64_000_000, 2_000_000_000  # bytes, unpacked


@dataclass
class Definitions:
    """Profiles by canonical URL, codes, search parameters, and the packages that they came from."""

    profiles: dict[str, Profile] = field(default_factory=dict)
    terminology: Terminology = field(default_factory=Terminology)
    search: list[dict[str, Any]] = field(default_factory=list)
    capability: dict[str, Any] = field(default_factory=dict)
    packages: list[dict[str, Any]] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    _kept: dict[str, tuple[dict[str, Any], list[Constraint], str]] = field(default_factory=dict)
    _made: dict[str, Profile] = field(default_factory=dict)

    def profile(self, url: str) -> Profile | None:
        """A profile with a snapshot, by its canonical URL or the name of a FHIR type; None if it is not at hand."""
        url = url.partition("|")[0]
        if "/" not in url:
            url = CORE + url
        made = self._made.get(url)
        if made is not None:
            return made
        found = self.profiles.get(url)
        if found is None and url in self._kept:
            found = _mended(from_json(*self._kept[url]))
        if found is None:
            return None
        if not found.snapshot:
            from madang.science.fhir.snapshots import with_snapshot

            found = with_snapshot(found, self)
        self._made[url] = found
        return found

    def urls(self) -> list[str]:
        """The canonical URLs of all profiles at hand."""
        return [*self._kept, *(url for url in self.profiles if url not in self._kept)]

    def facts(self, url: str) -> tuple[str, str, str]:
        """(type, derivation, package) of a profile, without reading its rows; empty where it is not at hand."""
        if url in self.profiles:
            found = self.profiles[url]
            return found.type, found.derivation, found.package
        if url in self._kept:
            kept, _constraints, package = self._kept[url]
            return kept["type"], kept["derivation"], package
        return "", "", ""

    def is_type(self, name: str) -> bool:
        """Whether `name` is a type of FHIR: a resource, a data type or a primitive."""
        return self.facts(CORE + name)[1] == "specialization" or name in ("Resource", "DomainResource", "Element")

    def is_resource(self, name: str) -> bool:
        """Whether `name` is a concrete resource type."""
        found = self._kept.get(CORE + name)
        if found is not None:
            return found[0]["kind"] == "resource" and not found[0]["abstract"] and found[0]["type"] == name
        profile = self.profiles.get(CORE + name)
        return profile is not None and profile.kind == "resource" and not profile.abstract

    def add(self, resource: dict[str, Any], package: str = "") -> bool:
        """Take a conformance resource; False if it is none that a check depends on."""
        kind = resource.get("resourceType")
        if kind == "StructureDefinition" and resource.get("url"):
            profile = profile_of(resource, package)
            self.profiles[profile.url] = profile
            self._made.pop(profile.url, None)
        elif kind == "CodeSystem" and resource.get("url"):
            found = code_system_of(resource)
            if found.codes and resource.get("content") != "supplement":
                self.terminology.systems[found.url] = found
        elif kind == "ValueSet" and resource.get("url"):
            known = value_set_of(resource, self.terminology.systems)
            if known.include:
                self.terminology.sets[known.url] = known
        elif kind == "SearchParameter":
            self.search.append(resource)
        else:
            return False
        return True

    def load(self, path: Path) -> int:
        """Take every conformance resource of a package (.tgz), a folder or one file; returns how many."""
        order = {"CodeSystem": 0, "ValueSet": 1}
        found = sorted(conformance_resources(path), key=lambda each: order.get(str(each.get("resourceType")), 2))
        name = next(
            (f"{x['name']}#{x.get('version', '')}" for x in found if "name" in x and "fhirVersions" in x), path.name
        )
        taken = sum(self.add(each, name) for each in found)
        if not taken:
            raise MadangError(
                "fhir.no_definitions",
                _("There are no FHIR definitions in {path}.").format(path=path),
                _("Give a folder or a package (.tgz) with StructureDefinition resources in JSON or XML."),
            )
        self.packages.append({"name": name, "resources": taken})
        return taken


def _mended(profile: Profile) -> Profile:
    """R4 binds the units of components of vital signs as required, which leaves no component another unit; R4B made
    that extensible, and HL7's validator reads R4 so too.
    """
    if not any(row.binding == TOO_NARROW for row in profile.rows):
        return profile
    rows = (
        replace(row, binding=("extensible", TOO_NARROW[1])) if row.binding == TOO_NARROW else row
        for row in profile.rows
    )
    return replace(profile, rows=tuple(rows))


def conformance_resources(path: Path) -> Iterator[dict[str, Any]]:
    """Every JSON or XML object of a package, a folder or a file; nothing is written anywhere."""
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.is_file() and each.suffix in (".json", ".xml"):
                yield from _read(each.read_bytes(), each.name)
    elif path.name.endswith((".tgz", ".tar.gz")):
        yield from _from_archive(path)
    elif path.is_file():
        yield from _read(path.read_bytes(), path.name)
    else:
        raise MadangError("fhir.no_file", _("There is no file {path}.").format(path=path))


def _from_archive(path: Path) -> Iterator[dict[str, Any]]:
    total = 0
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if not member.isfile() or not member.name.endswith((".json", ".xml")):
                    continue
                if member.name.startswith("/") or ".." in Path(member.name).parts:
                    raise MadangError(
                        "fhir.package_path",
                        _("The package {path} names a file outside its folder.").format(path=path.name),
                        _("Do not use this package; get it from its publisher again."),
                    )
                total += member.size
                if member.size > LARGEST_MEMBER or total > LARGEST_PACKAGE:
                    raise MadangError("fhir.package_size", _("The package {path} is too large.").format(path=path.name))
                file = archive.extractfile(member)
                if file is not None:
                    yield from _read(file.read(), member.name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise MadangError(
            "fhir.package", _("{path} cannot be read as a FHIR package: {error}.").format(path=path.name, error=error)
        ) from None


def _read(data: bytes, name: str) -> Iterator[dict[str, Any]]:
    if name.endswith(".xml"):
        from madang.science.fhir.xml import XmlTrouble, resource_of

        try:
            yield resource_of(data, shipped("r4")).resource
        except XmlTrouble:
            return
        return
    try:
        read = orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return
    if isinstance(read, dict):
        yield read


@cache
def _shipped_file(name: str) -> dict[str, Any]:
    return orjson.loads(gzip.decompress((DATA / f"{name}.json.gz").read_bytes()))


def shipped(guide: str) -> Definitions:
    """New definitions of a guide that ships: `r4` alone or `kr-core` with R4 under it."""
    if guide not in SHIPPED:
        raise MadangError(
            "fhir.no_guide",
            _("There is no guide {name} here.").format(name=repr(guide)),
            _("Known are {names}; others come from a folder or a package with --package.").format(
                names=", ".join(SHIPPED)
            ),
        )
    made = Definitions()
    for name in SHIPPED[guide]:
        read = _shipped_file(name)
        constraints = [Constraint(*each) for each in read["constraints"]]
        label = f"{read['name']}#{read['version']}"
        for each in read["profiles"]:
            made._kept[each["url"]] = (each, constraints, label)
        for url, (codes, complete, folded) in read["systems"].items():
            made.terminology.systems[url] = CodeSystem(url, dict.fromkeys(codes, ()), complete, folded)
        for url, (include, exclude) in read["sets"].items():
            made.terminology.sets[url] = ValueSet(url, _clauses(include), _clauses(exclude))
        made.search.extend(read["search"])
        made.capability = read["capability"] or made.capability
        made.packages.append({"name": label, "resources": len(read["profiles"]), "sha256": read["sha256"]})
    return made


def _clauses(kept: list[Any]) -> tuple[Clause, ...]:
    return tuple(
        Clause(system, None if codes is None else frozenset(codes), tuple(sets), unknown)
        for system, codes, sets, unknown in kept
    )


def write_facts(made: Definitions, about: dict[str, Any], target: Path) -> int:
    """Write the facts of `made` as a file that ships; the same input gives the same bytes. Returns the bytes."""
    numbers: dict[Constraint, int] = {}
    from madang.science.fhir.facts import to_json

    profiles = [to_json(made.profiles[url], numbers) for url in sorted(made.profiles)]
    document = {
        **about,
        "constraints": [[each.key, each.severity, each.expression] for each in numbers],
        "profiles": profiles,
        "systems": {
            url: [sorted(each.codes), each.complete, each.folded]
            for url, each in sorted(made.terminology.systems.items())
        },
        "sets": {
            url: [[_kept(clause) for clause in part] for part in (each.include, each.exclude)]
            for url, each in sorted(made.terminology.sets.items())
        },
        "search": made.search,
        "capability": made.capability,
    }
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=9) as file:
        file.write(orjson.dumps(document))
    target.write_bytes(buffer.getvalue())
    return len(buffer.getvalue())


def _kept(clause: Clause) -> list[Any]:
    codes = None if clause.codes is None else sorted(clause.codes)
    return [clause.system, codes, list(clause.sets), clause.unknown]
