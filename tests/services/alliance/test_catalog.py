"""What partners describe is found in the catalog as theirs, and goes with the agreement."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from madang.node.home import Home
from madang.node.node import Node
from madang.services.alliance import exchange, partners, shares, turns
from madang.services.alliance.simulated import Handed
from portal_house import OWNER, House
from web.served import Served

PEOPLE = pa.table({"age": list(range(40, 80)), "sex": ["f", "m"] * 20, "hba1c": [5.5 + k / 10 for k in range(40)]})


@pytest.fixture
def far(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A partner that describes a table to this house."""
    monkeypatch.setenv("MADANG_LANG", "en")
    with monkeypatch.context() as elsewhere:  # it has a database of its own, wherever that of the house is
        elsewhere.delenv("MADANG_DATABASE_URL", raising=False)
        node = Node.open(Home(tmp_path / "far"))
    _made, code = partners.invite(house.node, OWNER, "island", {"discover": "described"}, "http://far.invalid")
    partners.join(node, OWNER, code, "house", line=Handed(house.node))
    partners.confirm(house.node, OWNER, "island")
    pq.write_table(PEOPLE, tmp_path / "people.parquet")
    shares.share(node, OWNER, "diabetes", file=tmp_path / "people.parquet", country="KR", vocabulary="v5")
    told(node, house)
    yield node
    node.close()


def told(far: Node, house: House) -> None:
    """The partner comes once."""
    turns.turn(far, Handed(house.node), partners.listed(far, OWNER)[0].id)


def found(site: Served, house: House, query: str = "", who: str = "member") -> Any:
    cookies = {"madang": house.cookies[who]} if who else {}
    with site.browser(cookies) as visitor:
        answer = visitor.get(f"/api/v1/records?{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_what_a_partner_describes_is_found_as_its_own(house: House, site: Served, far: Node) -> None:
    house.published("ours", title="Our diabetes")
    every = found(site, house)
    assert [each["source"] for each in every["elsewhere"]] == ["island"] and every["total"] == 1
    [one] = every["elsewhere"]
    assert one == {"name": "diabetes", "source": "island", "people": 40, "columns": ["age", "sex", "hba1c"],
                   "country": "KR", "vocabulary": "v5", "address": ""}  # fmt: skip
    assert found(site, house, who="steward")["elsewhere"][0]["address"] == "/alliance/partners/1"
    assert found(site, house, who="")["elsewhere"] == []  # it was told to this house, and not to the world
    for query, count in (("q=HbA1c", 1), ("q=hba1c+island", 1), ("q=hba1c+nowhere", 0), ("source=here", 0),
                         ("source=partners", 1), ("tier=open", 0), ("page=2", 0)):  # fmt: skip
        assert len(found(site, house, query)["elsewhere"]) == count, query
    assert found(site, house, "source=partners")["hits"] == [] and found(site, house, "source=here")["total"] == 1
    with site.browser({"madang": house.cookies["member"]}) as visitor:
        for language, words in (("en", "at partner island"), ("ko", "협력기관 island 보유")):
            page = visitor.get(f"/records?q=hba1c&lang={language}").text
            assert words in page and "hba1c" in page
    # no copy of the data: of 40 values none but those that were described
    kept = (house.node.home.folder("alliance") / "catalog-1.json").read_text()
    assert "5.7" not in kept and "41" not in kept


@pytest.mark.parametrize("much", ["names", "nothing"])
def test_it_goes_at_once_when_the_agreement_says_less(house: House, site: Served, far: Node, much: str) -> None:
    assert found(site, house)["elsewhere"]
    partners.amend(far, OWNER, "house", {"discover": much})
    told(far, house)
    assert found(site, house)["elsewhere"]  # proposed is not agreed
    partners.agree(house.node, OWNER, "island")
    assert found(site, house)["elsewhere"] == []
    with site.browser({"madang": house.cookies["steward"]}) as visitor:  # nor is more told on the page of the partner
        shown = visitor.get("/api/v1/alliance/partners/1").json()["shares"]
    assert [set(each) & {"levels", "low"} for share in shown for each in share["columns"]] == (
        [set()] * 3 if shown else []
    )
    assert bool(shown) == (much == "names") and all(share["people"] == 0 for share in shown)


@pytest.mark.parametrize("who", ["here", "there"])
def test_it_goes_at_once_when_somebody_leaves(house: House, site: Served, far: Node, who: str) -> None:
    if who == "here":
        partners.leave(house.node, OWNER, "island")
    else:
        with house.node.read() as session:
            partner = partners.find(session, "island")
        assert exchange._done(house.node, partner, {"kind": "leave"}, {}, partner.received + 1, b"") == {}
    assert found(site, house)["elsewhere"] == []
    assert not (house.node.home.folder("alliance") / "catalog-1.json").exists()


def test_data_that_an_agreement_does_not_cover_are_not_shown(house: House, site: Served, far: Node) -> None:
    partners.amend(house.node, OWNER, "island", {"discover": "described", "datasets": ["lung"]})
    told(far, house)
    partners.agree(far, OWNER, "house")
    told(far, house)
    assert found(site, house)["elsewhere"] == []
