"""The one rule for what people write into text fields, and for the columns that keep it.

Control characters, marks that turn the direction of writing, other invisible characters and broken Unicode are refused
with a sentence. Everything else is kept as it was written, in NFC: `<` is a fine thing to write, and no page ever
takes a text for HTML.
"""

import unicodedata
from typing import Any

from sqlalchemy import String, Text
from sqlalchemy.types import TypeDecorator

from madang.base.errors import MadangError
from madang.base.translate import _

_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format, surrogate, private, unassigned, separators
_INVISIBLE = "\u115f\u1160\u3164\uffa0\u2800\u034f"  # letters and marks that draw nothing, such as the Hangul filler


def clean_line(value: str, what: str, longest: int = 200, *, required: bool = False) -> str:
    """`value` as one line in NFC, trimmed, blanks made single; `what` names the field in the sentence that refuses."""
    return _clean(value, what, longest, required, lines=False)


def clean_prose(value: str, what: str, longest: int = 20_000, *, required: bool = False) -> str:
    """`value` as text of several lines in NFC, its ends trimmed; line ends are made `\\n`."""
    return _clean(value, what, longest, required, lines=True)


def _clean(value: str, what: str, longest: int, required: bool, *, lines: bool) -> str:
    text = unicodedata.normalize("NFC", value)
    if lines:
        text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    bad = next((c for c in text if _is_bad(c) and not (lines and c in "\n\t")), None)
    if bad is not None:
        name = unicodedata.name(bad, f"U+{ord(bad):04X}")
        raise MadangError(
            "text.character",
            _("{what} holds a character that cannot be seen ({name}).").format(what=what, name=name),
            _("Type the text again instead of pasting it."),
        )
    if not lines:
        text = " ".join(text.split())
    if len(text) > longest:
        raise MadangError(
            "text.too_long",
            _("{what} has {count} characters; {longest} is the most.").format(
                what=what, count=len(text), longest=longest
            ),
        )
    if required and not text:
        raise MadangError("text.missing", _("{what} is missing.").format(what=what))
    return text


def _is_bad(character: str) -> bool:
    return unicodedata.category(character) in _REFUSED or character in _INVISIBLE


class Line(TypeDecorator[str]):
    """A column for one line of text that a person wrote; nothing gets into it that `clean_line` refuses."""

    impl = String
    cache_ok = True

    def __init__(self, longest: int = 200) -> None:
        super().__init__(longest)
        self.longest = longest

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Clean on the way in."""
        return None if value is None else clean_line(value, _("This field"), self.longest)


class Prose(TypeDecorator[str]):
    """A column for several lines that a person wrote; nothing gets into it that `clean_prose` refuses."""

    impl = Text
    cache_ok = True

    def __init__(self, longest: int = 20_000) -> None:
        super().__init__()
        self.longest = longest

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Clean on the way in."""
        return None if value is None else clean_prose(value, _("This field"), self.longest)


class Machine(TypeDecorator[str]):
    """A column for text that the program itself makes: hashes, states, names of acts, canonical JSON."""

    impl = Text
    cache_ok = True
