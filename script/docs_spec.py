"""docs/reference/spec/*.md: what the tests in tests/spec prove, written as a book.

A folder is a chapter: its `about.md` opens the page. A module is a section: its docstring is the prose, the first line
the heading. A test is a paragraph with its example: the texts that it hands to `example.given` and `example.expected`.
"""

import ast
import textwrap
from pathlib import Path

NOTE = "*Written by `script/docs` from tests/spec/{chapter}, which proves every sentence and example on this page.*\n"


def pages(book: Path) -> dict[str, str]:
    """One page per chapter, and the list of chapters."""
    chapters = {about.parent.name: about.read_text().strip() for about in sorted(book.glob("*/about.md"))}
    made = {
        f"{name}.md": "\n".join(
            [
                about,
                "",
                NOTE.format(chapter=name),
                *(_section(path) for path in sorted((book / name).glob("test_*.py"))),
            ]
        )
        for name, about in chapters.items()
    }
    contents = [f"* [{about.splitlines()[0].lstrip('# ')}]({name}.md)" for name, about in chapters.items()]
    head = "# Specification\n\nWhat Madang does, example by example. Every example is a test.\n"
    made["README.md"] = "\n".join([head, *contents, ""])
    return made


def _section(path: Path) -> str:
    module = ast.parse(path.read_text())
    parts = _prose(2, module)
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            parts += _prose(3, node)
            calls = sorted((n for n in ast.walk(node) if isinstance(n, ast.Call)), key=lambda call: call.lineno)
            parts += [block for call in calls for block in _example(call)]
    return "\n".join(parts)


def _prose(level: int, node: ast.Module | ast.FunctionDef) -> list[str]:
    text = ast.get_docstring(node)
    if not text:
        raise SystemExit(f"docs: {getattr(node, 'name', 'a module')} in tests/spec has no docstring")
    heading, _blank, rest = text.partition("\n")
    return ["#" * level + " " + heading.rstrip("."), "", *([rest.strip(), ""] if rest.strip() else [])]


def _example(call: ast.Call) -> list[str]:
    """A given or expected text as a block under its name."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("given", "expected"):
        return []
    texts = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if len(texts) != 2:
        raise SystemExit(f"docs: line {call.lineno}: {call.func.attr} takes a name and a text, both written out")
    name, text = texts
    kind = name.rpartition(".")[2] if "." in name else ""
    label = f"`{name}`" if call.func.attr == "given" else f"gives `{name}`"
    return [f"{label}:", "", f"```{kind}", textwrap.dedent(text).strip("\n"), "```", ""]
