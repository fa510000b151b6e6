"""What an earlier release did otherwise: which values of a dataset that it made could differ now.

Only the manifest is asked, not the source. Where it does not tell what a column was declared as, the answer is that
nobody can tell from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RULES = 3
"""The rules of reading that this release follows; a manifest without a number follows the first. By the second ones
keys with a gap, resources of another type, and days that are none were not looked at."""

CANNOT_TELL, COULD = "cannot tell", "could differ"


@dataclass(frozen=True)
class Doubt:
    """Values of a dataset that could be others now: of which pack, kind of source and column, and why."""

    pack: str
    source: str
    kind: str
    column: str
    answer: str
    why: str


def could_differ(info: Mapping[str, Any]) -> list[Doubt]:
    """The doubts about a version by its manifest's `info`; none if this release made it by its rules."""
    rules = int(info.get("rules", 1))
    if rules >= RULES:
        return []
    pack = f"{info['pack']['name']} {info['pack']['version']}"
    found: list[Doubt] = []
    for source, layout in sorted(info.get("layouts", {}).items()):
        kind = str(layout["format"])
        files = sum(entry["source"] == source for entry in info["files"])
        if not files:
            continue

        def doubt(column: str, answer: str, why: str, source: str = source, kind: str = kind) -> None:
            found.append(Doubt(pack, source, kind, column, answer, why))

        if files > 1 and rules < 2:
            doubt("(key)", COULD, "a key that came again in another file or run was not found")
        elif files > 1:
            doubt("(key)", CANNOT_TELL, "if it has several columns, of which some may be empty")
        if kind == "ndjson":
            doubt("(lines)", COULD, "resources of another type than their file were read as such")
            doubt("(days)", COULD, "the end of a stay or a condition that is no day was left out without a word")
        if rules > 1:
            continue
        if kind == "ndjson":
            references = [c for c in layout["shown"] if c.endswith("reference")]
            doubt(", ".join(references) or "(references)", COULD, "references were found by their last part alone")
            doubt("(moments)", COULD, "offsets were left out, also where they differed")
            doubt("(durations)", CANNOT_TELL, "durations whose unit is text counted as days")
            continue
        for column in layout["shown"]:
            doubt(column, CANNOT_TELL, "if it has thousands marks or years of two digits")
    ends = "fillers as 9999-12-31 were days" if rules < 2 else "fillers as 2999-12-31 were days"
    begins = "records dated before birth, as 1900-01-01, began a period"
    derived = (("observation_period_start_date", begins), ("observation_period_end_date", ends))
    return [*found, *(Doubt(pack, "(all)", "derived", column, COULD, why) for column, why in derived)]
