"""Texts for people, in Korean and English."""

import contextlib
import gettext
import os
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache
from pathlib import Path

CATALOGS = Path(__file__).parent.parent / "locale"
LANGUAGES = {"ko": "한국어", "en": "English"}

_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)


@cache
def _catalog(language: str) -> gettext.NullTranslations:
    return gettext.translation("madang", CATALOGS, languages=[language], fallback=True)


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


def _(text: str) -> str:
    """`text` in the reader's language."""
    return _catalog(language()).gettext(text)


def translate_libraries() -> None:
    """Have our catalogs also translate the texts of libraries that use gettext (Typer's `Usage`, `Options`, ...)."""
    os.environ["LANGUAGE"] = language()
    gettext.bindtextdomain("madang", str(CATALOGS))
    gettext.textdomain("madang")
