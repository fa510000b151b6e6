"""What opens data is hard, what closes them is at once; under an embargo nothing of the content is told, anywhere."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from madang.base.errors import MadangError
from madang.node.database import now
from madang.services.catalog import service
from portal_house import OURS, OWNER, WAY, House
from services.certification.certificates import issue_one
from web.served import Served

PREFIX = "/api/v1"


def edited(house: House, name: str, **changes: Any) -> None:
    record = service.see(house.node, OWNER, name)
    given = service.Edited(
        *(record.edition, record.title, record.title_en, record.tier, record.tier_after),
        *(record.embargo_reason, record.embargo_end, record.told),
    )
    service.edit(house.node, OWNER, name, replace(given, **changes))


def test_an_embargo_ends_on_a_day_to_come_and_lasts_to_the_end_of_that_day(house: House, site: Served) -> None:
    name = house.published("closed", tier="controlled")
    for end in (now(), now() - timedelta(days=1)):
        with pytest.raises(MadangError, match="still to come"):
            edited(house, name, tier="embargoed", embargo_reason="r", embargo_end=end, confirmed=True)
    day = (datetime.now(ZoneInfo("Asia/Seoul")) + timedelta(days=3)).date()
    with site.browser({"madang": house.cookies["steward"]}) as browser:
        record = service.see(house.node, OWNER, name)
        form = {
            *{"edition": record.edition, "title": "t", "tier": "embargoed", "tier_after": "controlled"}.items(),
            *{"embargo_reason": "r", "embargo_end": day.isoformat(), **WAY}.items(),
        }
        assert browser.post(f"/steward/{name}", data=dict(form), headers=OURS).status_code == 303
        shown = browser.get(f"{PREFIX}/steward/{name}").json()
    end = service.see(house.node, OWNER, name).embargo_end
    assert end is not None
    local = end.astimezone(ZoneInfo("Asia/Seoul"))
    assert (local.date(), local.hour, shown["embargo_day"]) == (day + timedelta(days=1), 0, day.isoformat())


@pytest.mark.parametrize(
    ("tier", "changes"),
    [
        ("controlled", {"tier": "open"}),
        ("controlled", {"tier": "registered"}),
        ("embargoed", {"tier": "controlled"}),
        ("embargoed", {"tier_after": "open"}),
        ("embargoed", {"embargo_end": now() + timedelta(days=1)}),
    ],
)
def test_what_lets_more_people_have_data_is_confirmed_and_an_event_of_its_own(
    house: House, tier: str, changes: dict[str, Any]
) -> None:
    name = house.published("closed", tier=tier, tier_after="controlled", end=now() + timedelta(days=9))
    with pytest.raises(MadangError) as refused:
        edited(house, name, **changes)
    assert refused.value.code == "catalog.confirm" and "cannot be taken back" in refused.value.message
    with house.node.read() as session:
        assert not house.node.audit.events(session, act="record.widen")
    edited(house, name, confirmed=True, **changes)
    with house.node.read() as session:
        assert len(house.node.audit.events(session, act="record.widen")) == 1


def test_what_closes_data_needs_no_confirmation(house: House) -> None:
    name = house.published("free")
    edited(house, name, tier="controlled")
    assert service.see(house.node, OWNER, name).access == "controlled"


def test_under_an_embargo_nothing_of_the_content_is_told_anywhere(house: House, site: Served) -> None:
    name = house.published("closed", tier="embargoed", end=now() + timedelta(days=9))
    told = site.get(f"{PREFIX}/records/{name}").json()
    version = told["current"]
    assert [version[field] for field in ("rows", "bytes", "files", "passed", "failed", "fatal")] == [None] * 6
    assert (version["verdict"], version["manifest"], told["files"], told["profile"]) == ("", "", [], None)
    assert [hit["rows"] for hit in site.get(f"{PREFIX}/records").json()["hits"]] == [None]
    page = site.get(f"/records/{name}?lang=en").text
    assert "300" not in page and "SHA-256" not in page
    with site.browser({"madang": house.cookies["steward"]}) as steward:
        assert steward.get(f"{PREFIX}/records/{name}").json()["current"]["rows"] == 321


def test_a_certificate_of_data_that_are_not_public_tells_neither_name_nor_persons(house: House, site: Served) -> None:
    number = issue_one(house.node).certificate.number  # of a dataset that no record is about
    assert site.get(f"/certificates/{number}/sheet").status_code == 200
    service.make(house.node, OWNER, "synthetic", "hospital")
    assert site.get(f"/certificates/{number}/sheet").status_code == 403
    assert [each["dataset"] for each in site.get(f"{PREFIX}/certificates").json()["certificates"]] == [""]


def test_what_was_withdrawn_is_gone_and_cannot_be_edited(house: House, site: Served) -> None:
    name = house.published(description="What nobody should read any more.")
    service.withdraw(house.node, OWNER, name, "wrong")
    for path in (f"/records/{name}", f"{PREFIX}/records/{name}"):
        answer = site.get(path)
        assert answer.status_code == 410 and "nobody should read" not in answer.text and "wrong" in answer.text
    with pytest.raises(MadangError) as refused:
        edited(house, name, title="again")
    assert refused.value.code == "act.state"


def test_where_the_address_is_set_no_host_that_a_reader_names_leads_elsewhere(house: House, site: Served) -> None:
    asked = site.get("/account", headers={"Host": "evil.example"})
    assert asked.headers["location"].startswith("/sign-in")


def test_a_day_is_over_at_midnight_of_the_institution() -> None:
    from madang.node.settings import Settings

    settings = Settings(zone="Asia/Seoul")
    end = settings.end_of(date(2026, 11, 29))
    assert end.astimezone(ZoneInfo("UTC")).isoformat() == "2026-11-29T15:00:00+00:00"
    assert settings.last_day_before(end) == date(2026, 11, 29)
    with pytest.raises(ValueError, match="time zone"):
        Settings(zone="Nowhere/There")
