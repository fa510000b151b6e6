"""Build hook: turns the translation catalogs (.po) into what gettext reads (.mo). Runs at every install."""

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def compile_catalogs(folder: Path) -> None:
    """Write the .mo beside each .po under `folder`; fuzzy entries, which nobody has confirmed, are left out."""
    for source in sorted(folder.glob("*/LC_MESSAGES/*.po")):
        with source.open("rb") as lines:
            catalog = read_po(lines, locale=source.parent.parent.name)
        with source.with_suffix(".mo").open("wb") as out:
            write_mo(out, catalog, use_fuzzy=False)


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling calls before it builds a wheel or an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the catalogs before files are collected."""
        compile_catalogs(Path(self.root) / "src/madang/locale")
