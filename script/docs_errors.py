"""docs/reference/errors.md: every error code of the source with its meaning.

Where a code stands in the source is found on every run. Its meaning is first taken from the sentence that is raised
with it, and may then be rewritten on the page by hand: what stands there is kept.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeGuard

HEAD = """# Error codes

Bad input gives one `MadangError(code, message, hint)`: the command line prints message and hint in one line and ends
with 2. Codes are stable, sentences are not; `cancelled` is the code of work that was stopped. Written by
`script/docs`; the middle column may be edited by hand.

| code | what it means | raised in |
|---|---|---|
"""
CODE = re.compile(r"[a-z]+(\.[a-z][a-z0-9_]+)+")
# Settings of Spark look like codes.
SPARKS_OWN = ("lake", "spark", "driver.py")
FILE_NAMES = (".jwt", ".toml", ".sql", ".csv", ".json", ".md", ".html", ".parquet", ".duckdb", ".py")
ROW = re.compile(r"^\| `([^`]+)` \| (.*) \| [^|]* \|$", re.MULTILINE)


def page(source: Path, written: Path) -> str:
    """The whole page; meanings that stand on the page already are kept."""
    kept = dict(ROW.findall(written.read_text())) if written.exists() else {}
    places: dict[str, set[str]] = defaultdict(set)
    sentences: dict[str, list[str]] = defaultdict(list)
    files = (path for path in sorted(source.rglob("*.py")) if path.parts[-3:] != SPARKS_OWN)
    trees = {path: ast.parse(path.read_text()) for path in files}
    areas = {code.split(".")[0] for tree in trees.values() for code in _raised(tree)}
    names = {name for tree in trees.values() for name in _named(tree)} - {
        code for tree in trees.values() for code in _raised(tree)
    }
    for path, tree in trees.items():
        for code, sentence in _codes(tree, areas):
            if code in names:
                continue
            places[code].add(str(path.relative_to(source)))
            sentences[code].append(sentence)
    rows = []
    for code in sorted(places):
        meaning = kept.get(code, "").strip() or " ".join(dict.fromkeys(filter(None, sentences[code])))
        rows.append(f"| `{code}` | {meaning} | {', '.join(sorted(places[code]))} |")
    return HEAD + "\n".join(rows) + "\n"


def without_meaning(text: str) -> list[str]:
    """The codes on a page whose meaning nobody has written."""
    return [
        f"docs/reference/errors.md: say what {code} means" for code, meaning in ROW.findall(text) if not meaning.strip()
    ]


def _raised(tree: ast.Module) -> Iterator[str]:
    """The code of every `MadangError(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MadangError" and node.args:
            code = node.args[0]
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                yield code.value


def _named(tree: ast.Module) -> Iterator[str]:
    """The names of acts and jobs, which look like codes, and of the acts that somebody listens to or settles."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("allow", "JobKind") and node.args:
            yield from _constants(node.args[:1])
        if isinstance(node, ast.keyword) and node.arg in ("listens", "settles") and isinstance(node.value, ast.Dict):
            yield from _constants(node.value.keys)


def _constants(nodes: Iterable[ast.expr | None]) -> Iterator[str]:
    yield from (str(node.value) for node in nodes if isinstance(node, ast.Constant))


def _codes(tree: ast.Module, areas: set[str]) -> Iterator[tuple[str, str]]:
    """Every text of the form of a code, of an area in which errors are raised, with the sentence beside it."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        assigned: dict[str, list[ast.expr]] = defaultdict(list)
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                assigned[node.targets[0].id].append(node.value)
        yield from _beside(function, areas, assigned)
    yield from _beside(tree, areas, {})
    for node in ast.walk(tree):
        if _is_code(node, areas):
            yield str(node.value), ""


def _beside(inside: ast.AST, areas: set[str], assigned: dict[str, list[ast.expr]]) -> Iterator[tuple[str, str]]:
    """The codes among arguments and tuples, with the first sentence after each."""
    for node in ast.walk(inside):
        group = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        for place, element in enumerate(group):
            if _is_code(element, areas):
                sentence = _first_sentence(group[place + 1 :], assigned)
                yield str(element.value), sentence


def _is_code(node: ast.AST, areas: set[str]) -> TypeGuard[ast.Constant]:
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    known = text.split(".")[0] in areas and not text.endswith(FILE_NAMES)
    return known and CODE.fullmatch(text) is not None


def _first_sentence(nodes: list[ast.expr], assigned: dict[str, list[ast.expr]]) -> str:
    for node in nodes:
        if isinstance(node, ast.Name):
            before = [value for value in assigned.get(node.id, []) if value.lineno <= node.lineno]
            node = before[-1] if before else node
        text = _sentence(node)
        if len(re.findall(r"[A-Za-z]{2,}", text)) >= 3:
            return text[0].upper() + text[1:].rstrip(".") + "."
    return ""


def _sentence(node: ast.expr) -> str:
    """The text of a message, with … for what is filled in; empty where it is put together elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = re.sub(r"\{[^{}]*\}", "…", node.value)
    elif isinstance(node, ast.JoinedStr):
        text = "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in node.values)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return _sentence(node.func.value)
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_":
        return _sentence(node.args[0])
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        text = _sentence(node.left) + (_sentence(node.right) or "…")
    else:
        return ""
    return " ".join(text.split()).replace("|", "\\|")
