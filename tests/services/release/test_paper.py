"""A paper's results at the release desk by pages: refusals with reasons, what was corrected, the reviewer's table."""

import csv
import io
import json
import zipfile
from typing import Any

import httpx
import pytest
from test_fifty import PEOPLE

from madang.lake.engine import Engine
from madang.node import closed
from madang.node.people import accounts
from madang.node.people.sessions import begin_session
from madang.research.study import open_study
from portal_house import OURS, House, commit
from services.release.test_release import Desk, desk  # noqa: F401  # a fixture
from support import needs
from web.served import Served


def results() -> dict[str, dict[str, bytes]]:
    """What a study in a workspace saves, by name."""
    with Engine() as engine:
        people = engine.query(PEOPLE)
    study = open_study({"person": people})
    outputs = {
        "sexes": study.table("person", by=["sex"]),
        "regions": study.table("person", by=["region"]),
        "ages": study.quantiles("person", "age", levels=[0, 0.5, 1]),
        "quartiles": study.quantiles("person", "age"),
        "curve": study.survival("person", "followed", "died", by=["sex"]),
        "model": study.regression("person", "pressure", ["age", "sex"]),
        "reviewer": study.table("person", by=["sex"], where={"region": ["north", "south"]}),
        "rounded": study.table("person", by=["sex"], where={"region": ["north", "south"]}, rounding=5),
    }
    return {
        name: {
            f"{name}.csv": each.csv().encode(),
            f"{name}.query.json": json.dumps(each.query.document()).encode(),
        }
        for name, each in outputs.items()
    }


class Desks:
    """The browsers of who asks and who judges, in one language."""

    def __init__(self, house: House, site: Served, language: str) -> None:
        self.browsers: dict[str, httpx.Client] = {}
        for login in ("researcher", "first", "second"):
            with house.node.write() as session:
                cookie = begin_session(session, house.node, accounts.find_person(session, login))
            self.browsers[login] = site.browser({"madang": cookie})
            self.browsers[login].headers["accept-language"] = language

    def ask(self, *parts: dict[str, bytes]) -> str:
        """Ask for release of files in a ZIP; where the request is seen."""
        parcel = io.BytesIO()
        with zipfile.ZipFile(parcel, "w") as out:
            for part in parts:
                for name, content in part.items():
                    out.writestr(name, content)
        form = {"name": "paper.zip", "project": "kidney", "dataset": "extract", "purpose": "A paper."}
        sent = self.browsers["researcher"].post(
            "/releases", data=form, files={"file": ("x", parcel.getvalue())}, headers=OURS
        )
        assert sent.status_code == 303, sent.text
        return sent.headers["location"]

    def see(self, at: str, who: str = "researcher") -> Any:
        """What a request's page says."""
        assert self.browsers[who].get(at).status_code == 200
        return self.browsers[who].get(f"/api/v1{at}").json()

    def released(self, at: str) -> dict[str, bytes]:
        """Both checkers agree, and the files are taken."""
        for login in ("first", "second"):
            voted = self.browsers[login].post(f"{at}/vote", data={"agrees": "true"}, headers=OURS)
            assert voted.status_code == 303, voted.text
        taken = self.browsers["researcher"].post(f"{at}/take", headers=OURS)
        assert taken.status_code == 200, taken.text
        with zipfile.ZipFile(io.BytesIO(taken.content)) as parcel:
            return {name: parcel.read(name) for name in parcel.namelist()}


def refused(told: Any) -> dict[str, list[str]]:
    """The criteria that each file of a request fails."""
    return {
        each["name"]: [said["criterion"] for said in each["findings"] if said["status"] == "fail"]
        for each in told["files"]
    }


def as_proposed(files: dict[str, bytes], told: Any) -> dict[str, bytes]:
    """The table as the desk says that it may leave: the cells that it names are left out."""
    (file,) = told["files"]
    name = file["name"]
    assert file["proposal"]["kind"] == "suppressed"
    rows = list(csv.reader(io.StringIO(files[name].decode())))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    hidden = [list(cell) for cell in file["proposal"]["hidden"]]
    writer.writerows(row if row[:-1] not in hidden else [*row[:-1], ""] for row in rows)
    return {**files, name: out.getvalue().encode()}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_paper_and_its_reviewer(desk: Desk, house: House, site: Served, language: str) -> None:  # noqa: F811  # fixtures are taken by their names
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")
    commit(house.node, "extract", person=PEOPLE)
    made, desks = results(), Desks(house, site, language)

    # Table 1, a curve and a model leave.
    at = desks.ask(made["sexes"], made["curve"], made["model"])
    told = desks.see(at)
    assert told["state"] == "asked" and {each["computed_again"] for each in told["files"]} == {"same"}, refused(told)
    assert set(desks.released(at)) == {"sexes.csv", "curve.csv", "model.csv", "RELEASE.json"}

    # Two are refused with reasons in the reader's language: a region that the other table gives, and extremes.
    regions, ages = desks.ask(made["regions"]), desks.ask(made["ages"])
    assert refused(desks.see(regions)) == {"regions.csv": ["derivable"]}
    assert refused(desks.see(ages)) == {"ages.csv": ["extremes"]}
    for at in (regions, ages):
        page = desks.browsers["researcher"].get(at).text
        assert ("does not pass" in page) == (language == "en")
        assert "island" not in page.partition("<main")[2] or at == regions  # no cell is named but where it is proposed

    # Corrected, they leave.
    at = desks.ask(as_proposed(made["regions"], desks.see(regions)), made["quartiles"])
    assert desks.see(at)["state"] == "asked", refused(desks.see(at))
    taken = desks.released(at)
    assert taken["regions.csv"].decode().count(",\n") >= 2, "the small count, and one more that would give it"

    # Months later a reviewer wants a subgroup: with the table by sex it would count the island's women and men.
    at = desks.ask(made["reviewer"])
    told = desks.see(at)
    assert told["state"] == "refused" and set(refused(told)["reviewer.csv"]) <= {"derivable", "difference"}
    assert told["files"][0]["opens"] == [], "which cells would open is for the checkers"
    assert desks.see(at, "first")["files"][0]["opens"]
    allowed = told["files"][0]["proposal"]
    assert allowed is not None, "there is a form that may leave"
    corrected = as_proposed(made["reviewer"], told) if allowed["kind"] == "suppressed" else made["rounded"]
    at = desks.ask(corrected)
    assert desks.see(at)["state"] == "asked", refused(desks.see(at))
    assert desks.released(at)
