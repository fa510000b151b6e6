"""Small helpers for sentences that tell a person what to do about a mistake."""

from collections.abc import Iterable
from difflib import get_close_matches


def listed(words: Iterable[str]) -> str:
    """`a, b and c`, in the order given."""
    items = list(words)
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`Did you mean "x"?` for the candidate that looks most like `word` (case aside), or empty text."""
    names = {candidate.lower(): candidate for candidate in candidates}
    close = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f'Did you mean "{names[close[0]]}"?' if close else ""


def instead_of(word: str, candidates: Iterable[str]) -> str:
    """A hint for an unknown `word`: the nearest candidate, otherwise all of them where they are few."""
    names = list(candidates)
    return did_you_mean(word, names) or (f"Known here: {listed(names)}." if 0 < len(names) <= 16 else "")
