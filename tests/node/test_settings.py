"""Settings: one file, variables over it, and a sentence for what cannot be."""

import tomllib
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.node.settings import Settings, documented, effective, load_settings
from support import ROOT


def test_defaults_then_the_file_then_the_environment(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {}) == Settings()
    (tmp_path / "madang.toml").write_text('title = "마당"\n[web]\nport = 8000\n[sign_in]\nrequire_code = true\n')
    read = load_settings(tmp_path, {"MADANG_WEB_PORT": "9000", "MADANG_LANG": "ko", "MADANG_MAIL_SERVER": "localhost"})
    assert (read.title, read.web.port, read.sign_in.require_code, read.mail.server) == ("마당", 9000, True, "localhost")
    sources = {setting.name: setting.source for setting in effective(tmp_path, {"MADANG_WEB_PORT": "9000"})}
    assert (sources["title"], sources["web.port"], sources["web.host"]) == ("madang.toml", "MADANG_WEB_PORT", "default")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("title = \n", "settings.file", "line 1"),
        ("\n[web]\n\nprot = 8000\n", "settings.unknown", "madang.toml, line 4: there is no setting web.prot"),
        ("[webb]\nport = 8000\n", "settings.unknown", "line 1"),
        ('[web]\nport = "many"\n', "settings.value", "madang.toml, line 2: web.port"),
        ("[web]\nport = 70000\n", "settings.value", "65535"),
        ('language = "de"\n', "settings.value", "line 1: language"),
        ("web = 3\n", "settings.value", "line 1: web"),
        ('[web]\naddress = "ftp://x"\n', "settings.value", "line 2"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_its_line(tmp_path: Path, text: str, code: str, says: str) -> None:
    (tmp_path / "madang.toml").write_text(text)
    with pytest.raises(MadangError) as refused:
        load_settings(tmp_path, {})
    assert refused.value.code == code
    assert says in refused.value.message
    assert "\n" not in str(refused.value)


def test_a_variable_that_is_misspelled_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(MadangError) as refused:
        load_settings(tmp_path, {"MADANG_DATABASE_ULR": "postgresql://u:hidden@h/d"})
    assert refused.value.code == "settings.unknown"
    assert "MADANG_DATABASE_URL" in refused.value.hint
    with pytest.raises(MadangError) as refused:
        load_settings(tmp_path, {"MADANG_WEB_PORT": "x"})
    assert "MADANG_WEB_PORT" in refused.value.message


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "madang.toml").write_text('database_url = "postgresql://u:hidden@h/d"\n[mail]\npassword = "hidden"\n')
    assert "hidden" not in repr(load_settings(tmp_path, {}))
    shown = {setting.name: setting.shown for setting in effective(tmp_path, {})}
    assert (shown["database_url"], shown["mail.password"], shown["openid.client_secret"]) == (
        "********",
        "********",
        "",
    )
    with pytest.raises(MadangError) as refused:
        load_settings(tmp_path, {"MADANG_OPENID": "x", "MADANG_MAIL_PASSWORD": "hidden"})
    assert "hidden" not in str(refused.value)


def test_every_setting_says_what_it_is_for() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text()
    for setting in documented():
        assert len(setting.description) > 20, setting.name
        assert f"`{setting.variable}`" in page
    tomllib.loads(page.split("```toml\n")[1].split("```")[0])
