"""What of a name is compared: letter trigrams of its words, the same for English and Korean.

A name is normalized (Unicode NFKD, lower case, no accents, words of letters or digits only) and cut into trigrams of
each word with a space on either side. NFKD takes a Hangul syllable apart into its letters (jamo), so one wrong or
missing letter spoils three trigrams in Korean just as it does in English, and no language needs a rule of its own.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Letters get small numbers in order of appearance; a trigram is three of them side by side in one integer.
LETTER_BITS = 14
_SPACE = 0  # the number of the space, the edge of a word
_OTHER = (1 << LETTER_BITS) - 1  # letters beyond the first 16 thousand share one number


def normalize(names: pa.Array) -> pa.Array:
    """Each name as lower-case words parted by one space; empty where it has no letter or digit, null as empty."""
    text = pc.utf8_normalize(pc.fill_null(names.cast(pa.large_string()), ""), form="NFKD")
    text = pc.utf8_lower(pc.replace_substring_regex(text, r"\p{M}+", ""))
    text = pc.replace_substring_regex(text, r"[^\p{L}\p{N}]+", " ")
    # "500mg" and "500 mg", "제2형" and "제 2 형" are the same words.
    text = pc.replace_substring_regex(text, r"(\p{N})(\p{L})", r"\1 \2")
    text = pc.replace_substring_regex(text, r"(\p{L})(\p{N})", r"\1 \2")
    return pc.utf8_trim(text, characters=" ")


def normalize_one(name: str) -> str:
    """`normalize` of one name."""
    return str(normalize(pa.array([name]))[0].as_py())


class Alphabet:
    """Numbers for letters, given in order of first appearance."""

    def __init__(self, letters: str = "") -> None:
        self.letters = " "
        self._number = np.full(0x110000, -1, dtype=np.int32)
        self._number[ord(" ")] = _SPACE
        self._add(np.array([ord(letter) for letter in letters if letter != " "], dtype=np.uint32))

    def _add(self, points: np.ndarray) -> None:
        for point in points.tolist():
            self._number[point] = min(len(self.letters), _OTHER)
            if len(self.letters) < _OTHER:
                self.letters += chr(point)

    def numbers(self, points: np.ndarray) -> np.ndarray:
        """The numbers of code points; a letter not seen before gets the next one."""
        numbers = self._number[points]
        if (numbers < 0).any():
            self._add(np.unique(points[numbers < 0]))
            numbers = self._number[points]
        return numbers


def trigrams(normalized: pa.Array, alphabet: Alphabet) -> tuple[np.ndarray, np.ndarray]:
    """All trigrams of all names: (row number, trigram) with repeats."""
    space = pa.scalar(" ", pa.large_string())
    padded = pc.binary_join_element_wise(space, normalized, space, pa.scalar("", pa.large_string()))
    points = np.frombuffer("".join(padded.to_pylist()).encode("utf-32-le"), dtype=np.uint32)
    if len(points) < 3:
        return np.empty(0, np.int64), np.empty(0, np.uint64)
    numbers = alphabet.numbers(points)
    # A window with a space in the middle reaches over two words.
    at = np.flatnonzero(numbers[1:-1] != _SPACE)
    codes = numbers.astype(np.uint64)
    found = (codes[at] << (2 * LETTER_BITS)) | (codes[at + 1] << LETTER_BITS) | codes[at + 2]
    lengths = pc.utf8_length(padded).to_numpy(zero_copy_only=False)
    return np.repeat(np.arange(len(lengths)), lengths)[at + 1], found
