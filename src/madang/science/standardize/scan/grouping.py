"""Which files are one source: the same layout and columns, and names that differ in numbers only."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from madang.science.standardize.pack_model import EACH, fallback
from madang.science.standardize.scan.sniff import Layout

# Tables have ASCII names everywhere; of Korean file names the usual words are translated (the longest
# first) and the others left out.
_WORDS = {
    "수진이력": "visit", "마스터": "master", "이력": "history",
    "예방접종": "immunization", "알레르기": "allergy", "수진자": "patient", "의료진": "provider",
    "진료과": "department", "환자": "patient", "인적": "person", "진단": "diagnosis",
    "상병": "diagnosis", "검사": "lab", "결과": "result", "처방": "prescription",
    "투약": "administration", "조제": "dispensing", "약품": "drug", "입원": "admission",
    "퇴원": "discharge", "외래": "outpatient", "응급": "emergency", "내원": "visit",
    "접수": "visit", "진료": "visit", "수술": "surgery", "처치": "procedure", "활력": "vital",
    "간호": "nursing", "영상": "imaging", "병리": "pathology", "검진": "checkup", "수납": "payment",
    "청구": "claim", "명세": "claim", "자격": "eligibility", "사망": "death", "의사": "doctor",
    "부서": "department", "병동": "ward", "코드": "code", "기록": "record", "서식": "form",
    "약": "drug",
}  # fmt: skip
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Found:
    """A file and its layout."""

    name: str
    path: Path
    layout: Layout


@dataclass(frozen=True)
class Group:
    """Files of one source."""

    name: str
    pattern: str
    captures: tuple[str, ...]
    files: tuple[Found, ...]

    @property
    def encoding(self) -> str:
        """What a pack says of the encoding: `each` where the files differ and no mark tells them apart."""
        told = self.layout.encoding
        if told.startswith("utf-16"):
            return "utf-16"
        plain = self._plain
        if len(plain) == 2 and "utf-8" in plain:
            (other,) = set(plain) - {"utf-8"}
            return "each" if other == "cp949" else EACH + other
        return plain[0] if len(plain) == 1 else told

    @property
    def _plain(self) -> list[str]:
        """The encodings of the files that tell theirs: of those that are sure, if one is; the commonest first."""
        beyond = [
            file.layout
            for file in self.files
            if "only ASCII" not in file.layout.evidence and not file.layout.byte_order_mark
        ]
        sure = [layout for layout in beyond if not layout.ask and layout.encoding != "utf-8"]
        told = [one for one in beyond if not sure or not one.ask]
        return [encoding for encoding, _ in Counter(one.encoding for one in told).most_common()]

    @property
    def ask(self) -> str:
        """What of the encoding somebody has to decide."""
        plain = self._plain
        if len([one for one in plain if one != "utf-8"]) > 1:
            return f"some files look like {', others like '.join(plain)}: declare a source for each"
        asked = [file.layout.ask for file in self.files if file.layout.ask]
        sure = any(
            file.layout.encoding == (fallback(self.encoding) or self.encoding) and not file.layout.ask
            for file in self.files
        )
        return "" if sure or not asked else asked[0]

    @property
    def layout(self) -> Layout:
        """The layout of all files; the encoding is that of a file that has more than ASCII, if one does."""
        beyond = [file.layout for file in self.files if "only ASCII" not in file.layout.evidence]
        return max(beyond, key=lambda one: not one.ask, default=self.files[0].layout)


def group(files: Sequence[Found]) -> list[Group]:
    """The files by source, in order of name."""
    alike: dict[tuple[str, ...], list[Found]] = {}
    for file in files:
        layout = file.layout
        stem = file.name.removesuffix(".gz")
        key = (_NUMBER.sub("#", stem), layout.format, layout.delimiter, str(layout.header), *layout.names)
        alike.setdefault(key, []).append(file)
    taken: set[str] = set()
    groups = []
    for members in alike.values():
        pattern, captures = _pattern([file.name.removesuffix(".gz") for file in members])
        groups.append(Group(_source_name(pattern, taken), pattern, captures, tuple(members)))
    return sorted(groups, key=lambda one: one.name)


def _pattern(names: list[str]) -> tuple[str, tuple[str, ...]]:
    """The pattern of names that differ in some of their numbers, with a word for each that does."""
    numbers = list(zip(*(_NUMBER.findall(name) for name in names), strict=True))
    words: list[str | None] = []
    for column in numbers:
        if len(set(column)) == 1:
            words.append(None)
            continue
        word = _word(column)
        while word in words:
            word += "_"
        words.append(word)
    left = iter(zip(words, numbers, strict=True))

    def piece(match: re.Match[str]) -> str:
        word, column = next(left)
        return "{" + word + "}" if word else column[0]

    return _NUMBER.sub(piece, names[0]), tuple(word for word in words if word)


def _word(numbers: Sequence[str]) -> str:
    """What the numbers in names of files are likely to count."""
    if all(len(n) == 4 and "1900" <= n <= "2100" for n in numbers):
        return "year"
    if all(len(n) == 6 and "190001" <= n <= "210012" and "01" <= n[4:] <= "12" for n in numbers):
        return "month"
    return "day" if all(len(n) == 8 for n in numbers) else "part"


def _source_name(pattern: str, taken: set[str]) -> str:
    """A word for SQL from a pattern, not taken yet."""
    stem = re.sub(r"\{[^}]*\}", "", pattern.rpartition("/")[2].partition(".")[0])
    for korean, english in _WORDS.items():
        stem = stem.replace(korean, f"_{english}_")
    name = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_").lower() or "source"
    name = f"t_{name}" if name[0].isdigit() else name
    name = f"{name}_rows" if name in ("person", "death", "visit_occurrence") else name  # which are entities of a draft
    number, unique = 2, name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    taken.add(unique)
    return unique
