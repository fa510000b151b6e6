"""The pages of learning with something on them: axe in both languages, wide and narrow; nothing sticks out."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from madang.base.progress import Silent
from madang.node.people import accounts
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE, Person
from madang.services.training import giving, service, teaching
from madang.services.training.demo import make
from madang.services.training.models import Answer
from portal_house import OWNER, House
from services.training.test_room import AT, COURSE, boxes_needed, references
from support import needs
from web.served import Served


def furnished(house: House) -> dict[str, list[str]]:
    """Pages by who may see them: a course that is half done, a task with what was said, a badge, a class with marks."""
    boxes_needed()
    node = house.node
    make(node, Silent())
    number = teaching.list_classes(node, OWNER)[0].id
    with node.write() as session:
        first = session.query(Answer).first()
        assert first is not None
        for owner in {each.owner_id for each in session.query(Answer)}:
            text = {"lesson": "standardize", "task": "day", "text": "def day(text):\n    return text[:10]\n" * 3}
            told = {"course": first.course, "digest": "x", "score": 1.0, "largest": 4.0}
            session.add(Answer(owner_id=owner, **text, **told))
    with node.read() as session:
        member = Actor.person(session, session.query(Person).filter_by(login="member").one().id)
        teacher = session.query(Person).filter_by(login="steward").one().id
    accounts.give_role(node, OWNER, teacher, "teacher", HOUSE)
    service.send(node, member, COURSE, COURSE, "split", "def split(a, b):\n    return 1")
    wrong = f"{AT}/{COURSE}/split"
    for lesson, task, answer in references(COURSE)[1:]:
        service.send(node, member, COURSE, lesson, task, answer)
    service.send(node, member, COURSE, COURSE, "report", "A text for a teacher, who reads it.")
    service.send(node, member, COURSE, COURSE, "split", references(COURSE)[0][2])
    uid = giving.give(node, member, COURSE, "http://127.0.0.1")
    service.send(node, member, COURSE, COURSE, "split", "def split(a, b):\n    return 1")
    learner = ["/training", AT, f"{AT}/{COURSE}", wrong, f"{AT}/{COURSE}/report", "/training/me", f"/badges/{uid}"]
    flows = "/training/courses/workflows/first-workflow"
    learner += [flows, f"{flows}/count-reads", "/training/courses/data-foundations/quality/own-rule"]
    return {
        "member": learner,
        "steward": ["/training/classes", f"/training/classes/{number}"],  # who teaches as well
        "administrator": ["/training/platforms"],
    }


@pytest.mark.sampled
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("width", [1280, 320])
def test_axe_finds_nothing_and_nothing_sticks_out(
    house: House, site: Served, language: str, width: int, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    pictures = Path(os.environ.get("MADANG_TEST_PICTURES", tmp_path))
    pages = furnished(house)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(needs("chromium")), args=["--no-sandbox"])
        for role, mine in pages.items():
            context = browser.new_context(viewport={"width": width, "height": 900})
            context.add_cookies([{"name": "madang", "value": house.cookies[role], "url": site.address}])
            tab = context.new_page()
            for number, page in enumerate(mine):
                answer = tab.goto(f"{site.address}{page}?lang={language}")
                assert answer is not None and answer.status == 200, page
                assert len(answer.body()) < 100_000, page
                found = Axe().run(tab)
                assert found.violations_count == 0, page + found.generate_report()
                assert tab.evaluate("document.documentElement.scrollWidth") <= width, page
                tab.screenshot(path=str(pictures / f"learning-{language}-{width}-{role}-{number}.png"), full_page=True)
            context.close()
        browser.close()
