"""Keeps the catalogs of src/madang/locale/ko in step with the source; called by script/translations."""

import ast
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

os.environ["MADANG_LANG"] = "en"  # docstrings of commands are looked up as they stand in the source
from madang.app.cli import build
from madang.app.registry import commands

SOURCE = Path(__file__).parent.parent / "src/madang"
KOREAN = SOURCE / "locale/ko/LC_MESSAGES"
COMMON = "madang"  # the catalog of all that is no room

# What Typer shows on its own; it looks these up in our catalog (madang.base.translate.translate_libraries).
TYPER_TEXTS = ["Arguments", "Options", "Commands", "[default: {}]", "[required]"]
ROOMS = {"outputs"} | {
    path.name for storey in ("science", "services") for path in (SOURCE / storey).iterdir() if path.is_dir()
}
Text = tuple[str, str]  # a text and its context


def templates() -> dict[str, Catalog]:
    """All texts of the source, by the room whose they are."""
    found: dict[str, Catalog] = {}

    def add(room: str, text: Text, **more: Any) -> None:
        found.setdefault(room, Catalog()).add(text[0], context=text[1] or None, **more)

    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        for text in _texts(ast.parse(path.read_text())):
            add(room_of(place.parts), text, locations=[(f"src/madang/{place}", 0)])
    alone_or_in_context = {"_": {None: (1,), 2: (1, (2, "c"))}}
    for name, _line, text, _comments, context in extract_from_dir(
        SOURCE, [("**/templates/**.html", "jinja2")], keywords=alone_or_in_context
    ):
        add(room_of(Path(name).parts), (text, context or ""), locations=[(f"src/madang/{name}", 0)])
    for entry in commands():
        command = build(entry)
        module = entry.target.partition(":")[0]
        full = module if "." in module else f"madang.app.commands.{module}"
        room = room_of(tuple(full.split(".")[1:]))
        for each in (command, *getattr(command, "commands", {}).values()):
            texts = [each.help, *(parameter.help for parameter in each.params)]
            for text in filter(None, texts):
                add(room, (text, ""), auto_comments=[f"help of madang {entry.name}"])
    for text in TYPER_TEXTS:
        add(COMMON, (text, ""), auto_comments=["shown by Typer"])
    return found


def room_of(parts: tuple[str, ...]) -> str:
    """The room that a file below src/madang belongs to; `madang` for what belongs to none."""
    if parts[0] in ("services", "science") and len(parts) > 2:
        return parts[1]
    command = parts[2].removesuffix(".py") if parts[:2] == ("app", "commands") and len(parts) > 2 else ""
    return command if command in ROOMS else COMMON


def _texts(tree: ast.AST) -> Iterator[Text]:
    """What stands in `_("...")` or `later("...")`, within f-strings too, and the titles of a form's fields."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        name = getattr(call.func, "id", "")
        if name in ("_", "later"):
            given = [each.value if isinstance(each, ast.Constant) else None for each in call.args[:2]]
            if given and isinstance(given[0], str):
                yield given[0], given[1] if len(given) > 1 and isinstance(given[1], str) else ""
        elif name == "Field":
            for each in call.keywords:
                if each.arg == "title" and isinstance(each.value, ast.Constant):
                    yield str(each.value.value), ""


def read(path: Path) -> Catalog:
    """A catalog from its file."""
    with path.open("rb") as lines:
        return read_po(lines, locale="ko")


def written(catalog: Catalog) -> bytes:
    """A catalog as its file is written: without line numbers and dates, which would change with every edit."""
    out = io.BytesIO()
    write_po(out, catalog, width=0, ignore_obsolete=True, include_lineno=False, omit_header=True, sort_output=True)
    return HEADER + out.getvalue()


HEADER = b"""# Korean texts of Madang.
msgid ""
msgstr ""
"Language: ko\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

"""


def update() -> None:
    """Rewrite the Korean catalogs from the source, keeping what is translated, in whichever room it was."""
    known: dict[Text, str] = {}
    for path in sorted(KOREAN.glob("*.po")):
        known |= {key(message): message.string for message in read(path) if message.id and message.string}
    made = templates()
    for room, texts in made.items():
        path = KOREAN / f"{room}.po"
        catalog = read(path) if path.exists() else Catalog(locale="ko")
        catalog.update(texts, no_fuzzy_matching=True)
        for message in catalog:
            if message.id and not message.string:
                message.string = known.get(key(message), "")
        path.write_bytes(written(catalog))
    for path in KOREAN.glob("*.po"):
        if path.stem not in made:
            path.unlink()


def key(message: Any) -> Text:
    """What a message is found by."""
    return message.id, message.context or ""


def mistakes() -> list[str]:
    """What is wrong with the Korean catalogs, one sentence each."""
    found, first = [], dict[Text, tuple[str, str]]()
    made = templates()
    stale = {path.stem for path in KOREAN.glob("*.po")} - made.keys()
    found += [f"{room}.po has no texts any more" for room in stale]
    for room, texts in made.items():
        path = KOREAN / f"{room}.po"
        wanted = {key(message) for message in texts if message.id}
        korean = {key(message): message for message in read(path) if message.id} if path.exists() else {}
        found += [f"not in {room}.po: {text!r}" for text in wanted - korean.keys()]
        found += [f"no longer in the source of {room}: {text!r}" for text in korean.keys() - wanted]
        for text in wanted & korean.keys():
            message = korean[text]
            if not message.string or message.fuzzy:
                found.append(f"not translated in {room}.po: {text!r}")
            elif fields(text[0]) != fields(message.string):
                found.append(f"not the same {{fields}}: {text!r} and {message.string!r}")
            elif first.setdefault(text, (room, message.string))[1] != message.string:
                found.append(f"translated in two ways, in {first[text][0]}.po and {room}.po: {text!r}")
    return sorted(found)


def fields(text: str) -> list[str]:
    """The names in braces, which both languages must have."""
    return sorted(re.findall(r"\{(\w*)[^{}]*\}", text))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        wrong = mistakes()
        print("\n".join(wrong) or "the Korean catalogs are complete")
        sys.exit(bool(wrong))
    update()
