"""A search index over concept names and synonyms: a folder of memory-mapped arrays, built once for everybody.

A term is a name or a synonym of a concept. Terms 0..n-1 are the names of the n concepts in order of concept_id, the
synonyms follow. The likeness of a name and a term is the cosine of their trigram sets, where a trigram of weight
`w = round(64 ln(1 + N / df)^2)` (N terms, df of which have it) counts w in the product and in both lengths (TF-IDF with
presence for frequency; Salton & Buckley 1988). Weights are whole numbers, so sums do not depend on their order and
the fast search equals the slow one to the last bit.

Search goes from the rarest trigram to the most frequent and stops reading whole posting lists as soon as no term that
is not yet seen can reach the k-th best (by Cauchy-Schwarz such a term scores at most the root of the weight left);
what is left is then looked up for the terms still in the race only. This is exact, not an approximation.
"""

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from madang.base.errors import MadangError
from madang.science.standardize.mapping.features import Alphabet, normalize, trigrams
from madang.science.standardize.mapping.model import Concept

FORMAT = 1
LONGEST_NAME = 2000  # letters of a name that are compared


def weights(counts: np.ndarray, terms: int) -> np.ndarray:
    """The weight of trigrams that `counts` of `terms` terms have; one not seen at all weighs like one seen once."""
    return np.rint(64 * np.log1p(terms / np.maximum(counts, 1)) ** 2).astype(np.int64)


class Strings(Sequence[bytes]):
    """Texts in two arrays: where each starts, and the bytes of all."""

    def __init__(self, starts: np.ndarray, text: np.ndarray) -> None:
        self._starts, self._text = starts, text

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, at: int) -> bytes:  # type: ignore[override]  # single texts only, no slices
        return self._text[self._starts[at] : self._starts[at + 1]].tobytes()


@dataclass(frozen=True)
class Hit:
    """A concept found, the term by which it was found, and their likeness (0 to 1)."""

    concept_id: int
    term: str
    score: float


@dataclass(frozen=True)
class Filter:
    """Which concepts a search may find; empty means all."""

    domains: frozenset[str] = frozenset()
    vocabularies: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    standard_only: bool = False


class NameIndex:
    """An index opened for reading; safe to share between processes, one per thread."""

    def __init__(self, folder: Path) -> None:
        """Open the index in `folder`; arrays stay on disk until touched."""
        self.folder = folder
        try:
            meta = json.loads((folder / "meta.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise MadangError("mapping.index", f"{folder} holds no name index ({error}).", "Build it again.") from None
        if meta.get("format") != FORMAT:
            raise MadangError("mapping.index", f"The index in {folder} is of another format.", "Build it again.")
        self.release: str = meta["release"]
        self._domains, self._vocabularies, self._classes = meta["domains"], meta["vocabularies"], meta["classes"]
        self._alphabet = Alphabet(meta["letters"])
        self._indexed: int = meta["indexed"]
        read = self._read
        self._trigrams, self._starts, self._postings = read("trigrams"), read("starts"), read("postings")
        self._lengths = read("lengths")
        self._ids = read("concept_ids")
        self._synonym_concepts = read("synonym_concepts")
        self._domain, self._vocabulary, self._class = read("domain"), read("vocabulary"), read("class")
        self._state = read("state")
        self._names = Strings(read("name_starts"), read("name_text"))
        self._codes = Strings(read("code_starts"), read("code_text"))
        self._bare_codes = Strings(read("bare_code_starts"), read("bare_code_text"))
        self._bare_code_concepts = read("bare_code_concepts")
        self._maps_from, self._maps_to = read("maps_from"), read("maps_to")
        self._masks: dict[Filter, np.ndarray | None] = {Filter(): None}

    def _read(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)

    @property
    def concepts(self) -> int:
        """How many concepts are known."""
        return len(self._ids)

    @property
    def vocabularies(self) -> frozenset[str]:
        """The vocabularies of the concepts."""
        return frozenset(self._vocabularies)

    @property
    def terms(self) -> int:
        """How many names and synonyms can be found."""
        return self._indexed

    @cached_property
    def _weights(self) -> np.ndarray:
        return weights(np.diff(self._starts), self._indexed)

    @cached_property
    def _roots(self) -> np.ndarray:
        """Roots of the terms' lengths; 1 for a term that cannot be found."""
        return np.sqrt(np.maximum(self._lengths, 1)).astype(np.float32)

    @cached_property
    def _sums(self) -> np.ndarray:
        return np.zeros(len(self._lengths), dtype=np.int32)

    # Concepts

    def _row(self, concept_id: int) -> int | None:
        at = int(np.searchsorted(self._ids, concept_id))
        return at if at < len(self._ids) and self._ids[at] == concept_id else None

    def concept(self, concept_id: int) -> Concept | None:
        """The concept of this identifier, None if the vocabulary does not have it."""
        row = self._row(concept_id)
        if row is None:
            return None
        return Concept(
            concept_id=int(self._ids[row]),
            name=self._names[row].decode(),
            domain_id=self._domains[self._domain[row]],
            vocabulary_id=self._vocabularies[self._vocabulary[row]],
            concept_class_id=self._classes[self._class[row]],
            concept_code=self._codes[row].decode(),
            standard=bool(self._state[row] == 3),
            valid=bool(self._state[row] & 1),
        )

    def maps_to(self, concept_id: int) -> list[int]:
        """Standard concepts to which a concept is mapped (`Maps to`); itself for a standard one."""
        row = self._row(concept_id)
        if row is None:
            return []
        if self._state[row] == 3:
            return [concept_id]
        low, high = np.searchsorted(self._maps_from, [row, row + 1])
        return [int(self._ids[to]) for to in self._maps_to[low:high]]

    def by_code(self, code: str) -> list[int]:
        """Concepts of any vocabulary with this code, dots, dashes, blanks and case aside."""
        wanted = bare_code(code).encode()
        found = []
        for at in range(bisect_left(self._bare_codes, wanted), len(self._bare_codes)):
            if self._bare_codes[at] != wanted:
                break
            found.append(int(self._ids[self._bare_code_concepts[at]]))
        return sorted(found) if wanted else []

    # Search

    def _mask(self, filters: Filter) -> np.ndarray | None:
        """Which terms may be found; None for all."""
        if filters not in self._masks:
            mask = np.ones(len(self._ids), dtype=bool)
            for wanted, names, column in (
                (filters.domains, self._domains, self._domain),
                (filters.vocabularies, self._vocabularies, self._vocabulary),
                (filters.classes, self._classes, self._class),
            ):
                if wanted:
                    mask &= np.isin(column, [number for number, name in enumerate(names) if name in wanted])
            if filters.standard_only:
                mask &= self._state == 3
            self._masks[filters] = np.concatenate([mask, mask[self._synonym_concepts]])
        return self._masks[filters]

    def search(self, name: str, k: int = 10, filters: Filter | None = None) -> list[Hit]:
        """The `k` concepts with a name or synonym most like `name`, best first; equals by standard, then identifier."""
        return next(self.search_many([name], k, filters))

    def search_many(self, names: list[str], k: int = 10, filters: Filter | None = None) -> Iterator[list[Hit]]:
        """`search` for each of `names`, in order."""
        mask = self._mask(filters or Filter())
        texts = pa.array([name[:LONGEST_NAME] for name in names], pa.string())
        rows, found = trigrams(normalize(texts), self._alphabet)
        for row in range(len(names)):
            query = np.unique(found[rows == row])
            yield self._search(query, k, mask)

    def _search(self, query: np.ndarray, k: int, mask: np.ndarray | None) -> list[Hit]:
        at = np.searchsorted(self._trigrams, query)
        at = at[self._trigrams[np.minimum(at, len(self._trigrams) - 1)] == query] if len(self._trigrams) else at[:0]
        unseen = len(query) - len(at)
        length = int(self._weights[at].sum()) + unseen * int(weights(np.zeros(1), self._indexed)[0])
        at = at[np.argsort(self._starts[at + 1] - self._starts[at], kind="stable")]
        wanted = k + 8  # a concept may be found by several terms
        while True:
            terms, products = self._best_terms(at, wanted, mask)
            scores = products / np.sqrt(length * self._lengths[terms].astype(np.float64))
            concepts = self._concept_of(terms)
            # Best term of each concept, then best concepts: score, standard, identifier (rows are in its order).
            order = np.lexsort((terms, concepts, self._state[concepts] != 3, -scores))
            __, first = np.unique(concepts[order], return_index=True)
            order = order[np.sort(first)]
            if len(order) >= k or len(terms) < wanted:
                break
            wanted *= 4
        return [
            Hit(int(self._ids[concepts[row]]), self._names[int(terms[row])].decode(), float(scores[row]))
            for row in order[:k]
        ]

    def _concept_of(self, terms: np.ndarray) -> np.ndarray:
        concepts = terms.copy()
        synonyms = terms >= len(self._ids)
        concepts[synonyms] = self._synonym_concepts[terms[synonyms] - len(self._ids)]
        return concepts

    def _best_terms(self, features: np.ndarray, k: int, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """All terms that are among the `k` best or equal to the last of them, with their sums of common weight.

        `features` are the query's, rarest first.
        """
        sums, left = self._sums, int(self._weights[features].sum())
        sums[:] = 0
        touched, read = np.empty(0, np.int64), 0
        checks = [left * share // 16 for share in (8, 4, 2, 1, 0)]  # where it may pay to see who is still in the race
        for feature in features.tolist():
            sums[self._postings[self._starts[feature] : self._starts[feature + 1]]] += np.int32(self._weights[feature])
            left -= int(self._weights[feature])
            read += 1
            if left > checks[0]:
                continue
            while checks and left <= checks[0]:
                checks.pop(0)
            last = self._last_of_best(sums, k, mask) * (1 - 1e-5)  # a hair of room for rounding to single precision
            if not checks or last > np.sqrt(left):
                racing = sums >= np.maximum(self._roots * np.float32(last) - np.float32(left), 1)
                touched = np.flatnonzero(racing if mask is None else racing & mask)
                break
        products = sums[touched].astype(np.int64)
        for feature in features[read:].tolist():
            posting = self._postings[self._starts[feature] : self._starts[feature + 1]]
            place = np.minimum(np.searchsorted(posting, touched.astype(posting.dtype)), len(posting) - 1)
            products[posting[place] == touched] += self._weights[feature]
        return touched, products

    def _last_of_best(self, sums: np.ndarray, k: int, mask: np.ndarray | None) -> float:
        """A cosine (but for the query's length) that at least `k` terms reach by the sums so far; 0 if fewer do."""
        high = int(sums.max(initial=0))
        for least in (high // 2, high // 4, 1):  # the best are nearly always among the larger sums: look there first
            large = np.flatnonzero(sums >= max(least, 1) if mask is None else (sums >= max(least, 1)) & mask)
            if len(large) >= k:
                return float(-np.partition(-sums[large] / self._roots[large], k - 1)[k - 1])
        return 0.0


def bare_code(code: str) -> str:
    """A code without what is written differently from place to place: dots, dashes, blanks, case."""
    return "".join(letter for letter in code.upper() if letter.isalnum())
