"""Studies of a project: twins, foundry loops, good runs, recordings of the simulated plant, the transfer package."""

import io
import json
import threading
import time
import zipfile
from pathlib import Path

import pytest

from madang.base.errors import MadangError
from madang.node import signing
from madang.node.node import Node
from madang.node.people import Actor
from madang.node.people.accounts import find_person
from madang.node.people.projects import make_project
from madang.services.manufacturing import cultivations, handover, live, recording, service, studies
from madang.services.manufacturing.samples import LOOP
from portal_house import OURS, OWNER, House, work_off
from web.served import Served

RECIPE = """
kinetics = "cho"
hours = 240
every = 8
[start]
volume = 1.0
biomass = 0.4
[[feed]]
from = 48
rate = 0.0009
substrate = 300
[limits.product]
least = 0.1
[what_if]
batches = 200
[what_if.spread]
mu_max = 0.05
[design_space]
grid = 3
draws = 5
[design_space.axes]
feed = [0.5, 1.5]
temperature = [33, 37]
"""
CAMPAIGN = """
[[factor]]
name = "a"
low = 0
high = 1
unit = "h"
[[objective]]
name = "titer"
[[limit]]
name = "waste"
most = 5
"""


def actor(node: Node, login: str) -> Actor:
    with node.read() as session:
        return Actor.person(session, find_person(session, login).id)


@pytest.fixture
def vessel(house: House) -> House:
    make_project(house.node, OWNER, "vessel", "Vessels", organization="hospital", leader="member")
    return house


def good(number: int, sick: bool = False) -> str:
    rows = [
        f"{hour},{10 + hour + 0.05 * ((hour * 7 + number * 3) % 5)},{50 - hour / 4 - (8 if sick and hour > 20 else 0)}"
        for hour in range(0, 41, 2)
    ]
    return "hours,cells,sugar\n" + "\n".join(rows) + "\n"


def test_a_twin_shows_its_design_space(vessel: House, site: Served) -> None:
    node, member = vessel.node, actor(vessel.node, "member")
    made = studies.compute_twin(node, member, "vessel", "Feed", RECIPE)
    work_off(node)
    answer = json.loads(studies.see_study(node, member, made.id).answer)
    assert len(answer["design_space"]["probability"]) == 3 and 0 <= answer["what_if"]["probability"] <= 1
    with pytest.raises(MadangError, match="more than a page computes"):
        studies.compute_twin(node, member, "vessel", "Too much", RECIPE.replace("grid = 3", "grid = 200"))
    with pytest.raises(MadangError, match="no TOML"):
        studies.compute_twin(node, member, "vessel", "Wrong", "kinetics = ")
    with pytest.raises(MadangError):
        studies.see_study(node, actor(node, "steward"), made.id)
    with site.browser({"madang": vessel.cookies["member"]}) as browser:
        for language in ("ko", "en"):
            page = browser.get(f"/manufacturing/twins/{made.id}", headers={"Accept-Language": language})
            assert page.status_code == 200 and page.text.count("<svg role") > 5
        assert browser.get(f"/manufacturing/watch/{made.id}").status_code == 404


def test_a_foundry_closes_rounds_and_waits_for_readings(vessel: House, site: Served) -> None:
    node, member = vessel.node, actor(vessel.node, "member")
    made = studies.run_foundry(node, member, "vessel", "Loop", LOOP.replace("rounds = 10", "rounds = 3"))
    work_off(node)
    answer = json.loads(studies.see_study(node, member, made.id).answer)
    assert answer["rounds"] == 3 and {each["kind"] for each in answer["notes"]} == {"failed", "recovered"}
    files = LOOP.replace('mode = "simulated"\nfailures = ["reader@3"]', 'mode = "files"')
    by_hand = studies.run_foundry(node, member, "vessel", "By hand", files)
    work_off(node)
    with site.browser({"madang": vessel.cookies["member"]}) as browser:
        page = browser.get(f"/api/v1/manufacturing/foundry/{by_hand.id}").json()
        assert page["waiting"] == "round-01" and page["gives"]
        work = browser.get(f"/manufacturing/foundry/{by_hand.id}/round-01/worklist.csv").text
        target = [name.lower() for name in work.splitlines()[0].split(",")].index("target_well")
        wells = list(dict.fromkeys(line.split(",")[target] for line in work.splitlines()[1:]))
        controls = ("A1", "A2", "A3", "H10", "H11", "H12")
        told = [f"{well},{100 if well in controls[:3] else 1}" for well in controls] + [f"{w},{9}" for w in wells]
        readings = {"text": "well,value\n" + "\n".join(told)}
        sent = browser.post(f"/manufacturing/foundry/{by_hand.id}/readings", data=readings, headers=OURS)
        assert sent.status_code == 303
        work_off(node)
        page = browser.get(f"/api/v1/manufacturing/foundry/{by_hand.id}").json()
        assert page["rounds"] == 1 and page["waiting"] == "round-02"
        assert browser.get(f"/manufacturing/foundry/{made.id}?well=B7").status_code == 200
    for text in ('folder = "/etc"\n' + LOOP, 'sequences = "/etc/passwd"\n' + LOOP):
        with pytest.raises(MadangError, match="no files"):
            studies.run_foundry(node, member, "vessel", "Elsewhere", text)


def test_good_runs_tell_when_another_leaves_them_and_why(vessel: House, site: Served) -> None:
    node, member = vessel.node, actor(vessel.node, "member")
    for number in range(5):
        cultivations.add_run(node, member, "vessel", f"good-{number}", good(number))
    cultivations.add_run(node, member, "vessel", "sick", good(9, sick=True))
    cultivations.add_run(node, member, "vessel", "well", good(8))
    names = [f"good-{number}" for number in range(5)]
    made = studies.learn_good_runs(node, member, "vessel", "Good", names)
    work_off(node)
    held = json.loads(studies.see_study(node, member, made.id).answer)["held"]
    (alarm,) = held["sick"]["alarms"]
    assert 20 <= alarm["begin"] <= 24 and alarm["signals"][0][0] == "sugar" and held["well"]["alarms"] == []
    with pytest.raises(MadangError, match="no run nobody"):
        studies.learn_good_runs(node, member, "vessel", "Good", ["nobody"])
    with site.browser({"madang": vessel.cookies["member"]}) as browser:
        assert "sugar" in browser.get(f"/manufacturing/watch/{made.id}").text


def test_several_runs_and_a_laboratory_sheet_become_one_comparison(vessel: House) -> None:
    node, member = vessel.node, actor(vessel.node, "member")
    lines = [f"run-{n},{line}" for n in range(4) for line in good(n).splitlines()[1:]]
    added = cultivations.add_runs(node, member, "vessel", "run,hours,cells,sugar\n" + "\n".join(lines) + "\n")
    assert added == ["run-0", "run-1", "run-2", "run-3"]
    sheet = "run,hours,titer\n" + "".join(f"run-{n},{hour},{hour / 10}\n" for n in range(3) for hour in (10, 21, 40))
    assert cultivations.add_sheet(node, member, "vessel", sheet) == ["run-0", "run-1", "run-2"]
    _names, done = cultivations.compare_runs(node, member, "vessel")
    assert "titer" in done.signals and "cells" in done.signals
    with pytest.raises(MadangError, match="not here"):
        cultivations.add_sheet(node, member, "vessel", "run,hours,titer\nrun-9,1,2\n")


def test_a_run_of_the_simulated_plant_is_recorded_watched_and_kept(
    vessel: House, site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("asyncua")
    node, member = vessel.node, actor(vessel.node, "member")
    monkeypatch.setattr(recording, "_spawn", lambda home, number: None)
    address = "opc.tcp://127.0.0.1:4840/x"
    plant = service.register_equipment(node, OWNER, "vessel", "plant", address, simulated=True)
    real = service.register_equipment(node, member, "vessel", "real", address)
    with pytest.raises(MadangError, match="Only simulated"):
        recording.begin_recording(node, member, real.id, "Real", faults=("cooling@1",))
    made = recording.begin_recording(node, member, plant.id, "Run", unit="Production", faults=("stuck:pH@0",))
    recorder = threading.Thread(target=recording.keep_recording, args=(node, made.id))
    recorder.start()
    ends = time.monotonic() + 180
    while live.look(node, made, None).readings < 100 and time.monotonic() < ends:
        time.sleep(0.5)
    recording.stop_recording(node, member, made.id)
    recorder.join(60)
    kept = studies.see_study(node, member, made.id)
    assert kept.state == "done", kept.error
    told = live.look(node, kept, None)
    assert told.readings >= 100 and set(told.units) == {"Seed", "Production"} and told.unit == "Production"
    version = node.home.lake().find(json.loads(kept.answer)["version"])
    assert version.info["readings"] == told.readings
    with site.browser({"madang": vessel.cookies["member"]}) as browser:
        assert browser.get(f"/manufacturing/live/{made.id}?unit=Seed").status_code == 200
    with pytest.raises(MadangError, match="no recording"):
        recording.stop_recording(node, member, made.id)


def test_what_was_learned_is_handed_over_as_one_signed_file(vessel: House, tmp_path: Path) -> None:
    node, member = vessel.node, actor(vessel.node, "member")
    campaign = service.begin_campaign(node, member, "vessel", "feed", "Feed", CAMPAIGN)
    rows = [(0.1, 2.0, 1), (0.3, 9.9, 1), (0.4, 10.0, 2), (0.5, 9.7, 2), (0.8, 40.0, 9)]
    service.add_to_campaign(
        node, member, campaign.id, "a,titer,waste\n" + "".join(f"{a},{t},{w}\n" for a, t, w in rows)
    )
    twin = studies.compute_twin(node, member, "vessel", "Feed", RECIPE)
    work_off(node)
    data, digest = handover.hand_over(node, member, "vessel", "Feed", campaign=campaign.id, studies=(twin.id,))
    package, said = handover.verify(data, signing.public_keys(node.home))
    assert said["manifest"] == digest == package.digest
    first = package.parameters[0]
    assert (first.name, first.unit, first.value, first.low, first.high) == ("a", "h", 0.4, 0.3, 0.5)  # not the 40
    assert {p.name for p in package.parameters} == {"a", "feed", "temperature"}
    assert f"recipe/twin-{twin.id}.toml" in package.files
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"0.4", b"0.5") if name == "parameters.csv" else old.read(name))
    with pytest.raises(MadangError, match="not what it was"):
        handover.verify(changed.getvalue(), signing.public_keys(node.home))
    with pytest.raises(MadangError, match="signature"):
        handover.verify(data, [])
    with pytest.raises(MadangError, match="no transfer package"):
        handover.verify(b"x", [])
    with pytest.raises(MadangError, match="nothing to hand over"):
        handover.hand_over(node, member, "vessel", "Nothing")
    make_project(node, OWNER, "other", "Other", organization="hospital", leader="member")
    with pytest.raises(MadangError):
        handover.hand_over(node, actor(node, "member"), "other", "Stolen", campaign=campaign.id)
