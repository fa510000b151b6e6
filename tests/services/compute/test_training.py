"""Training tasks: they go on from their checkpoints after a kill, a stop or a move, and their models stay."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from madang.base.errors import MadangError
from madang.services.compute import learning, service, staging
from madang.services.compute.runner import work_off
from portal_house import OURS, OWNER, House, commit
from science.risk.test_risk import model_of  # type: ignore[import-not-found]  # beside the tests
from services.compute.test_tasks import asked, member  # type: ignore[import-not-found]  # beside the tests
from web.served import Served


@pytest.fixture
def under(permit: str, house: House, tmp_path: Path) -> str:
    """The permit, with tables to learn from as its dataset."""
    tables = model_of(tmp_path / "model")
    commit(house.node, "extract", **{f.name: f"FROM read_parquet('{f}/0.parquet')" for f in tables.iterdir()})
    return permit


@pytest.mark.usefixtures("boxes")
def test_a_training_whose_runner_is_killed_goes_on_and_its_model_stays(under: str, house: House, site: Served) -> None:
    if not house.node.database.is_sqlite:
        pytest.skip("one database is enough")
    who = member(house)
    made = learning.ask_training(house.node, who, learning.Training(permit=under, epochs=1500))
    environment = os.environ | {"MADANG_HOME": str(house.node.home.path)}
    child = subprocess.Popen([sys.executable, "-m", "madang.services.compute.runner"], env=environment)
    end = time.monotonic() + 120
    while "epoch 20 of" not in staging.printed(house.node, made.id, 0, 100_000)[0]:
        assert time.monotonic() < end, service.see(house.node, OWNER, made.id).reason
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert service.see(house.node, OWNER, made.id).state == "running"
    work_off(house.node)
    found = service.see(house.node, OWNER, made.id)
    assert found.state == "complete" and found.attempts == 2, found.reason
    assert "goes on after epoch" in staging.printed(house.node, made.id, 0, 100_000)[0]
    card = json.loads(staging.output_path(house.node, made.id, "card.json").read_text())
    assert card["measures"]["auc"] > 0.65 and len(card["data"]["sha256"]) == 64
    assert not (staging.folder_of(house.node, made.id) / staging.CHECKPOINTS).exists()
    with site.browser({"madang": house.cookies["member"]}) as browser:
        browser.headers.update(OURS)
        assert browser.get(f"/compute/{made.id}/outputs/model.json").status_code == 403
        sent = browser.post(f"/compute/{made.id}/release", data={"names": ["model.json", "card.md"], "purpose": "x"})
        assert sent.status_code == 303 and "/releases/" in sent.headers["location"], sent.text


COUNTS = "n=$(cat /checkpoints/n 2>/dev/null || echo 0); echo had $n; echo $((n + 1)) > /checkpoints/n; "


def counting(rest: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = asked("sh", "-c", COUNTS + rest, **more)
    given["resources"]["backend_parameters"]["checkpoints"] = "/checkpoints"
    return given


@pytest.mark.usefixtures("boxes")
def test_who_is_asked_for_again_goes_on_only_with_the_very_same_inputs(house: House) -> None:
    inputs = [{"path": "/inputs/a", "content": "a"}]
    first = service.submit(house.node, OWNER, counting("ln -s /etc/passwd /checkpoints/link; exit 3", inputs=inputs))
    work_off(house.node)
    second = service.again(house.node, OWNER, first.id)
    other = service.again(house.node, OWNER, first.id, {"inputs": [{"path": "/inputs/a", "content": "b"}]})
    work_off(house.node)
    said = [service.printed(house.node, OWNER, each.id)[0][0] for each in (first, second, other)]
    assert said == ["had 0\n", "had 1\n", "had 0\n"]
    copied = staging.folder_of(house.node, second.id) / staging.CHECKPOINTS
    assert (staging.folder_of(house.node, first.id) / staging.CHECKPOINTS / "link").is_symlink()
    assert sorted(each.name for each in copied.iterdir()) == ["link", "n"]  # its own, made anew; not ours
    done = service.submit(house.node, OWNER, counting("true"))
    work_off(house.node)
    later = service.again(house.node, OWNER, done.id)
    work_off(house.node)
    assert service.printed(house.node, OWNER, later.id)[0][0] == "had 0\n"  # what is done is done


@pytest.mark.parametrize("path", ["/task", "/task/deep", "/etc/x", "../x", "relative"])
def test_checkpoints_have_a_folder_of_their_own(path: str, house: House) -> None:
    given = asked("true")
    given["resources"]["backend_parameters"]["checkpoints"] = path
    with pytest.raises(MadangError) as error:
        service.submit(house.node, OWNER, given)
    assert error.value.code == "task.path"


@pytest.mark.usefixtures("boxes")
def test_a_training_is_asked_for_on_the_page(house: House, site: Served) -> None:
    house.published("ours", "open")
    with site.browser({"madang": house.cookies["member"]}) as browser:
        browser.headers.update(OURS)
        sent = browser.post("/compute/training", data={"record": "ours", "epochs": "5"})
        assert sent.status_code == 303, sent.text
        number = int(sent.headers["location"].rpartition("/")[2])
        for bad in ({"record": "../ours"}, {"record": "none"}, {}, {"record": "ours", "outcome": "wealth"}):
            assert browser.post("/compute/training", data=bad).status_code in (404, 422)
    work_off(house.node)
    found = service.see(house.node, OWNER, number)
    assert found.state == "executor-error"  # the record has no conditions: told in a sentence
    assert "condition_occurrence" in service.printed(house.node, OWNER, number)[0][1]
