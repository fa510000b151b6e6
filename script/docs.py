"""Writes docs/reference from the source; called by script/docs."""

import os
import sys
from pathlib import Path

os.environ["MADANG_LANG"] = "en"  # before any command module marks its help texts
sys.path.insert(0, str(Path(__file__).parent))

import docs_commands
import docs_errors
import docs_probes
import docs_rooms
import docs_settings
import docs_spec

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs/reference"
DECISIONS = ROOT / "docs/decisions"

DECISIONS_HEAD = """# Decisions

Choices that had more than one good answer, and why this one was taken. A decision that turns out wrong is not edited:
a new one replaces it and both say so. Each record has the form *Context* (what forced a choice), *Decision* (what we
do), *Consequences* (what it costs and what would change our minds). A test keeps the form.

"""


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    made = {
        DECISIONS / "README.md": decisions(),
        REFERENCE / "commands.md": docs_commands.page(),
        REFERENCE / "errors.md": docs_errors.page(ROOT / "src/madang", REFERENCE / "errors.md"),
        REFERENCE / "settings.md": docs_settings.page(),
        REFERENCE / "acts.md": docs_rooms.acts_page(),
        REFERENCE / "states.md": docs_rooms.states_page(),
        REFERENCE / "routes.md": docs_rooms.routes_page(),
        REFERENCE / "probes.md": docs_probes.page(ROOT / "tests"),
    }
    for name, text in docs_spec.pages(ROOT / "tests/spec").items():
        made[REFERENCE / "spec" / name] = text
    return made


def decisions() -> str:
    """The list of decision records, from their titles."""
    titles = [(path.name, path.read_text().splitlines()[0]) for path in sorted(DECISIONS.glob("[0-9]*.md"))]
    return DECISIONS_HEAD + "".join(f"* [{title.lstrip('# ')}]({name})\n" for name, title in titles)


def mistakes(made: dict[Path, str]) -> list[str]:
    """What is wrong with the pages on disk, one sentence each."""
    found = [
        f"{path.relative_to(ROOT)} is not what the source says; run script/docs"
        for path, text in made.items()
        if not path.exists() or path.read_text() != text
    ]
    found += [
        f"{path.relative_to(ROOT)} has no source any more; run script/docs"
        for path in (REFERENCE / "spec").glob("*.md")
        if path not in made
    ]
    return found + docs_errors.without_meaning(made[REFERENCE / "errors.md"])


def write(made: dict[Path, str]) -> None:
    """Write the pages and remove those that have no source."""
    for path in (REFERENCE / "spec").glob("*.md"):
        if path not in made:
            path.unlink()
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    everything = pages()
    if "--check" not in sys.argv[1:]:
        write(everything)
    wrong = mistakes(everything)
    print("\n".join(wrong) or "docs/reference is what the source says")
    sys.exit(bool(wrong))
