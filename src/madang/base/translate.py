"""Texts for people, in Korean and English."""

import gettext
import os
from functools import cache
from pathlib import Path

CATALOGS = Path(__file__).parent.parent / "locale"


@cache
def _catalog(language: str) -> gettext.NullTranslations:
    return gettext.translation("madang", CATALOGS, languages=[language], fallback=True)


def language() -> str:
    """`ko` or `en`: MADANG_LANG if set, otherwise the locale's language, otherwise English."""
    for name in ("MADANG_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name, "")
        if value:
            return "ko" if value.lower().startswith("ko") else "en"
    return "en"


def _(text: str) -> str:
    """`text` in the reader's language."""
    return _catalog(language()).gettext(text)


def translate_libraries() -> None:
    """Have our catalogs also translate the texts of libraries that use gettext (Typer's `Usage`, `Options`, ...)."""
    os.environ["LANGUAGE"] = language()
    gettext.bindtextdomain("madang", str(CATALOGS))
    gettext.textdomain("madang")
