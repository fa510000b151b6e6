"""What a person reads is in Korean too."""

import subprocess

from babel.messages.mofile import read_mo

from madang.base.translate import CATALOGS, _, speaking
from support import ROOT


def test_every_text_is_translated_and_no_translation_is_stale() -> None:
    checked = subprocess.run([ROOT / "script/translations", "--check"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compiled_catalogs_are_those_of_the_source() -> None:
    # Compiled by script/bootstrap; without them Korean would fall back to English in silence.
    sources = sorted((CATALOGS / "ko/LC_MESSAGES").glob("*.po"))
    assert "madang" in {path.stem for path in sources}
    for path in sources:
        with path.with_suffix(".mo").open("rb") as file:
            texts = {message.id for message in read_mo(file)}
        source = path.read_text()
        assert all(f'msgid "{text}"' in source for text in texts if text and "\n" not in text and '"' not in text)
        assert path.stem != "madang" or "Options" in texts


def test_a_text_of_a_room_is_translated_and_a_word_by_its_context() -> None:
    with speaking("ko"):
        assert _("Search") != "Search"
        assert _("Search", "no such context") == "Search"


# Words that a native reader took for something else, and forms that the house does not use; what stands instead is in
# docs/glossary.md. A certificate of TLS keeps its name.
NOT_OURS = (
    "십시오",
    "은(는)",
    "을(를)",
    "이(가)",
    "과(와)",
    "(으)로",
    "용어집",
    "정박점",
    "공개 유예",
    "가입자 이용",
    "치명",
    "전자우편",
    "큐레이터",
    "닫힌 상자",
    "이용 허가",
    "이용허락",
    "과제 구성원",
    "다운로드",
)
QUALITY = ("catalog", "certification", "oversight", "people")


def test_the_catalogs_keep_to_the_words_of_the_glossary() -> None:
    found = []
    for path in sorted((CATALOGS / "ko/LC_MESSAGES").glob("*.mo")):
        with path.open("rb") as file:
            for message in read_mo(file):
                text = str(message.string)
                found += [(path.stem, word, text) for word in NOT_OURS if word in text]
                if path.stem in QUALITY and "인증서" in text and "TLS" not in text:
                    found.append((path.stem, "인증서", text))
    assert not found
