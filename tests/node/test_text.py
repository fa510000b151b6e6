"""The one rule for texts that people write."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.base.errors import MadangError
from madang.node.text import clean_line, clean_prose


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_what_is_kept_can_be_seen_and_cleaning_again_changes_nothing(text: str) -> None:
    try:
        kept = clean_prose(text, "The text")
    except MadangError:
        return
    assert clean_prose(kept, "The text") == kept == unicodedata.normalize("NFC", kept)
    assert not {unicodedata.category(c) for c in kept if c not in "\n\t"} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    "hostile",
    [
        "a\x00b",
        "a\x1b[31mb",
        "\u202egpj.exe",
        "\u2066x\u2069",
        "zero\u200bwidth",
        "\ufeffx",
        "\u3164",
        "a\u2028b",
        "\ud800",
    ],
)
def test_characters_that_mislead_are_refused(hostile: str) -> None:
    for clean in (clean_line, clean_prose):
        with pytest.raises(MadangError, match="The title") as refused:
            clean(hostile, "The title")
        assert refused.value.code == "text.character"
        str(refused.value).encode()


def test_ordinary_texts_stay_as_they_are() -> None:
    assert clean_line("  김 철수 \u00a0 <b>p < 0.05</b> & co ", "The name") == "김 철수 <b>p < 0.05</b> & co"
    assert clean_line(unicodedata.normalize("NFD", "마당"), "The name") == "마당"
    assert clean_prose(" one\r\ntwo\rthree\n", "The text") == "one\ntwo\nthree"
    with pytest.raises(MadangError):
        clean_line("two\nlines", "The name")
    for text in ("", "   "):
        with pytest.raises(MadangError) as refused:
            clean_line(text, "The name", required=True)
        assert refused.value.code == "text.missing"
    with pytest.raises(MadangError) as refused:
        clean_line("가" * 201, "The name")
    assert refused.value.code == "text.too_long"
