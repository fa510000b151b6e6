"""What a person reads is in Korean too."""

import subprocess
from pathlib import Path

from babel.messages.mofile import read_mo

from madang.base.translate import CATALOGS
from support import ROOT


def test_every_text_is_translated_and_no_translation_is_stale() -> None:
    checked = subprocess.run([ROOT / "script/translations", "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compiled_catalog_is_that_of_the_source() -> None:
    # Compiled by script/bootstrap; without it Korean would fall back to English in silence.
    compiled: Path = CATALOGS / "ko/LC_MESSAGES/madang.mo"
    with compiled.open("rb") as file:
        texts = {message.id for message in read_mo(file)}
    source = compiled.with_suffix(".po").read_text()
    assert all(f'msgid "{text}"' in source for text in texts if text and "\n" not in text and '"' not in text)
    assert "Options" in texts
