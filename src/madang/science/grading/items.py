"""How a class did: difficulty and discrimination of tasks, similarity of submissions.

Difficulty is the mean score as a share of the largest; discrimination is the correlation of a task's score with the
sum of the learner's other scores (corrected item-total correlation, as in classical test theory).
"""

import io
import keyword
import math
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """A task in a class: how many tried it, its difficulty (0 nobody, 1 everybody), its discrimination (-1 to 1)."""

    name: str
    tried: int
    difficulty: float | None
    discrimination: float | None


def items(scores: Mapping[str, Mapping[str, float]], tasks: Sequence[str]) -> list[Item]:
    """Of each task by name; `scores` is learner: task: share of the largest score (0 to 1). Untried counts as none."""
    made = []
    for task in tasks:
        pairs = [(of[task], sum(v for name, v in of.items() if name != task)) for of in scores.values() if task in of]
        own = [pair[0] for pair in pairs]
        made.append(Item(task, len(own), sum(own) / len(own) if own else None, _correlation(pairs)))
    return made


def _correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    if len(pairs) < 3:
        return None
    n = len(pairs)
    mx, my = sum(x for x, _y in pairs) / n, sum(y for _x, y in pairs) / n
    xx, yy = sum((x - mx) ** 2 for x, _y in pairs), sum((y - my) ** 2 for _x, y in pairs)
    if xx <= 1e-12 or yy <= 1e-12:
        return None
    return sum((x - mx) * (y - my) for x, y in pairs) / math.sqrt(xx * yy)


def similarity(first: str, second: str, size: int = 4) -> float:
    """How alike two programs are, 0 to 1: the share of runs of `size` tokens that they have in common (Jaccard).

    Names, numbers and texts count by their kind, so that renaming hides nothing; comments and layout do not count.
    """
    one, two = _runs(first, size), _runs(second, size)
    return len(one & two) / len(one | two) if one and two else 0.0


def _runs(text: str, size: int) -> set[tuple[str, ...]]:
    kinds = {tokenize.NAME: "name", tokenize.NUMBER: "number", tokenize.STRING: "text", tokenize.OP: ""}
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in kinds:
                told = token.string if keyword.iskeyword(token.string) or token.type == tokenize.OP else ""
                found.append(told or kinds[token.type])
    except (tokenize.TokenError, SyntaxError, ValueError):
        found = text.split()
    return {tuple(found[at : at + size]) for at in range(max(1, len(found) - size + 1))} if found else set()
