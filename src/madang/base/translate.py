"""Texts for people, in Korean and English.

Each room has a catalog of its own, `locale/ko/LC_MESSAGES/ROOM.po`; `madang.po` is that of everything else. They are
read as one: a text that two rooms use is translated alike in both, and one that means different things in different
places has a context.
"""

import contextlib
import gettext
import os
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache
from numbers import Integral
from pathlib import Path

CATALOGS = Path(__file__).parent.parent / "locale"
LANGUAGES = {"ko": "한국어", "en": "English"}

_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)
_keeping: ContextVar[bool] = ContextVar("keeping", default=False)


@cache
def _catalog(language: str) -> gettext.NullTranslations:
    found = gettext.NullTranslations()
    for path in sorted((CATALOGS / language / "LC_MESSAGES").glob("*.mo")):
        with path.open("rb") as file:
            read = gettext.GNUTranslations(file)
        read.add_fallback(found)
        found = read
    return found


def language() -> str:
    """`ko` or `en`: that of `speaking`, otherwise MADANG_LANG, otherwise the locale's language, otherwise English."""
    spoken = _spoken.get()
    if spoken is not None:
        return spoken
    for name in ("MADANG_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "ko" if value.lower().startswith("ko") else "en"
    return "en"


def in_language(korean: str, english: str) -> str:
    """Of a text in two languages the reader's; the other one where it is missing."""
    first, second = (english, korean) if language() == "en" else (korean, english)
    return first or second


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Have texts in this language within the block, in this thread or task: one reader of many."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


class Later(str):
    """A text that is translated where it is shown, with what tells it apart from others of the same words."""

    __slots__ = ("context",)
    context: str

    def __new__(cls, text: str, context: str) -> "Later":
        """The text, with its context."""
        found = super().__new__(cls, text)
        found.context = context
        return found


@contextlib.contextmanager
def keeping() -> Iterator[None]:
    """Have texts within the block carry what they were made of, so that whoever keeps one can tell it to each reader in
    their own language (`kept_as_json`, `told`). They read as they would without, and what joins them loses it."""
    token = _keeping.set(True)
    try:
        yield
    finally:
        _keeping.reset(token)


class Kept(str):
    """A text in the language of `language()` that knows its English, its context and what was put into it."""

    parts: tuple[str, str, dict[str, object]]

    @classmethod
    def of(cls, shown: str, text: str, context: str, values: dict[str, object]) -> "Kept":
        """`text` with `values` put into it, which now reads `shown`."""
        found = cls(shown)
        found.parts = (text, context, values)
        return found

    def format(self, *places: object, **values: object) -> str:
        """The same with values, which stay apart from it."""
        shown = str.format(self, *places, **values)
        return shown if places else Kept.of(shown, self.parts[0], self.parts[1], values)

    def as_json(self) -> list[object]:
        """What `told` reads again: values that JSON has no form for as text."""
        text, context, values = self.parts
        return [text, context, {name: _value(value) for name, value in values.items()}]


def _value(value: object) -> object:
    if isinstance(value, Kept):
        return value.as_json()
    if isinstance(value, (bool, str, float)):
        return value
    return int(value) if isinstance(value, Integral) else str(value)  # integers of NumPy too


def kept_as_json(text: str) -> list[object] | str:
    """What is kept of a text, for `told`: of what it was made, or the text itself where that is not known or cannot be
    put together again."""
    if not isinstance(text, Kept):
        return text
    found = text.as_json()
    try:
        told(found)
    except (ValueError, TypeError, LookupError, AttributeError):  # a value that became text and has a format of its own
        return str(text)
    return found


def told(kept: object) -> str:
    """A text that `kept_as_json` gave, or any other, in the reader's language."""
    if not isinstance(kept, list):
        return str(kept)
    text, context, values = kept
    put_in = {name: told(value) if isinstance(value, list) else value for name, value in values.items()}
    return _(text, context).format(**put_in) if put_in else _(text, context)


def _(text: str, context: str = "") -> str:
    """`text` in the reader's language; a word that means several things is told apart by its `context`."""
    context = context or (text.context if isinstance(text, Later) else "")
    catalog = _catalog(language())
    found = catalog.pgettext(context, text) if context else catalog.gettext(text)
    return Kept.of(found, str(text), context, {}) if _keeping.get() else found


def later(text: str, context: str = "") -> str:
    """Mark a text that is kept as it is and translated where it is shown, by `_(text)`, in its context."""
    return Later(text, context) if context else text


def translate_libraries() -> None:
    """Have our catalogs also translate the texts of libraries that use gettext (Typer's `Usage`, `Options`, ...)."""
    os.environ["LANGUAGE"] = language()
    gettext.bindtextdomain("madang", str(CATALOGS))
    gettext.textdomain("madang")
