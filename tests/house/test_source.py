"""House rules that a script can check, over every file that git knows or would take."""

import ast
import graphlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support import ROOT

LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
)
FILES = sorted(path for name in LISTED.stdout.split("\0") if name and (path := ROOT / name).is_file())
PYTHON = [path for path in FILES if path.suffix == ".py"]
LONGEST = 500
FEWEST_PACKAGES = {
    "requirements.txt": 20,
    "requirements-rooms.txt": 60,
    "requirements-dev.txt": 80,
    "requirements-uv.txt": 1,
    **{f"environments/{path.name}": 1 for path in sorted((ROOT / "environments").glob("*.txt"))},
}

# Written so that no pattern finds itself here.
FORBIDDEN = {
    "a package registry's address": r"//[a-z.]*(pyp[i]|pythonhoste[d]|npmj[s]|debia[n])\.",
    "a path of somebody's machine": r"(?<![\w.])/(wor[k]|hom[e]|roo[t])/\w",
    "a private key": r"BEGI[N] [A-Z ]*PRIVATE KEY",
}
# Each of these hides something unless its reason stands beside it.
EXCUSES = {
    "left undone": r"\b(TOD[O]|FIXM[E]|XX[X])\b|raise NotImplementedErro[r]",
    "a type error is ignored without a reason": r"type: ignor[e](\[[\w,-]+\])?\s*$",
    "a lint rule is ignored without a reason": r"noq[a](: (?!E501)[A-Z0-9, ]+)?\s*$",
    "a test is switched off without a reason": r"pytest\.mark\.(ski[p]|xfai[l])\s*$",
}


def text_of(path: object) -> str:
    try:
        return (ROOT / str(path)).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""  # not text


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_names(what: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in FILES if re.search(FORBIDDEN[what], text_of(path), re.IGNORECASE)]
    assert not found


@pytest.mark.parametrize("what", EXCUSES)
def test_nothing_is(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in PYTHON
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if re.search(EXCUSES[what], line)
    ]
    assert not found


def test_no_file_is_too_long_to_read() -> None:
    assert not [f"{path.relative_to(ROOT)}" for path in PYTHON if len(text_of(path).splitlines()) > LONGEST]


def test_no_lock_file_with_addresses_is_kept() -> None:
    assert not [path.name for path in FILES if path.name in ("uv.lock", "pylock.toml", "package-lock.json")]


def test_scripts_are_ones_that_any_posix_shell_runs() -> None:
    scripts = [path for path in FILES if path.parent == ROOT / "script" and not path.suffix]
    assert {"bootstrap", "up", "test"} <= {path.name for path in scripts}
    for path in scripts:
        assert text_of(path).startswith("#!/bin/sh\n"), path.name
        assert subprocess.run(["sh", "-n", path]).returncode == 0
        assert path.stat().st_mode & 0o111, path.name


def test_every_requirement_has_a_hash_and_no_address() -> None:
    for name, fewest in FEWEST_PACKAGES.items():
        text = text_of(ROOT / name)
        packages = [part for part in re.split(r"\n(?=\S)", text.strip()) if not part.startswith("#")]
        assert len(packages) >= fewest
        assert all(re.match(r"[\w.\[\]-]+==", part) and "--hash=sha256:" in part for part in packages), name
        assert "://" not in text
    for script in ("bootstrap", "environment"):
        assert "--require-hashes" in text_of(ROOT / "script" / script)


def test_files_import_one_another_in_no_circle() -> None:
    """What is imported when a module is; imports within functions, at first use, may look back."""
    files = {module_of(path): path for path in (ROOT / "src").rglob("*.py")}
    graph = {name: set(imported(ast.parse(path.read_text()), files)) - {name} for name, path in files.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises with the circle, if there is one


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.Module, files: Mapping[str, Path]) -> Iterator[str]:
    """The modules of ours that the statements at the top of a module import."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom) and node.module in files:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in files else str(node.module)
