"""Keeps src/madang/locale/ko in step with the source; called by script/translations."""

import ast
import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

os.environ["MADANG_LANG"] = "en"  # docstrings of commands are looked up as they stand in the source
from madang.app.cli import build
from madang.app.registry import commands

SOURCE = Path(__file__).parent.parent / "src/madang"
KOREAN = SOURCE / "locale/ko/LC_MESSAGES/madang.po"

# What Typer shows on its own; it looks these up in our catalog (madang.base.translate.translate_libraries).
TYPER_TEXTS = ["Arguments", "Options", "Commands", "[default: {}]", "[required]"]


def template() -> Catalog:
    """All texts of the source, in the order of files."""
    catalog = Catalog()
    for path in sorted(SOURCE.rglob("*.py")):
        for text in _texts(ast.parse(path.read_text())):
            catalog.add(text, locations=[(f"src/madang/{path.relative_to(SOURCE)}", 0)])
    for name, _line, text, _comments, _context in extract_from_dir(
        SOURCE, [("**/templates/**.html", "jinja2")], keywords={"_": None}
    ):
        catalog.add(text, locations=[(f"src/madang/{name}", 0)])
    for entry in commands():
        command = build(entry)
        for each in (command, *getattr(command, "commands", {}).values()):
            texts = [each.help, *(parameter.help for parameter in each.params)]
            for text in filter(None, texts):
                catalog.add(text, auto_comments=[f"help of madang {entry.name}"])
    for text in TYPER_TEXTS:
        catalog.add(text, auto_comments=["shown by Typer"])
    return catalog


def _texts(tree: ast.AST) -> Iterator[str]:
    """What stands in `_("...")`, within f-strings too, and the titles of a form's fields."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        name = getattr(call.func, "id", "")
        marked = call.args[:1] if name == "_" else [each.value for each in call.keywords if each.arg == "title"]
        if name in ("_", "Field"):
            yield from (str(each.value) for each in marked if isinstance(each, ast.Constant))


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
    """Rewrite the Korean catalog from the source, keeping what is translated."""
    catalog = read(KOREAN) if KOREAN.exists() else Catalog(locale="ko")
    catalog.update(template(), no_fuzzy_matching=True)
    KOREAN.write_bytes(written(catalog))


def mistakes() -> list[str]:
    """What is wrong with the Korean catalog, one sentence each."""
    wanted = {message.id for message in template() if message.id}
    korean = {message.id: message for message in read(KOREAN) if message.id}
    found = [f"not in the catalog: {text!r}" for text in wanted - korean.keys()]
    found += [f"no longer in the source: {text!r}" for text in korean.keys() - wanted]
    for text in wanted & korean.keys():
        message = korean[text]
        if not message.string or message.fuzzy:
            found.append(f"not translated: {text!r}")
        elif fields(text) != fields(message.string):
            found.append(f"not the same {{fields}}: {text!r} and {message.string!r}")
    return sorted(found)


def fields(text: str) -> list[str]:
    """The names in braces, which both languages must have."""
    return sorted(re.findall(r"\{(\w*)[^{}]*\}", text))


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        wrong = mistakes()
        print("\n".join(wrong) or "the Korean catalog is complete")
        sys.exit(bool(wrong))
    update()
