"""The report as a page: in both languages, readable by a screen reader, and safe from what the data say."""

from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from madang.science.quality import Assessment, Result, Status, default_checks
from madang.science.quality.report import page
from support import needs

HOSTILE = "<script>alert(1)</script>\u202e\x07"


def assessment(step: int = 1, **about: str) -> Assessment:
    """Every status at least once, over every `step`th check."""
    results = []
    for number, check in enumerate(default_checks()[::step]):
        status = list(Status)[number % 4]
        counted = (number % 3, 3) if status in (Status.PASSED, Status.FAILED) else (None, None)
        results.append(Result(check, status, *counted, reason="" if counted[1] else "Table x is <missing>."))
    return Assessment("d", 1, "0" * 64, "v5", "1" * 64, "2026-11-23T00:00:00Z", 1.0, tuple(results), about)


@pytest.mark.sampled
@pytest.mark.parametrize("language", ["en", "ko"])
def test_axe_finds_nothing_and_the_page_asks_for_nothing(
    language: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    monkeypatch.setenv("MADANG_LANG", language)
    file = tmp_path / "report.html"
    file.write_text(page(assessment(97, cdm_source_name="병원")), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        for width in (1280, 390):
            tab = browser.new_page(viewport={"width": width, "height": 900})
            asked: list[str] = []
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            tab.goto(file.as_uri())
            tab.evaluate(
                "document.querySelectorAll('details').forEach(each => each.open = each.innerText.length < 9000)"
            )
            found = Axe().run(tab)
            assert found.violations_count == 0, found.generate_report()
            assert asked == [file.as_uri()]
        browser.close()


def test_what_the_data_say_is_shown_as_text_and_counts_stand_with_their_check() -> None:
    made = page(assessment(cdm_source_name=HOSTILE, source_description=HOSTILE))
    assert "<script" not in made and "\u202e" not in made and "\x07" not in made
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made
    assert all(check.id in made for check in default_checks())
