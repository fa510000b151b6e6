"""The address under which the resources of an export lie, where its references are absolute."""

from collections.abc import Iterable
from pathlib import Path

from madang.science.standardize.intake.files import contents, is_compressed, reading
from madang.science.standardize.intake.references import base_of_export, bases
from madang.science.standardize.pack import Source

_SAMPLE = 1 << 16
_FILES = 200
_MANIFESTS = ("manifest.json", "log.ndjson", "export.json")


def refers(source: Source) -> bool:
    """Whether a source has columns that are references."""
    return any(column.reference for column in source.columns.values())


def find_base(folder: Path, files: Iterable[tuple[Source, Path]]) -> tuple[str, frozenset[str]]:
    """The export's own base, empty where nothing tells it, and the other bases that its references name.

    A manifest of the export tells it. Without one it is the only base that the beginnings of the files name, if no
    reference there is relative: a relative one is to this server, wherever that is.
    """
    found: set[str] = set()
    any_relative = False
    for _source, path in [one for one in files if refers(one[0])][:_FILES]:
        with reading(path), path.open("rb") as raw:
            named, relative = bases(contents(raw, is_compressed(path)).read(_SAMPLE))
        found |= named
        any_relative = any_relative or relative
    if not found:
        return "", frozenset()
    own = _told(folder) or (next(iter(found)) if len(found) == 1 and not any_relative else "")
    return own, frozenset(found - {own})


def _told(folder: Path) -> str | None:
    for name in _MANIFESTS:
        path = folder / name
        if path.is_file():
            with reading(path), path.open("rb") as raw:
                if told := base_of_export(raw.read(_SAMPLE).decode("utf-8", "replace")):
                    return told
    return None
