"""Writes docs/satre.md from docs/satre.toml: what this system does for each statement of SATRE, and by which tests."""

import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
GIVEN, PAGE = ROOT / "docs/satre.toml", ROOT / "docs/satre.md"
STATES = {"met": "met", "partly": "partly", "operator": "the operator's duty"}
HEAD = """# SATRE, statement by statement

For whoever evaluates an installation against the Standard Architecture for Trusted Research Environments: what the
system itself does, and which tests show it. Identifiers are those of the specification of August 2026, words are ours.
*Met* means that a test shows the system's part; *partly*, that something is left to the operator, and what; all others
are the operator's duty. An installation is evaluated by people, not by this page. Written by `script/satre.py`.

"""


def statements() -> dict[str, dict[str, Any]]:
    """The statements by their identifiers."""
    with GIVEN.open("rb") as file:
        return tomllib.load(file)


def page(given: dict[str, dict[str, Any]]) -> str:
    """The page, with its counts."""
    counts = Counter((each["importance"], each["state"]) for each in given.values())
    importances = ("mandatory", "recommended", "optional")
    rows = ["| | mandatory | recommended | optional | all |", "|---|---|---|---|---|"]
    for state, name in STATES.items():
        numbers = [counts[importance, state] for importance in importances]
        rows.append(f"| {name} | " + " | ".join(map(str, [*numbers, sum(numbers)])) + " |")
    lines = [HEAD + "\n".join(rows), "", "## Statements with a system's side", ""]
    lines += ["| statement | | state | what the system does | shown by |", "|---|---|---|---|---|"]
    for number, each in given.items():
        if "says" in each:
            tests = "<br>".join(f"`{test.rpartition('::')[2]}`" for test in each.get("tests", ()))
            says = f"{each['says']} {each.get('why', '')}".strip()
            lines.append(f"| {number} | {each['importance']} | {STATES[each['state']]} | {says} | {tests} |")
    others = [number for number, each in given.items() if "says" not in each]
    lines += ["", "## The operator's duty alone", "", ", ".join(others), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the page, or with --check say whether it is what would be written."""
    text = page(statements())
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.exists() and PAGE.read_text() == text else "docs/satre.md: run script/satre.py")
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
