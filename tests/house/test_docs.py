"""Documentation that cannot go stale: generated pages, links, decisions, glossary, security sentences."""

import re
import subprocess
from pathlib import Path

import pytest

from support import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs/decisions").glob("[0-9]*.md"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that headings get: lower case, punctuation dropped, blanks to hyphens."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_reference_is_what_the_source_says() -> None:
    checked = subprocess.run([ROOT / "script/docs", "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(without_code(page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs/README.md"
    reached, ahead = set[Path](), [index]
    while ahead:
        page = ahead.pop()
        if page in reached or page.suffix != ".md" or not page.is_file():
            continue
        reached.add(page)
        for link in LINK.findall(without_code(page.read_text())):
            ahead.append((page.parent / link.partition("#")[0]).resolve())
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= reached


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_says_why_what_and_what_else(page: Path) -> None:
    text = page.read_text()
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", page.stem)
    assert text.startswith(f"# {int(page.stem[:4])}. ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_no_two_decisions_have_one_number() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]
    assert len(numbers) == len(set(numbers))


def test_the_glossary_gives_every_term_once_in_both_languages() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]*) \| ([^|]*) \|$", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    terms = [term for term, _korean, _meaning in rows if term not in ("term", "---")]
    assert len(terms) > 30
    assert len(terms) == len({term.lower() for term in terms})
    for term, korean, meaning in rows:
        if term in terms:
            assert re.search("[가-힣]", korean), term
            assert meaning.strip().removesuffix("*Ours.*").strip().endswith("."), term


def test_each_security_sentence_names_a_test_that_exists() -> None:
    text = (ROOT / "docs/security.md").read_text()
    sentences = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert sentences
    for sentence in sentences:
        title = sentence.splitlines()[0]
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", sentence)
        assert named, f"{title}: no test is named"
        assert "Not promised:" in sentence, title
        for path, test in named:
            assert f"def {test}(" in (ROOT / path).read_text(), f"{title}: {path}::{test}"
