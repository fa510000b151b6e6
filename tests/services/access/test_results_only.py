"""Results only: the project hands in questions, the holder runs them, and only what was released comes back."""

import io
import json
import zipfile
from typing import Any

import pytest
from access_house import Desk, person, refreshed

from madang.base.errors import MadangError
from madang.node import closed
from madang.node.people.actor import Actor
from madang.node.people.models import HOUSE, Person
from madang.node.people.sessions import begin_session
from madang.services.access import deciding, ending, permits, studies
from madang.services.access.asking import grant_of
from madang.services.access.extracting import held_name
from madang.services.release import service as release
from madang.services.release.tracing import trace
from portal_house import OURS, OWNER
from support import needs
from web.served import Served

STUDY = {
    "sex": {"kind": "count", "source": "person", "person": "person_id", "by": ["gender_concept_id"]},
    "ages": {"kind": "mean", "source": "person", "person": "person_id", "variable": "year_of_birth"},
    "nothing": {"kind": "count", "source": "person", "by": ["location_id"]},
}


@pytest.fixture
def box() -> None:
    needs("bwrap")
    if not closed.is_available():
        needs("/permission to close programs in")
    pytest.importorskip("highspy")


def permitted(desk: Desk) -> str:
    number = desk.submitted(place="results only")
    for member in desk.members:
        deciding.vote(desk.node, member, number, "results-only", "No rows.")
    deciding.close_vote(desk.node, desk.steward, number)
    for step in ("ethics", "fee"):
        deciding.close_step(desk.node, desk.steward, number, step)
    return permits.issue(desk.node, desk.steward, number)


def kept(desk: Desk, permit: str) -> list[dict[str, Any]]:
    with desk.node.read() as session:
        return studies.of(grant_of(session, permit))


def now(desk: Desk, actor: Actor) -> Actor:
    assert actor.person_id is not None
    return refreshed(desk.node, actor.person_id)


@pytest.mark.usefixtures("box")
def test_a_study_is_handed_in_run_released_and_taken(desk: Desk) -> None:
    permit, node = permitted(desk), desk.node
    firm = now(desk, desk.firm)
    assert studies.hand_in(node, firm, permit, json.dumps(STUDY).encode(), "A paper.") == 1
    for actor, code in ((firm, "permission.denied"), (desk.stranger, "permission.denied")):
        with pytest.raises(MadangError) as refused:
            studies.run(node, actor, permit, 1)
        assert refused.value.code == code
    number = studies.run(node, desk.steward, permit, 1)
    assert number is not None
    (study,) = kept(desk, permit)
    assert (study["state"], study["release"], list(study["failed"])) == ("run", number, ["nothing"])
    with pytest.raises(MadangError) as twice:
        studies.run(node, desk.steward, permit, 1)
    assert twice.value.code == "access.study"

    found = release.see(node, firm, number)
    assert (found.dataset, found.owner_id) == (f"{held_name(permit)}@1", firm.person_id)
    assert [(each.name, each.match) for each in found.files] == [("sex.csv", "same"), ("ages.csv", "same")]
    for login in ("one", "two"):
        checker = person(node, login, "release-checker", HOUSE)
        state = release.vote(node, checker, number, agrees=True)
    assert state == "approved"
    _name, content = release.take(node, now(desk, desk.firm), number)
    with zipfile.ZipFile(io.BytesIO(content)) as parcel:
        assert parcel.read("sex.csv").decode().startswith("gender_concept_id,count\n8507,20\n8532,20")
    chain = trace(node, OWNER, f"release:{number}")
    assert [(link.kind, link.name) for link in chain][2:5] == [
        ("permit", f"permit:{permit}"), ("version", f"{held_name(permit)}@1"), ("version", "claims@1"),
    ]  # fmt: skip


@pytest.mark.usefixtures("box")
def test_nobody_of_the_project_opens_the_rows(desk: Desk) -> None:
    permit, node = permitted(desk), desk.node
    firm = now(desk, desk.firm)
    studies.hand_in(node, firm, permit, json.dumps(STUDY).encode())
    studies.run(node, desk.steward, permit, 1)
    assert held_name(permit) not in now(desk, desk.firm).permitted()
    with pytest.raises(MadangError) as refused:
        release.ask(node, firm, [], project="kidney", dataset=held_name(permit))
    assert refused.value.code == "release.dataset"
    from madang.services.workspace import service as workspaces

    for reference in (permit, held_name(permit)):
        with pytest.raises(MadangError):
            workspaces.open_workspace(node, firm, reference)
    again = studies.hand_in(node, firm, permit, json.dumps({"sex": STUDY["sex"]}).encode())
    studies.run(node, desk.steward, permit, again)
    assert list(node.home.lake().dataset(held_name(permit)).versions()) == [1], "the same rows are not made twice"
    record = ending.destroy(node, desk.steward, permit, "Over.")
    assert record["versions"] == [1] and record["key_destroyed"]
    assert not node.home.lake().dataset(held_name(permit)).exists or record["files"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"not json", b"[" * 100_000, b'{"a b": {}}', b'{"a": {"kind": "rows", "source": "person"}}',
        b'{"a": {"kind": "count"}}', json.dumps({str(n): STUDY["sex"] for n in range(51)}).encode(),
    ],
)  # fmt: skip
def test_what_is_no_study_is_refused(desk: Desk, content: bytes) -> None:
    permit = permitted(desk)
    with pytest.raises(MadangError) as refused:
        studies.hand_in(desk.node, now(desk, desk.firm), permit, content)
    assert refused.value.code in ("access.study", "outputs.query")
    assert kept(desk, permit) == []


def test_a_permit_for_data_takes_no_study(desk: Desk) -> None:
    permit = desk.permitted()
    with pytest.raises(MadangError) as refused:
        studies.hand_in(desk.node, now(desk, desk.firm), permit, json.dumps(STUDY).encode())
    assert refused.value.code == "access.rows"


@pytest.mark.usefixtures("box")
@pytest.mark.parametrize(
    ("language", "words"), [("en", "Studies: results only"), ("ko", "결과만 받는 연구")], ids=["en", "ko"]
)
def test_the_same_by_pages(desk: Desk, site: Served, language: str, words: str) -> None:
    permit = permitted(desk)
    cookies = {}
    with desk.node.write() as session:
        for name, actor in (("firm", desk.firm), ("steward", desk.steward)):
            cookies[name] = begin_session(session, desk.node, session.get_one(Person, actor.person_id))
    with site.browser({"madang": cookies["firm"]}) as firm, site.browser({"madang": cookies["steward"]}) as steward:
        page = firm.get(f"/permits/{permit}?lang={language}")
        assert words in page.text and "/extract" not in page.text
        files = {"file": ("study.json", json.dumps(STUDY).encode())}
        sent = firm.post(f"/permits/{permit}/studies", files=files, headers=OURS)
        assert sent.status_code == 303, sent.text
        assert f"/permits/{permit}/studies/1/run" not in firm.get(f"/permits/{permit}").text
        assert f"/permits/{permit}/studies/1/run" in steward.get(f"/permits/{permit}").text
        ran = steward.post(f"/permits/{permit}/studies/1/run", headers=OURS)
        assert ran.status_code == 303, ran.text
        told = firm.get(f"/api/v1/permits/{permit}").json()
        assert told["studies"][0]["release"] and "by_id" not in told["studies"][0]
        assert firm.get(f"/releases/{told['studies'][0]['release']}").status_code == 200
